"""Cells that Python or pandas cannot convert, compare or store."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from fastmlp.tabular import TabularClassifier, TabularRegressor, load
from fastmlp.tabular.frames import series_of
from fastmlp.tabular.insight import dependence_grid
from fastmlp.tabular.levels import text, texts
from fastmlp.tabular.precision import sortable

M = 120
x = np.random.default_rng(0).normal(size=M)
FAST = {"quality": "fast", "epochs": 2, "n_members": 1, "random_state": 0}
LONG = "1" * 5000  # more digits than Python's int reads
SIGNALING = Decimal("sNaN")


def table(*cells: object) -> pd.DataFrame:
    """Return a table with a column of these cells by turns."""
    return pd.DataFrame(
        {"x": x, "c": pd.Series([cells[i % len(cells)] for i in range(M)], dtype=object)}
    )


@pytest.fixture(scope="module", params=["number", "category", "date"])
def model(request) -> TabularRegressor:
    cells = {"number": ("1.5", "2"), "category": ("a", "b"), "date": ("2020-01-01", "2021-02-03")}
    found = TabularRegressor(**FAST).fit(table(*cells[request.param]), x)
    assert found.encoder_.kinds["c"] == request.param
    return found


# ------------------------------------------------------------------- whole numbers of many digits


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        (10**5000, "1" + "0" * 5000),
        (-(10**5000), "-1" + "0" * 5000),
        (Fraction(10**5000, 3), "3" * 5000),
        (Fraction(10**400), "1" + "0" * 400),
        (LONG, LONG),
    ],
    ids=["positive", "negative", "a fraction", "whole", "text"],
)
def test_numbers_of_any_length_are_levels(cell, written):
    """Python's `str` writes 4,300 digits at most."""
    assert text(cell) == written
    cells = table(cell, "a")
    own = TabularRegressor(**FAST).fit(cells, x)
    assert own.encoder_.kinds["c"] == "category"
    levels = own.partial_dependence(cells, "c")["c"].tolist()
    assert levels == sorted([cell, "a"], key=text)


def test_a_model_of_them_is_saved(tmp_path):
    cells = table(10**5000, "a", 2)
    own = TabularRegressor(**FAST).fit(cells, x)
    own.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(load(tmp_path / "model.npz").predict(cells), own.predict(cells))


def test_each_is_a_value_of_per():
    own = TabularRegressor(**FAST, per="c").fit(table(10**5000, 7), x)
    assert sorted(own.by_value_.models) == ["1" + "0" * 5000, "7"]


@pytest.mark.parametrize(
    "cells", [(LONG, "2"), (10**5000, 2), (LONG, 2), (10**5000, "02")], ids="abcd"
)
def test_rows_cannot_be_sorted_by_them(cells):
    with pytest.raises(ValueError, match=r"column 'time': \d+ cells are infinite \(inf\)"):
        TabularRegressor(**FAST).fit(x[:, np.newaxis], x, time=table(*cells)["c"])


def test_codes_of_many_digits_sort_rows_by_their_number():
    codes = pd.Series(["00012", "9" * 30, "9" * 29 + "8", "3"], dtype=object)
    np.testing.assert_array_equal(np.argsort(sortable(codes)), [3, 0, 2, 1])


@pytest.mark.filterwarnings("ignore:.*is a level of the training set")
@pytest.mark.parametrize("cell", [10**5000, LONG, Decimal(LONG)], ids=["int", "text", "decimal"])
def test_in_a_column_of_numbers_they_are_infinite(cell, model):
    kind = model.encoder_.kinds["c"]
    if kind == "category":
        assert len(model.predict(table(cell))) == M
        return
    message = "cells are infinite" if kind == "number" else "cells are not dates"
    with pytest.raises(ValueError, match=f"column 'c': {M} {message}"):
        model.predict(table(cell))


# ----------------------------------------------------------------------------------- signaling NaN


def test_a_signaling_nan_is_named_with_its_column(model):
    with pytest.raises(ValueError, match="column 'c' has a signaling NaN, Decimal.'sNaN'.; write"):
        TabularRegressor(**FAST).fit(table(SIGNALING, 1, 2), x)
    with pytest.raises(ValueError, match="column 'c' has a signaling NaN"):
        TabularRegressor(**FAST, per="c").fit(table(SIGNALING, "a"), x)
    with pytest.raises(ValueError, match="column 'c' has a signaling NaN"):
        model.predict(table(SIGNALING, 1))
    with pytest.raises(ValueError, match="column 'c' has a signaling NaN"):
        model.partial_dependence(table(SIGNALING, 1), "c")


