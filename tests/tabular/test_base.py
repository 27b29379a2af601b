"""What both estimators of tables share: parameters, warnings about columns, means of networks."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")

from fastmlp.tabular import TabularClassifier, TabularRegressor  # noqa: E402

FAST = {"quality": "fast", "random_state": 0, "n_threads": 1, "epochs": 1, "n_members": 1}


def table_with(**columns) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a table of a useful column and others, and targets."""
    x = np.random.default_rng(0).normal(size=60)
    return pd.DataFrame({"x": x, **columns}), 2 * x


def test_other_columns_or_another_order_are_refused_with_the_remedy():
    table, y = table_with(a=np.arange(60) % 7)
    model = TabularRegressor(**FAST).fit(table, y)
    for other in (table[["a", "x"]], table.assign(b=1)):
        with pytest.raises(ValueError, match=r"Pass .*: X\[list\(model.feature_names_in_\)\]$"):
            model.predict(other)
        assert (model.predict(other[list(model.feature_names_in_)]) == model.predict(table)).all()
    with pytest.raises(ValueError, match="yet now missing:\n- a\n$"):
        model.predict(table[["x"]])


def test_names_in_other_characters_of_unicode_are_refused_with_the_remedy():
    table, y = table_with(**{"caf\u00e9": np.arange(60) % 7})
    model = TabularRegressor(**FAST).fit(table, y)
    other = table.set_axis(["x", "cafe\u0301"], axis=1)
    with pytest.raises(ValueError, match=r"look alike.*: X.columns = X.columns.str.*NFC.*$"):
        model.predict(other)
    other.columns = other.columns.str.normalize("NFC")
    assert (model.predict(other) == model.predict(table)).all()


def test_a_category_of_which_no_cell_is_known_is_reported():
    table, y = table_with(size=["s", "m", "l"] * 20)
    model = TabularRegressor(**FAST).fit(table, y)
    other = table.assign(size=[1, 2, 3] * 20)
    with pytest.warns(UserWarning, match="'size': none of its 60 cells is a level .* '1', .* 's'"):
        model.predict(other)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(other[:9])
        model.predict(other.assign(size=None))
        model.predict(other.assign(size=["s"] + ["xs"] * 59))


@pytest.mark.parametrize("per", [None, "shop"])
@pytest.mark.parametrize(
    "call",
    [
        lambda model, table, y: model.predict(table),
        lambda model, table, y: model.predict_interval(table),
        lambda model, table, y: model.feature_importances(table, y, n_repeats=1),
        lambda model, table, y: model.partial_dependence(table, "x", n_points=2),
    ],
    ids=["predict", "predict_interval", "feature_importances", "partial_dependence"],
)
def test_every_prediction_reports_a_category_of_which_no_cell_is_known(call, per):
    table, y = table_with(size=["s", "m", "l"] * 20, shop=["a", "b"] * 30)
    model = TabularRegressor(per=per, **FAST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no shop has the rows for a model of its own
        model.fit(table, y)
    for name in ("size", "shop"):
        with pytest.warns(UserWarning, match=f"'{name}': none of its 60 cells") as found:
            call(model, table.assign(**{name: "new"}), y)
        assert len(found) == 1


@pytest.mark.filterwarnings("ignore:no value of 'shop' has a model")
def test_an_empty_column_of_per_has_no_levels_to_be_unknown():
    table, y = table_with(shop=pd.Series([None] * 60, dtype=object))
    model = TabularRegressor(per="shop", **FAST)
    with pytest.warns(UserWarning, match="'shop', it is empty"):
        model.fit(table, y)
    other = table.assign(shop="a")
    np.testing.assert_array_equal(model.predict(other), model.predict(table))


@pytest.mark.parametrize(("count", "end"), [(8, ", [^;]*$"), (10, "; and 2 more, see dropped_")])
def test_a_warning_names_eight_columns_that_cannot_help(count, end):
    table, y = table_with(**{f"c{i}": 1 for i in range(count)})
    with pytest.warns(UserWarning, match=rf"{count} of {count + 1} columns.*'c7'.*{end}") as found:
        TabularRegressor(**FAST).fit(table, y)
    assert found[0].filename == __file__
    assert "'c8'" not in str(found[0].message)


def test_a_warning_names_eight_columns_of_local_dates():
    days = [f"{1 + i % 28:02}.{1 + i % 12:02}.2024" for i in range(30)] * 2
    table, y = table_with(**{f"d{i}": days for i in range(9)})
    with pytest.warns(UserWarning, match=r"dates are read as text.*'d7' \('01.01.2024'\)") as found:
        TabularRegressor(**FAST).fit(table, y)
    assert found[0].filename == __file__
    assert "'d8'" not in str(found[0].message)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"epochs": 10**20}, "epochs must be at most 9223372036854775807"),
        ({"n_members": 0}, "n_members must be at least 1"),
        ({"n_members": 10**9}, "n_members must be at most 100000"),
        ({"n_threads": 0}, "n_threads must be at least 1"),
        ({"early_stopping": 0}, "early_stopping must be at least 1"),
        ({"learning_rate": 0.0}, r"learning_rate must be in \(0, inf\)"),
        ({"weight_decay": -0.1}, r"weight_decay must be in \[0, inf\)"),
        ({"hidden_layer_sizes": 0}, "hidden_layer_sizes must be at least 1"),
        ({"per": 3}, "per must be the name of a column, a text, got 3"),
    ],
)
def test_parameters_beyond_their_range_are_refused(parameters, message):
    with pytest.raises((ValueError, TypeError), match=message):
        TabularRegressor(**FAST | parameters).fit(*table_with())


