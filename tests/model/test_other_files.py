"""Files of other libraries in place of a model file: the error says what they are."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import export
from fastmlp.model.other_files import what_it_is

KERAS = Path(__file__).parents[1] / "export"


@pytest.mark.parametrize("name", ["digits.keras", "digits.weights.h5"])
@pytest.mark.parametrize("load", [fastmlp.load, fastmlp.MLP.load, fastmlp.Ensemble.load])
def test_files_of_keras_are_read_by_from_keras(load, name):
    with pytest.raises(ValueError, match=f"{name} is no model file .* fastmlp.export.from_keras"):
        load(KERAS / name)


def test_arrays_pickles_and_text_are_named(tmp_path):
    path = tmp_path / "file"
    np.savez(path.with_suffix(".npz"), a=np.zeros(3))
    with pytest.raises(ValueError, match="file.npz is no model file of fastmlp but an NPZ file"):
        fastmlp.load(path.with_suffix(".npz"))
    np.save(path.with_suffix(".npy"), np.zeros(3))
    with pytest.raises(ValueError, match="but an array of NumPy; numpy.load reads it"):
        fastmlp.load(path.with_suffix(".npy"))
    path.write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(ValueError, match="but a pickle, which is not opened, because it can"):
        fastmlp.load(path)
    path.write_text("länge,farbe\n1,rot\n2,blau\n" * 50, encoding="utf-8")
    with pytest.raises(ValueError, match="but a text file$"):
        fastmlp.load(path)


def test_files_of_pytorch_are_read_by_pytorch(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "net.pt")
    with pytest.raises(ValueError, match="but a file of PyTorch; load its module by PyTorch"):
        fastmlp.load(tmp_path / "net.pt")


def test_safetensors_and_archives_are_not_taken_for_one_another(tmp_path, net):
    pytest.importorskip("safetensors")
    export.to_safetensors(net, tmp_path / "net.safetensors")
    net.save(tmp_path / "net.npz")
    with pytest.raises(ValueError, match="but a safetensors file; fastmlp.export.from_safetensors"):
        fastmlp.load(tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match="net.npz holds an archive .* fastmlp.load reads it"):
        export.from_safetensors(tmp_path / "net.npz")


def test_models_in_floating_point_are_not_damaged_models_in_8_bits(tmp_path, net):
    net.save(tmp_path / "net.npz")
    for load in (export.Quantized.load, export.QuantizedTable.load):
        with pytest.raises(ValueError, match="net.npz holds a model in floating point: fastmlp.lo"):
            load(tmp_path / "net.npz")


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04 cut short", b"other", bytes(600)])
def test_what_may_be_a_damaged_model_file_is_nothing_else(tmp_path, contents):
    path = tmp_path / "net.npz"
    path.write_bytes(contents)
    assert what_it_is(path) == ""
    with pytest.raises(ValueError, match="net.npz is not a whole fastmlp model file"):
        fastmlp.load(path)


def test_a_damaged_model_file_remains_one(tmp_path, net):
    path = tmp_path / "net.npz"
    net.save(path)
    path.write_bytes(path.read_bytes()[:-200])
    assert what_it_is(path) == ""
    assert what_it_is(tmp_path / "missing.npz") == what_it_is(tmp_path) == ""
