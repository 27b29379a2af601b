"""The parameter `per`: a model for each value of a column, and a shared one for other rows."""

from __future__ import annotations

import os
import pickle
import re
import signal
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import fastmlp
from fastmlp import export
from fastmlp.tabular import TabularClassifier, TabularRegressor, load
from fastmlp.tabular.fitting_by_value import equal, seed_of

QUICK = {"quality": "fast", "epochs": 4, "hidden_layer_sizes": (8,), "random_state": 0}
COUNTS = {1: 120, 2: 90, 3: 60, 4: 20}  # rows of each shop
COLUMNS = ["visitors", "weather", "day"]


@pytest.fixture(scope="module")
def sales():
    """A table of shops, with the units that they sell and how they call the day."""
    rng = np.random.default_rng(3)
    shop = rng.permutation(np.repeat(list(COUNTS), list(COUNTS.values())))
    m = len(shop)
    table = pd.DataFrame({
        "shop": shop,
        "visitors": rng.normal(100, 20, m) * shop,
        "weather": rng.choice(["sun", "rain"], m),
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 90, m), "D"),
    })
    units = table["visitors"] * np.array([0, 1, -1, 2, 0])[shop] + rng.normal(0, 1, m)
    level = table["visitors"] / shop
    kind = np.select([level < 90, level > 110], ["bad", "good"], "usual")
    kind[(shop == 1) & (kind == "bad")] = "usual"  # shop 1 never has a bad day
    return table, units.to_numpy(), kind


@pytest.fixture(scope="module")
def regressor(sales):
    table, units, _ = sales
    return TabularRegressor(per="shop", **QUICK).fit(table, units)


@pytest.fixture(scope="module")
def classifier(sales):
    table, _, kind = sales
    return TabularClassifier(per="shop", **QUICK).fit(table, kind)


def test_each_value_with_enough_rows_has_a_model_and_the_others_a_reason(regressor):
    by_value = regressor.by_value_
    assert set(by_value.models) == {"1", "2", "3"}
    assert by_value.reasons == {"4": "it has 20 rows, fewer than 50"}


@pytest.mark.parametrize("shop", [1, 2, 3])
def test_a_value_s_model_is_the_one_that_is_fitted_to_its_rows_alone(sales, regressor, shop):
    table, units, _ = sales
    rows = (table["shop"] == shop).to_numpy()
    alone = TabularRegressor(
        **QUICK, n_members=1
    ).set_params(random_state=seed_of(regressor.by_value_.shared.random_state, str(shop)))
    alone.fit(table.loc[rows, COLUMNS], units[rows])
    expected = alone.predict(table.loc[rows, COLUMNS])
    np.testing.assert_array_equal(regressor.predict(table)[rows], expected)
    np.testing.assert_array_equal(
        regressor.predict_interval(table)[rows], alone.predict_interval(table.loc[rows, COLUMNS])
    )


@pytest.mark.parametrize("value", [4, 99, None])
def test_rare_unknown_and_missing_values_are_predicted_by_the_shared_model(
    sales, regressor, value
):
    table, units, _ = sales
    rows = table.head(7).assign(shop=pd.Series([value] * 7, index=table.index[:7], dtype=object))
    shared = regressor.by_value_.shared
    np.testing.assert_array_equal(regressor.predict(rows), shared.predict(rows))


def test_the_shared_model_is_fitted_to_the_whole_table(sales, regressor):
    table, units, _ = sales
    shared = regressor.by_value_.shared
    alone = TabularRegressor(**QUICK).set_params(random_state=shared.random_state)
    categories = table.assign(shop=table["shop"].astype("category"))
    np.testing.assert_array_equal(
        alone.fit(categories, units).predict(categories), shared.predict(categories)
    )


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_bits_depend_neither_on_threads_nor_on_other_values(sales, regressor, threads):
    table, units, _ = sales
    keep = (table["shop"] != 2).to_numpy()
    own = TabularRegressor(per="shop", n_threads=threads, **QUICK).fit(table[keep], units[keep])
    one, three = (own.by_value_.models[value].networks_[0] for value in "13")
    for net, value in ((one, "1"), (three, "3")):
        before = regressor.by_value_.models[value].networks_[0]
        np.testing.assert_array_equal(net.weights[0], before.weights[0])


