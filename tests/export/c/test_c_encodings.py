"""C of networks whose columns have encodings: the compiled file computes what the network does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp import MLP, encodings
from fastmlp.encodings import Embedding, Numeric, OneHot, Periodic, PiecewiseLinear
from fastmlp.export import quantize, to_c

Array = NDArray[Any]
RunC = Callable[..., Any]  # see conftest.py

EDGES = (-1.5, -0.25, 0.0, 2.0)
COLUMNS: dict[str, list[encodings.Encoding]] = {
    "numeric": [Numeric()],
    "numeric columns": [Numeric()] * 4,
    "bins": [PiecewiseLinear(EDGES)],
    "one bin": [PiecewiseLinear((0, 1)), Numeric()],
    "one-hot": [OneHot(5)],
    "one level": [OneHot(1), Numeric()],
    "embedding": [Embedding(4, 3), Embedding(2, 1)],
    "waves": [Periodic(5, 2, sigma=1.0), Periodic(3, 1, sigma=0.5)],
    "all": [
        Numeric(), PiecewiseLinear(EDGES), Numeric(), Numeric(), Embedding(3, 2), OneHot(4),
        Periodic(6, 3), PiecewiseLinear((-1, 1)), OneHot(2), Numeric(), Embedding(5), Periodic(2),
    ],
}  # fmt: skip


def examples(columns: list[encodings.Encoding], rng: np.random.Generator, m: int = 200) -> Array:
    """Numbers, some of them far out and at edges, and codes, some of them −1."""
    made = []
    for one in columns:
        if one.categorical:
            made.append(rng.integers(-1, one.size, m))
        else:
            x = rng.normal(size=m) * rng.choice([1, 1, 10], m)
            x[: len(EDGES)] = EDGES
            made.append(x)
    return np.column_stack(made).astype(np.float32)


def network(columns: list[encodings.Encoding], **options: Any) -> MLP:
    """A network after two epochs."""
    rng = np.random.default_rng(5)
    net = MLP((len(columns), 9, 7, 3), encodings=columns, activation="tanh", **options)
    fit = {"ema": 0.5} if options.get("batch_norm") else {}
    net.fit(examples(columns, rng), rng.integers(0, 3, 200), epochs=2, batch_size=16, **fit)
    return net


@pytest.mark.parametrize("scaling", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", COLUMNS)
def test_every_encoding(
    run_c: RunC, rng: np.random.Generator, name: str, dtype: str, scaling: bool
) -> None:
    net = network(COLUMNS[name], dtype=dtype, input_scaling=scaling)
    X = examples(COLUMNS[name], rng)
    found = run_c(net, X)
    tolerance = 2e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(found.h, net.forward(X), rtol=10 * tolerance, atol=tolerance)
    np.testing.assert_array_equal(found.y, net.predict(X))


def test_averaged_encodings_are_taken_where_the_network_predicts_by_them(
    run_c: RunC, rng: np.random.Generator
) -> None:
    net = network(COLUMNS["all"], batch_norm=True, input_scaling=True, dtype="float64")
    X = examples(COLUMNS["all"], rng)
    averaged = net.forward(X)
    np.testing.assert_allclose(run_c(net, X).h, averaged, rtol=1e-12)
    net.use_average = False
    np.testing.assert_allclose(run_c(net, X).h, net.forward(X), rtol=1e-12)
    assert np.abs(net.forward(X) - averaged).max() > 1e-3


def test_a_network_without_hidden_layers(run_c: RunC, rng: np.random.Generator) -> None:
    columns = COLUMNS["all"]
    net = MLP((len(columns), 2), encodings=columns, loss="squared_error")
    X = examples(columns, rng)
    np.testing.assert_allclose(run_c(net, X).h, net.forward(X), rtol=1e-5, atol=1e-5)


def test_waves_of_numbers_too_large_to_have_a_phase(run_c: RunC) -> None:
    net = MLP((1, 3), encodings=[Periodic(4, 2)], loss="squared_error", seed=1)
    (W,) = net.weights
    net.set_parameters([W * [0, 1, 1]], net.biases)  # the waves alone
    X = np.array([[1e12], [-1e11], [3e30]], np.float32)
    np.testing.assert_allclose(run_c(net, X).h, net.forward(X), rtol=1e-5)


@pytest.mark.parametrize(("own", "dtype"), [("float64", "float32"), ("float32", "float64")])
def test_the_dtype_can_be_chosen(
    run_c: RunC, rng: np.random.Generator, own: str, dtype: str
) -> None:
    net = network(COLUMNS["all"], dtype=own)
    X = examples(COLUMNS["all"], rng)
    found = run_c(net, X, dtype=dtype).h
    assert found.dtype == dtype
    np.testing.assert_allclose(found, net.forward(X), rtol=2e-5, atol=2e-6)


def test_codes_of_no_level_count_as_missing(run_c: RunC) -> None:
    columns = [OneHot(3), Embedding(3, 2), Numeric()]
    net = network(columns)
    X = np.array([[-1, -1, 1]] * 5, np.float32)
    X[1:, :2] = np.array([3, -2, 1e30, np.nan], np.float32)[:, None]
    found = run_c(net, X).h
    np.testing.assert_allclose(found, np.repeat(net.forward(X[:1]), 5, axis=0), rtol=1e-5)


def test_the_comment_describes_the_encodings(tmp_path: Path) -> None:
    to_c(network(COLUMNS["all"][4:8]), tmp_path / "net.c")
    text = " ".join((tmp_path / "net.c").read_text().replace(" *", " ").split())
    assert (
        "encodings 0 embedding (3 levels), 1 one_hot (4 levels), 2 periodic (6 waves), "
        "3 piecewise_linear (1 bins); 11 numbers in all" in text
    )
    to_c(MLP((2, 2)), tmp_path / "net.c")
    assert "encodings" not in (tmp_path / "net.c").read_text()


def test_what_a_dtype_cannot_hold_is_refused(tmp_path: Path) -> None:
    close = MLP((1, 2), encodings=[PiecewiseLinear((1, 1 + 1e-12))], dtype="float64")
    with pytest.raises(ValueError, match=r"encodings\[0\]: edges must increase"):
        to_c(close, tmp_path / "net.c", dtype="float32")
    large = MLP((1, 2), encodings=[Embedding(2, 1)], dtype="float64")
    large.set_parameters(
        large.weights, large.biases, encoding_parameters=[{"table": [[1.0], [1e39]]}]
    )
    with pytest.raises(ValueError, match=r"encodings\[0\]: table\[1, 0\] is 1e\+39, too large"):
        to_c(large, tmp_path / "net.c", dtype="float32")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:the 8-bit network differs")  # trained on noise
@pytest.mark.parametrize("scaling", [False, True])
@pytest.mark.parametrize("name", COLUMNS)
def test_the_layers_after_every_encoding_in_8_bits(
    run_c: RunC, rng: np.random.Generator, name: str, scaling: bool
) -> None:
    net = network(COLUMNS[name], dtype="float64" if scaling else "float32", input_scaling=scaling)
    X = examples(COLUMNS[name], rng)
    twin = quantize(net, X)
    found = run_c(twin, X)
    # cosines are rounded as C does up to a few units, which may change a byte by one
    has_waves = any(isinstance(one, Periodic) for one in COLUMNS[name])
    different = np.abs(found.h - twin.forward(X)).max(axis=1) > 1e-6
    assert different.mean() <= 0.02 * has_waves
    np.testing.assert_array_equal(found.y[~different], twin.predict(X)[~different])
    assert twin.agreement == np.mean(twin.predict(X) == net.predict(X)) > 0.85


def test_8_bits_explain_the_values_of_float(rng: np.random.Generator) -> None:
    X = np.clip(examples(COLUMNS["all"], rng, 600), -3, 3)
    y = 2 * np.tanh(X[:, 0]) + (X[:, 5] == 1) + np.maximum(np.clip(X[:, 1], -1, 2), 0)
    net = MLP((12, 40, 20, 1), loss="squared_error", encodings=COLUMNS["all"], seed=1)
    net.fit(X, y, epochs=40, batch_size=20)
    assert quantize(net, X).agreement > 0.999


def test_a_file_in_8_bits_is_smaller_and_says_what_is_in_float(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    net = MLP((12, 100, 100, 3), encodings=COLUMNS["all"])
    X = examples(COLUMNS["all"], rng)
    sizes = []
    for options in ({}, {"quantized": True, "calibration": X}):
        to_c(net, tmp_path / "net.c", **options)
        sizes.append(len((tmp_path / "net.c").read_text()))
    assert sizes[1] < 0.4 * sizes[0]
    text = " ".join((tmp_path / "net.c").read_text().replace(" *", " ").split())
    assert "Encodings are in float; each of their outputs is rounded to one of 256 values" in text
    assert "0 numeric, 1 piecewise_linear (3 bins)" in text


@pytest.mark.parametrize("write", [quantize, None])
def test_encodings_in_integers_alone_are_refused(tmp_path: Path, write: Any) -> None:
    net = MLP((2, 2), encodings=[OneHot(2), Numeric()])
    X = np.zeros((2, 2))
    with pytest.raises(ValueError, match=r"integer_only=True: .*\(numeric, one_hot\).*leave"):
        if write:
            quantize(net, X, integer_only=True)
        to_c(net, tmp_path / "net.c", quantized=True, calibration=X, integer_only=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.array([[3.0, 0]]), r"calibration: X\[0, 0\] is 3; column 0 must hold codes"),
        (np.zeros((2, 2), np.uint8), "calibration: X is uint8"),
        (np.zeros((2, 3)), "calibration: X has 3 columns"),
    ],
)
def test_calibration_that_does_not_fit_the_encodings_is_refused(rows: Array, message: str) -> None:
    net = MLP((2, 2), encodings=[OneHot(2), Numeric()])
    with pytest.raises((TypeError, ValueError), match=message):
        quantize(net, rows)
