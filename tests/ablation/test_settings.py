"""Configurations: what is refused and how, and that the core gets what was written."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.ablation.settings import NETWORK, TRAINING, Settings, label


def settings(**given: Any) -> Settings:
    return Settings.of({"hidden": [4, 3], **given}, 64, 10)


@pytest.mark.parametrize(("defaults", "function"), [
    (NETWORK, fastmlp.MLP), (TRAINING, fastmlp.MLP.fit),
])
def test_defaults_are_those_of_the_core(defaults: dict[str, Any], function: Any) -> None:
    parameters = inspect.signature(function).parameters
    assert defaults == {key: parameters[key].default for key in defaults}


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
def test_what_cannot_be_is_refused_by_key(given: dict[str, Any], message: str) -> None:
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
def test_equal_settings_have_equal_texts(short: dict[str, Any], long: dict[str, Any]) -> None:
    assert settings(**short).text == settings(**long).text


@pytest.mark.parametrize("given", [
    {"hidden": [4]}, {"activation": "tanh"}, {"init": "glorot_normal"}, {"batch_norm": True},
    {"dropout": 0.1}, {"input_dropout": 0.1}, {"noise": 0.1}, {"dtype": "float64"}, {"epochs": 3},
    {"batch_size": 7}, {"optimizer": "rmsprop"}, {"schedule": "cosine"}, {"l2": 0.1},
    {"label_smoothing": 0.1}, {"max_norm": 1}, {"clip_norm": 1}, {"ema": 0.9},
])
def test_different_settings_have_different_texts(given: dict[str, Any]) -> None:
    assert settings(**given).text != settings().text


def test_the_network_is_made_and_trained_as_by_hand() -> None:
    made = settings(
        activation=["tanh", {"name": "leaky_relu", "slope": 0.2}],
        init={"name": "normal", "sigma": 0.3},
        batch_norm=[True, False],
        dropout=0.1,
        input_dropout=0.2,
        noise=0.05,
        dtype="float64",
        epochs=2,
        batch_size=30,
        optimizer={"name": "gradient_descent", "learning_rate": 0.1, "momentum": 0.9},
        schedule={"name": "one_cycle", "warm_up": 0.2},
        l2=1e-3,
        label_smoothing=0.1,
        max_norm=2,
        clip_norm=5,
        ema=0.9,
        augment={"rotation": 10, "gentle_classes": [1, 7]},
    )
    X, y = fastmlp.datasets.digits()
    net = made.network(64, 10, seed=3)
    history = made.fit(net, X[:200], y[:200])
    other = fastmlp.MLP(
        (64, 4, 3, 10),
        activation=["tanh", fastmlp.activations.LeakyReLU(0.2)],
        init=fastmlp.initializers.Normal(0.3),
        batch_norm=[True, False],
        dropout=0.1,
        input_dropout=0.2,
        noise=0.05,
        dtype="float64",
        seed=3,
    )
    expected = other.fit(
        X[:200],
        y[:200],
        epochs=2,
        batch_size=30,
        optimizer=fastmlp.GradientDescent(
            fastmlp.schedules.OneCycle(0.1, warm_up=0.2), momentum=0.9
        ),
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
def test_values_have_short_names(value: object, text: str) -> None:
    assert label(value) == text
