"""How well a network in 8-bit integers agrees with the float network, and the warnings about it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp import MLP
from fastmlp.export import quantize, to_c, to_onnx

Array = NDArray[Any]
MakeNetwork = Callable[..., MLP]  # see conftest.py

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)


def test_agreement_is_that_of_the_labels(classes: tuple[Array, Array]) -> None:
    X, y = classes
    net = MLP((6, 16, 3), dtype="float64")
    net.fit(X, y, epochs=3)
    quantized = quantize(net, X)
    assert quantized.agreement == np.mean(quantized.predict(X) == net.predict(X))
    assert quantized.n_calibration == len(X)
    assert f"{100 * quantized.agreement:.2f} % of the labels" in quantized.summary()


def test_agreement_of_values_is_the_worst_r2(
    make_network: MakeNetwork, rng: np.random.Generator
) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    net = make_network((4, 9, 3), activation="tanh", dtype="float64")
    W, b = net.weights, net.biases
    net.set_parameters([W[0], W[1] * [[1], [1e4], [1e-3]]], b)
    X = rng.normal(size=(200, 4)).astype(np.float32)
    quantized = quantize(net, X)
    scores = sklearn.r2_score(net.forward(X), quantized.forward(X), multioutput="raw_values")
    np.testing.assert_allclose(quantized.agreement, scores.min(), rtol=1e-6)


def test_outputs_that_do_not_vary_agree_within_the_precision_of_float32() -> None:
    net = MLP((2, 3), loss="squared_error", dtype="float64")
    net.set_parameters([[[0.5, 0], [0, 0], [0, 0]]], [[0, 0, -1e4 - 1e-4]])
    X = np.array([[-1.0, 1], [1, -1], [0.5, 0.25]])
    # the error of the last output is that of float32, 10⁻⁸ of its size
    assert quantize(net, X).agreement == pytest.approx(1 - (1e-8 / 1e-6) ** 2, abs=1e-6)


@pytest.fixture
def steep() -> tuple[MLP, Array, Array]:
    """A network, rows one of which is an outlier, and where 8 bits have the network's labels."""
    net = MLP((2, 1), loss="binary_cross_entropy", init=([[[1e6, 1.0]]], [[0.0]]))
    X = np.random.default_rng(3).normal(size=(400, 2)) * [1e-5, 1]
    # an outlier makes the steps of the first column too large for the labels of other rows
    X[0, 0] = 10
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return net, X, quantize(net, X).predict(X) == net.predict(X)


@pytest.mark.filterwarnings("default")
def test_few_rows_are_warned_about(make_network: MakeNetwork, rng: np.random.Generator) -> None:
    net = make_network((3, 5, 2))
    X = rng.normal(size=(100, 3))
    with pytest.warns(UserWarning, match="99 calibration rows are few") as found:
        quantize(net, X[:99])
    assert [one.filename for one in found] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantize(net, X)


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("n_different", [5, 6])
def test_an_agreement_below_95_percent_is_warned_about(
    steep: tuple[MLP, Array, Array], n_different: int
) -> None:
    net, X, same = steep
    ends = {*X.argmin(axis=0), *X.argmax(axis=0)}  # on which the steps depend
    first = [*ends, *(i for i in range(len(X)) if i not in ends)]
    different = [i for i in first if not same[i]][:n_different]
    alike = [i for i in first if same[i]][: 100 - n_different]
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        quantized = quantize(net, X[[*alike, *different]])
    assert quantized.agreement == 1 - n_different / 100
    assert len(found) == (n_different > 5)
    for one in found:
        assert "differs from the float network: on 100 calibration rows 94.00 %" in str(one.message)
        assert one.filename == __file__


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("write", [to_c, to_onnx])
def test_exports_warn_where_they_are_called(
    steep: tuple[MLP, Array, Array], write: Any, tmp_path: Path
) -> None:
    if write is to_onnx:
        pytest.importorskip("onnx")
    net, X, _ = steep
    with pytest.warns(UserWarning) as found:
        write(net, tmp_path / "net", quantized=True, calibration=X[:90])
    assert [one.filename for one in found] == [__file__] * 2
    assert "90 calibration rows are few" in str(found[0].message)
    assert "the 8-bit network differs from the float network" in str(found[1].message)
