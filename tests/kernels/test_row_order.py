"""The random order of an epoch's rows is that of NumPy's Generator (row_order.h)."""

import numpy as np
import pytest

from fastmlp.model.spec import NetworkSpec
from fastmlp.network import MLP

SEEDS = (0, 1, 2**31, 2**32, 2**40 + 5, 2**64 + 3, 2**150 + 17)


def words(seed: int) -> np.ndarray:
    spec: NetworkSpec = MLP((1, 1), loss="squared_error", seed=seed).state.spec
    return spec.seed_words


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("epoch", [0, 1, 77, 2**32 - 1, 2**32, 2**40 + 1])
@pytest.mark.parametrize("n_rows", [1, 2, 3, 200, 1797])
def test_order_is_that_of_numpy(build, seed, epoch, n_rows):
    engine = build.engine.Engine((1, 1), [("identity", 0.0)], "squared_error", 1.0)
    order = np.arange(n_rows)
    np.random.default_rng([seed, epoch]).shuffle(order)
    np.testing.assert_array_equal(engine.row_order(words(seed), epoch, n_rows), order)


def test_no_rows_have_an_order(build):
    engine = build.engine.Engine((1, 1), [("identity", 0.0)], "squared_error", 1.0)
    assert engine.row_order(words(0), 0, 0).shape == (0,)
