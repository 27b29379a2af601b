"""MLP: how it is made, what it says of itself, and its copies."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.activations import LeakyReLU, ReLU, Tanh
from fastmlp.losses import Huber


def same_parameters(one: MLP, other: MLP) -> bool:
    pairs = zip((*one.weights, *one.biases), (*other.weights, *other.biases), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_defaults_are_those_of_the_documentation():
    net = MLP((5, 4, 3))
    assert net.activation == (ReLU(),)
    assert (net.output_activation.name, net.loss.name) == ("softmax", "cross_entropy")
    assert net.dtype == np.float32
    assert net.seed == 0
    assert all((b == 0).all() for b in net.biases)
    assert (net.epochs, net.history.epochs, net.metadata) == (0, 0, {})


@pytest.mark.parametrize(
    ("loss", "output"),
    [
        ("cross_entropy", "softmax"),
        ("binary_cross_entropy", "sigmoid"),
        ("squared_error", "identity"),
    ],
)
def test_loss_implies_the_output_activation(loss, output):
    assert MLP((3, 2), loss=loss).output_activation.name == output


def test_squared_error_takes_another_output_activation():
    net = MLP((3, 2), loss="squared_error", output_activation=Tanh())
    assert net.output_activation == Tanh()


def test_hidden_layers_may_differ():
    net = MLP((4, 3, 3, 2), activation=["tanh", LeakyReLU(0.2)])
    assert net.activation == (Tanh(), LeakyReLU(0.2))


def test_network_without_hidden_layers_is_linear(rng):
    net = MLP((4, 2), loss="squared_error", dtype="float64")
    X = rng.normal(size=(5, 4))
    np.testing.assert_allclose(net.forward(X), X @ net.weights[0].T + net.biases[0], rtol=1e-12)


def test_number_of_parameters_counts_weights_and_biases():
    assert MLP((784, 256, 256, 10)).n_parameters == 269_322


def test_repr_names_what_is_on_and_the_constants_of_the_loss():
    net = MLP((4, 3, 2), loss=Huber(0.5), batch_norm=True, dropout=0.2, noise=0.1)
    assert "loss=Huber(delta=0.5), batch_norm=True, dropout=0.2, noise=0.1, dtype=" in repr(net)
    net = MLP((4, 3, 3, 2), batch_norm=[True, False], dropout=[0.0, 0.5], input_dropout=0.1)
    assert "batch_norm=(True, False), dropout=(0.0, 0.5), input_dropout=0.1, dtype=" in repr(net)


def test_repr_says_what_the_network_is():
    assert repr(MLP((4, 3, 2), activation="tanh", seed=7)) == (
        "MLP((4, 3, 2), activation=Tanh(), output_activation=Softmax(), loss=CrossEntropy(), "
        "dtype='float32', seed=7)"
    )
    assert "activation=(Tanh(), ELU(alpha=1.0))" in repr(
        MLP((4, 3, 3, 2), activation=("tanh", "elu"))
    )


def test_same_seed_gives_the_same_parameters_and_another_one_others():
    assert same_parameters(MLP((9, 8, 7), seed=5), MLP((9, 8, 7), seed=5))
    assert not same_parameters(MLP((9, 8, 7), seed=5), MLP((9, 8, 7), seed=6))


def test_drawn_seed_can_be_used_again():
    net = MLP((9, 8, 7), seed=None)
    assert same_parameters(net, MLP((9, 8, 7), seed=net.seed))
    assert net.seed != MLP((9, 8, 7), seed=None).seed


def test_given_arrays_are_the_first_parameters(rng):
    weights = [rng.normal(size=(3, 4)), rng.normal(size=(2, 3))]
    biases = [rng.normal(size=3), rng.normal(size=2)]
    net = MLP((4, 3, 2), init=(weights, biases), dtype="float64")
    for found, given in zip((*net.weights, *net.biases), (*weights, *biases), strict=True):
        np.testing.assert_array_equal(found, given)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"sizes": (4,)}, ValueError, "at least an input and an output size"),
        ({"sizes": 784}, TypeError, "sequence such as"),
        ({"sizes": "784"}, TypeError, "sequence such as"),
        ({"sizes": (4, -3, 2)}, ValueError, r"sizes\[1\] must be at least 1, got -3"),
        ({"sizes": (4, 2**31, 2)}, ValueError, r"sizes\[1\] must be at most 2147483647, got 21"),
        ({"sizes": (2**31 - 1, 2**31 - 1, 2)}, ValueError, "more than memory can be addressed"),
        ({"sizes": (2, *[1] * 1000, 2)}, ValueError, "at most 1000 layers can be compiled"),
        ({"sizes": (4, 0, 2)}, ValueError, r"sizes\[1\] must be at least 1, got 0"),
        ({"sizes": (4, 2.5, 2)}, TypeError, r"sizes\[1\] must be a whole number, got 2.5"),
        ({"sizes": (4, True, 2)}, TypeError, r"sizes\[1\] must be a whole number, got True"),
        ({"activation": "rellu"}, ValueError, "unknown activation 'rellu'; did you mean 'relu'"),
        ({"activation": "ReLU"}, ValueError, "did you mean 'relu'"),
        ({"activation": 3}, TypeError, "activation must be one of 'identity'"),
        ({"activation": ReLU}, TypeError, r"got a class: write ReLU\(…\)"),
        ({"activation": 3}, TypeError, "'exponential', or an object such as"),  # without softmax
        ({"loss": abs}, TypeError, r"or a pair of functions \(value, gradient\); got <built-in"),
        ({"activation": ["relu"] * 2}, ValueError, "2 entries for 1 hidden layers"),
        ({"activation": ["gello"]}, ValueError, r"unknown activation\[0\] 'gello'"),
        ({"activation": "softmax"}, ValueError, "softmax is for the output layer"),
        ({"output_activation": "tanh"}, ValueError, "'tanh' does not go with loss"),
        ({"output_activation": "softmx"}, ValueError, "did you mean 'softmax'"),
        ({"loss": "cross-entropy"}, ValueError, "did you mean 'cross_entropy'"),
        ({"loss": "zzz"}, ValueError, "unknown loss 'zzz'. Known: squared_error"),
        ({"sizes": (4, 3, 1)}, ValueError, "binary_cross_entropy"),
        ({"init": "he"}, ValueError, "unknown init 'he'"),
        ({"init": ([], [])}, ValueError, "weights must be a list of 2 arrays"),
        ({"init": ([], [], [])}, ValueError, r"init as arrays is \(weights, biases\); got 3 "),
        ({"dtype": "float16"}, ValueError, "'float32' or 'float64', got 'float16'"),
        ({"dtype": "flaot32"}, ValueError, "'float32' or 'float64', got 'flaot32'"),
        ({"dtype": None}, ValueError, "'float32' or 'float64', got None"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": 1.5}, TypeError, "seed must be a whole number"),
        ({"uint8_scale": 0}, ValueError, r"uint8_scale must be in \(0, inf\)"),
        ({"uint8_scale": "1"}, TypeError, "uint8_scale must be a number"),
    ],
)
def test_wrong_arguments_of_a_network_are_explained(arguments, error, message):
    with pytest.raises(error, match=message):
        MLP(**({"sizes": (4, 3, 2)} | arguments))


# -------------------------------------------------------------------------------- copies


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_train_on_alike_and_apart(net, classes, copied):
    net.metadata["names"] = ["a", "b", "c"]
    net.fit(*classes, epochs=2)
    twin = copied(net)
    assert (twin.history, twin.metadata, twin.epochs) == (net.history, net.metadata, 2)
    net.fit(*classes, epochs=2)
    assert not same_parameters(net, twin)
    twin.fit(*classes, epochs=2)
    assert same_parameters(net, twin)
