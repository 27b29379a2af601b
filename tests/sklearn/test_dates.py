"""Dates and time differences in X are refused, since their unit is nobody's choice."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from fastmlp.sklearn import MLPClassifier, MLPRegressor  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DAYS = np.arange("2020-01-01", "2020-01-21", dtype="datetime64[D]").astype("datetime64[us]")
SPANS = DAYS - DAYS[0]
NUMBERS = np.arange(20.0)
y = np.arange(20) % 2


def tables(library):
    frames = pytest.importorskip(library)
    return [frames.DataFrame({"a": NUMBERS, "b": one}) for one in (DAYS, SPANS)]


CALLS = {
    "fit": lambda model, X: model.fit(X, y),
    "partial_fit": lambda model, X: model.partial_fit(X, y),
    "predict": lambda model, X: model.predict(X),
    "all_activations": lambda model, X: model.all_activations(X),
    "score": lambda model, X: model.score(X, y),
}


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_arrays_of_dates_are_refused(kind, call):
    model = kind(hidden_layer_sizes=(3,), max_iter=1).fit(NUMBERS[:, np.newaxis], y)
    with pytest.raises(TypeError, match=r"X has dtype datetime64\[us\].*Dates become numbers by"):
        call(model, DAYS[:, np.newaxis])
    with pytest.raises(TypeError, match=r"X has dtype timedelta64\[us\].*Time differences become"):
        call(model, SPANS[:, np.newaxis])


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("column", [DAYS, SPANS, DAYS.tolist(), SPANS.tolist()])
def test_lists_and_objects_of_dates_are_refused(call, column):
    model = MLPClassifier((3,), max_iter=1).fit(NUMBERS[:, np.newaxis], y)
    as_list = [[one] for one in column]
    as_objects = np.array([[1.0]] * 19 + [[column[-1]]], dtype=object)
    for X in (as_list, as_objects):
        with pytest.raises(TypeError, match="X h.*expected real numbers.* become numbers by"):
            call(model, X)


def test_a_table_with_objects_that_are_dates_is_refused():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"a": NUMBERS, "b": pandas.Series(list(DAYS), dtype=object)})
    with pytest.raises(TypeError, match=r"X\['b'\] holds .*once they have dtype datetime64"):
        MLPClassifier((3,)).fit(X, y)


def test_lists_and_objects_of_numbers_are_taken():
    X = NUMBERS[:, np.newaxis]
    for same in (X.tolist(), X.astype(object)):
        assert MLPClassifier((3,), max_iter=1).fit(same, y).n_features_in_ == 1


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_the_column_of_a_table_is_named(library):
    dates, spans = tables(library)
    with pytest.raises(TypeError, match=r"X\['b'\] has dtype .*Dates become numbers by \(X\['b'\]"):
        MLPClassifier((3,)).fit(dates, y)
    with pytest.raises(TypeError, match=r"X\['b'\] has dtype .*Time differences become numbers by"):
        MLPClassifier((3,)).fit(spans, y)


def test_the_remedy_helps():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame({"a": NUMBERS, "b": DAYS})
    X["b"] = (X["b"] - X["b"].min()) / np.timedelta64(1, "D")
    assert MLPClassifier((3,), max_iter=1).fit(X, y).n_features_in_ == 2
