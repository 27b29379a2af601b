"""How outputs and targets are read under each loss."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.losses import TABLE, BinaryCrossEntropy, CrossEntropy, SquaredError

DTYPE = np.dtype(np.float32)


def test_every_name_stands_for_itself():
    assert list(TABLE) == ["squared_error", "cross_entropy", "binary_cross_entropy"]
    assert all(kind().name == name for name, kind in TABLE.items())


def test_cross_entropy_reads_labels_or_probabilities():
    labels = CrossEntropy().targets([2, 0], 2, 3, DTYPE)
    assert (labels.dtype, labels.tolist()) == (np.int32, [2, 0])
    rows = CrossEntropy().targets([[0, 0, 1], [1, 0, 0]], 2, 3, DTYPE)
    assert (rows.dtype, rows.shape) == (np.float32, (2, 3))


@pytest.mark.parametrize("loss", [SquaredError(), BinaryCrossEntropy()])
def test_targets_of_one_output_may_lack_the_second_axis(loss):
    for y in ([0, 1, 1], [[0], [1], [1]]):
        found = loss.targets(y, 3, 1, DTYPE)
        assert (found.dtype, found.tolist()) == (np.float32, [[0], [1], [1]])


@pytest.mark.parametrize(
    ("loss", "h", "expected"),
    [
        (SquaredError(), [[0.5], [2.0]], [0.5, 2.0]),
        (SquaredError(), [[0.5, 1.0]], [[0.5, 1.0]]),
        (CrossEntropy(), [[0.1, 0.7, 0.2], [0.6, 0.2, 0.2]], [1, 0]),
        (BinaryCrossEntropy(), [[0.4], [0.6], [0.5]], [0, 1, 0]),
        (BinaryCrossEntropy(), [[0.4, 0.6]], [[0, 1]]),
    ],
)
def test_predictions_have_the_form_of_targets(loss, h, expected):
    np.testing.assert_array_equal(loss.predict(np.array(h)), expected)


@pytest.mark.parametrize(
    ("loss", "h", "y", "expected"),
    [
        (CrossEntropy(), [[0.9, 0.1], [0.2, 0.8]], [0, 0], [1, 0]),
        (CrossEntropy(), [[0.9, 0.1], [0.2, 0.8]], [[1, 0], [0.6, 0.4]], [1, 0]),
        (BinaryCrossEntropy(), [[0.9, 0.1], [0.2, 0.8]], [[1, 1], [0, 1]], [0.5, 1]),
    ],
)
def test_hits_are_the_part_of_labels_that_is_right(loss, h, y, expected):
    np.testing.assert_array_equal(loss.hits(np.array(h), np.array(y)), expected)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 3], r"from 0 to 2, one for each output, but y\[1\] is 3$"),
        ([1, 3], r"y\[1\] is 3; give y - 1"),
        ([0, -1], r"y\[1\] is -1"),
        ([0, 1.5], r"y must hold whole labels, but y\[1\] is 1.5"),
        ([0, np.nan], r"y must be finite, but y\[1\] is nan"),
        ([[0], [1]], r"y has shape \(2, 1\).*give y.ravel\(\)"),
        ([[0, 1], [1, 0]], r"y has shape \(2, 2\); expected labels \(2,\) or probabilities"),
        ([[0.5, 0.5, 0.5], [1, 0, 0]], r"sum 1, but y\[0\] has sum 1.5"),
        ([[2, -1, 0], [1, 0, 0]], r"from 0 to 1, but y\[0, 0\] is 2"),
        ([0, 1, 2], "y has 3 entries for 2 examples in X"),
        (1, "y has no entries for 2 examples"),
    ],
)
def test_wrong_labels_are_explained(y, message):
    with pytest.raises(ValueError, match=message):
        CrossEntropy().targets(y, 2, 3, DTYPE)


@pytest.mark.parametrize("y", [["cat", "dog"], [None, 1]])
def test_text_and_objects_are_no_labels(y):
    with pytest.raises(TypeError, match="y has dtype"):
        CrossEntropy().targets(y, 2, 3, DTYPE)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        (SquaredError(), [1, 2], r"y has shape \(2,\); expected \(2, 3\), a value for each output"),
        (SquaredError(), [[1, 2]] * 2, r"y has shape \(2, 2\); expected \(2, 3\)"),
        (SquaredError(), [[1, 2, np.inf]] * 2, r"y must be finite, but y\[0, 2\] is inf"),
        (BinaryCrossEntropy(), [[1, 0, 2]] * 2, r"y must be from 0 to 1, but y\[0, 2\] is 2"),
    ],
)
def test_wrong_values_are_explained(loss, y, message):
    with pytest.raises(ValueError, match=message):
        loss.targets(y, 2, 3, DTYPE)