def test_a_class_that_a_value_never_had_has_probability_zero(sales, classifier):
    table, _, kind = sales
    p = classifier.predict_proba(table)
    bad = list(classifier.classes_).index("bad")
    shop = table["shop"].to_numpy()
    assert classifier.classes_.tolist() == ["bad", "good", "usual"]
    assert (p[shop == 1, bad] == 0).all() and (p[shop == 4, bad] > 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    own = classifier.by_value_.models["1"]
    np.testing.assert_array_equal(
        p[shop == 1][:, [1, 2]], own.predict_proba(table.loc[shop == 1, COLUMNS])
    )
    assert set(classifier.predict(table)) <= {"bad", "good", "usual"}


def test_a_value_with_one_class_alone_is_predicted_by_the_shared_model(sales):
    table, _, kind = sales
    kind = np.where(table["shop"] == 3, "usual", kind)
    model = TabularClassifier(per="shop", **QUICK).fit(table, kind)
    assert model.by_value_.reasons["3"] == "all its rows are of the class usual"


def test_class_weights_may_name_classes_that_a_value_does_not_have(sales):
    table, _, kind = sales
    model = TabularClassifier(per="shop", class_weight={"bad": 3}, **QUICK).fit(table, kind)
    assert model.by_value_.models["1"].class_weight == {"good": 1.0, "usual": 1.0}
    assert model.by_value_.models["2"].class_weight["bad"] == 3


@pytest.mark.parametrize("kind", ["regressor", "classifier"])
def test_a_saved_model_predicts_the_same_and_has_the_same_parameters(
    sales, kind, request, tmp_path
):
    table, model = sales[0], request.getfixturevalue(kind)
    model.save(tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    for one in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(one.predict(table), model.predict(table))
        assert one.get_params() == model.get_params()
        assert one.validation_scores_ == model.validation_scores_
        assert one.by_value_.reasons == model.by_value_.reasons
    assert len(loaded.networks_) == 2 + 3  # the shared model's two, and one for each value
    with pytest.raises(ValueError, match="holds a model of a table"):
        fastmlp.load(tmp_path / "model.npz")


def test_scores_are_those_of_each_value_s_own_model(sales, regressor):
    """Over the validation rows of all models; of shop 4 by the shared one."""
    own = [model.validation_scores_["rmse"] for model in regressor.by_value_.models.values()]
    assert min(own) < regressor.validation_scores_["rmse"] < max(own) * 3
    everything = clone(regressor).set_params(per=None).fit(sales[0][["shop", *COLUMNS]], sales[1])
    assert everything.validation_scores_ != regressor.validation_scores_


def test_a_model_is_as_it_was_without_per_after_another_fit(sales, regressor):
    table, units, _ = sales
    again = pickle.loads(pickle.dumps(regressor)).set_params(per=None).fit(table, units)
    assert again.by_value_ is None
    plain = TabularRegressor(**QUICK).fit(table, units)
    np.testing.assert_array_equal(again.predict(table), plain.predict(table))


def test_importances_and_dependence_take_the_column_too(sales, regressor):
    table, units, _ = sales
    importances = regressor.feature_importances(table, units, n_repeats=2)
    assert importances["column"].tolist()[:2] in (["shop", "visitors"], ["visitors", "shop"])
    curve = regressor.partial_dependence(table, "shop")
    assert curve["shop"].tolist() == [1, 2, 3, 4]
    expected = [regressor.predict(table.assign(shop=shop)).mean() for shop in curve["shop"]]
    np.testing.assert_allclose(curve["prediction"], expected)


@pytest.mark.parametrize("values", [["a", "b"], ["017", "020"], [0.5, 1.5], [True, False]])
def test_values_of_any_kind_divide_the_rows(values):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"k": np.repeat(np.array(values), 60), "x": rng.normal(size=120)})
    model = TabularRegressor(per="k", **QUICK).fit(table, rng.normal(size=120))
    assert list(model.by_value_.models) == [str(value) for value in values]


def test_a_code_with_a_leading_zero_is_found_by_its_number(sales):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"k": np.repeat(["017", "020"], 60), "x": rng.normal(size=120)})
    model = TabularRegressor(per="k", **QUICK).fit(table, rng.normal(size=120))
    np.testing.assert_array_equal(
        model.predict(table.assign(k=table["k"].astype(int))), model.predict(table)
    )


def test_a_column_of_codes_is_one_of_categories_in_every_part():
    """In the rows of "a" all codes are numbers."""
    rng = np.random.default_rng(0)
    codes = np.r_[rng.choice(["1", "2"], 60), rng.choice(["1", "x"], 60)].astype(object)
    table = pd.DataFrame({"k": np.repeat(["a", "b"], 60), "code": codes})
    model = TabularRegressor(per="k", **QUICK).fit(table, rng.normal(size=120))
    assert model.by_value_.models["a"].encoder_.kinds == {"code": "category"}


