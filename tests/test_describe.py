"""What a model and its machine are, in words."""

from __future__ import annotations

import platform

import fastmlp
from fastmlp import describe
from fastmlp.encodings import Numeric, OneHot
from fastmlp.model.digest import model_digest


def test_a_network_is_described() -> None:
    net = fastmlp.MLP((4, 8, 3), activation="tanh", dtype="float64")
    net.metadata = {"classes": ["rose", "tulip", "daisy"]}
    assert dict(describe.model(net)) == {
        "layers": "4-8-3",
        "activations": "tanh, softmax",
        "loss": "cross_entropy",
        "parameters": "67 of float64",
        "epochs trained": "0",
        "digest": model_digest(net.state),
        "classes": "rose, tulip, daisy",
    }


def test_encodings_of_columns_are_counted() -> None:
    encodings = [OneHot(2), Numeric(), OneHot(3), Numeric()]
    found = dict(describe.model(fastmlp.MLP((4, 3), encodings=encodings)))
    assert (found["layers"], found["encodings"]) == ("4-3", "2 one_hot, 2 numeric")


def test_an_ensemble_is_described() -> None:
    ensemble = fastmlp.Ensemble([fastmlp.MLP((4, 8, 3)), fastmlp.MLP((4, 3), seed=1)])
    assert dict(describe.model(ensemble)) == {
        "network 1": "4-8-3",
        "network 2": "4-3",
        "loss": "cross_entropy",
        "parameters": "82 in all",
        "digest": model_digest([net.state for net in ensemble.networks]),
    }


def test_the_environment_is_described() -> None:
    found = dict(describe.environment())
    assert found["fastmlp"] == fastmlp.__version__
    assert found["Python, NumPy"].startswith(platform.python_version())
    assert found["threads"] == str(fastmlp.get_num_threads())
