"""The exported C in 8-bit integers has the bits of fastmlp.export.quantize."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp import MLP, activations
from fastmlp.export import quantize, to_c

Array = NDArray[Any]
MakeNetwork = Callable[..., MLP]  # see conftest.py
RunC = Callable[..., Any]

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)

OUTPUTS = [name for name in activations.TABLE if name != "softmax"]
SIZES = [(1, 1), (3, 2), (17, 5), (2, 1, 3), (9, 16, 1), (7, 33, 6, 2), (5, 3, 1, 8, 4)]


@pytest.mark.parametrize("name", OUTPUTS)
def test_quantized_c_has_the_bits_of_its_twin(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator, name: str
) -> None:
    hidden = "tanh" if name == "exponential" else name  # which would overflow through layers
    net = make_network((6, 21, 10, 4), activation=hidden, output_activation=name)
    X = rng.normal(size=(300, 6)).astype(np.float32)
    twin = quantize(net, X[:100])  # others are partly out of range
    np.testing.assert_array_equal(run_c(twin, X).h, twin.forward(X))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_quantized_c_has_the_bits_of_its_twin_at_any_depth(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator, sizes: tuple[int, ...]
) -> None:
    net = make_network(sizes, activation="silu", dtype="float64")
    X = rng.normal(size=(50, sizes[0])).astype(np.float32)
    twin = quantize(net, X)
    np.testing.assert_array_equal(run_c(twin, X, ["-O3"]).h, twin.forward(X))


def test_quantized_in_one_call_is_the_same_file(
    make_network: MakeNetwork, tmp_path: Path, rng: np.random.Generator
) -> None:
    net = make_network((3, 4, 2))
    X = rng.normal(size=(20, 3))
    to_c(net, tmp_path / "one.c", name="net", quantized=True, calibration=X)
    to_c(quantize(net, X), tmp_path / "two.c", name="net")
    assert (tmp_path / "one.c").read_text() == (tmp_path / "two.c").read_text()


def test_quantized_takes_a_quarter_of_the_memory(
    make_network: MakeNetwork, tmp_path: Path, rng: np.random.Generator
) -> None:
    net = make_network((100, 200, 10))
    sizes = []
    for one in (net, quantize(net, rng.normal(size=(20, 100)))):
        to_c(one, tmp_path / "net.c")
        said = re.search(r"([\d,]+) bytes of constants", (tmp_path / "net.c").read_text())[1]
        sizes.append(int(said.replace(",", "")))
    assert sizes[0] == 4 * net.n_parameters
    assert sizes[1] == (net.n_parameters - 210) + 2 * 4 * 210  # bias and multiplier of each unit


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error", "binary_cross_entropy"])
def test_columns_of_their_own_scales_have_the_bits_of_the_twin(
    run_c: RunC, rng: np.random.Generator, loss: str
) -> None:
    deviation, mean = 10.0 ** np.arange(-3, 4), np.array([0, 0, 5, 0, 2000, -1e5, 1e6])
    X = rng.normal(size=(300, 7)) * deviation + mean
    net = MLP((7, 12, 3), loss=loss, dtype="float64")
    W, *others = net.weights
    net.set_parameters([W / deviation, *others], [-(W / deviation) @ mean, np.zeros(3)])
    twin = quantize(net, X[:200])
    assert twin.input_scaling.inverse.shape == (7,)
    found = run_c(twin, X.astype(np.float32))
    np.testing.assert_array_equal(found.h, twin.forward(X.astype(np.float32)))
    np.testing.assert_array_equal(found.y, twin.predict(X.astype(np.float32)))


def test_the_comment_states_the_agreement(
    make_network: MakeNetwork, tmp_path: Path, rng: np.random.Generator
) -> None:
    for loss, statement in (
        (
            "cross_entropy",
            r"1,200 calibration rows [\d.]+ % of the labels are those of the float",
        ),
        ("squared_error", r"1,200 calibration rows R2 of the outputs is 0\.9\d+"),
    ):
        quantized = quantize(make_network((5, 9, 3), loss=loss), rng.normal(size=(1200, 5)))
        to_c(quantized, tmp_path / "net.c")
        text = " ".join((tmp_path / "net.c").read_text().replace(" *", " ").split())
        assert re.search(statement, text)
        assert quantized.summary().replace("²", "2") in text
