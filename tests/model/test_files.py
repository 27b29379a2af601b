"""Files: what comes back, that they appear whole or not at all, and that damage is told."""

from __future__ import annotations

import json
import os
import zipfile

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Adam, AdamW, GradientDescent, RMSprop
from fastmlp.activations import ELU, LeakyReLU
from fastmlp.model import headers

NETWORKS = {
    "defaults": lambda: MLP((6, 16, 3)),
    "linear": lambda: MLP((6, 3), loss="squared_error", dtype="float64"),
    "mixed": lambda: MLP(
        (6, 5, 4, 3),
        activation=[LeakyReLU(0.3), ELU(0.5)],
        loss="binary_cross_entropy",
        init="normal",
        seed=2**80,
        uint8_scale=1 / 255,
    ),
    "output activation": lambda: MLP(
        (6, 5, 3), activation="selu", loss="squared_error", output_activation=LeakyReLU(0.1)
    ),
}
OPTIMIZERS = {
    "gradient descent": GradientDescent(0.01),
    "momentum": GradientDescent(0.01, momentum=0.9),
    "adam": Adam(0.01),
    "adamw": AdamW(0.01),
    "rmsprop": RMSprop(0.01, momentum=0.9),
}


def parameters(net: MLP) -> list[np.ndarray]:
    return [*net.weights, *net.biases]


def assert_same(one: MLP, other: MLP) -> None:
    assert repr(one) == repr(other)
    for a, b in zip(parameters(one), parameters(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.npz"


# --------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_loaded_network_is_the_saved_one(make, path, rng):
    net = make()
    net.metadata = {"columns": ["größe", "β"], "classes": [1, 2, 3], "nested": {"a": None}}
    net.save(path)
    loaded = fastmlp.load(path)
    assert_same(loaded, net)
    assert (loaded.metadata, loaded.seed) == (net.metadata, net.seed)
    assert loaded.uint8_scale == net.uint8_scale
    X = rng.normal(size=(20, 6))
    np.testing.assert_array_equal(loaded.forward(X), net.forward(X))


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_goes_on_from_a_file_as_if_it_had_never_stopped(classes, path, optimizer):
    stopped, whole = MLP((6, 16, 3)), MLP((6, 16, 3))
    stopped.fit(*classes, epochs=2, optimizer=optimizer)
    stopped.save(path, with_optimizer=True)
    loaded = fastmlp.load(path)
    loaded.fit(*classes, epochs=2, optimizer=optimizer)
    whole.fit(*classes, epochs=4, optimizer=optimizer)
    assert_same(loaded, whole)
    assert loaded.epochs == 4


def test_optimizer_state_is_left_out_unless_asked_for(net, classes, path, tmp_path):
    net.fit(*classes, epochs=2)
    net.save(path, with_optimizer=True)
    net.save(tmp_path / "small.npz")
    assert os.path.getsize(tmp_path / "small.npz") < os.path.getsize(path)
    loaded = fastmlp.load(tmp_path / "small.npz")
    loaded.fit(*classes, epochs=1)
    net.fit(*classes, epochs=1, reset_optimizer=True)
    assert_same(loaded, net)


def test_file_needs_neither_pickle_nor_fastmlp(net, classes, path):
    net.fit(*classes, epochs=1)
    net.save(path, with_optimizer=True)
    with np.load(path, allow_pickle=False) as contents:
        np.testing.assert_array_equal(contents["weight_1"], net.weights[0])
        np.testing.assert_array_equal(contents["bias_2"], net.biases[1])
        assert contents["state_2_weight_1"].shape == (16, 6)
        header = json.loads(str(contents["header"]))
    assert header["sizes"] == [6, 16, 3]
    assert header["optimizer"]["name"] == "adam"


# ------------------------------------------------------------------------------ the path


@pytest.mark.parametrize("name", ["net", "net.model", "größe.npz", "net.npz.1"])
def test_path_is_used_as_it_stands(net, tmp_path, name):
    net.save(str(tmp_path / name))
    assert os.listdir(tmp_path) == [name]
    assert_same(fastmlp.load(str(tmp_path / name)), net)


def test_saving_through_a_link_keeps_the_link(net, tmp_path):
    (tmp_path / "store").mkdir()
    link = tmp_path / "net.npz"
    link.symlink_to(tmp_path / "store" / "net.npz")
    net.save(link)
    assert link.is_symlink()
    assert os.listdir(tmp_path / "store") == ["net.npz"]
    assert_same(fastmlp.load(link), net)


def test_missing_folder_and_file_are_told_by_the_system(net, tmp_path):
    with pytest.raises(FileNotFoundError):
        net.save(tmp_path / "nowhere" / "net.npz")
    with pytest.raises(FileNotFoundError):
        fastmlp.load(tmp_path / "nothing.npz")
    with pytest.raises((IsADirectoryError, PermissionError)):
        net.save(tmp_path)
    assert os.listdir(tmp_path) == []


# ----------------------------------------------------------------------------- whole files


def failing_write(file, **arrays):
    file.write(b"PK half of a file")
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("module", "name", "replacement"),
    [
        (np, "savez", failing_write),
        (os, "replace", lambda *_: (_ for _ in ()).throw(OSError("replace failed"))),
        (os, "fsync", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)),
    ],
    ids=["disk full", "replace fails", "Ctrl-C"],
)
def test_failing_write_leaves_the_old_file(net, path, monkeypatch, module, name, replacement):
    old = MLP((2, 2))
    old.save(path)
    with monkeypatch.context() as patch:
        patch.setattr(module, name, replacement)
        with pytest.raises((OSError, KeyboardInterrupt)):
            net.save(path)
    assert os.listdir(path.parent) == ["net.npz"]
    assert_same(fastmlp.load(path), old)


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": np.zeros(2)},
        {"a": {1, 2}},
        {("a", "b"): 1},
        dict(enumerate("abcdefghijk")),  # text in a file, whose order is another one
        {"classes": [{1: "a", "b": 2}]},
        {None: 1},
    ],
)
def test_metadata_that_json_cannot_hold_is_told_before_writing(net, path, metadata):
    net.metadata = metadata
    with pytest.raises(TypeError, match="net.metadata can hold only what JSON can"):
        net.save(path)
    assert not path.exists()


