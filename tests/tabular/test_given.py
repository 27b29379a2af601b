"""The rows that an estimator of tables is fitted to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")

from fastmlp.tabular.given import Given  # noqa: E402

TABLE = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]})
Y = np.array([5, 6, 7, 8])


def test_rows_without_weight_are_left_out_with_all_that_belongs_to_them():
    given = Given.checked(TABLE, Y, [0.5, 0, 2, 0], None, [9, 3, 1, 2])
    assert given.table["x"].tolist() == [1.0, 3.0]
    assert (given.y.tolist(), given.weights.tolist()) == ([5, 7], [0.5, 2.0])
    assert (given.groups, given.time.tolist()) == (None, [9, 1])
    assert len(given) == 2


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        Given.checked(TABLE, Y, [1, 1, -1, 1], None, None)


@pytest.mark.parametrize(
    "weights",
    [["a", "b", "c", "d"], [1.0, 2.0, 3.0, None], Y.astype("datetime64[s]"), Y + 1j],
    ids=["text", "None", "dates", "complex"],
)
def test_weights_that_are_no_numbers_are_named(weights):
    with pytest.raises(TypeError, match=r"^sample_weight has dtype .*; expected (real )?numbers\."):
        Given.checked(TABLE, Y, weights, None, None)


def test_one_weight_may_be_that_of_all_rows():
    assert Given.checked(TABLE, Y, 2, None, None).weights.tolist() == [2.0] * 4


def test_a_model_needs_two_rows():
    assert len(Given.checked(TABLE, Y, [1, 0, 0, 1], None, None)) == 2
    with pytest.raises(ValueError, match="n_samples=1: a model needs at least two rows"):
        Given.checked(TABLE, Y, [1, 0, 0, 0], None, None)


def test_groups_and_time_exclude_each_other():
    with pytest.raises(ValueError, match="groups and time exclude each other"):
        Given.checked(TABLE, Y, None, [1, 1, 2, 2], [1, 2, 3, 4])
    given = Given.checked(TABLE, Y, None, [1, 1, 2, 2], None)
    assert (given.groups.tolist(), given.time, given.weights) == ([1, 1, 2, 2], None, None)