def test_models_of_values_name_it_too():
    own = TabularRegressor(**FAST, per="c").fit(table("a", "b").assign(d=["u", "v"] * (M // 2)), x)
    for name in ("c", "d"):
        wrong = table("a", "b").assign(**{"d": "u", name: table(SIGNALING, "a")["c"]})
        with pytest.raises(ValueError, match=f"column '{name}' has a signaling NaN"):
            own.predict(wrong)


@pytest.mark.parametrize("name", ["groups", "time"])
def test_it_is_named_in_other_arguments(name):
    with pytest.raises(ValueError, match=f"^{name} has a signaling NaN"):
        TabularRegressor(**FAST).fit(
            x[:, np.newaxis], x, **{name: table(SIGNALING, Decimal(1))["c"]}
        )


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_it_is_named_in_targets(kind):
    with pytest.raises(ValueError, match="^y has a signaling NaN"):
        kind(**FAST).fit(x[:, np.newaxis], table(SIGNALING, Decimal(1))["c"])


# ---------------------------------------------------------------------------------- lone surrogates


def test_partial_dependence_on_text_with_lone_surrogates():
    """PyArrow, in which pandas may keep text, cannot hold them."""
    cells = table("a\ud800", "b")
    own = TabularRegressor(**FAST).fit(cells, x)
    assert own.partial_dependence(cells, "c")["c"].tolist() == ["a\ud800", "b"]
    by_value = TabularRegressor(**FAST, per="c").fit(cells, x)
    assert by_value.partial_dependence(cells, "c")["c"].tolist() == ["a\ud800", "b"]


def test_groups_of_text_with_lone_surrogates():
    groups = table(*(f"{i}\ud800" for i in range(20)))["c"]
    given = TabularRegressor(**FAST).fit(x[:, np.newaxis], x, groups=groups)
    plain = TabularRegressor(**FAST).fit(x[:, np.newaxis], x, groups=groups.str[:-1])
    assert len(given.predict(x[:, np.newaxis])) == len(plain.predict(x[:, np.newaxis]))
    with pytest.raises(ValueError, match=r"neither numbers nor dates .* such as '0\\ud800'"):
        TabularRegressor(**FAST).fit(x[:, np.newaxis], x, time=groups)


def test_other_values_have_the_dtype_that_pandas_gives_them():
    assert series_of([1, 2]).dtype == np.int64
    assert series_of(["a", "b"]).dtype == pd.Series(["a", "b"]).dtype
    assert series_of(["\ud800"], index=[3], name="c").to_dict() == {3: "\ud800"}


# --------------------------------------------------------------------------------- time differences


@pytest.mark.parametrize(
    "form",
    [
        lambda one: one.astype("timedelta64[s]"),
        lambda one: one.astype(object),
        lambda one: pd.Series(list(one.to_numpy()), dtype=object),
        lambda one: one.astype(str),
        lambda one: pd.Series([datetime.timedelta(seconds=s) for s in one.dt.total_seconds()]),
    ],
    ids=["seconds", "Timedelta", "timedelta64", "text", "datetime.timedelta"],
)
def test_per_of_time_differences(form):
    spans = pd.Series(pd.to_timedelta(np.arange(M) % 2, "h"))
    given = pd.DataFrame({"x": x, "c": spans})
    own = TabularRegressor(**FAST, per="c").fit(given, x)
    assert sorted(own.by_value_.models) == ["0 days 00:00:00", "0 days 01:00:00"]
    other = given.assign(c=form(spans))
    assert own.by_value_.shared_rows(other) == 0
    np.testing.assert_array_equal(own.predict(other), own.predict(given))
    assert own.partial_dependence(given, "c")["c"].tolist() == [pd.Timedelta(0), pd.Timedelta("1h")]


def test_time_differences_beside_per():
    given = table("a", "b").assign(d=pd.to_timedelta(np.arange(M) % 3, "h"))
    own = TabularRegressor(**FAST, per="c").fit(given, x)
    assert own.by_value_.kinds["d"] == "number"
    curve = own.partial_dependence(given, "d")
    assert curve["d"].tolist() == [pd.Timedelta(f"{i}h") for i in range(3)]
    np.testing.assert_array_equal(
        own.predict(given), own.predict(given.assign(d=given["d"].dt.total_seconds()))
    )


def test_levels_of_a_grid_may_be_of_any_kind():
    cells = pd.Series(["\ud800", 10**5000, pd.Timedelta("1 h"), "\ud800"], dtype=object)
    assert texts(cells)[1] == ["\\ud800", "1" + "0" * 5000, "0 days 01:00:00"]
    assert dependence_grid("category", cells, 1) == ["\ud800"]
