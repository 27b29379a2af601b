"""safetensors: what comes back, what other readers see, and that damage is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fastmlp import MLP, Ensemble
from fastmlp.export import from_safetensors, to_safetensors

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
    with pytest.raises(ValueError, match="loss was written in Python"):
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
        ({"sizes": [6, 9, 8, 4]}, "not a whole fastmlp model file: weights"),
        ({"activation": None}, "not a whole fastmlp model file: 'activation'"),
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
