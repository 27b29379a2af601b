"""Errors name the argument of the user's that is wrong."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.datasets import load_iris  # noqa: E402

import fastmlp  # noqa: E402
from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[y]
ONES = np.ones(150)
OF_VALIDATION = r"validation set \(X_val, y_val\): .*"


@pytest.mark.parametrize(
    ("validation", "message"),
    [({"X_val": X[:, :2]}, "X has 2 features"),
     ({"X_val": np.full((150, 4), np.nan)}, "Input X contains NaN"),
     ({"X_val": X[:0]}, "inconsistent numbers of samples"),
     ({"y_val": y + 3}, "has classes not in"),
     ({"sample_weight_val": -ONES}, "sample_weight must be ≥ 0"),
     ({"sample_weight_val": 0 * ONES}, "Sample weights must contain at least one non-zero"),
     ({"sample_weight_val": ONES[:3]}, "sample_weight.shape == ")],
)  # fmt: skip
def test_what_is_wrong_with_validation_data_is_said_of_them(validation, message):
    model = MLPClassifier((3,), max_iter=1)
    with pytest.raises(ValueError, match=OF_VALIDATION + message):
        model.fit(X, y, **{"X_val": X, "y_val": y, **validation})


def test_targets_of_another_number_of_columns_are_those_of_the_validation_set():
    with pytest.raises(ValueError, match=OF_VALIDATION + r"y has shape \(150, 4\)"):
        MLPRegressor(max_iter=1).fit(X, y, X_val=X, y_val=X)


def test_weights_of_a_validation_set_need_it():
    with pytest.raises(ValueError, match="sample_weight_val is provided, but X_val and y_val"):
        MLPClassifier((3,)).fit(X, y, sample_weight_val=ONES)


@pytest.mark.parametrize(
    ("weight", "kind"),
    [(-1, ValueError), (np.nan, ValueError), (np.inf, ValueError), (None, TypeError),
     ("2", TypeError), ([1], TypeError)],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("several", [False, True])
def test_a_wrong_weight_of_a_class_is_named_by_the_class(weight, kind, several):
    columns = np.column_stack([NAMES, NAMES]) if several else NAMES
    weights = [{"setosa": 1}, {"virginica": weight}] if several else {"virginica": weight}
    name = r"class_weight\[1\]" if several else "class_weight"
    with pytest.raises(kind, match=rf"{name}\['virginica'\] must be .*, got "):
        MLPClassifier((3,), class_weight=weights).fit(X, columns)


@pytest.mark.parametrize("weight", [2, np.float32(2), np.int8(2)])
def test_weights_of_classes_may_be_any_real_number(weight):
    one, other = (
        MLPClassifier((3,), class_weight={"setosa": of}, max_iter=2, random_state=0).fit(X, NAMES)
        for of in (weight, 2.0)
    )
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


@pytest.mark.parametrize("wrong", [3, fastmlp.Callback, None])
def test_a_wrong_callback_is_named_by_its_place(wrong):
    callbacks = [fastmlp.Callback(), wrong]
    with pytest.raises(TypeError, match=r"callbacks\[1\] must be an object of a subclass"):
        MLPClassifier((3,), callbacks=callbacks).fit(X, y)


@pytest.mark.parametrize("value", [None, "high", np.ones(2), {"accuracy": 1}], ids=str)
def test_a_scorer_without_a_number_is_named(value):
    model = MLPClassifier((3,), early_stopping=True, scoring=lambda estimator, X, y: value)
    with pytest.raises(TypeError, match="scoring must return a number, got "):
        model.fit(X, y)


class Interrupt(fastmlp.schedules.Schedule):
    """Presses Ctrl-C before the first step."""

    def __call__(self, steps):
        raise KeyboardInterrupt


def test_an_interrupt_is_not_called_a_limit_of_time():
    model = MLPClassifier((3,), learning_rate=Interrupt(), batch_size=10, max_seconds=1e6)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    (message,) = [str(one.message) for one in caught if "first epoch" in str(one.message)]
    assert message == "Training has ended within the first epoch, after 0 of 15 batches."
