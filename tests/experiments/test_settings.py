"""Settings: errors name the key, and the core gets the values that were written."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.experiments.settings import (
    DEFAULTS,
    NETWORK,
    TRAINING,
    Setting,
    Settings,
    checked,
    label,
)


def settings(**given: Any) -> Settings:
    return Settings.of({"hidden": [4, 3], **given}, 64, 10)


@pytest.mark.parametrize(("table", "function"), [
    (NETWORK, fastmlp.MLP), (TRAINING, fastmlp.MLP.fit),
])
def test_defaults_are_those_of_the_core(table: dict[str, Setting], function: Any) -> None:
    parameters = inspect.signature(function).parameters
    for key, setting in table.items():
        assert setting.default == parameters[key].default
    assert {key: DEFAULTS[key] for key in table} == {
        key: setting.default for key, setting in table.items()
    }


def test_a_study_has_the_settings_of_the_experiments() -> None:
    assert fastmlp.ablation.Settings is Settings


@pytest.mark.parametrize(("given", "message"), [
    ({"droput": 0.5}, "unknown key 'droput'; did you mean 'dropout'?"),
    ({"hidden": None}, "hidden is missing"),
    ({"hidden": 256}, "hidden must be a list of widths such as [256, 256], got 256"),
    ({"hidden": [256, 0]}, "hidden[1] must be at least 1, got 0"),
    ({"hidden": [-3]}, "hidden[0] must be at least 1, got -3"),
    ({"hidden": ["abc"]}, "hidden[0] must be a whole number, got 'abc'"),
    ({"hidden": [2.5]}, "hidden[0] must be a whole number, got 2.5"),
    ({"hidden": [10**9]}, "at most 1,000,000,000"),
    ({"activation": "rleu"}, "unknown activation 'rleu'; did you mean 'relu'?"),
    ({"activation": "softmax"}, "softmax is for the output layer"),
    ({"activation": ["relu"]}, "activation has 1 entries for 2 hidden layers"),
    ({"activation": 3}, "activation must be a name or a table with one"),
    ({"activation": {"name": "relu", "slope": 1}}, "'slope' of activation relu; it has no"),
    ({"init": {"name": "normal", "sgima": 1}}, "unknown key 'sgima' of init normal; did you mean"),
    ({"init": {"sigma": 1}}, "init must be a name or a table with one"),
    ({"init": {"name": "normal", "sigma": "big"}}, "init: sigma must be a number, got 'big'"),
    ({"optimizer": "adma"}, "unknown optimizer 'adma'; did you mean 'adam'?"),
    ({"optimizer": {"name": "adam", "momentum": 0.9}}, "unknown key 'momentum' of optimizer adam"),
    ({"optimizer": {"name": "adam", "learning_rate": -1}}, "learning_rate must be in [0, inf)"),
    ({"optimizer": {"name": "adam", "learning_rate": "cosine"}}, "is the key schedule"),
    ({"schedule": "one-cycle"}, "unknown schedule 'one-cycle'; did you mean 'one_cycle'?"),
    ({"schedule": {"name": "step"}}, "schedule step needs every"),
    ({"schedule": {"name": "cosine", "rate": 1}}, "it comes from the optimizer"),
    ({"dropout_schedule": 0.5}, "dropout_schedule must be a name or a table with one"),
    ({"dropout_schedule": {"name": "flat_cosine", "flat": 1}}, "dropout_schedule: flat must be in"),
    (
        {"optimizer": {"name": "adamw", "weight_decay": {"name": "flat_cosine"}}},
        "optimizer.weight_decay flat_cosine needs rate",
    ),
    ({"epochs": 0}, "epochs must be at least 1, got 0"),
    ({"batch_size": 1.5}, "batch_size must be a whole number, got 1.5"),
    ({"batch_norm": "yes"}, "batch_norm must be True or False, got 'yes'"),
    ({"dropout": 1}, "dropout must be in [0, 1), got 1"),
    ({"dropout": [0.1, 0.2, 0.3]}, "dropout has 3 entries for 2 hidden layers"),
    ({"input_dropout": "a"}, "input_dropout must be a number, got 'a'"),
    ({"noise": -1}, "noise must be in [0, inf), got -1"),
    ({"dtype": "float16"}, "dtype must be 'float32' or 'float64', got 'float16'"),
    ({"l2": float("nan")}, "l2 must be in [0, inf), got nan"),
    ({"label_smoothing": 1}, "label_smoothing must be in [0, 1), got 1"),
    ({"augment": 10}, "augment must be a table such as { rotation = 10 }, got 10"),
    ({"augment": {"rotate": 3}}, "augment: unknown key 'rotate'; did you mean 'rotation'?"),
    ({"augment": {"rotation": "a bit"}}, "augment: rotation must be a number"),
    ({"augment": {"gentle_classes": 1}}, "augment: gentle_classes must be a list"),
    ({"max_norm": 0}, "max_norm must be in (0, inf), got 0"),
    ({"clip_norm": True}, "clip_norm must be a number, got True"),
    ({"ema": 1}, "ema must be in (0, 1), got 1"),
])
def test_an_error_names_the_key(given: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        settings(**given)
    assert message in str(caught.value)


@pytest.mark.parametrize(("short", "long"), [
    ({}, {"activation": "relu", "l2": 0, "max_norm": False, "schedule": "constant"}),
    ({"optimizer": "adam"}, {"optimizer": {"name": "adam", "learning_rate": 0.001}}),
    ({"init": "normal"}, {"init": {"name": "normal", "sigma": 1}}),
    ({"dropout": 0.5}, {"dropout": [0.5, 0.5]}),
    ({"activation": {"name": "leaky_relu"}}, {"activation": ["leaky_relu", "leaky_relu"]}),
])
def test_equal_settings_have_equal_json(short: dict[str, Any], long: dict[str, Any]) -> None:
    assert settings(**short).to_json() == settings(**long).to_json()


@pytest.mark.parametrize("given", [
    {"hidden": [4]}, {"activation": "tanh"}, {"init": "glorot_normal"}, {"batch_norm": True},
    {"dropout": 0.1}, {"input_dropout": 0.1}, {"noise": 0.1}, {"dtype": "float64"}, {"epochs": 3},
    {"uint8_scale": 0.5}, {"augment": {"rotation": 1}},
    {"batch_size": 7}, {"optimizer": "rmsprop"}, {"schedule": "cosine"}, {"l2": 0.1},
    {"label_smoothing": 0.1}, {"max_norm": 1}, {"clip_norm": 1}, {"ema": 0.9},
    {"dropout_schedule": "flat_cosine"},
    {"optimizer": {"name": "adamw", "weight_decay": {"name": "flat_cosine", "rate": 0.01}}},
])
def test_different_settings_have_different_json(given: dict[str, Any]) -> None:
    assert settings(**given).to_json() != settings().to_json()


def test_network_and_training_are_those_of_the_same_calls() -> None:
    made = settings(
        activation=["tanh", {"name": "leaky_relu", "slope": 0.2}],
        init={"name": "normal", "sigma": 0.3},
        batch_norm=[True, False],
        dropout=0.1,
        input_dropout=0.2,
        noise=0.05,
        dtype="float64",
        uint8_scale=1 / 16,
        epochs=2,
        batch_size=30,
        optimizer={
            "name": "adamw",
            "learning_rate": 0.01,
            "weight_decay": {"name": "flat_cosine", "rate": 0.2, "flat": 0.1},
        },
        schedule={"name": "one_cycle", "warm_up": 0.2},
        dropout_schedule={"name": "flat_cosine", "flat": 0.3},
        l2=1e-3,
        label_smoothing=0.1,
        max_norm=2,
        clip_norm=5,
        ema=0.9,
        augment={"rotation": 10, "gentle_classes": [1, 7]},
    )
    X, y = fastmlp.datasets.digits()
    X, y = (16 * X[:200]).astype(np.uint8), y[:200]
    net = made.network(64, 10, seed=3)
    history = made.fit(net, X, y)
    other = fastmlp.MLP(
        (64, 4, 3, 10),
        activation=["tanh", fastmlp.activations.LeakyReLU(0.2)],
        init=fastmlp.initializers.Normal(0.3),
        batch_norm=[True, False],
        dropout=0.1,
        input_dropout=0.2,
        noise=0.05,
        dtype="float64",
        uint8_scale=1 / 16,
        seed=3,
    )
    expected = other.fit(
        X,
        y,
        epochs=2,
        batch_size=30,
        optimizer=fastmlp.AdamW(
            fastmlp.schedules.OneCycle(0.01, warm_up=0.2),
            weight_decay=fastmlp.schedules.FlatCosine(0.2, flat=0.1),
        ),
        dropout_schedule=fastmlp.schedules.FlatCosine(1, flat=0.3),
        l2=1e-3,
        label_smoothing=0.1,
        max_norm=2.0,
        clip_norm=5.0,
        ema=0.9,
        augment=fastmlp.augment.Distortion(rotation=10, gentle_classes=(1, 7)),
    )
    assert history.cost == expected.cost
    np.testing.assert_array_equal(net.forward(X), other.forward(X))


@pytest.mark.parametrize(("value", "text"), [
    ("relu", "relu"),
    (True, "on"),
    (False, "off"),
    (0.00001, "1e-05"),
    (32, "32"),
    ([256, 256], "256-256"),
    ([], "none"),
    ({"name": "normal", "sigma": 1.0}, "normal (sigma 1)"),
    ({"name": "adam"}, "adam"),
])
def test_values_have_short_labels(value: object, text: str) -> None:
    assert label(value) == text


def test_keywords_of_fit_replace_settings() -> None:
    made = settings(epochs=5)
    X, y = fastmlp.datasets.digits()
    assert made.fit(made.network(64, 10, seed=0), X[:50], y[:50], epochs=2).epochs == 2


def test_the_loss_of_a_regression_is_an_argument() -> None:
    made = Settings.of({"hidden": [4]}, 3, 1, "squared_error")
    assert made.network(3, 1, seed=0, loss="squared_error").loss.name == "squared_error"
    with pytest.raises(ValueError, match="label_smoothing is for classification"):
        Settings.of({"hidden": [4], "label_smoothing": 0.1}, 3, 1, "squared_error")


@pytest.mark.parametrize(("key", "value", "expected"), [
    ("dropout", 0, 0.0),
    ("l2", np.float32(0.5), 0.5),
    ("batch_size", np.int64(8), 8),
    ("batch_norm", np.True_, True),
    ("activation", "tanh", "tanh"),
    ("schedule", "cosine", "cosine"),
    ("max_norm", False, None),
    ("max_norm", None, None),
    ("ema", 0.9, 0.9),
])
def test_a_single_value_becomes_one_that_json_has(key: str, value: object, expected: Any) -> None:
    found = checked(key, value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("key", "value", "message"), [
    ("dropout", 1.0, "dropout must be in [0, 1), got 1.0"),
    ("dropout", [0.1], "dropout must be a single value, got [0.1]"),
    ("optimizer", {"name": "adam"}, "optimizer must be a single value"),
    ("schedule", "step", "schedule step needs every"),
    ("activation", "softmax", "softmax is for the output layer"),
])
def test_a_single_value_is_checked_by_the_core(key: str, value: object, message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        checked(key, value)
    assert message in str(caught.value)