def test_an_array_has_columns_by_their_numbers():
    rng = np.random.default_rng(0)
    X = np.c_[np.repeat([1, 2], 60), rng.normal(size=120)]
    model = TabularRegressor(per="x0", **QUICK).fit(X, rng.normal(size=120))
    assert list(model.by_value_.models) == ["1", "2"]
    assert model.predict(X).shape == (120,)


def test_time_and_weights_belong_to_their_rows(sales):
    table, units, _ = sales
    weights = np.where(table["shop"] == 2, 0, 1)
    model = TabularRegressor(per="shop", **QUICK).fit(
        table, units, sample_weight=weights, time=table["day"]
    )
    assert set(model.by_value_.models) == {"1", "3"}
    assert "2" not in model.by_value_.reasons


def test_where_no_value_has_a_model_a_warning_says_so(sales):
    table, units, _ = sales
    few = np.arange(100)
    with pytest.warns(UserWarning, match="no value of 'shop' has a model of its own"):
        model = TabularRegressor(per="shop", **QUICK).fit(table.iloc[few], units[few])
    np.testing.assert_array_equal(model.predict(table), model.by_value_.shared.predict(table))


def test_a_value_whose_training_diverges_is_predicted_by_the_shared_model(sales):
    table, units, _ = sales

    class Diverges(fastmlp.Callback):
        def on_epoch_end(self, net, history):
            raise fastmlp.TrainingDiverged("too fast", history=history)

    calls = iter(range(100))

    def callbacks(net):  # the shared model's two networks come first
        return [Diverges()] if next(calls) == 2 else []

    with pytest.warns(UserWarning, match="training diverged for 1 values of 'shop'"):
        model = TabularRegressor(per="shop", **QUICK).fit(table, units, callbacks=callbacks)
    assert len(model.by_value_.models) == 2
    assert [why for why in model.by_value_.reasons.values() if "too fast" in why]


def test_ctrl_c_keeps_the_networks_that_have_an_epoch(sales):
    """On one thread the shared model's networks come first, then that of shop 1, the largest."""
    table, units, _ = sales
    pressed = threading.Event()

    class Press(fastmlp.Callback):
        def on_epoch_end(self, net, history):
            if not pressed.is_set():
                pressed.set()
                os.kill(os.getpid(), signal.SIGINT)

    class StopsAtOnce(fastmlp.Callback):
        def on_epoch_end(self, net, history):
            return True

    calls = iter(range(100))

    def callbacks(net):
        return [StopsAtOnce() if next(calls) < 2 else Press()]

    model = TabularRegressor(**QUICK | {"epochs": 1_000_000}, per="shop", n_threads=1)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.warns(UserWarning, match="Training was interrupted: 3 of 5 networks are kept"):
            model.fit(table, units, callbacks=callbacks)
    finally:
        signal.signal(signal.SIGINT, before)
    assert list(model.by_value_.models) == ["1"]
    assert model.by_value_.reasons["2"] == "training was interrupted before its first epoch"
    assert np.isfinite(model.predict(table)).all()


@pytest.mark.parametrize(
    ("parameters", "options", "message"),
    [
        ({"per": "shp"}, {}, "per: unknown column 'shp'; did you mean 'shop'?"),
        ({"per": 3}, {}, "per must be the name of a column, a text, got 3; columns of a DataFrame"),
        ({"per": "shop"}, {"groups": [0] * 290}, "per and groups exclude each other"),
    ],
)
def test_what_does_not_go_with_per_is_refused(sales, parameters, options, message):
    table, units, _ = sales
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        TabularRegressor(**QUICK | parameters).fit(table, units, **options)


