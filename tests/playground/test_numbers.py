"""The numbers of the playground are those of fastmlp.steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastmlp import playground, steps

JavaScript = Callable[..., list[Any]]
N_UPDATES = 6
EXACT: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-11}  # the page promises 1e-6
TRAINER = "trainer = new Trainer(given.settings, makeSet(given.settings.set, 3, given.digits))"
# Six updates, one step at a time; what each of the seven steps has found.
UPDATES = """
Array.from({length: given.updates}, () => {
  for (let k = 0; k < 7; k++) trainer.step();
  const {rows, Y, before, pass, deltaOut, back, gradients, after, cost} = trainer.record;
  const perExample = back.deltasU.map((rows, l) =>
    rows.map((delta, n) => exampleGradient(delta, pass.a[l][n])));
  return {rows, Y, before, pass, deltaOut, back, perExample, gradients, after, cost};
})
"""


@dataclass
class Settings:
    """Settings of the page, as its form has them."""

    set: str = "moons"
    hidden: tuple[int, ...] = (4, 3)
    activation: str = "tanh"
    loss: str = "squared_error"
    learningRate: float = 0.5  # noqa: N815
    # `lambda` is a word of Python
    penalty: float = 0.0
    batchSize: int = 10  # noqa: N815
    batchNorm: bool = False  # noqa: N815
    seed: int = 0

    def in_page(self) -> dict[str, Any]:
        """The settings by the page's names."""
        found = asdict(self)
        return found | {"lambda": found.pop("penalty")}

    @property
    def functions(self) -> list[str]:
        """The activation functions of the layers 2 to nl."""
        last = "softmax" if self.loss == "cross_entropy" else "sigmoid"
        return [self.activation] * len(self.hidden) + [last]


CASES = [
    Settings(),
    Settings("circles", (5,), "sigmoid", "squared_error", 3.0, 0.01),
    Settings("spirals", (8, 6, 4), "relu", "cross_entropy", 0.1, 0.001, 20),
    Settings("xor", (4,), "leaky_relu", "squared_error", 1.0, batchSize=1),
    Settings("blobs", (), "tanh", "cross_entropy", 0.3, 0.1, 200),
    Settings("blobs", (3, 3, 3, 3), "sigmoid", "cross_entropy", 1.0, seed=7),
    Settings("digits", (12,), "relu", "cross_entropy", 0.1, 0.001, 50),
    Settings("moons", (4, 3), "tanh", "squared_error", 0.5, 0.01, 10, True),
    Settings("digits", (6, 5), "leaky_relu", "cross_entropy", 0.3, 0.0, 100, True),
    Settings("xor", (4,), "relu", "cross_entropy", 0.3, 0.001, 2, True),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case.set}-{case.activation}-{case.loss}")
def settings(request: pytest.FixtureRequest) -> Settings:
    found: Settings = request.param
    return found


