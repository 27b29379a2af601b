"""The table of activations; what the functions compute is in test_agreement and tests/kernels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fastmlp import MLP, activations
from fastmlp.activations import ELU, TABLE, LeakyReLU, ReLU, Softmax

HIDDEN = [name for name in TABLE if name != "softmax"]


def test_every_name_stands_for_itself():
    assert list(TABLE) == [
        "identity", "sigmoid", "relu", "leaky_relu", "tanh", "softplus", "elu", "selu", "silu",
        "gelu", "mish", "exponential", "softmax",
    ]
    assert all(kind().name == name for name, kind in TABLE.items())


@pytest.mark.parametrize("name", HIDDEN)
def test_every_function_works_in_a_network(name, rng):
    h = MLP((3, 4, 2), activation=name, loss="squared_error").forward(rng.normal(size=(5, 3)))
    assert np.isfinite(h).all()


@pytest.mark.parametrize(
    ("function", "parameter"),
    [(ReLU(), 0.0), (LeakyReLU(), 0.01), (LeakyReLU(slope=0.2), 0.2), (ELU(), 1.0), (ELU(2), 2.0)],
)
def test_parameter_is_that_of_the_kernels(function, parameter):
    assert function.parameter == parameter


def test_functions_are_values():
    assert LeakyReLU(0.1) == LeakyReLU(slope=0.1) != LeakyReLU(0.2)
    assert ReLU() == ReLU() != ELU()
    assert len({ReLU(), ReLU(), ELU()}) == 2
    assert repr(LeakyReLU(0.1)) == "LeakyReLU(slope=0.1)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        LeakyReLU().slope = 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf, "steep", None, True])
def test_wrong_parameters_are_refused(value):
    for kind in (LeakyReLU, ELU):
        with pytest.raises((TypeError, ValueError), match="must be"):
            kind(value)


def test_hidden_layers_take_one_or_one_for_each():
    assert activations.hidden("elu", 2) == (ELU(), ELU())
    assert activations.hidden(["elu", ReLU()], 2) == (ELU(), ReLU())
    assert activations.hidden("relu", 0) == ()
    with pytest.raises(ValueError, match="softmax is for the output layer"):
        activations.hidden([ReLU(), Softmax()], 2)
