"""A recipe that uses every kind of state, in a few milliseconds an epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, recipes
from fastmlp.model import files

Changed = Callable[..., dict[str, Any]]

EVERYTHING: dict[str, Any] = {
    "name": "everything",
    "description": "For tests.",
    "network": {
        "hidden": [16, 12],
        "batch_norm": True,
        "dropout": 0.2,
        "input_dropout": 0.1,
        "noise": 0.1,
    },
    "training": {
        "epochs": 6,
        "batch_size": 30,
        "optimizer": {
            "name": "adamw",
            "learning_rate": 0.01,
            "beta_2": 0.98,
            "weight_decay": {"name": "flat_cosine", "rate": 0.1},
        },
        "schedule": "one_cycle",
        "dropout_schedule": "flat_cosine",
        "l2": 1e-4,
        "label_smoothing": 0.1,
        "max_norm": 2.0,
        "clip_norm": 5.0,
        "ema": 0.9,
    },
    "augment": {"rotation": 10, "translation": 0.5, "gentle_classes": [1, 7]},
}


@pytest.fixture
def changed() -> Changed:
    """The recipe with some keys of some tables set; None removes a table."""

    def found(**tables: Any) -> dict[str, Any]:
        given = {**EVERYTHING}
        for name, table in tables.items():
            given[name] = {**given.get(name, {}), **table} if isinstance(table, dict) else table
        return {name: table for name, table in given.items() if table is not None}

    return found


@pytest.fixture
def everything() -> recipes.Recipe:
    return recipes.parse(EVERYTHING)


@pytest.fixture
def ensemble() -> recipes.Recipe:
    """The same recipe for three networks."""
    return recipes.parse({**EVERYTHING, "ensemble": {"size": 3}})


@pytest.fixture(params=["network", "ensemble"])
def either(
    request: pytest.FixtureRequest, everything: recipes.Recipe, ensemble: recipes.Recipe
) -> recipes.Recipe:
    return everything if request.param == "network" else ensemble


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = fastmlp.datasets.digits()
    return X[:200], y[:200]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.npz"


@pytest.fixture
def assert_same() -> Callable[..., None]:
    """Compares everything that predicts or is trained further, bit for bit."""

    def compare(one: MLP | fastmlp.Ensemble, other: MLP | fastmlp.Ensemble) -> None:
        networks = getattr(one, "networks", (one,)), getattr(other, "networks", (other,))
        for a, b in zip(*networks, strict=True):
            first, second = (files.pack(net.state, {}, with_optimizer=True)[1] for net in (a, b))
            assert first.keys() == second.keys()
            for name in first:
                np.testing.assert_array_equal(first[name], second[name], err_msg=name)
            assert a.epochs == b.epochs

    return compare
