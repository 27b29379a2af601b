"""uint8 is a number like any other, through every door; images say uint8_scale=1/255."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import fastmlp
from fastmlp import MLP, Ensemble, reference
from fastmlp.augment import Distortion


@pytest.fixture
def table(rng) -> tuple[np.ndarray, np.ndarray]:
    """X (150, 4), uint8 as a table's small whole numbers are, and labels of three classes."""
    y = rng.integers(0, 3, 150)
    return (rng.integers(0, 40, (150, 4)) + 60 * np.eye(3, 4, dtype=int)[y]).astype(np.uint8), y


KINDS = {"int64": np.int64, "float32": np.float32, "float64": np.float64}
CALLS = {
    "forward": lambda net, X, y: net.forward(X),
    "predict": lambda net, X, y: net.predict(X),
    "activations": lambda net, X, y: net.activations(X)[0],
    "cost": lambda net, X, y: np.array(net.cost(X, y)),
    "gradients": lambda net, X, y: net.gradients(X, y)[0][0],
    "input gradients": lambda net, X, y: net.gradients(X, y, wrt="input"),
    "ensemble": lambda net, X, y: Ensemble([net]).forward(X),
    "copies": lambda net, X, y: Ensemble([net]).forward(X, augment=Distortion(rotation=9)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_call_gives_the_bits_of_other_numbers(table, call, kind):
    X, y = table
    net = MLP((4, 8, 3))
    np.testing.assert_array_equal(call(net, X, y), call(net, X.astype(kind), y))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("options", [{}, {"augment": Distortion(translation=1)}], ids=str)
def test_training_gives_the_bits_of_other_numbers(table, state, kind, options):
    X, y = table
    bytes_, others = MLP((4, 8, 3)), MLP((4, 8, 3))
    bytes_.fit(X, y, epochs=3, validation_data=0.2, **options)
    others.fit(X.astype(kind), y, epochs=3, validation_data=0.2, **options)
    assert state(bytes_) == state(others)


def test_a_table_of_bytes_is_learned(table):
    X, y = table
    net = MLP((4, 16, 3))
    net.fit(X, y, epochs=60, batch_size=50)
    assert np.mean(net.predict(X) == y) > 0.9


def test_sparse_bytes_are_numbers_too(table):
    X, _ = table
    net = MLP((4, 8, 3))
    np.testing.assert_array_equal(net.forward(scipy.sparse.csr_array(X)), net.forward(X))


def test_the_reference_agrees(table):
    X, _ = table
    net = MLP((4, 8, 3), dtype="float64")
    twin = reference.Network((4, 8, 3), ["relu", "softmax"], "cross_entropy")
    twin.weights, twin.biases = net.weights, net.biases
    np.testing.assert_allclose(net.forward(X), twin.forward(X), rtol=1e-12)


def test_the_scale_of_images_is_saved_and_copied(tmp_path):
    net = MLP((4, 3), uint8_scale=1 / 255)
    net.save(tmp_path / "net.npz")
    assert MLP((4, 3)).uint8_scale == 1.0
    assert fastmlp.load(tmp_path / "net.npz").uint8_scale == net.with_head(2).uint8_scale == 1 / 255


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")  # has not converged
@pytest.mark.parametrize("take", ["network_", "from_sklearn"])
def test_a_network_from_an_estimator_predicts_as_the_estimator(table, take):
    pytest.importorskip("sklearn")
    from fastmlp.export import from_sklearn
    from fastmlp.sklearn import MLPClassifier

    X, y = table
    model = MLPClassifier((32,), max_iter=60, random_state=0).fit(X, y)
    net = model.network_ if take == "network_" else from_sklearn(model)
    np.testing.assert_allclose(net.predict_proba(X), model.predict_proba(X), rtol=1e-6)
    np.testing.assert_array_equal(net.predict(X), model.predict(X))
    assert model.score(X, y) > 0.9


def test_scaling_within_a_keras_model_is_not_done_twice(table):
    keras = pytest.importorskip("keras")
    from fastmlp.export import from_keras

    layers = [keras.Input((4,)), keras.layers.Rescaling(1 / 255),
              keras.layers.Dense(3, activation="softmax")]  # fmt: skip
    model = keras.Sequential(layers)
    X, _ = table
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(from_keras(model).predict_proba(X), expected, atol=1e-6)