# --------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("part", range(20))
def test_file_cut_short_is_told(net, classes, path, part):
    net.fit(*classes, epochs=1)
    net.save(path, with_optimizer=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * part // 20])
    with pytest.raises(ValueError, match="net.npz is not a whole fastmlp model file"):
        fastmlp.load(path)


def test_changed_byte_is_told_or_changes_nothing(net, path):
    """Some bytes of a zip file, such as its times, mean nothing here."""
    net.save(path)
    whole = path.read_bytes()
    told = 0
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            loaded = fastmlp.load(path)
        except ValueError as error:
            assert "is not a whole fastmlp model file" in str(error)
            told += 1
        else:
            assert_same(loaded, net)
    assert told > len(whole) // 7 // 2


@pytest.mark.parametrize("shift", [-1000, 500, 1000])
def test_directory_that_points_elsewhere_is_told(net, path, shift):
    """The offset of the archive's directory, in its last 6 bytes, is that of its entries too."""
    net.save(path)
    whole = path.read_bytes()
    offset = int.from_bytes(whole[-6:-2], "little") + shift
    path.write_bytes(whole[:-6] + offset.to_bytes(4, "little") + whole[-2:])
    with pytest.raises(ValueError, match="net.npz is not a whole fastmlp model file"):
        fastmlp.load(path)


@pytest.mark.parametrize("contents", [b"", b"hello"], ids=["empty", "text"])
def test_other_files_are_told(path, contents):
    path.write_bytes(contents)
    with pytest.raises(ValueError, match="is not a whole fastmlp model file"):
        fastmlp.load(path)


def test_pickled_objects_are_never_read(path):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    np.savez(path, header=np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="not a whole fastmlp model file"):
        fastmlp.load(path)


def rewrite(path, change) -> None:
    """Apply a change to header and arrays of a file."""
    with np.load(path) as contents:
        arrays = dict(contents)
    header = json.loads(str(arrays.pop("header")))
    change(header, arrays)
    np.savez(path, header=np.array(json.dumps(header)), **arrays)


@pytest.mark.parametrize(
    "change",
    [
        lambda header, arrays: header.update(sizes=[6, 17, 3]),
        lambda header, arrays: header.update(sizes=[6, -16, 3]),
        lambda header, arrays: header.update(loss={"name": "hinge"}),
        lambda header, arrays: header.update(dtype="float16"),
        lambda header, arrays: header.update(activation=[{"name": "relu", "slope": 1}]),
        lambda header, arrays: header["optimizer"].update(name="lion"),
        lambda header, arrays: header["optimizer"].update(constants=[0.9]),
        lambda header, arrays: header["optimizer"].update(slots=1),
        lambda header, arrays: header["optimizer"].update(steps=-1),
        lambda header, arrays: header.pop("seed"),
        lambda header, arrays: arrays.pop("bias_2"),
        lambda header, arrays: arrays.update(weight_1=np.zeros((16, 5))),
        lambda header, arrays: arrays.update(weight_1=np.full((16, 6), np.nan)),
        lambda header, arrays: arrays.update(state_1_weight_1=np.zeros((1, 1), np.float32)),
        lambda header, arrays: arrays.update(state_1_weight_1=np.zeros((16, 6))),
    ],
)
def test_contents_that_do_not_fit_are_told(net, classes, path, change):
    net.fit(*classes, epochs=1)
    net.save(path, with_optimizer=True)
    rewrite(path, change)
    with pytest.raises(ValueError, match="is not a whole fastmlp model file"):
        fastmlp.load(path)


def test_file_of_a_newer_version_is_told(net, path):
    net.save(path)
    rewrite(path, lambda header, arrays: header.update(format=headers.NEWEST_FORMAT + 1))
    with pytest.raises(ValueError, match="newer fastmlp.*upgrade fastmlp"):
        fastmlp.load(path)


def test_file_is_a_zip_archive_without_compression(net, path):
    net.save(path)
    with zipfile.ZipFile(path) as archive:
        assert all(one.compress_type == zipfile.ZIP_STORED for one in archive.infolist())


@pytest.mark.parametrize("known", [0, -1, None, "1", 1.0])
def test_a_file_without_a_format_is_refused(known):
    headers.checked_format({"format": 1})
    headers.checked_format({"format": headers.NEWEST_FORMAT})
    with pytest.raises(ValueError, match="its header has no format"):
        headers.checked_format({"format": known})
