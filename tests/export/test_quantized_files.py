"""Files of networks in 8-bit integers: the same bits come back, and damage is an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp import MLP
from fastmlp.encodings import Embedding, Numeric, OneHot, Periodic, PiecewiseLinear
from fastmlp.export import IntegerOnly, Quantized, quantize, to_c
from fastmlp.model import npz

Array = NDArray[Any]

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)
CASES = ["classes", "mixed", "groups", "yes or no", "output activation", "quantiles", "poisson"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.npz"


def change(path: Path, changed: Callable[[dict[str, Any], dict[str, Array]], Any]) -> None:
    """Apply a change to header and arrays, and give the file the digest of its new contents."""
    with np.load(path) as contents:
        arrays = dict(contents)
    header = json.loads(str(arrays.pop("header")))
    header.pop("digest")
    changed(header, arrays)
    npz.write(path, header, arrays)


@pytest.mark.parametrize("integer_only", [False, True])
@pytest.mark.parametrize("own_steps", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_what_comes_back_computes_the_same_bits(
    make: Callable[..., MLP],
    path: Path,
    tmp_path: Path,
    X: Array,
    name: str,
    own_steps: bool,
    integer_only: bool,
) -> None:
    net = make(name)
    net.metadata = {"columns": list("uvwxyz"), "note": "ü"}
    rows = X[5:] + 50 * own_steps
    saved = quantize(net, rows, integer_only=integer_only)
    saved.save(path, compress=own_steps)
    loaded = Quantized.load(path)
    assert type(loaded) is type(saved) is (IntegerOnly if integer_only else Quantized)
    assert repr(loaded) == repr(saved)
    assert (loaded.metadata, loaded.summary()) == (saved.metadata, saved.summary())
    np.testing.assert_array_equal(loaded.logits(X), saved.logits(X))
    np.testing.assert_array_equal(loaded.forward(X), saved.forward(X))
    texts = []
    for one in (saved, loaded):
        to_c(one, tmp_path / "net.c", name="net")
        texts.append((tmp_path / "net.c").read_text())
    assert texts[0] == texts[1]


@pytest.mark.parametrize("scaling", [False, True])
def test_encodings_come_back(path: Path, rng: np.random.Generator, scaling: bool) -> None:
    columns = [OneHot(3), Periodic(4, 2), Embedding(3, 2), PiecewiseLinear((-1, 0, 2)), Numeric()]
    net = MLP((5, 8, 2), encodings=columns, input_scaling=scaling, dtype="float64")
    X = rng.normal(size=(200, 5))
    X[:, [0, 2]] = rng.integers(-1, 3, (200, 2))
    net.fit(X, X[:, 1] > 0, epochs=2)
    saved = quantize(net, X)
    saved.save(path)
    loaded = Quantized.load(path)
    assert loaded.encodings == saved.encodings == tuple(columns)
    np.testing.assert_array_equal(loaded.logits(X), saved.logits(X))
    change(path, lambda header, arrays: arrays.pop("column_3_table"))
    with pytest.raises(ValueError, match="column_3_table is missing"):
        Quantized.load(path)


def test_a_file_takes_a_byte_for_each_weight(path: Path) -> None:
    X, _ = fastmlp.datasets.digits()
    net = MLP((64, 400, 10), seed=0)
    quantized = quantize(net, X[:500])
    quantized.save(path)
    size = path.stat().st_size
    assert net.n_parameters < size < 1.4 * net.n_parameters
    quantized.save(path, compress=True)
    assert path.stat().st_size < size


def test_other_files_are_refused_by_name(make: Callable[..., MLP], path: Path, X: Array) -> None:
    net = make("classes")
    net.save(path)
    with pytest.raises(ValueError, match=r"net.npz holds a model in floating point: fastmlp"):
        Quantized.load(path)
    quantize(net, X).save(path)
    with pytest.raises(ValueError, match="a network with floating point; Quantized.load reads it"):
        IntegerOnly.load(path)
    message = r"net.npz holds a network in 8-bit integers: fastmlp.export.Quantized.load reads it"
    for load in (fastmlp.load, MLP.load, fastmlp.Ensemble.load):
        with pytest.raises(ValueError, match=message):
            load(path)
    change(path, lambda header, arrays: header.update(format=99))
    with pytest.raises(ValueError, match="newer fastmlp.*upgrade fastmlp"):
        Quantized.load(path)


def test_changed_weights_are_damage(make: Callable[..., MLP], path: Path, X: Array) -> None:
    quantize(make("classes"), X).save(path)
    with np.load(path) as contents:
        arrays = dict(contents)
    arrays["weight_1"] = -arrays["weight_1"]
    np.savez(path, **arrays)
    message = "net.npz is not .* do not have the digest that they were saved with; copy it again"
    with pytest.raises(ValueError, match=message):
        Quantized.load(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="net.npz is not a whole fastmlp model file"):
        Quantized.load(path)


@pytest.mark.parametrize(
    "changed",
    [
        lambda header, arrays: header["quantized"].pop("integer_only"),
        lambda header, arrays: header["quantized"].update(integer_only=1),
        lambda header, arrays: header["quantized"].update(agreement="*/ int main"),
        lambda header, arrays: header["quantized"].update(n_calibration=-1),
        lambda header, arrays: header["quantized"].update(model_digest="*/"),
        lambda header, arrays: header["quantized"].update(ranges="*/"),
        lambda header, arrays: header["quantized"].update(per_column=True),
        lambda header, arrays: header["quantized"].update(output_step=-1.0),
        lambda header, arrays: header["quantized"].update(output_zero=1000),
        lambda header, arrays: header["quantized"].update(roundings=[]),
        lambda header, arrays: header["quantized"]["roundings"].__setitem__(0, 3),
        lambda header, arrays: header["quantized"]["roundings"][0].update(low=1, high=256),
        lambda header, arrays: header["quantized"]["roundings"][0].update(low=-256, high=-1),
        lambda header, arrays: header["quantized"]["roundings"][0].update(low=-255, high=1),
        lambda header, arrays: header["quantized"]["roundings"][0].update(high=1e9),
        lambda header, arrays: header["quantized"]["roundings"][1].update(table=True),
        lambda header, arrays: header.update(sizes=[6, 9, 8, 4]),
        lambda header, arrays: header.update(quantized=[]),
        lambda header, arrays: arrays.pop("bias_2"),
        lambda header, arrays: arrays.update(more=np.zeros(2)),
        lambda header, arrays: arrays.update(weight_1=arrays["weight_1"].astype(np.int16)),
        lambda header, arrays: arrays["multiplier_1"].fill(np.nan),
        lambda header, arrays: arrays["shift_2"].fill(63),
        lambda header, arrays: arrays["shift_2"].fill(0),
    ],
)
def test_contents_that_do_not_fit_are_damage(
    make: Callable[..., MLP], path: Path, X: Array, changed: Callable[..., Any]
) -> None:
    quantize(make("classes"), X, integer_only=True).save(path)
    change(path, changed)
    with pytest.raises(ValueError, match="net.npz is not a whole fastmlp model file"):
        Quantized.load(path)


@pytest.mark.parametrize(("high", "whole"), [(2**16 - 1, True), (2**16, False)])
def test_a_table_of_bytes_has_at_most_65536(
    make: Callable[..., MLP], path: Path, X: Array, high: int, whole: bool
) -> None:
    def enlarged(header: dict[str, Any], arrays: dict[str, Array]) -> None:
        rounding = next(one for one in header["quantized"]["roundings"] if one["table"])
        l = header["quantized"]["roundings"].index(rounding) + 1
        rounding.update(low=0, high=high)
        arrays[f"table_{l}"] = np.zeros(high + 1, np.uint8)

    quantize(make("mixed"), X).save(path)
    change(path, enlarged)
    if whole:
        assert Quantized.load(path).sizes == make("mixed").sizes
        return
    with pytest.raises(ValueError, match="a layer of its header is clipped to 0 … 65536"):
        Quantized.load(path)


def test_what_no_file_holds_is_refused(path: Path, X: Array) -> None:
    def value(h: Array, y: Array) -> Array:
        return ((h - y) ** 2).sum(axis=1)

    net = MLP((6, 2), loss=(value, lambda h, y: 2 * (h - y)))
    with pytest.raises(ValueError, match="loss was written in Python"):
        quantize(net, X).save(path)
    net = MLP((6, 2))
    net.metadata["no JSON"] = object()
    with pytest.raises(TypeError, match="only what JSON can"):
        quantize(net, X).save(path)
    with pytest.raises(TypeError, match="compress"):
        quantize(MLP((6, 2)), X).save(path, compress="yes")  # type: ignore[arg-type]
    assert not path.exists()
