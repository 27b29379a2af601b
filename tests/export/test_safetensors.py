"""safetensors: what comes back, what other readers see, and which files are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fastmlp import MLP, Ensemble
from fastmlp.export import from_safetensors, safetensors, to_safetensors

pytest.importorskip("safetensors")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.safetensors"


def test_the_same_network_comes_back(network, path, X):
    network.metadata = {"columns": ["größe", "β"], "nested": {"a": None}}
    network.freeze(0)
    to_safetensors(network, path)
    back = from_safetensors(path)
    assert repr(back) == repr(network)
    for name in ("batch_norm", "dropout", "input_dropout", "noise", "frozen", "metadata",
                 "epochs", "use_average"):
        assert getattr(back, name) == getattr(network, name)
    np.testing.assert_array_equal(back.forward(X), network.forward(X))


def test_the_same_ensemble_comes_back(ensemble, path, X):
    ensemble.metadata["name"] = "three"
    to_safetensors(ensemble, path)
    back = from_safetensors(path)
    assert isinstance(back, Ensemble)
    assert back.metadata == {"name": "three"}
    np.testing.assert_array_equal(back.forward(X), ensemble.forward(X))


def test_a_loss_written_in_python_is_given_again(path, X):
    def value(h, y):
        return ((h - y) ** 2).sum(axis=1)

    def gradient(h, y):
        return 2 * (h - y)

    net = MLP((6, 4, 2), loss=(value, gradient))
    to_safetensors(net, path)
    with pytest.raises(ValueError, match=r"loss was written in Python.*pass loss=\(value"):
        from_safetensors(path)
    back = from_safetensors(path, loss=(value, gradient))
    np.testing.assert_array_equal(back.forward(X), net.forward(X))


def test_other_readers_find_the_arrays_by_name(make, path):
    from safetensors.numpy import load_file

    net = make()
    to_safetensors(net, path)
    arrays = load_file(path)
    assert {*arrays} == {
        *(f"{name}_{l}" for name in ("weight", "bias") for l in (1, 2, 3)),
        *(f"{name}_{l}" for name in ("scale", "mean", "variance") for l in (1, 2)),
    }
    np.testing.assert_array_equal(arrays["weight_1"], net.weights[0])
    np.testing.assert_array_equal(arrays["variance_2"], net.statistics[1][1])


def edited(path: Path, **changes: object) -> None:
    """Write a file again with other entries in its header; None leaves one out."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(path, "numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}
        header = json.loads(file.metadata()["fastmlp"])
    header = {name: one for name, one in {**header, **changes}.items() if one is not None}
    save_file(arrays, path, {"fastmlp": json.dumps(header)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": [6, 9, 8, 4]}, r"weight_3 is F32 of shape \(3, 8\); expected float32 \(4, 8\)"),
        ({"activation": None}, "not a whole fastmlp model file: its header .*'activation'"),
        ({"batch_norm": [True, True, True]}, "not a whole fastmlp model file: batch_norm"),
        ({"format": 99}, r"written by a newer fastmlp \(file format 99"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(changes, message, make, path):
    to_safetensors(make(), path)
    edited(path, **changes)
    with pytest.raises(ValueError, match=message):
        from_safetensors(path)


def test_a_file_cut_short_is_refused(make, path):
    to_safetensors(make(), path)
    whole = path.read_bytes()
    for length in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a whole fastmlp model file"):
            from_safetensors(path)


def test_a_file_of_others_is_refused(path):
    from safetensors.numpy import save_file

    save_file({"weight_1": np.zeros((2, 2))}, path)
    with pytest.raises(ValueError, match="its metadata has no entry 'fastmlp'"):
        from_safetensors(path)


def test_a_missing_file_is_the_systems_error(path):
    with pytest.raises(FileNotFoundError):
        from_safetensors(path)
    with pytest.raises(IsADirectoryError):
        from_safetensors(path.parent)


# ------------------------------------------------------------------------------- hostile files


def file_of(header: object, data: bytes = b"", size: int | None = None) -> bytes:
    """Return a safetensors file with this header, which may be bytes, and perhaps a false size."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if size is None else size).to_bytes(8, "little") + text + data


def tensor(shape: list[int], first: int, end: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [first, end]}


OWN = {"fastmlp": json.dumps({"format": 2})}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (file_of({}, size=2**63), "its header has 9,223,372,036,854,775,808 bytes; at most"),
        (file_of(b" " * 100, size=65 << 20), "its header has 68,157,440 bytes"),
        (file_of({"__metadata__": OWN, "weight_1": tensor([2**40, 2**40], 0, 4)}, b"1234"), ""),
        (
            file_of(
                {"__metadata__": OWN, "a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, bytes(12)
            ),
            "",
        ),
        (file_of({"a": tensor([2], 0, 8), "b": tensor([2], 0, 8)}, bytes(8)), ""),
        (file_of({"__metadata__": OWN, "a": tensor([2], 4, 12)}, bytes(12)), ""),
        (file_of(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), ""),
        (file_of({"__metadata__": {"fastmlp": "[" * 100_000 + "]" * 100_000}}), ""),
        (file_of({"__metadata__": {"fastmlp": "[]"}}), "not an object of JSON"),
        (file_of({"__metadata__": {"fastmlp": "{}"}}), "its header has no format"),
        (file_of({"__metadata__": {"fastmlp": '{"format": 2, "sizes": [1e99]}'}}), "header"),
        (file_of({"\x1b[2J": 3, "dtype": "\x1b]0;"}), ""),
    ],
)
def test_hostile_files_are_refused_at_once(content, message, path):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"not a whole fastmlp model file: .*{message}") as caught:
        from_safetensors(path)
    assert str(caught.value).isprintable()


def test_only_the_tensors_of_the_network_are_read(make, path):
    from safetensors.numpy import load_file, save_file

    net = make()
    to_safetensors(net, path)
    arrays = load_file(path)
    metadata = {"fastmlp": header_of(path)}
    save_file({**arrays, "more": np.zeros(1000)}, path, metadata)
    with pytest.raises(ValueError, match="tensor 'more' is in no network of its description"):
        from_safetensors(path)
    del arrays["bias_2"]
    save_file(arrays, path, metadata)
    with pytest.raises(ValueError, match="tensor 'bias_2' is missing"):
        from_safetensors(path)
    save_file({**arrays, "bias_2": np.zeros(8)}, path, metadata)
    with pytest.raises(ValueError, match="tensor bias_2 is F64 of shape .*; expected float32"):
        from_safetensors(path)


def header_of(path: Path) -> str:
    from safetensors import safe_open

    with safe_open(path, "numpy") as file:
        return file.metadata()["fastmlp"]


def test_a_changed_number_is_noticed(make, path):
    to_safetensors(make(), path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="do not have the digest"):
        from_safetensors(path)


def test_a_file_without_digest_is_read(make, path, X):
    """As an older version wrote it."""
    net = make()
    to_safetensors(net, path)
    edited(path, digest=None)
    np.testing.assert_array_equal(from_safetensors(path).forward(X), net.forward(X))


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ({"notes": "x" * 1000}, ValueError, "its header has .* bytes; at most 1,000 are read"),
        (["a"], TypeError, "net.metadata must be a dict"),
        (None, TypeError, "net.metadata must be a dict"),
        ({"a": object()}, TypeError, "only what JSON can"),
    ],
)
def test_what_could_not_be_read_back_replaces_no_file(
    metadata, error, message, make, path, monkeypatch
):
    net = make()
    to_safetensors(net, path)
    before = path.read_bytes()
    net.metadata = metadata
    monkeypatch.setattr(safetensors, "LARGEST_HEADER", 1000)
    with pytest.raises(error, match=message):
        to_safetensors(net, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("labels", [[False, True], [0.1, 1e300], [1, 2**64 - 1], ["ü"], [7]])
def test_labels_of_every_type_survive(labels, make, path):
    net = make()
    net.metadata["classes"] = labels
    to_safetensors(net, path)
    assert repr(from_safetensors(path).metadata["classes"]) == repr(labels)