class Network:
    """Parameters, and the seven steps by fastmlp.steps."""

    def __init__(self, settings: Settings, initial: dict[str, Any]) -> None:
        self.settings = settings
        self.weights = [np.array(W) for W in initial["weights"]]
        self.biases = [np.array(b) for b in initial["biases"]]
        self.scales = [np.array(scale) for scale in initial["scales"]]

    def forward(self, X: Any, training: Any = None) -> tuple[list[Any], list[Any]]:
        """Step 1; batch norm by the mean and variance of the examples `training`, if given."""
        f = self.settings.functions
        self.norms: list[Any] = []
        if not self.settings.batchNorm:
            return steps.forward(X, self.weights, self.biases, f)
        z, a = [], [X]
        b_none = [np.zeros_like(b) for b in self.biases]
        behind = training  # the layer's activations for the training examples
        for l, W in enumerate(self.weights):
            if l == len(self.scales):
                (z_l,), _ = steps.forward(a[-1], [W], self.biases[l:], f[l:])
            else:
                (u,), _ = steps.forward(a[-1], [W], [b_none[l]], "identity")
                scale, shift = self.scales[l], self.biases[l]
                if training is None:
                    z_l, *norm = steps.batch_norm(u, scale, shift)
                    self.norms.append(norm)
                else:
                    (known,), _ = steps.forward(behind, [W], [b_none[l]], "identity")
                    known_z, _, inverse = steps.batch_norm(known, scale, shift)
                    z_l = scale * (u - known.mean(axis=0)) * inverse + shift
                    behind = applied(known_z, f[l])
            z.append(z_l)
            a.append(applied(z_l, f[l]))
        return z, a

    def deltas(self, delta_out: Any, z: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Step 3: δ, δ by u, and Σ δ ∘ û of each layer with batch norm."""
        f = self.settings.functions
        if not self.settings.batchNorm:
            found = steps.hidden_deltas(delta_out, self.weights, z, f)
            return found, found, []
        deltas, by_u, scale_gradients = [delta_out], [delta_out], []
        for l in range(len(self.weights) - 1, 0, -1):
            two = slice(l - 1, l + 1)
            delta, _ = steps.hidden_deltas(by_u[0], self.weights[two], z[two], f[two])
            delta_u, scale_gradient, _ = steps.batch_norm_delta(
                delta, self.norms[l - 1][0], self.scales[l - 1], self.norms[l - 1][1]
            )
            deltas.insert(0, delta)
            by_u.insert(0, delta_u)
            scale_gradients.insert(0, scale_gradient)
        return deltas, by_u, scale_gradients


def applied(z: Any, f: str) -> Any:
    """f(z), by step 1 with W = I and b = 0."""
    n = z.shape[1]
    return steps.forward(z, [np.eye(n)], [np.zeros(n)], f)[1][1]


def assert_lists_close(found: list[Any], expected: list[Any]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_allclose(np.array(one, float), other, **EXACT)


def test_each_step_has_the_numbers_of_fastmlp_steps(
    javascript: JavaScript, settings: Settings
) -> None:
    lam, m = settings.penalty, settings.batchSize
    _, initial, updates, training_set = javascript(
        f"({TRAINER}, 0)", "trainer.network", UPDATES, "trainer.set",
        settings=settings.in_page(), updates=N_UPDATES, digits=playground.digits(),
    )  # fmt: skip
    net = Network(settings, initial)
    for one in updates:
        X = np.array(training_set["X"])[one["rows"]]
        Y = np.eye(training_set["nClasses"])[np.array(training_set["y"])[one["rows"]]]
        assert len(X) == m
        np.testing.assert_array_equal(one["Y"], Y)
        z, a = net.forward(X)
        assert_lists_close(one["pass"]["z"], z)
        assert_lists_close(one["pass"]["a"], a)
        delta_out = steps.output_delta(Y, a[-1], z[-1], settings.functions[-1], settings.loss)
        assert_allclose(one["deltaOut"], delta_out, **EXACT)
        deltas, by_u, scale_gradients = net.deltas(delta_out, z)
        assert_lists_close(one["back"]["deltas"], deltas)
        assert_lists_close(one["back"]["deltasU"], by_u)
        for found, delta, a_l in zip(one["perExample"], by_u, a[:-1], strict=True):
            assert_allclose(found, steps.example_gradients(delta, a_l)[0], **EXACT)
        gradients = [
            steps.batch_gradients(d, a_l, W, l2=lam)
            for d, a_l, W in zip(by_u, a[:-1], net.weights, strict=True)
        ]
        for l, delta in enumerate(deltas):  # the shift of batch norm comes after the normalization
            gradients[l] = gradients[l][0], delta.mean(axis=0)
        by_scale = [total / m for total in scale_gradients]
        assert_lists_close(one["gradients"]["weights"], [dW for dW, _ in gradients])
        assert_lists_close(one["gradients"]["biases"], [db for _, db in gradients])
        assert_lists_close(one["gradients"]["scales"], by_scale)
        J = steps.cost(Y, a[-1], z[-1], net.weights, settings.loss, l2=lam)
        assert_allclose(one["cost"]["total"], J, **EXACT)
        parameters = zip(net.weights, net.biases, strict=True)
        updated = steps.update(parameters, gradients, settings.learningRate)
        net.weights, net.biases = ([*these] for these in zip(*updated, strict=True))
        net.scales = [
            scale - settings.learningRate * gradient
            for scale, gradient in zip(net.scales, by_scale, strict=True)
        ]
        assert_lists_close(one["after"]["weights"], net.weights)
        assert_lists_close(one["after"]["biases"], net.biases)
        assert_lists_close(one["after"]["scales"], net.scales)


def test_the_curves_have_cost_and_accuracy_of_both_sets(
    javascript: JavaScript, settings: Settings
) -> None:
    _, figures, network, both = javascript(
        f"({TRAINER}, trainer.update(), trainer.update(), 0)",
        "trainer.measure()", "trainer.network", "trainer.set",
        settings=settings.in_page(), digits=playground.digits(),
    )  # fmt: skip
    net = Network(settings, network)
    training = np.array(both["X"])
    for name, part in [("training", both), ("test", both["test"])]:
        y = np.array(part["y"])
        z, a = net.forward(np.array(part["X"]), training)
        Y = np.eye(both["nClasses"])[y]
        J = steps.cost(Y, a[-1], z[-1], net.weights, settings.loss, l2=settings.penalty)
        assert_allclose(figures[name], J, **EXACT)
        assert figures[f"{name}Accuracy"] == np.mean(a[-1].argmax(axis=1) == y)


def test_softmax_and_cross_entropy_of_large_z_are_finite(javascript: JavaScript) -> None:
    probabilities, J = javascript(
        "softmax(Float64Array.of(1000, 0))",
        "cost({loss: 'cross_entropy', weights: []}, [[0, 1]],"
        " {z: [[Float64Array.of(1000, 0)]], a: [[]]}, 0).total",
    )
    assert probabilities == [1, 0]
    assert J == 1000


# ------------------------------------------------------------------------------- random numbers


@pytest.mark.parametrize("name", ["moons", "circles", "spirals", "xor", "blobs"])
def test_a_seed_gives_the_same_training_again_and_another_seed_another(
    javascript: JavaScript, name: str
) -> None:
    chosen = Settings(name).in_page()
    trained = (
        "given.each.map((one) => (t = new Trainer(one, makeSet(one.set, one.seed)), t.update(),"
        " [t.set, t.network]))"
    )
    ((first, again, other),) = javascript(trained, each=[chosen, chosen, chosen | {"seed": 1}])
    assert first == again
    assert first[0]["X"] != other[0]["X"]
    assert first[1]["weights"] != other[1]["weights"]


def test_sets_in_the_plane_are_balanced_and_inside_it(javascript: JavaScript) -> None:
    names = ["moons", "circles", "spirals", "xor", "blobs"]
    sets, plane = javascript("given.names.map((name) => makeSet(name, 0))", "PLANE", names=names)
    for one in sets:
        for part in (one, one["test"]):
            X, counts = np.array(part["X"]), np.bincount(part["y"])
            assert X.shape == (200, 2)
            assert np.mean(np.abs(X) < plane) > 0.99
            assert len(counts) == one["nClasses"] and np.ptp(counts) <= 1


def test_an_epoch_has_every_example_once_in_a_new_order(javascript: JavaScript) -> None:
    (epochs,) = javascript(
        "(t = new Trainer(given.settings, makeSet('moons', 0)), [0, 1].map(() =>"
        " Array.from({length: 20}, () => (t.update(), t.record.rows)).flat()))",
        settings=Settings().in_page(),
    )  # fmt: skip
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(200))
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize(
    ("activation", "expected"),
    [("relu", [2 / 2, 2 / 300, 2 / 302]), ("tanh", [2 / 302, 2 / 600, 2 / 302])],
)
def test_initial_weights_have_the_variance_of_he_and_glorot(
    javascript: JavaScript, activation: str, expected: list[float]
) -> None:
    (weights,) = javascript(
        "initialNetwork(given.settings, makeSet('moons', 0)).weights",
        settings=Settings("moons", (300, 300), activation).in_page(),
    )
    for W, variance in zip(weights, expected, strict=True):
        assert np.var(W) == pytest.approx(variance, rel=0.2)


def test_random_numbers_are_uniform_and_normal(javascript: JavaScript) -> None:
    uniform, normal = javascript(
        "(r = generator(5, 1), Array.from({length: 20000}, () => r.uniform()))",
        "(r = generator(5, 2), Array.from({length: 20000}, () => r.normal(1, 3)))",
    )
    assert np.histogram(uniform, 10, (0, 1))[0] == pytest.approx(2000, rel=0.1)
    assert (np.mean(normal), np.std(normal)) == pytest.approx((1, 3), rel=0.05)
    assert np.mean(np.abs(np.array(normal) - 1) < 3) == pytest.approx(0.6827, abs=0.01)


def test_long_training_keeps_a_limited_number_of_points(javascript: JavaScript) -> None:
    updates, most = javascript(
        "(t = new Trainer({...given.settings, batchSize: 200}, makeSet('moons', 0)),"
        " Array.from({length: 1500}, () => t.update()), t.curves.map((point) => point.updates))",
        "MOST_POINTS",
        settings=Settings(hidden=()).in_page(),
    )
    assert len(updates) <= most
    assert updates[-1] == 1500
    assert len(set(np.diff(updates))) == 1
