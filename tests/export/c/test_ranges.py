"""Ranges of hidden layers in 8 bits: the whole, a percentile of it, or by KL divergence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import rel_entr

from fastmlp import MLP, Adam
from fastmlp.export import quantize, to_c
from fastmlp.export.ranges import METHODS, ranges_of

Array = NDArray[Any]
MakeNetwork = Callable[..., MLP]  # see conftest.py

N_BINS = 2048  # of NVIDIA's code

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)


def hidden_range(values: Array, method: str, activation: str = "identity") -> tuple[float, float]:
    """Return the range of a layer whose activations have these values."""
    net = MLP((1, 1, 1), activation=activation, loss="squared_error")
    one = [np.ones((1, 1)), np.ones((1, 1))]
    zero = [np.zeros(1), np.zeros(1)]
    functions = (*net.activation, net.output_activation)
    rows = values.reshape(-1, 1).astype(np.float32)
    return ranges_of(rows, one, zero, functions, method).a[0]


def nvidia_threshold(values: Array, n_levels: int) -> float:
    """Return the threshold of NVIDIA's pytorch-quantization (`_compute_amax_entropy`) by SciPy.

    Bins that have clipped values alone are smoothed, as in ONNX Runtime.  The narrowest range has
    n_levels bins from the first one with values, which here need not be that of 0.
    """
    sizes = np.abs(values[values != 0])
    counts, edges = np.histogram(sizes, N_BINS, (0, sizes.max()))
    divergences = []
    narrowest = min(np.argmax(counts > 0) + n_levels, N_BINS)
    for n in range(narrowest, N_BINS + 1):
        reference = counts[:n].astype(float)
        reference[-1] += counts[n:].sum()
        starts = -(-np.arange(n_levels) * n // n_levels)
        sums, filled = (np.add.reduceat(of, starts) for of in (counts[:n], counts[:n] > 0))
        means = np.repeat(sums / np.maximum(1, filled), np.diff(starts, append=n))
        new = np.where(counts[:n] > 0, means, 0)
        new[(new == 0) & (reference > 0)] = 1e-4
        # as scipy.stats.entropy(reference, new), whose checks take three times as long as the sum
        divergences.append(rel_entr(reference / reference.sum(), new / new.sum()).sum())
    best = len(divergences) - 1 - int(np.argmin(divergences[::-1]))
    return float(edges[narrowest + best])


def test_minmax_is_the_whole_range(rng: np.random.Generator) -> None:
    values = rng.normal(size=300).astype(np.float32)
    assert hidden_range(values, "minmax") == (values.min(), values.max())


@pytest.mark.parametrize(("method", "limit"), [("percentile", 8), ("kl", 40)])
def test_few_large_values_are_clipped(rng: np.random.Generator, method: str, limit: float) -> None:
    values = np.append(rng.normal(size=100_000), [300.0])
    low, high = hidden_range(values, method)
    assert -8 < low < 0 < high < limit  # of kl the narrowest range is 1/8 of the whole


@pytest.mark.parametrize("sign", [1, -1])
def test_a_percentile_of_the_values_other_than_zero(rng: np.random.Generator, sign: int) -> None:
    values = np.append(rng.exponential(size=50_000), np.zeros(200_000))
    low, high = np.sort(np.abs(hidden_range(sign * values, "percentile")))
    expected = np.percentile(values[values > 0], 99.99)
    assert low == 0
    assert 0 <= high - expected <= values.max() / N_BINS


@pytest.mark.parametrize(
    ("sample", "n_levels"),
    [
        (lambda rng: rng.exponential(size=4000), 256),
        (lambda rng: np.append(rng.exponential(1 / 40, size=4000), 1.0), 256),
        (lambda rng: np.append(np.abs(rng.standard_t(2, size=4000)), np.zeros(500)), 256),
        (lambda rng: np.append(2 + rng.exponential(0.1, size=4000), 4.0), 256),
        (lambda rng: rng.uniform(3.6, 4, size=4000), 256),
        (lambda rng: np.arange(1, 4097) / 4096, 256),
        (lambda rng: np.append(rng.exponential(size=4000), [30.0, -10.0]), 192),
    ],
    ids=[
        "exponential",
        "an outlier",
        "heavy tails",
        "far from 0",
        "above 0.9",
        "uniform",
        "both signs",
    ],
)
def test_the_kl_threshold_is_that_of_nvidia_s_code(
    rng: np.random.Generator, sample: Callable[..., Array], n_levels: int
) -> None:
    values = sample(rng).astype(np.float32)
    threshold = nvidia_threshold(values, n_levels)
    for sign in (1, -1):
        low, high = np.sort(sign * np.array(hidden_range(sign * values, "kl")))
        assert low == pytest.approx(max(values.min(), -threshold), rel=1e-6), sign
        assert high == pytest.approx(threshold, rel=1e-6), sign


@pytest.mark.parametrize("method", METHODS)
def test_values_that_are_all_alike_are_kept(method: str) -> None:
    assert hidden_range(np.full(100, 3.0), method) == (3, 3)
    assert hidden_range(np.array([1.0, 1.0, 4.0] * 50), method) == (1, 4)


def test_no_method_clips_a_layer_without_small_values_to_one_value() -> None:
    X = np.random.default_rng(0).normal(0, 0.3, (500, 4))
    net = MLP((4, 8, 1), activation="sigmoid", loss="squared_error", seed=1)
    net.fit(X, X[:, :1], epochs=30, batch_size=20, optimizer=Adam(1e-2))
    assert net.activations(X)[0].min() > 0.1
    for method in METHODS:
        assert quantize(net, X, ranges=method).agreement > 0.99


def test_both_signs_share_the_levels_of_kl(rng: np.random.Generator) -> None:
    values = np.append(rng.standard_t(3, size=4000), [25.0, -25.0]).astype(np.float32)
    low, high = hidden_range(values, "kl")
    assert high == pytest.approx(nvidia_threshold(values, 128), rel=1e-6)
    assert low == pytest.approx(-high)


@pytest.mark.parametrize("method", METHODS)
def test_a_layer_that_is_always_zero_has_a_range(method: str) -> None:
    assert hidden_range(-np.ones(120), method, "relu") == (0, 0)


@pytest.mark.parametrize("integer_only", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("method", METHODS)
def test_networks_agree_with_the_float_network(
    make_network: MakeNetwork, rng: np.random.Generator, method: str, activation: str,
    integer_only: bool,
) -> None:  # fmt: skip
    net = make_network((6, 20, 20, 4), activation=activation, loss="cross_entropy")
    X = rng.normal(size=(2000, 6))
    twin = quantize(net, X, integer_only=integer_only, ranges=method)
    assert twin.ranges == method
    assert twin.agreement > 0.95


def test_outliers_cost_less_where_they_are_clipped(rng: np.random.Generator) -> None:
    net = MLP((4, 16, 3), activation="relu", seed=1)
    X = rng.normal(size=(3000, 4))
    X[0] = 500.0  # one wrong measurement
    agreements = {}
    for method in METHODS:
        twin = quantize(net, X, ranges=method)
        agreements[method] = np.mean(twin.predict(X[1:]) == net.predict(X[1:]))
    assert agreements["percentile"] > agreements["minmax"]
    assert agreements["kl"] > agreements["minmax"]


@pytest.mark.parametrize("integer_only", [False, True])
def test_c_has_the_ranges_and_says_so(
    make_network: MakeNetwork, tmp_path: Path, rng: np.random.Generator, integer_only: bool
) -> None:
    net, X = make_network((3, 8, 2)), rng.standard_t(2, (300, 3))
    twin = quantize(net, X, ranges="percentile", integer_only=integer_only)
    to_c(twin, tmp_path / "net.c")
    to_c(net, tmp_path / "one.c", name="net", quantized=True, calibration=X,
         ranges="percentile", integer_only=integer_only)  # fmt: skip
    text = (tmp_path / "net.c").read_text()
    assert (tmp_path / "one.c").read_text() == text
    assert "ranges clipped at the 99.99th percentile" in " ".join(text.replace(" *", "").split())
    with pytest.raises(ValueError, match="ranges='kl' needs quantized=True and calibration"):
        to_c(net, tmp_path / "two.c", ranges="kl")


@pytest.mark.parametrize(
    ("ranges", "error", "message"),
    [
        ("max", ValueError, "unknown ranges 'max'.*minmax"),
        (None, TypeError, "ranges must be one of 'minmax', 'percentile', 'kl'; got None"),
    ],
)
def test_other_ranges_are_refused(ranges: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        quantize(MLP((2, 2)), np.zeros((1, 2)), ranges=ranges)