def test_label_smoothing_is_below_one():
    table, y = table_with()
    with pytest.raises(ValueError, match=r"label_smoothing must be in \[0, 1\)"):
        TabularClassifier(**FAST, label_smoothing=1.0).fit(table, y > 0)


def test_callbacks_are_a_function():
    with pytest.raises(TypeError, match="callbacks must be a function from a network"):
        TabularRegressor(**FAST).fit(*table_with(), callbacks=[])


def test_parameters_that_are_set_reach_the_networks():
    parameters = {"hidden_layer_sizes": 7, "activation": "tanh", "encoding": "quantile",
                  "dropout": 0.0, "learning_rate": 0.1, "weight_decay": 0.0, "batch_size": 9}
    model = TabularRegressor(**FAST | parameters).fit(*table_with())
    (planned,), (net,) = model.plan_.networks, model.networks_
    parameters["hidden"] = (parameters.pop("hidden_layer_sizes"),)
    assert {name: getattr(planned, name) for name in parameters} == parameters
    assert (net.sizes[1:-1], net.activation[0].name, net.dropout) == ((7,), "tanh", (0.0,))


def test_networks_without_hidden_layers_are_linear():
    model = TabularRegressor(**FAST | {"hidden_layer_sizes": (), "epochs": 2}).fit(*table_with())
    assert [net.sizes[1:] for net in model.networks_] == [(1,)]
    assert TabularRegressor(**FAST, dropout=0.5, hidden_layer_sizes=()).fit(*table_with()).plan_


def test_values_are_the_mean_of_the_networks_in_the_target_s_unit():
    table, y = table_with()
    model = TabularRegressor(**FAST | {"n_members": 3, "epochs": 3}).fit(table, y)
    codes = model.encoder_.read(table)
    outputs = [net.forward(model.encoder_.inputs(codes, encoding))[:, 0]
               for net, encoding in zip(model.networks_, model.encodings_, strict=True)]
    expected = np.mean(outputs, axis=0) * model.target_deviation_ + model.target_mean_
    np.testing.assert_allclose(model.predict(table), np.clip(expected, y.min(), y.max()), rtol=1e-6)


def test_validation_scores_are_of_rows_that_a_network_was_not_trained_on():
    table, y = table_with()
    weights = np.arange(60) % 3 + 1.0
    model = TabularRegressor(**FAST | {"epochs": 5}, metric="mae")
    model.fit(table, y, weights, time=np.arange(60))
    latest = slice(51, 60)
    error = np.abs(model.predict(table) - y)[latest]
    expected = np.average(error, weights=weights[latest])
    assert model.validation_scores_["mae"] == pytest.approx(expected, rel=1e-6)


def test_names_of_columns_are_known_where_the_table_has_names():
    table, y = table_with(z=np.arange(60) % 7)
    model = TabularRegressor(**FAST).fit(table, y)
    assert (list(model.feature_names_in_), model.n_features_in_) == (["x", "z"], 2)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table.rename(columns={"z": "w"}))
    of_array = TabularRegressor(**FAST).fit(table.to_numpy(), y)
    assert not hasattr(of_array, "feature_names_in_")
    np.testing.assert_array_equal(of_array.predict(table.to_numpy()), model.predict(table))


def test_an_empty_table_is_refused():
    array, y = table_with()[0].to_numpy(), table_with()[1]
    model = TabularRegressor(**FAST).fit(array, y)
    with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 1\)\)"):
        model.predict(array[:0])
    with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(60, 0\)\)"):
        model.fit(array[:, :0], y)
