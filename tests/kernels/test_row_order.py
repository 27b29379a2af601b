"""The random order of an epoch's rows is that of NumPy's Generator (row_order.h)."""

from itertools import product

import numpy as np
import pytest

from fastmlp.model.spec import NetworkSpec
from fastmlp.network import MLP

SEEDS = (0, 1, 2**31, 2**32, 2**40 + 5, 2**64 + 3, 2**150 + 17)
EPOCHS = (0, 1, 77, 2**32 - 1, 2**32, 2**40 + 1)


def words(seed: int) -> np.ndarray:
    spec: NetworkSpec = MLP((1, 1), loss="squared_error", seed=seed).state.spec
    return spec.seed_words


@pytest.mark.parametrize("seed", SEEDS)
def test_order_is_that_of_numpy(build, seed):
    engine = build.engine.Engine((1, 1), [("identity", 0.0)], "squared_error", 1.0)
    for epoch, n_rows in product(EPOCHS, (1, 2, 3, 200, 1797)):
        order = np.arange(n_rows)
        np.random.default_rng([seed, epoch]).shuffle(order)
        found = engine.row_order(words(seed), epoch, n_rows)
        np.testing.assert_array_equal(found, order, f"epoch {epoch}, {n_rows} rows")


def test_no_rows_have_an_order(build):
    engine = build.engine.Engine((1, 1), [("identity", 0.0)], "squared_error", 1.0)
    assert engine.row_order(words(0), 0, 0).shape == (0,)
