"""`coefs_` and `intercepts_`: lists whose entries can be replaced."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402

from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_iris(return_X_y=True)
OPTIONS = {"hidden_layer_sizes": (5,), "max_iter": 2, "random_state": 0}


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("index", [0, -1])
@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_an_array_assigned_to_an_entry_changes_the_network(kind, name, index):
    ours = kind(**OPTIONS).fit(X, y)
    theirs = getattr(neural_network, kind.__name__)(**OPTIONS).fit(X, y)
    for model in (ours, theirs):
        arrays = getattr(model, name)
        arrays[index] = 3 * arrays[index]
    np.testing.assert_allclose(getattr(ours, name)[index], getattr(theirs, name)[index])
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X))


def test_an_older_list_changes_only_the_entry_that_is_assigned():
    model = MLPClassifier(**OPTIONS).fit(X, y)
    arrays = model.coefs_
    model.partial_fit(X, y)
    now = model.coefs_[1]
    arrays[0] = np.zeros((4, 5))
    assert not model.coefs_[0].any() and not arrays[0].any()
    np.testing.assert_array_equal(model.coefs_[1], now)
    np.testing.assert_array_equal(arrays[1], now)


def test_several_entries_may_be_assigned_at_once():
    model = MLPClassifier(**OPTIONS).fit(X, y)
    model.coefs_[:] = [np.zeros((4, 5)), np.zeros((5, 3))]
    assert not any(array.any() for array in model.coefs_)


@pytest.mark.parametrize(
    "copy_of", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_copies_are_lists_without_the_estimator(copy_of):
    arrays = copy_of(MLPClassifier(**OPTIONS).fit(X, y).coefs_)
    assert type(arrays) is list and [array.shape for array in arrays] == [(4, 5), (5, 3)]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("coefs_", np.zeros((5, 4)), r"coefs_\[0\] has shape \(5, 4\); expected \(4, 5\)"),
     ("intercepts_", np.zeros(4), r"intercepts_\[0\] has shape \(4,\); expected \(5,\)"),
     ("coefs_", np.full((4, 5), np.nan), "coefs_.* must be finite"),
     ("coefs_", "text", r"coefs_\[0\] must be an array of numbers, got 'text'")],
)  # fmt: skip
def test_wrong_arrays_are_named_as_the_user_has_them(name, value, message):
    model = MLPClassifier(**OPTIONS).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(model, name)[0] = value
    np.testing.assert_array_equal(model.predict_proba(X), before)