@pytest.mark.parametrize("names", [[0, 1], [("a", "x"), ("a", "y")]], ids=["numbers", "tuples"])
def test_columns_whose_names_are_not_text_are_named_by_their_places(sales, names):
    """The error names the remedy, which makes the same model."""
    table, units, _ = sales
    chosen = table[["shop", "day"]]
    unnamed = chosen.set_axis(pd.Index(names), axis=1)
    model = TabularRegressor(**QUICK)
    with pytest.raises(TypeError, match=r"per .* got .*; columns .* by X.columns = X.columns.map"):
        model.set_params(per=names[0]).fit(unnamed, units)
    message = r"per: unknown column 'shop': .* are x0 to x1 by their places; .*columns\.map\(str\)"
    with pytest.raises(ValueError, match=message):
        model.set_params(per="shop").fit(unnamed, units)
    expected = model.fit(chosen, units).predict(chosen)
    by_place = model.set_params(per="x0").fit(unnamed, units)
    np.testing.assert_array_equal(by_place.predict(unnamed), expected)
    unnamed.columns = unnamed.columns.map(str)
    by_name = model.set_params(per=str(names[0])).fit(unnamed, units)
    np.testing.assert_array_equal(by_name.predict(unnamed), expected)


def test_the_column_to_predict_is_refused(sales):
    table, _, _ = sales
    with pytest.raises(ValueError, match="per='shop' is the column to predict"):
        TabularClassifier(per="shop", **QUICK).fit(table, table["shop"])


@pytest.mark.parametrize("dtype", ["Int64", "Float32", "string", "int64[pyarrow]", object])
def test_a_nullable_column_divides_the_rows(sales, dtype):
    table, units, _ = sales
    shop = table["shop"].where(table["shop"] != 4).astype("Int64").astype(dtype)
    given = table.assign(shop=shop)
    assert given["shop"].isna().sum() == COUNTS[4]
    model = TabularRegressor(per="shop", **QUICK).fit(given, units)
    assert set(model.by_value_.models) == {"1", "2", "3"}
    assert (model.by_value_.shared_rows(given), model.by_value_.reasons) == (COUNTS[4], {})


@pytest.mark.parametrize("closed", [[True, False], ["TRUE", "FALSE"], [1, 0]])
def test_a_row_finds_the_model_of_its_truth_value_in_any_form(sales, closed):
    table, units, _ = sales
    rainy = table["weather"] == "rain"
    given = table.drop(columns="weather").assign(rainy=rainy)
    model = TabularRegressor(per="rainy", **QUICK).fit(given, units)
    new = given.assign(rainy=np.where(rainy, *np.array(closed, object)))
    assert model.by_value_.shared_rows(new) == 0
    np.testing.assert_array_equal(model.predict(new), model.predict(given))


def test_an_export_of_many_models_is_refused_and_that_of_one_is_written(regressor, tmp_path):
    with pytest.raises(ValueError, match="export holds one model"):
        export.to_c(regressor, tmp_path / "model.c")
    export.to_c(regressor.by_value_.models["1"], tmp_path / "model.c")
    assert (tmp_path / "model.c").exists()
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match="export holds one model"):
        export.to_onnx(regressor, tmp_path / "model.onnx")


def test_models_of_values_hold_no_state_of_their_optimizers(regressor):
    for net in regressor.networks_:
        assert net.state.optimizer_state() == []


def test_no_warning_comes_from_the_models_of_values(sales):
    table, units, _ = sales
    constant_somewhere = table.assign(region=np.where(table["shop"] == 1, "x", table["weather"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TabularRegressor(per="shop", **QUICK).fit(constant_somewhere, units)


def test_a_value_without_anything_to_predict_from_is_predicted_by_the_shared_model():
    group = np.repeat(["a", "b"], 60)
    y = np.sqrt(np.arange(120.0))
    with pytest.warns(UserWarning, match="no value of 'group' has a model of its own"):
        model = TabularRegressor(per="group", **QUICK).fit(pd.DataFrame({"group": group}), y)
    assert model.by_value_.models == {}
    assert set(model.by_value_.reasons.values()) == {"there is no other column to predict from"}
    table = pd.DataFrame({"group": group, "x": np.where(group == "a", 1.0, y)})
    model = TabularRegressor(per="group", **QUICK).fit(table, y)
    assert set(model.by_value_.models) == {"b"}
    assert "the same value in every row" in model.by_value_.reasons["a"]


def test_a_table_too_small_for_validation_has_no_scores():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"group": ["a", "b"] * 5, "x": rng.normal(size=10)})
    with pytest.warns(UserWarning, match="it has 5 rows, fewer than 50"):
        model = TabularRegressor(per="group", **QUICK).fit(table, table["x"])
    assert model.validation_scores_ == {}


def test_entries_that_cannot_be_compared_differ():
    assert equal([1, "a"], [1.0, "a"])
    for some, others in ([1, "a"], [1, "b"]), ([np.int8(3)], [2**70]), ([np.zeros(2)], [1]):
        assert not equal(some, others)
