"""A model's digest names what it computes, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, encodings, losses
from fastmlp.model.digest import model_digest

X = np.linspace(-1, 1, 60).reshape(20, 3)
Y = np.arange(20) % 2


def network(**options: Any) -> MLP:
    """Return a network whose parameters do not depend on the options."""
    sizes = options.pop("sizes", (3, 4, 2))
    W = [np.full((n_out, n_in), 0.5) for n_in, n_out in zip(sizes, sizes[1:], strict=False)]
    b = [np.arange(n, dtype=float) for n in sizes[1:]]
    return MLP(sizes, **{"init": (W, b), "seed": 1} | options)


def trained(net: MLP, **options: Any) -> MLP:
    net.fit(X, Y, **{"epochs": 2, "batch_size": 5} | options)
    return net


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 2},
        {"dropout": 0.5, "input_dropout": 0.1, "noise": 0.2},
    ],
    ids=str,
)
def test_options_of_training_do_not_count(options: dict[str, Any]) -> None:
    assert model_digest(network(**options).state) == model_digest(network().state)


@pytest.mark.parametrize(
    "options",
    [
        {"sizes": (3, 4, 4, 2)},
        {"activation": "tanh"},
        {"activation": fastmlp.activations.LeakyReLU(0.2)},
        {"activation": fastmlp.activations.LeakyReLU(0.3)},
        {"output_activation": "sigmoid", "loss": "squared_error"},
        {"loss": "squared_error"},
        {"loss": losses.CrossEntropy((2, 2)), "sizes": (3, 4, 4)},
        {"dtype": "float64"},
        {"batch_norm": True},
        {"uint8_scale": 1 / 255},
        {"encodings": encodings.Numeric()},
        {"input_scaling": True},
    ],
    ids=str,
)
def test_what_a_network_computes_counts(options: dict[str, Any]) -> None:
    other = network(sizes=(3, 4, 4)) if options.get("sizes") == (3, 4, 4) else network()
    assert model_digest(network(**options).state) != model_digest(other.state)


def last_bit(array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    changed.flat[-1] = np.nextafter(changed.flat[-1], np.inf)
    return changed


def change_weight(net: MLP) -> None:
    net.set_parameters([*net.weights[:-1], last_bit(net.weights[-1])], net.biases)


def change_bias(net: MLP) -> None:
    net.set_parameters(net.weights, [last_bit(net.biases[0]), *net.biases[1:]])


def change_scale(net: MLP) -> None:
    net.set_parameters(net.weights, net.biases, [last_bit(net.scales[0]), None])


def change_statistics(net: MLP) -> None:
    mean, variance = net.statistics[0]
    net.state.set_layers(net.state.layers(), [(mean, last_bit(variance)), None])


def change_factor(net: MLP) -> None:
    net.set_parameters(net.weights, net.biases, input_scale=last_bit(net.input_scale))


@pytest.mark.parametrize(
    "change", [change_weight, change_bias, change_scale, change_statistics, change_factor]
)
def test_the_last_bit_of_a_parameter_counts(change: Callable[[MLP], None]) -> None:
    net = network(batch_norm=True, input_scaling=True)
    before = model_digest(net.state)
    change(net)
    assert model_digest(net.state) != before


def test_a_file_keeps_the_digest(tmp_path: Path) -> None:
    net = trained(network(batch_norm=True), ema=0.9)
    net.metadata = {"classes": ["a", "b"]}
    net.save(tmp_path / "net.npz")
    assert model_digest(fastmlp.load(tmp_path / "net.npz").state) == model_digest(net.state)


def test_the_averages_in_use_count_and_metadata_and_epochs_do_not() -> None:
    net = trained(network(), ema=0.9)
    averaged = model_digest(net.state)
    net.use_average = False
    last = model_digest(net.state)
    assert averaged != last
    assert last == model_digest(network(init=(net.weights, net.biases)).state)
    net.use_average, net.metadata, net.epochs = True, {"note": "x"}, 9
    assert model_digest(net.state) == averaged


def test_networks_count_in_their_order_and_with_the_description() -> None:
    a, b = network().state, network(activation="tanh").state
    digests = [
        model_digest(a),
        model_digest([a, b]),
        model_digest([b, a]),
        model_digest([a, b], {"temperature": 1.5}),
        model_digest(a, {"temperature": 1.5}),
    ]
    assert len(set(digests)) == len(digests)
    assert model_digest([a]) == model_digest(a)
    assert all(len(one) == 64 and set(one) <= set("0123456789abcdef") for one in digests)


def test_the_digest_is_the_same_on_every_machine() -> None:
    net = network()
    text = (
        '{"activation": [{"name": "relu"}], "batch_norm": [false], "dtype": "float32", '
        '"encodings": [], "input_scaling": false, "loss": {"name": "cross_entropy"}, '
        '"output_activation": {"name": "softmax"}, "sizes": [3, 4, 2], "uint8_scale": 1.0}'
    )
    numbers = [[0.5] * 12, [0, 1, 2, 3], [0.5] * 8, [0, 1]]
    data = b"".join(np.array(one, "<f4").tobytes() for one in numbers)
    assert model_digest(net.state) == hashlib.sha256(text.encode() + data).hexdigest()
