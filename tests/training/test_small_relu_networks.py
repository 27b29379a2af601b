"""The figures of docs/small_relu_networks.md, recomputed by the page's own code."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.initializers import Normal

PAGE = Path(__file__).parents[2] / "docs" / "small_relu_networks.md"
TEXT = PAGE.read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (N\(0, 1\)|He), .*? \| (.*?) \| (\d+) \| (.*) \|$", TEXT, re.MULTILINE)
INIT = {"N(0, 1)": Normal(1.0), "He": "he_normal"}
X, Y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float), np.array([0, 1, 1, 0], float)


@pytest.fixture(scope="module")
def trained() -> Callable[..., MLP]:
    """The function that the page defines."""
    names: dict[str, Callable[..., MLP]] = {}
    code = re.search(r"```python\n(.*?)^for activation", TEXT, re.MULTILINE | re.DOTALL)
    assert code
    exec(code[1], names)
    return names["trained"]


@pytest.mark.parametrize(("init", "rate", "hidden", "counts"), ROWS)
def test_as_many_networks_fail_to_learn_exclusive_or_as_the_page_says(
    trained: Callable[..., MLP], init: str, rate: str, hidden: str, counts: str
) -> None:
    found = [
        sum(
            trained(name, seed, int(hidden), INIT[init], float(rate)).cost(X, Y) > 0.01
            for seed in range(10)
        )
        for name in ("relu", "leaky_relu", "sigmoid", "tanh")
    ]
    assert found == [int(count) for count in re.findall(r"\d+", counts.replace("of 10", ""))]


def test_the_table_has_the_rows_that_are_tested() -> None:
    assert len(ROWS) == 5


@pytest.mark.parametrize(
    ("seed", "n_dead", "cost"), [(1, 3, 1 / 12), (6, 3, 1 / 8), (8, 2, 1 / 16)]
)
def test_dead_relu_units_have_no_gradient_and_the_rest_comes_to_rest(
    trained: Callable[..., MLP], seed: int, n_dead: int, cost: float
) -> None:
    net = trained("relu", seed)
    dead = (net.activations(X)[0] <= 0).all(axis=0)
    assert dead.sum() == n_dead
    assert net.cost(X, Y) == pytest.approx(cost, rel=1e-6)
    (dW, db), (dW_out, _) = net.gradients(X, Y)
    assert not dW[dead].any()
    assert not db[dead].any()
    assert not dW_out[:, dead].any()
    assert max(abs(dW).max(), abs(dW_out).max()) < 1e-8


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_a_linear_hidden_layer_stops_at_the_constant_one_half(
    trained: Callable[..., MLP], activation: str
) -> None:
    net = trained(activation, 3)
    assert (net.activations(X)[0] > 0).all()
    np.testing.assert_allclose(net.forward(X), 0.5, atol=1e-6)
    assert net.cost(X, Y) == pytest.approx(1 / 8)


@pytest.mark.parametrize(("seed", "cost"), [(1, 0.078), (6, 0.125)])
def test_leaky_relu_still_moves_slowly(
    trained: Callable[..., MLP], seed: int, cost: float
) -> None:
    net = trained("leaky_relu", seed)
    (dW, _), _ = net.gradients(X, Y)
    assert net.cost(X, Y) == pytest.approx(cost, abs=5e-4)
    assert 1e-5 < abs(dW).max() < 1e-2
