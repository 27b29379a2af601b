"""How outputs and targets are read under each loss."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Adam, reference
from fastmlp.losses import (
    TABLE,
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    Gamma,
    Huber,
    Poisson,
    Quantile,
    SquaredError,
)

DTYPE = np.dtype(np.float32)


def test_every_name_stands_for_itself():
    assert list(TABLE) == list(reference.LOSSES) == [
        "squared_error", "cross_entropy", "binary_cross_entropy", "absolute_error", "huber",
        "quantile", "poisson", "gamma",
    ]
    assert all(kind().name == name for name, kind in TABLE.items())


def test_cross_entropy_reads_labels_or_probabilities():
    labels = CrossEntropy().targets([2, 0], 2, 3, DTYPE)
    assert (labels.dtype, labels.tolist()) == (np.int32, [2, 0])
    rows = CrossEntropy().targets([[0, 0, 1], [1, 0, 0]], 2, 3, DTYPE)
    assert (rows.dtype, rows.shape) == (np.float32, (2, 3))


@pytest.mark.parametrize("loss", [SquaredError(), BinaryCrossEntropy()])
def test_targets_of_one_output_may_lack_the_second_axis(loss):
    for y in ([0, 1, 1], [[0], [1], [1]]):
        found = loss.targets(y, 3, 1, DTYPE)
        assert (found.dtype, found.tolist()) == (np.float32, [[0], [1], [1]])


@pytest.mark.parametrize(
    ("loss", "h", "expected"),
    [
        (SquaredError(), [[0.5], [2.0]], [0.5, 2.0]),
        (SquaredError(), [[0.5, 1.0]], [[0.5, 1.0]]),
        (CrossEntropy(), [[0.1, 0.7, 0.2], [0.6, 0.2, 0.2]], [1, 0]),
        (BinaryCrossEntropy(), [[0.4], [0.6], [0.5]], [0, 1, 0]),
        (BinaryCrossEntropy(), [[0.4, 0.6]], [[0, 1]]),
        (Huber(), [[0.5], [2.0]], [0.5, 2.0]),
        (Poisson(), [[0.5, 1.0]], [[0.5, 1.0]]),
        (Quantile((0.5,)), [[0.5], [2.0]], [0.5, 2.0]),
        (Quantile((0.2, 0.8)), [[2.0, 1.0], [1.0, 2.0]], [[1.0, 2.0], [1.0, 2.0]]),
        (Quantile((0.2, 0.8)), [[2.0, 1.0, 0.0, -3.0]], [[1.0, 2.0, -3.0, 0.0]]),
    ],
)
def test_predictions_have_the_form_of_targets(loss, h, expected):
    np.testing.assert_array_equal(loss.predict(np.array(h)), expected)


@pytest.mark.parametrize(
    ("loss", "h", "y", "expected"),
    [
        (CrossEntropy(), [[0.9, 0.1], [0.2, 0.8]], [0, 0], [1, 0]),
        (CrossEntropy(), [[0.9, 0.1], [0.2, 0.8]], [[1, 0], [0.6, 0.4]], [1, 0]),
        (BinaryCrossEntropy(), [[0.9, 0.1], [0.2, 0.8]], [[1, 1], [0, 1]], [0.5, 1]),
    ],
)
def test_hits_are_the_part_of_labels_that_is_right(loss, h, y, expected):
    np.testing.assert_array_equal(loss.correct(np.array(h), np.array(y)), expected)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 3], r"from 0 to 2, one for each output, but y\[1\] is 3$"),
        ([1, 3], r"y\[1\] is 3; give y - 1"),
        ([0, -1], r"y\[1\] is -1"),
        ([0, 1.5], r"y must hold whole labels, but y\[1\] is 1.5"),
        ([0, np.nan], r"y must be finite, but y\[1\] is nan"),
        ([[0], [1]], r"y has shape \(2, 1\).*give y.ravel\(\)"),
        ([[0, 1], [1, 0]], r"y has shape \(2, 2\); expected labels \(2,\) or probabilities"),
        ([[0.5, 0.5, 0.5], [1, 0, 0]], r"sum 1, but y\[0\] has sum 1.5"),
        ([[2, -1, 0], [1, 0, 0]], r"from 0 to 1, but y\[0, 0\] is 2"),
        ([0, 1, 2], "y has 3 entries for 2 examples in X"),
        (1, "y has no entries for 2 examples"),
    ],
)
def test_wrong_labels_are_explained(y, message):
    with pytest.raises(ValueError, match=message):
        CrossEntropy().targets(y, 2, 3, DTYPE)


@pytest.mark.parametrize("y", [["cat", "dog"], [None, 1]])
def test_text_and_objects_are_no_labels(y):
    with pytest.raises(TypeError, match="y has dtype"):
        CrossEntropy().targets(y, 2, 3, DTYPE)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        (SquaredError(), [1, 2], r"y has shape \(2,\); expected \(2, 3\), a value for each output"),
        (SquaredError(), [[1, 2]] * 2, r"y has shape \(2, 2\); expected \(2, 3\)"),
        (SquaredError(), [[1, 2, np.inf]] * 2, r"y must be finite, but y\[0, 2\] is inf"),
        (BinaryCrossEntropy(), [[1, 0, 2]] * 2, r"y must be from 0 to 1, but y\[0, 2\] is 2"),
        (AbsoluteError(), [1, 2], r"y has shape \(2,\); expected \(2, 3\)"),
        (Poisson(), [[1, 0, 2], [0, -1, 2]], r"y must be ≥ 0, but y\[1, 1\] is -1"),
        (Gamma(), [[1, 3, 2], [1, 1, 0]], r"y must be > 0, but y\[1, 2\] is 0"),
        (Gamma(), [[1, 3, 2], [1, 1, 1e-60]], r"y must be > 0, but y\[1, 2\] is 0"),
        (Quantile(), [[1, 2, 3]] * 2, r"y has shape \(2, 3\); expected \(2, 1\), a value for each"),
        (Quantile((0.1,)), [1, 2], r"y has shape \(2,\); expected \(2, 3\), a value for each"),
        (Quantile(), [1, np.nan], r"y must be finite, but y\[1, 0\] is nan"),
        (Quantile(), [1, 2, 3], "y has 3 entries for 2 examples in X"),
    ],
)
def test_wrong_values_are_explained(loss, y, message):
    with pytest.raises(ValueError, match=message):
        loss.targets(y, 2, 3, DTYPE)


# ----------------------------------------------------------------------- constants and options


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Huber(0), ValueError, r"delta must be in \(0, inf\), got 0"),
        (lambda: Huber("1"), TypeError, "delta must be a number, got '1'"),
        (lambda: Quantile(()), TypeError, r"quantiles must be a list of numbers, got \(\)"),
        (lambda: Quantile(0.5), TypeError, "quantiles must be a list of numbers, got 0.5"),
        (lambda: Quantile((0.5, 1.0)), ValueError, r"quantiles\[1\] must be in \(0, 1\), got 1.0"),
        (lambda: Quantile((0.5, 0.1)), ValueError, r"quantiles must ascend, got \(0.5, 0.1\)"),
        (lambda: Quantile((0.5, 0.5)), ValueError, "quantiles must ascend"),
        (lambda: Huber().check_outputs(0), ValueError, "^huber needs at least 1 output, got 0$"),
        (lambda: CrossEntropy().check_outputs(1), ValueError, "needs at least 2 outputs, one for"),
        (lambda: MLP((3, 4), loss="quantile"), ValueError, "3 quantiles take .* has 4 outputs"),
        (
            lambda: MLP((3, 1), loss="poisson", output_activation="identity"),
            ValueError,
            "'identity' does not go with loss 'poisson', which takes exponential",
        ),
        (
            lambda: MLP((3, 3), loss="huber", output_activation="softmax"),
            ValueError,
            "'softmax' does not go with loss 'huber'",
        ),
    ],
)
def test_wrong_constants_and_sizes_are_explained(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("name", TABLE)
def test_classes_alone_are_single_labels(name):
    found = [TABLE[name]().single_label(n_out) for n_out in (1, 2)]
    expected = {"cross_entropy": [True, True], "binary_cross_entropy": [True, False]}
    assert found == expected.get(name, [False, False])
    assert TABLE[name]().classification == (name in expected)


def test_losses_are_values():
    assert Huber(2) == Huber(2.0) != Huber()
    assert Quantile([0.1, 0.9]) == Quantile((0.1, 0.9)) != Quantile()
    assert AbsoluteError() == AbsoluteError() != SquaredError()
    assert repr(Quantile([0.1, 0.9])) == "Quantile(quantiles=(0.1, 0.9))"
    assert Quantile().outputs_for(2) == 6 and Huber().outputs_for(2) == 2


# ------------------------------------------------------------------ in a network, from outside


OBJECTS = {
    "absolute_error": (AbsoluteError(), ()),
    "huber": (Huber(0.5), (0.5,)),
    "quantile": (Quantile((0.2, 0.7)), (0.2, 0.7)),
    "poisson": (Poisson(), ()),
    "gamma": (Gamma(), ()),
}
every_new = pytest.mark.parametrize("loss", OBJECTS)


def targets(loss, rng, m):
    return {
        "poisson": rng.poisson(2, (m, 4)),
        "gamma": rng.gamma(2, 1, (m, 4)),
        "quantile": rng.normal(size=(m, 2)),
    }.get(loss, rng.normal(size=(m, 4)))


@every_new
@pytest.mark.parametrize("m", [1, 2, 257])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_cost_and_gradients_are_those_of_the_reference(loss, m, dtype, rng):
    kind, constants = OBJECTS[loss]
    net = MLP((5, 7, 4), activation="tanh", loss=kind, dtype=dtype)
    twin = reference.Network(
        (5, 7, 4), ["tanh", net.output_activation.name], (loss, *constants)
    )
    twin.weights, twin.biases = ([x.astype(float) for x in xs] for xs in (net.weights, net.biases))
    X, y, s = rng.normal(size=(m, 5)), targets(loss, rng, m), rng.uniform(0.5, 2, m)
    tolerance = {"float64": 1e-13, "float32": 3e-6}[dtype]
    expected = twin.cost(X, y, 0.1, s)
    assert net.cost(X, y, 0.1, sample_weight=s) == pytest.approx(expected, rel=tolerance)
    gradients = net.gradients(X, y, 0.1, sample_weight=s)
    for found, pair in zip(gradients, twin.gradients(X, y, 0.1, s), strict=True):
        for one, other in zip(found, pair, strict=True):
            np.testing.assert_allclose(one, other, atol=tolerance * max(1, np.abs(other).max()))


@every_new
def test_a_saved_network_has_its_loss(loss, tmp_path):
    net = MLP((5, 7, 4), loss=OBJECTS[loss][0])
    net.save(tmp_path / "net.npz")
    assert fastmlp.load(tmp_path / "net.npz").loss == net.loss


@pytest.mark.parametrize("name", ["absolute_error", "quantile"])
def test_the_constant_that_costs_least_is_the_quantile(name, rng):
    """Of a network without inputs that vary: its bias becomes what numpy.quantile finds."""
    y = rng.exponential(size=1001)
    quantiles = (0.1, 0.5, 0.9) if name == "quantile" else (0.5,)
    loss = Quantile(quantiles) if name == "quantile" else name
    net = MLP((1, len(quantiles)), loss=loss, init="zeros", dtype="float64")
    rate = fastmlp.schedules.Cosine(0.05)
    net.fit(np.zeros((1001, 1)), y, epochs=500, batch_size=1001, optimizer=Adam(rate))
    assert net.biases[0] == pytest.approx(np.quantile(y, quantiles), abs=0.01)


def test_quantiles_never_cross_and_hold_what_they_say(rng):
    """Noise whose spread grows with x; 90 % of other examples lie between the outer quantiles."""
    def examples(m):
        X = rng.uniform(0, 1, (m, 1))
        return X, np.sin(4 * X[:, 0]) + (0.1 + X[:, 0]) * rng.normal(size=m)

    net = MLP((1, 32, 32, 3), activation="tanh", loss="quantile")
    net.fit(*examples(4000), epochs=40, optimizer=Adam(fastmlp.schedules.Cosine(0.01)))
    X, y = examples(4000)
    low, middle, high = net.predict(X).T
    assert (low <= middle).all() and (middle <= high).all()
    for quantile, found in ((0.05, low), (0.5, middle), (0.95, high)):
        assert np.mean(y < found) == pytest.approx(quantile, abs=0.03)
    spread = high - low
    assert spread[X[:, 0] > 0.8].mean() > 3 * spread[X[:, 0] < 0.1].mean()


def test_predictions_do_not_cross_where_outputs_do(rng):
    net = MLP((3, 6), loss="quantile", init="normal")
    X = rng.normal(size=(50, 3))
    assert (np.diff(net.forward(X)[:, :3], axis=1) < 0).any()
    each = net.predict(X).reshape(50, 2, 3)
    assert (np.diff(each, axis=2) >= 0).all()
    np.testing.assert_array_equal(each, np.sort(net.forward(X).reshape(50, 2, 3), axis=2))


@pytest.mark.parametrize(("loss", "draw"), [("poisson", "poisson"), ("gamma", "exponential")])
def test_poisson_and_gamma_find_the_mean_of_what_they_are_of(loss, draw, rng):
    X = rng.uniform(-1, 1, (3000, 2))
    mean = np.exp(1 + X[:, 0] - 0.5 * X[:, 1])
    net = MLP((2, 1), loss=loss, dtype="float64")
    y = getattr(rng, draw)(mean)
    net.fit(X, y, epochs=60, optimizer=Adam(fastmlp.schedules.Cosine(0.03)))
    np.testing.assert_allclose(net.weights[0], [[1, -0.5]], atol=0.12)
    assert net.biases[0] == pytest.approx([1], abs=0.1)
    assert net.predict(X).shape == (3000,) and (net.predict(X) > 0).all()


@pytest.mark.parametrize("loss", ["poisson", "gamma"])
def test_costs_differ_from_half_the_deviance_by_what_the_docstring_says(loss, rng):
    special = pytest.importorskip("scipy.special")
    y = rng.poisson(3, (40, 1)) if loss == "poisson" else rng.gamma(2, 1, (40, 1))
    X = rng.normal(size=(40, 2))
    net = MLP((2, 1), loss=loss, dtype="float64")
    h = net.forward(X)
    if loss == "poisson":
        half_deviance = special.xlogy(y, y / h) - y + h
        constant = special.xlogy(y, y) - y
    else:
        half_deviance = np.log(h / y) + y / h - 1
        constant = -1 - np.log(y)
    assert net.cost(X, y) == pytest.approx(np.mean(half_deviance - constant), rel=1e-13)


def test_an_overflowing_output_is_divergence(rng):
    net = MLP((2, 1), loss="poisson")
    with pytest.raises(fastmlp.TrainingDiverged, match="infinite or NaN in epoch 1"):
        net.fit(1000 * rng.normal(size=(50, 2)), rng.poisson(3, 50), batch_size=10)
    assert np.isfinite(net.weights[0]).all()


def test_the_output_delta_of_squared_error_is_that_of_the_report():
    h, y, slope = np.random.default_rng(0).normal(size=(3, 7, 2))
    np.testing.assert_array_equal(SquaredError().output_delta(h, y, slope), -(y - h) * slope)
