"""How a classifier of tables makes its probabilities less or more certain."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")

from fastmlp.tabular import TabularClassifier  # noqa: E402
from fastmlp.tabular.classifier import best_temperature, tempered  # noqa: E402

FAST = {"quality": "fast", "random_state": 0, "n_threads": 1, "epochs": 3, "n_members": 1}
rng = np.random.default_rng(0)
M = 200
P = rng.dirichlet([1, 2, 0.5], M)
Y = np.array([rng.choice(3, p=p) for p in P])


def log_loss(p, weights=None):
    return np.average(-np.log(p[np.arange(M), Y]), weights=weights)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_temperature_takes_roots_of_probabilities(temperature):
    powers = P ** (1 / temperature)
    expected = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tempered(P, temperature), expected, rtol=1e-12)


def test_a_probability_of_zero_stays_finite():
    p = tempered(np.array([[0.0, 1.0], [1e-300, 1.0]]), 2.0)
    assert (p > 0).all()
    assert (p[:, 0] < 1e-3).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)


@pytest.mark.parametrize("sharpened", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("weights", [None, np.arange(M) % 5 + 0.5], ids=["equal", "weighted"])
def test_the_best_temperature_has_the_least_log_loss(sharpened, weights):
    p = P**sharpened / (P**sharpened).sum(axis=1, keepdims=True)
    best = best_temperature(p, Y, weights)
    losses = [log_loss(tempered(p, best * factor), weights) for factor in (0.97, 1, 1.03)]
    assert losses[1] == min(losses)


def model_of(y, **options) -> tuple[TabularClassifier, pd.DataFrame]:
    """Return a model whose network is validated on the latest rows, and the table."""
    table = pd.DataFrame({"x": Y + rng.normal(size=M), "z": rng.normal(size=M)})
    return TabularClassifier(**FAST | options).fit(table, y, time=np.arange(M)), table


def test_few_validation_rows_move_the_temperature_little():
    model, table = model_of(Y)
    codes = model.encoder_.read(table)
    outputs = model.networks_[0].forward(model.encoder_.inputs(codes, model.encodings_[0]))
    best = best_temperature(outputs[-30:], Y[-30:], None)
    part = np.log(model.temperature_) / np.log(best)  # 1/2 of 100 validation rows
    assert part == pytest.approx(30 / (30 + 100), rel=1e-4)
    np.testing.assert_allclose(
        model.predict_proba(table), tempered(outputs, model.temperature_), rtol=1e-6
    )


def test_the_most_probable_class_is_predicted():
    model, table = model_of(np.array(["b", "c", "a"])[Y])
    expected = model.classes_[np.argmax(model.predict_proba(table), axis=1)]
    assert model.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(model.predict(table), expected)
    assert len(set(expected)) > 1


def test_a_class_weight_is_positive():
    with pytest.raises(ValueError, match="class_weight must be > 0 and finite, but class 1 has 0"):
        model_of(Y, class_weight={1: 0.0})


def test_the_class_of_the_first_row_with_a_wrong_weight_is_named():
    y = np.where(np.arange(M) == 7, 3, Y)
    with pytest.raises(ValueError, match="but class 3 has 0"):
        model_of(y, class_weight={3: 0.0})
    first = "a" if Y[0] == 0 else "b"
    with pytest.raises(ValueError, match=f"but class '{first}' has 0"):
        model_of(np.where(Y == 0, "a", "b"), class_weight={"a": 0.0, "b": 0.0})


def test_class_weights_multiply_sample_weights():
    table = pd.DataFrame({"x": rng.normal(size=M)})
    weights = rng.uniform(1, 2, M)
    of_class = {0: 1.0, 1: 3.0, 2: 0.5}
    both = TabularClassifier(**FAST, class_weight=of_class).fit(table, Y, weights)
    product = weights * np.array([of_class[y] for y in Y])
    one = TabularClassifier(**FAST).fit(table, Y, product)
    np.testing.assert_array_equal(both.predict_proba(table), one.predict_proba(table))


def test_infinite_labels_are_refused():
    with pytest.raises(ValueError, match="y contains infinite labels"):
        model_of(np.where(Y == 1, np.inf, Y.astype(float)))


@pytest.mark.parametrize("dtype", [np.int64, object, "Int64"])
def test_labels_are_scored_as_they_are_fitted(dtype):
    y = pd.Series(Y).astype(dtype)
    model, table = model_of(y)
    weights = np.arange(M) + 1.0
    hits = model.predict(table) == Y
    assert model.score(table, y) == pytest.approx(hits.mean())
    assert model.score(table, y, weights) == pytest.approx(np.average(hits, weights=weights))


def test_labels_of_a_score_are_those_of_the_training_set():
    model, table = model_of(np.array(["a", "b", "c"])[Y])
    with pytest.raises(ValueError, match="not among the classes of the training set, such as 'q'"):
        model.feature_importances(table, ["q"] * M)
