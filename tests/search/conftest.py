"""A small search that several files run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]
Search = Callable[..., fastmlp.search.Result]

SMALL: dict[str, Any] = {
    "hidden": [(4,), (16,), (8, 8)],
    "activation": ["relu", "tanh"],
    "learning_rate": (1e-3, 1e-1, "log"),
    "batch_size": (16, 64),
}


@pytest.fixture
def search(classes: tuple[Array, Array]) -> Search:
    """Searches on `classes` for the best of a few trials, but for what it is given."""

    def run(space: dict[str, Any] | None = None, **options: Any) -> fastmlp.search.Result:
        X, y = options.pop("examples", classes)
        options = {"n_trials": 6, "epochs": 5, "validation_data": 0.3, **options}
        return fastmlp.search.minimize(X, y, SMALL if space is None else space, **options)

    return run

