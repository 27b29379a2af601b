"""What docs/playground.md says of the walks in a lecture happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fastmlp import playground

Train = Callable[..., dict[str, Any]]
AS_OPENED = {
    "set": "moons", "hidden": [4, 3], "activation": "tanh", "loss": "squared_error",
    "learningRate": 1, "lambda": 0, "batchSize": 10, "batchNorm": False, "seed": 0,
}  # fmt: skip
FIGURES = """
(t = new Trainer(given.settings, makeSet(given.settings.set, 0, given.digits)),
 Array.from({length: given.updates}, () => t.update()),
 {...t.measure(), deltas: t.record.back.deltas, batch: t.record.cost.total,
  after: cost(t.record.after, t.record.Y, forward(t.record.after, t.record.pass.a[0]), 0).total})
"""


@pytest.fixture
def train(javascript: Callable[..., list[Any]]) -> Train:
    """Figures of a network after so many updates, with settings that differ from the page's."""
    return lambda updates, **settings: javascript(
        FIGURES, settings=AS_OPENED | settings, updates=updates, digits=playground.digits()
    )[0]


def sizes(figures: dict[str, Any]) -> list[float]:
    """The mean of |δ| in each layer."""
    return [float(np.mean(np.abs(delta))) for delta in figures["deltas"]]


def test_the_page_opens_with_these_settings() -> None:
    page = playground.page()
    assert '<option value="moons">' in page and 'value="4, 3"' in page
    for chosen in ('value="tanh" selected', "selected>1<", "selected>0<", "selected>10<"):
        assert chosen in page


def test_moons_are_separated_after_the_first_update_lowered_the_cost(train: Train) -> None:
    first = train(1)
    assert first["after"] < first["batch"]
    assert train(1000)["testAccuracy"] > 0.98


def test_xor_needs_a_hidden_layer(train: Train) -> None:
    assert train(1000, set="xor", hidden=[])["trainingAccuracy"] < 0.6
    assert train(500, set="xor", hidden=[4])["testAccuracy"] > 0.9


def test_deltas_vanish_in_deep_sigmoid_networks_without_batch_norm(train: Train) -> None:
    deep = {"set": "circles", "hidden": [4, 4, 4, 4], "activation": "sigmoid"}
    shrinks = np.array(sizes(train(1, **deep)))
    assert np.all((shrinks[1:] / shrinks[:-1] > 3) & (shrinks[1:] / shrinks[:-1] < 30))
    stuck = train(4000, **deep)
    assert stuck["training"] == pytest.approx(0.25, abs=0.005)
    assert stuck["trainingAccuracy"] == 0.5
    assert train(1000, **deep, batchNorm=True)["testAccuracy"] > 0.98
    assert train(1000, **deep | {"activation": "tanh"})["testAccuracy"] > 0.95


def test_relu_units_die_with_a_large_learning_rate(train: Train) -> None:
    dead = train(200, hidden=[4, 4], activation="relu", learningRate=10)
    assert sizes(dead)[:2] == [0, 0]
    assert dead["trainingAccuracy"] == 0.5


def test_digits_are_learned(train: Train) -> None:
    found = train(
        2800, set="digits", hidden=[16], activation="relu", loss="cross_entropy", learningRate=0.1
    )
    assert found["trainingAccuracy"] == pytest.approx(0.98, abs=0.01)
    assert found["testAccuracy"] == pytest.approx(0.89, abs=0.015)
