"""The table of optimizers; what the updates compute is in test_agreement and tests/kernels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fastmlp import MLP, Adam, AdamW, GradientDescent, RMSprop
from fastmlp.optimizers import TABLE, from_constants
from fastmlp.schedules import Constant, Cosine


@pytest.mark.parametrize(
    ("optimizer", "name", "rate", "constants"),
    [
        (GradientDescent(), "gradient_descent", 0.01, (0.0, 0.0)),
        (GradientDescent(1, 0.9, True), "gradient_descent", 1.0, (0.9, 1.0)),
        (Adam(), "adam", 0.001, (0.9, 0.999, 1e-8)),
        (Adam(0.1, 0.5, 0.6, 0.7), "adam", 0.1, (0.5, 0.6, 0.7)),
        (Adam(epsilon_hat=True), "adam", 0.001, (0.9, 0.999, 1e-8, 1.0)),
        (AdamW(epsilon_hat=True), "adamw", 0.001, (0.9, 0.999, 1e-8, 0.01, 1.0)),
        (AdamW(), "adamw", 0.001, (0.9, 0.999, 1e-8, 0.01)),
        (AdamW(weight_decay=0), "adamw", 0.001, (0.9, 0.999, 1e-8, 0.0)),
        (RMSprop(), "rmsprop", 0.001, (0.99, 1e-8, 0.0)),
        (RMSprop(0.1, 0.9, 1e-6, 0.5), "rmsprop", 0.1, (0.9, 1e-6, 0.5)),
    ],
)
def test_constants_are_those_of_the_kernels(optimizer, name, rate, constants):
    assert (optimizer.name, optimizer.constants) == (name, constants)
    assert optimizer.schedule == Constant(rate)
    assert TABLE[name] is type(optimizer)


@pytest.mark.parametrize(
    "optimizer",
    [
        GradientDescent(0), GradientDescent(0, 0.9, True), RMSprop(0, 0.9, 1e-6, 0.5),
        Adam(0, 0.5, 0.6, 0.7), Adam(0, 0.5, 0.6, 0.7, epsilon_hat=True),
        AdamW(0, 0.5, 0.6, 0.7, 0.8), AdamW(0, 0.5, 0.6, 0.7, 0.8, epsilon_hat=True),
    ],
    ids=str,
)  # fmt: skip
def test_an_optimizer_comes_back_from_its_name_and_constants(optimizer):
    assert from_constants(optimizer.name, optimizer.constants) == optimizer


@pytest.mark.parametrize(
    ("name", "constants", "message"),
    [
        ("gradient_descent", (0.9,), "gradient_descent does not have 1 constants"),
        ("gradient_descent", (0.9, 0, 0), "gradient_descent does not have 3 constants"),
        ("gradient_descent", (0.9, 0.5), r"does not have the constants \[0.9, 0.5\]"),
        ("rmsprop", (0.9, 1e-6), "rmsprop does not have 2 constants"),
        ("adam", (0.9, 0.9), "adam does not have 2 constants"),
        ("adam", (0.9, 0.9, 1e-6, 0.0), "adam does not have the constants"),
        ("adam", (0.9, 0.9, 1e-6, 0.01, 1.0), "adam does not have 5 constants"),
        ("adamw", (0.9, 0.9, 1e-6), "adamw does not have 3 constants"),
        ("adamw", (0.9, 0.9, 1e-6, 0.01, 0.0), "adamw does not have the constants"),
        ("adamw", (0.9, 0.9, 1e-6, 0.01, 1.0, 1.0), "adamw does not have 6 constants"),
    ],
)
def test_constants_of_another_optimizer_are_refused(name, constants, message):
    with pytest.raises(ValueError, match=message):
        from_constants(name, constants)


def test_schedule_may_stand_for_the_learning_rate():
    assert Adam(Cosine(0.1)).schedule == Cosine(0.1)


@pytest.mark.parametrize("name", TABLE)
def test_name_means_the_defaults(classes, name):
    named, made = MLP((6, 16, 3)), MLP((6, 16, 3))
    named.fit(*classes, epochs=2, optimizer=name)
    made.fit(*classes, epochs=2, optimizer=TABLE[name]())
    np.testing.assert_array_equal(named.weights[0], made.weights[0])


def test_optimizers_are_values():
    assert Adam(0.1) == Adam(learning_rate=0.1) != AdamW(0.1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Adam().beta_1 = 0.5


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Adam(-1), ValueError, r"learning_rate must be in \[0, inf\) or a schedule"),
        (lambda: Adam(np.nan), ValueError, "learning_rate must be in"),
        (lambda: Adam("cosine"), TypeError, "learning_rate must be a number or a schedule"),
        (lambda: Adam(None), TypeError, "learning_rate must be a number"),
        (lambda: Adam(beta_1=1), ValueError, r"beta_1 must be in \[0, 1\), got 1"),
        (lambda: Adam(beta_2=-0.1), ValueError, "beta_2 must be in"),
        (lambda: Adam(epsilon=0), ValueError, r"epsilon must be in \(0, inf\)"),
        (lambda: AdamW(weight_decay=-1), ValueError, "weight_decay must be in"),
        (lambda: RMSprop(rho=1), ValueError, "rho must be in"),
        (lambda: RMSprop(momentum=1), ValueError, "momentum must be in"),
        (lambda: GradientDescent(momentum=1.1), ValueError, "momentum must be in"),
        (lambda: GradientDescent(nesterov=True), ValueError, "nesterov=True needs momentum > 0"),
        (lambda: GradientDescent(0.1, 0.9, 1), TypeError, "nesterov must be True or False"),
    ],
)
def test_wrong_constants_are_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()
