"""What fit adds to a step: smoothing, norms, averages, multipliers, by plain arithmetic."""

import numpy as np
import pytest

import fastmlp
from fastmlp import kernels


@pytest.fixture
def examples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.normal(size=(30, 9)), rng.integers(0, 4, 30)


def network(**options) -> fastmlp.MLP:
    return fastmlp.MLP((9, 21, 70, 4), activation="tanh", dtype="float64", seed=2, **options)


def one_step(net: fastmlp.MLP, X: np.ndarray, y: np.ndarray, rate: float = 0.5, **options) -> None:
    net.fit(X, y, epochs=1, batch_size=len(X), optimizer=fastmlp.GradientDescent(rate), **options)


@pytest.mark.parametrize("smoothing", [0.1, 0.5])
@pytest.mark.parametrize("rows", [False, True], ids=["labels", "rows"])
def test_smoothing_trains_towards_softer_targets(examples, rows, smoothing):
    X, y = examples
    targets = np.eye(4)[y]
    found, expected = network(), network()
    one_step(found, X, targets if rows else y, label_smoothing=smoothing)
    one_step(expected, X, (1 - smoothing) * targets + smoothing / 4)
    assert found.history.cost == pytest.approx(expected.history.cost, rel=1e-14)
    for one, other in zip(found.weights, expected.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_smoothing_of_yes_and_no_goes_halfway(examples):
    X, y = examples
    yes = np.eye(4)[y]
    found, expected = (network(loss="binary_cross_entropy") for _ in range(2))
    one_step(found, X, yes, label_smoothing=0.2)
    one_step(expected, X, 0.8 * yes + 0.1)
    for one, other in zip(found.weights, expected.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_validation_takes_the_targets_as_they_are(examples):
    X, y = examples
    net = network()
    history = net.fit(X, y, epochs=1, label_smoothing=0.3, validation_data=(X, y))
    assert history.validation_cost[0] == pytest.approx(net.cost(X, y), rel=1e-12)


def test_smoothing_is_for_classification(examples):
    X, _ = examples
    with pytest.raises(ValueError, match="label_smoothing is for classification.*squared_error"):
        network(loss="squared_error").fit(X, X[:, :4], label_smoothing=0.1)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_max_norm_bounds_the_weights_into_each_unit(examples, n_threads):
    X, y = examples
    limited, free = network(), network()
    one_step(limited, X, y, max_norm=1.2, n_threads=n_threads)
    one_step(free, X, y)
    for found, W in zip(limited.weights, free.weights, strict=True):
        norms = np.linalg.norm(W, axis=1, keepdims=True)
        assert (norms > 1.2).any()
        np.testing.assert_allclose(found, W * np.minimum(1, 1.2 / norms), rtol=1e-12)
    for one, other in zip(limited.biases, free.biases, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_clipping_shortens_the_whole_gradient(examples, batch_norm, n_threads):
    X, y = examples
    net = network(batch_norm=batch_norm)
    before = net.state.layers()
    gradients = net.gradients(X, y, 0.1, training=True)
    norm = np.sqrt(sum(float((g**2).sum()) for layer in gradients for g in layer))
    one_step(net, X, y, l2=0.1, clip_norm=norm / 3, n_threads=n_threads)
    for new, old, slopes in zip(net.state.layers(), before, gradients, strict=True):
        for found, p, g in zip(new, old, slopes, strict=True):
            np.testing.assert_allclose(found, p - 0.5 * g / 3, rtol=1e-11, atol=1e-14)


def test_a_short_gradient_is_left_alone(examples):
    X, y = examples
    clipped, free = network(), network()
    one_step(clipped, X, y, clip_norm=1e6)
    one_step(free, X, y)
    for one, other in zip(clipped.weights, free.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


@pytest.mark.parametrize("options", [{}, {"max_norm": 1.5}, {"clip_norm": 0.5}], ids=str)
def test_the_average_is_that_of_the_steps(examples, options):
    X, y = examples
    net, plain = network(), network()
    average = [np.array(W) for W in net.weights]
    for t in range(25):
        one_step(net, X, y, ema=0.8, **options)
        one_step(plain, X, y, **options)
        decay = min(0.8, (1 + t) / (10 + t))
        average = [decay * m + (1 - decay) * W for m, W in zip(average, plain.weights, strict=True)]
    for one, other in zip(net.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    for found, expected in zip(net.folded[0], average, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_average_predicts_until_told_otherwise(examples, tmp_path):
    X, y = examples
    net = network()
    history = net.fit(X, y, epochs=5, ema=0.9, validation_data=(X, y))
    assert net.use_average
    assert history.validation_cost[-1] == net.cost(X, y)
    averaged = net.forward(X)
    net.save(tmp_path / "net.npz")
    again = fastmlp.load(tmp_path / "net.npz")
    assert again.use_average
    np.testing.assert_array_equal(again.forward(X), averaged)
    net.use_average = False
    plain = fastmlp.MLP(net.sizes, activation="tanh", dtype="float64",
                        init=(net.weights, net.biases))
    np.testing.assert_array_equal(net.forward(X), plain.forward(X))
    net.fit(X, y, epochs=1)
    with pytest.raises(ValueError, match="no average"):
        net.use_average = True


def test_a_fit_averages_or_not_whatever_a_callback_restores(examples):
    class At(fastmlp.Callback):
        """Acts on the network after the second epoch of four."""

        def __init__(self, act):
            self.act = act

        def on_epoch_end(self, net, history):
            if history.epochs == 2:
                self.act(net)

    (X, y), fresh, averaging = examples, network().snapshot(), network()
    averaging.fit(X, y, epochs=1, ema=0.9)
    for act in (lambda net: net.restore(fresh),
                lambda net: net.set_parameters(net.weights, net.biases)):
        net = network()
        net.fit(X, y, epochs=4, ema=0.9, callbacks=[At(act)])
        assert net.use_average
    restore = At(lambda net: net.restore(averaging.snapshot()))
    net = network()
    history = net.fit(X, y, epochs=4, validation_data=(X, y), callbacks=[restore])
    assert not net.use_average
    assert history.validation_cost[3] != history.validation_cost[2]


def test_the_penalty_is_of_the_weights_that_predict(examples):
    X, y = examples
    net = network()
    net.fit(X, y, epochs=3, ema=0.9)
    for average, weights in [(True, net.folded[0]), (False, net.weights)]:
        net.use_average = average
        penalty = 0.5 / 2 * sum(np.sum(W**2) for W in weights)
        assert net.cost(X, y, l2=0.5) == pytest.approx(net.cost(X, y) + penalty, rel=1e-12)


def test_multipliers_scale_rate_and_penalty_of_their_layer(examples):
    X, y = examples
    net = network()
    before = list(zip(net.weights, net.biases, strict=True))
    gradients = net.gradients(X, y)
    one_step(net, X, y, l2=0.1, rate_multipliers=[0.1, 1, 2], l2_multipliers=[0, 1, 3])
    for (W, b), (dW, db), new, bias, r, m in zip(
        before, gradients, net.weights, net.biases, (0.1, 1, 2), (0, 1, 3), strict=True
    ):
        np.testing.assert_allclose(new, W - 0.5 * r * (dW + 0.1 * m * W), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(bias, b - 0.5 * r * db, rtol=1e-12, atol=1e-14)


def test_adamws_decay_follows_the_multiplier(examples):
    X, y = examples
    net = network()
    before = net.weights[0]
    net.fit(X, y, epochs=1, batch_size=30, rate_multipliers=[0, 1, 1],
            optimizer=fastmlp.AdamW(0.1, weight_decay=0.5))
    np.testing.assert_array_equal(net.weights[0], before)


@pytest.mark.parametrize("name, value, expected", [
    ("label_smoothing", 1.0, r"label_smoothing must be in \[0, 1\), got 1.0"),
    ("max_norm", 0, r"max_norm must be in \(0, inf\), got 0"),
    ("clip_norm", -1, r"clip_norm must be in \(0, inf\), got -1"),
    ("ema", 1, r"ema must be in \(0, 1\), got 1"),
    ("rate_multipliers", [1, 1], "rate_multipliers has 2 entries for 3 layers of weights"),
    ("l2_multipliers", [1, 1, -1], r"l2_multipliers\[2\] must be in \[0, inf\), got -1"),
])
def test_bad_values_are_named(examples, name, value, expected):
    with pytest.raises(ValueError, match=expected):
        network().fit(*examples, **{name: value})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_norms_and_averages_give_the_same_bits_on_any_threads_and_build(
    examples, dtype, fused_isas, train
):
    X, y = (np.tile(examples[0], (5, 1)).astype(dtype), np.tile(examples[1], 5).astype(np.int32))
    found = set()
    for isa in fused_isas:
        for threads in (1, 2, 3):
            module = kernels.engine(dtype, isa)
            functions = [("relu", 0.0), ("relu", 0.0), ("softmax", 0.0)]
            engine = module.Engine((9, 130, 70, 4), functions, "cross_entropy", 1.0)
            rng = np.random.default_rng(0)
            engine.set_layers([
                (rng.normal(size=(n_out, n_in)).astype(dtype), np.zeros(n_out, dtype))
                for n_in, n_out in [(9, 130), (130, 70), (70, 4)]
            ])
            engine.set_optimizer("adam", (0.9, 0.999, 1e-8))
            data = module.Data(engine, X, y)
            # the batch of 150 passes in chunks
            options = {"l2": 0.01, "max_norm": 2.0, "clip_norm": 0.3, "ema": 0.9}
            train(engine, data, np.arange(150), 150, 0.01, threads=threads, **options)
            train(engine, data, np.arange(150), 40, 0.01, threads=threads, **options)
            found.add(b"".join(
                x.tobytes()
                for layer in (*engine.get_layers(), *engine.get_average())
                for x in layer
            ))
    assert len(found) == 1
