"""Model files with rounded weights, and compressed ones."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Ensemble
from fastmlp.encodings import Embedding, Numeric, Periodic
from fastmlp.model import headers, npz
from fastmlp.support import inflation


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.npz"


def trained(dtype: str = "float32", **options: Any) -> MLP:
    """A network with batch norm, running statistics and averaged parameters."""
    net = MLP((6, 40, 40, 3), batch_norm=True, dtype=dtype, **options)
    rng = np.random.default_rng(3)
    net.fit(1e4 * rng.normal(size=(90, 6)), rng.integers(0, 3, 90), epochs=2, ema=0.5)
    net.metadata["note"] = "ü"
    return net


def rounded(values: np.ndarray, dtype: str) -> np.ndarray:
    return values.astype(dtype).astype(values.dtype)


@pytest.mark.parametrize(
    ("of_network", "dtype"),
    [("float32", "float16"), ("float64", "float16"), ("float64", "float32")],
)
def test_weights_are_rounded_and_nothing_else(path: Path, of_network: str, dtype: str) -> None:
    net = trained(of_network)
    net.save(path, dtype=dtype)
    loaded = fastmlp.load(path)
    assert (repr(loaded), loaded.metadata, loaded.epochs) == (repr(net), net.metadata, net.epochs)
    assert loaded.dtype == of_network
    for use_average in (True, False):
        net.use_average = loaded.use_average = use_average
        for W, stored in zip(net.weights, loaded.weights, strict=True):
            np.testing.assert_array_equal(stored, rounded(W, dtype))
        for others in ("biases", "scales", "statistics"):
            for one, stored in zip(getattr(net, others), getattr(loaded, others), strict=True):
                np.testing.assert_array_equal(stored, one)


def test_rounded_weights_take_half_or_a_quarter_of_the_space(path: Path, tmp_path: Path) -> None:
    net = MLP((300, 200, 10), dtype="float64")
    sizes = {}
    for dtype in (None, "float32", "float16"):
        net.save(path, dtype=dtype)
        sizes[dtype] = path.stat().st_size
    assert sizes["float32"] == pytest.approx(sizes[None] / 2, rel=0.02)
    assert sizes["float16"] == pytest.approx(sizes[None] / 4, rel=0.04)


def test_the_file_says_what_it_holds(path: Path) -> None:
    trained().save(path, dtype="float16")
    with np.load(path) as contents:
        header = json.loads(str(contents["header"]))
        assert contents["weight_1"].dtype == contents["average_weight_2"].dtype == np.float16
        assert contents["bias_1"].dtype == contents["mean_1"].dtype == np.float32
    assert (header["format"], header["dtype"]) == (headers.ROUNDED_FORMAT, "float32")


@pytest.mark.parametrize("dtype", ["float32", None])
def test_a_file_that_rounds_nothing_is_that_of_older_versions(path: Path, dtype: str) -> None:
    net = trained()
    net.save(path, dtype=dtype)
    with np.load(path) as contents:
        assert json.loads(str(contents["header"]))["format"] == headers.FORMAT
    np.testing.assert_array_equal(fastmlp.load(path).weights[0], net.weights[0])


def test_tables_of_encodings_are_rounded_too(path: Path) -> None:
    net = MLP((3, 2), encodings=[Embedding(5, 3), Numeric(), Periodic(4, 2)], input_scaling=True)
    net.save(path, dtype="float16")
    loaded = fastmlp.load(path)
    for own, stored in zip(net.encoding_parameters, loaded.encoding_parameters, strict=True):
        for name, values in own.items():
            expected = rounded(values, "float16") if values.ndim == 2 else values
            np.testing.assert_array_equal(stored[name], expected)


def test_ensembles_of_several_dtypes(path: Path) -> None:
    networks = [MLP((4, 3), seed=1), MLP((4, 3), seed=2, dtype="float64")]
    Ensemble(networks).save(path, dtype="float32", compress=True)
    loaded = Ensemble.load(path)
    np.testing.assert_array_equal(loaded.networks[0].weights[0], networks[0].weights[0])
    expected = rounded(networks[1].weights[0], "float32")
    np.testing.assert_array_equal(loaded.networks[1].weights[0], expected)


def test_a_model_of_a_table(path: Path, rng: np.random.Generator) -> None:
    pytest.importorskip("sklearn")
    tabular = pytest.importorskip("fastmlp.tabular")
    X = rng.normal(size=(200, 2))
    model = tabular.TabularClassifier("log_loss", "fast", epochs=1, random_state=0)
    model.fit(X, X[:, 0] > 0).save(path)
    whole = path.stat().st_size
    model.save(path, dtype="float16", compress=True)
    assert path.stat().st_size < 0.6 * whole
    loaded = tabular.load(path)
    np.testing.assert_allclose(loaded.predict_proba(X), model.predict_proba(X), atol=0.01)
    assert not np.array_equal(loaded.predict_proba(X), model.predict_proba(X))


# ---------------------------------------------------------------------------------- compression


def test_compression_keeps_every_bit(path: Path, tmp_path: Path) -> None:
    net = trained()
    net.save(path, with_optimizer=True, compress=True)
    net.save(tmp_path / "whole.npz", with_optimizer=True)
    assert path.stat().st_size < (tmp_path / "whole.npz").stat().st_size
    with zipfile.ZipFile(path) as archive:
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(60, 6)), rng.integers(0, 3, 60)
    loaded = fastmlp.load(path)
    for one in (net, loaded):
        one.fit(X, y, epochs=1, ema=0.5)
    np.testing.assert_array_equal(loaded.forward(X), net.forward(X))


def test_what_no_reader_accepts_is_not_written(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(inflation, "MOST_INFLATED", 1_000)
    net = MLP((300, 300), loss="squared_error", init=([np.zeros((300, 300))], [np.zeros(300)]))
    with pytest.raises(ValueError, match="weight_1 is compressed more than 200 times.*leave out"):
        net.save(path, compress=True)
    assert not path.exists()
    MLP((300, 300)).save(path, compress=True)
    fastmlp.load(path)


# --------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("dtype", ["float64", "int8", "half a float", float, 16])
def test_other_dtypes_are_refused(path: Path, dtype: Any) -> None:
    with pytest.raises(ValueError, match="dtype must be 'float16' or 'float32'"):
        MLP((2, 2)).save(path, dtype=dtype)


def test_arguments_that_do_not_fit_are_refused(path: Path) -> None:
    net = MLP((1, 1), loss="squared_error", init=([[[1e5]]], [[0.0]]))
    with pytest.raises(ValueError, match="weight_1 has a weight of 100000, beyond .* 65504; save"):
        net.save(path, dtype="float16")
    with pytest.raises(ValueError, match="leave out one of them"):
        net.save(path, dtype="float16", with_optimizer=True)
    with pytest.raises(TypeError, match="compress"):
        net.save(path, compress=1)
    assert not path.exists()


@pytest.mark.parametrize("stored", ["float64", "int8", None, 16, ["float16"]])
def test_a_header_with_another_dtype_of_weights_is_damage(path: Path, stored: Any) -> None:
    MLP((2, 2)).save(path, dtype="float16")
    with np.load(path) as contents:
        arrays = dict(contents)
    header = json.loads(str(arrays.pop("header"))) | {"weights_dtype": stored}
    header.pop("digest")
    npz.write(path, header, arrays)
    with pytest.raises(ValueError, match="not a whole fastmlp model file.*copy it again"):
        fastmlp.load(path)


@pytest.mark.parametrize("options", [{}, {"dtype": "float16"}, {"compress": True}])
def test_changed_weights_are_told_with_the_file_and_the_remedy(path: Path, options: Any) -> None:
    MLP((4, 3), seed=1).save(path, **options)
    with np.load(path) as contents:
        arrays = dict(contents)
    arrays["weight_1"] = arrays["weight_1"] * 2
    np.savez(path, **arrays)
    message = "net.npz is not .* do not have the digest that they were saved with; copy it again"
    with pytest.raises(ValueError, match=message):
        fastmlp.load(path)
