"""The seven steps: each alone on arrays, and all of them against the NumPy network."""

import re
import textwrap

import numpy as np
import pytest

import fastmlp
from fastmlp import reference, steps
from fastmlp.activations import ELU, LeakyReLU, Tanh
from fastmlp.losses import CrossEntropy, Huber, Quantile, SquaredError

FUNCTIONS = {  # an activation as steps take it, and as the reference does
    **{
        name: (name, name)
        for name in reference.ACTIVATIONS
        if name not in ("softmax", "exponential")  # these at the output alone
    },
    "leaky_relu(0.3)": (LeakyReLU(0.3), ("leaky_relu", 0.3)),
    "elu(0.7)": (ELU(0.7), ("elu", 0.7)),
}
LOSSES = {  # of a loss with constants, the same: as steps take it, and as the reference does
    **{name: (name, name) for name in reference.LOSSES},
    "huber": (Huber(0.5), ("huber", 0.5)),
    "quantile": (Quantile((0.2, 0.5, 0.7)), ("quantile", 0.2, 0.5, 0.7)),
}
CASES = [
    (loss, name)
    for loss in LOSSES
    for name in FUNCTIONS
    # e^z of a z without bounds would run away
    if reference.LOSSES[loss].output != "exponential" or name in ("sigmoid", "tanh")
]
TOLERANCE = {"float64": 1e-12, "float32": 3e-5}  # relative, of all numbers as one vector
SIZES = (5, 7, 6, 3)
M = 9


@pytest.fixture(params=TOLERANCE)
def dtype(request):
    return request.param


def problem(loss, name, dtype="float64"):
    """The reference network, its activations as steps take them, X, y and sample weights."""
    rng = np.random.default_rng(0)
    ours, theirs = FUNCTIONS[name]
    output = reference.LOSSES[loss].output
    kind = LOSSES[loss][1]
    net = reference.Network(SIZES, [theirs, theirs, output or theirs], kind, dtype)
    net.weights = [rng.normal(0, 0.6, W.shape).astype(dtype) for W in net.weights]
    net.biases = [rng.normal(0, 0.6, b.shape).astype(dtype) for b in net.biases]
    y = {
        "cross_entropy": rng.integers(0, 3, M),
        "binary_cross_entropy": rng.uniform(size=(M, 3)).astype(dtype),
        "quantile": rng.normal(size=M).astype(dtype),
        "poisson": rng.poisson(2, (M, 3)),
        "gamma": rng.gamma(3, 1, (M, 3)).astype(dtype),
    }.get(loss, rng.normal(size=(M, 3)).astype(dtype))
    X = rng.normal(size=(M, 5)).astype(dtype)
    return net, [ours, ours, output or ours], X, y, rng.uniform(0.5, 2, M).astype(dtype)


def distance(found, expected):
    found, expected = (np.concatenate([x.ravel() for x in xs]) for xs in (found, expected))
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def flat(pairs):
    return [array for pair in pairs for array in pair]


# --------------------------------------------------------------------------- against the reference


def test_steps_one_to_five_give_the_gradients_of_the_reference(dtype):
    for case in CASES:
        loss, name = case
        net, functions, X, y, s = problem(loss, name, dtype)
        z, a = steps.forward(X, net.weights, net.biases, functions)
        delta_out = steps.output_delta(y, a[-1], z[-1], functions[-1], LOSSES[loss][0])
        deltas = steps.hidden_deltas(delta_out, net.weights, z, functions)
        gradients = [
            steps.batch_gradients(delta, a_l, W, np.float64(0.1), s)
            for delta, a_l, W in zip(deltas, a[:-1], net.weights, strict=True)
        ]
        assert np.shares_memory(a[0], X), case
        assert distance(a[1:], net.activations(X)) < TOLERANCE[dtype], case
        assert distance(flat(gradients), flat(net.gradients(X, y, 0.1, s))) < TOLERANCE[dtype], case
        assert steps.cost(y, a[-1], z[-1], net.weights, LOSSES[loss][0], 0.1, s) == pytest.approx(
            net.cost(X, y, 0.1, s), rel=TOLERANCE[dtype]
        ), case
        parameters = zip(net.weights, net.biases, strict=True)
        updated = steps.update(parameters, gradients, np.float64(0.1))
        found = (*z, *a, *deltas, *flat(gradients), *flat(updated))
        assert {array.dtype.name for array in found} == {dtype}, case


@pytest.mark.parametrize(("loss", "name"), CASES)
def test_fifty_updates_end_where_the_reference_does(loss, name):
    net, functions, X, y, _ = problem(loss, name)
    weights, biases = net.weights, net.biases
    for _ in range(50):
        z, a = steps.forward(X, weights, biases, functions)
        delta_out = steps.output_delta(y, a[-1], z[-1], functions[-1], LOSSES[loss][0])
        deltas = steps.hidden_deltas(delta_out, weights, z, functions)
        layers = zip(deltas, a[:-1], weights, strict=True)
        gradients = [steps.batch_gradients(*layer, l2=0.01) for layer in layers]
        parameters = steps.update(zip(weights, biases, strict=True), gradients, 0.05)
        weights, biases = zip(*parameters, strict=True)
    order = np.tile(np.arange(M), 50)
    net.train(X, y, order, M, [0.05] * 50, reference.Optimizer("gradient_descent"), 0.01)
    assert distance([*weights, *biases], net.weights + net.biases) < 1e-10


def run_the_loop_of_the_docstring(lam, small_enough, max_updates):
    """Run the code on exclusive or; its costs, its last outputs and its arrays."""
    rng = np.random.default_rng(0)
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    costs = []

    def cost(*arguments, **options):
        costs.append(steps.cost(*arguments, **options))
        return costs[-1]

    names = {
        **vars(steps), "cost": cost, "X": X, "y": y, "lam": lam, "learning_rate": 2.0,
        "small_enough": small_enough, "max_updates": max_updates,
        "weights": [rng.normal(size=(4, 2)), rng.normal(size=(1, 4))],
        "biases": [rng.normal(size=4), rng.normal(size=1)],
    }
    code = re.search(r"::\n\n(    for .*?)\n\n", steps.__doc__, re.DOTALL)
    exec(textwrap.dedent(code[1]), names)
    return costs, names


def test_step_seven_ends_the_loop_of_the_docstring():
    costs, names = run_the_loop_of_the_docstring(0.0, 0.01, 10_000)
    assert costs[-1] < 0.01 <= costs[-2]
    assert costs == sorted(costs, reverse=True)
    np.testing.assert_array_equal(names["a"][-1][:, 0] > 0.5, names["y"])


def test_the_loop_of_the_docstring_includes_the_penalty_and_ends_without_reaching_the_cost():
    costs, names = run_the_loop_of_the_docstring(0.01, 0.01, 2000)
    assert len(costs) == 2000
    # at a minimum of J with λ the slope 1/m Σ δ aᵀ of the mean cost is −λ W
    for delta, a, W in zip(names["deltas"], names["a"], names["weights"], strict=False):
        np.testing.assert_allclose(delta.T @ a / 4, -0.01 * W, atol=1e-6)


# ----------------------------------------------------------------------------- each alone, by hand


def test_forward_by_hand():
    # z(2) = (1·1 + 0·2 + 0.5, 3·1 − 4·2 − 1) = (1.5, −6), ReLU; z(3) = 2·1.5 + 1·0 + 1
    weights, biases = [[[1, 0], [3, -4]], [[2, 1]]], [[0.5, -1], [1]]
    z, a = steps.forward([[1, 2]], weights, biases, ["relu", "identity"])
    assert [x.tolist() for x in z] == [[[1.5, -6]], [[4]]]
    assert [x.tolist() for x in a] == [[[1, 2]], [[1.5, 0]], [[4]]]


def test_output_delta_by_hand():
    # leaky ReLU: f' = 1 above 0, 0.5 below
    delta = steps.output_delta([[1, 1]], [[3, -1]], [[3, -2]], LeakyReLU(0.5))
    assert delta.tolist() == [[2, -1]]


@pytest.mark.parametrize("y", [[2], [[0, 0, 1]]], ids=["label", "row"])
def test_output_delta_of_cross_entropy_by_hand(y):
    delta = steps.output_delta(y, [[0.25, 0.25, 0.5]], np.zeros((1, 3)), "softmax", "cross_entropy")
    assert delta.tolist() == [[0.25, 0.25, -0.5]]


def test_hidden_deltas_by_hand():
    # δ(3) = (1, 2); W(2)ᵀ δ(3) = (1·1 + 3·2, 2·1 + 4·2) = (7, 10); f'(z(2)) = (1, 0)
    weights = [np.zeros((2, 5)), [[1, 2], [3, 4]]]
    deltas = steps.hidden_deltas([[1, 2]], weights, [[[1, -1]], [[0, 0]]], ["relu", "identity"])
    assert [x.tolist() for x in deltas] == [[[7, 0]], [[1, 2]]]


def test_example_gradients_by_hand():
    dW, db = steps.example_gradients([[1, 2], [0, -1]], [[3, 4, 5], [6, 7, 8]])
    assert dW.tolist() == [[[3, 4, 5], [6, 8, 10]], [[0, 0, 0], [-6, -7, -8]]]
    assert db.tolist() == [[1, 2], [0, -1]]


def test_batch_gradients_are_the_mean_of_the_example_gradients_and_the_penalty():
    delta_next, a, W = [[1, 2], [0, -1]], [[3, 4, 5], [6, 7, 8]], np.eye(2, 3)
    dW, db = steps.batch_gradients(delta_next, a, W, l2=0.5)
    assert dW.tolist() == [[2, 2, 2.5], [0, 1, 1]]
    assert db.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("sample_weight", "mean"),
    [([3, 1], [0.75, 1.25]), ([0, 1], [0, -1]), ([0, 0], [0, 0])],
    ids=str,
)
def test_sample_weights_weight_the_mean(sample_weight, mean):
    delta_next, a = [[1, 2], [0, -1]], [[1.0], [1.0]]
    dW, db = steps.batch_gradients(delta_next, a, np.zeros((2, 1)), 0.5, sample_weight)
    assert dW.ravel().tolist() == db.tolist() == mean


def test_update_by_hand_leaves_its_arguments_alone():
    W, b, dW, db = np.eye(2), np.ones(2), np.full((2, 2), 0.5), np.array([2.0, 4.0])
    [(new_W, new_b)] = steps.update([(W, b)], [(dW, db)], learning_rate=0.5)
    assert new_W.tolist() == [[0.75, -0.25], [-0.25, 0.75]]
    assert new_b.tolist() == [0, -1]
    assert W.tolist() == np.eye(2).tolist()
    assert b.tolist() == [1, 1]


def test_update_of_a_bias_is_multiplied():
    W, b, dW, db = np.eye(2), np.ones(2), np.full((2, 2), 0.5), np.array([2.0, 4.0])
    [(new_W, new_b)] = steps.update([(W, b)], [(dW, db)], 0.5, bias_rate_multiplier=0.25)
    assert new_W.tolist() == [[0.75, -0.25], [-0.25, 0.75]]
    assert new_b.tolist() == [0.75, 0.5]


def test_updates_with_a_rate_of_biases_end_where_the_engine_does(rng):
    X, y = rng.normal(size=(30, 6)), rng.integers(0, 3, 30)
    net = fastmlp.MLP((6, 8, 3), activation="tanh", dtype="float64")
    weights, biases = net.weights, net.biases
    functions = ["tanh", "softmax"]
    for _ in range(20):
        z, a = steps.forward(X, weights, biases, functions)
        delta_out = steps.output_delta(y, a[-1], z[-1], "softmax", "cross_entropy")
        layers = zip(steps.hidden_deltas(delta_out, weights, z, functions), a[:-1], weights,
                     strict=True)
        gradients = [steps.batch_gradients(*layer) for layer in layers]
        parameters = steps.update(zip(weights, biases, strict=True), gradients, 0.3, 0.1)
        weights, biases = zip(*parameters, strict=True)
    net.fit(X, y, epochs=20, batch_size=30, shuffle=False, bias_rate_multipliers=0.1,
            optimizer=fastmlp.GradientDescent(0.3))
    assert distance([*weights, *biases], [*net.weights, *net.biases]) < 1e-12


def test_cost_by_hand():
    # ½(1 + 4) and ½(0 + 9); mean 3.5; λ/2 Σ W² = 0.5/2 · (1 + 4)
    h = [[1, 2], [3, 8]]
    assert steps.cost([[0, 0], [3, 5]], h, h, [[[1, 0], [0, 2]]], l2=0.5) == 3.5 + 1.25
    assert steps.cost([[0, 0], [3, 5]], h, h, sample_weight=[3, 1]) == 3.0


def test_cross_entropy_is_taken_from_z_where_log_a_has_no_digits():
    z = np.array([[1000.0, 0.0]])
    assert steps.cost([1], [[1.0, 0.0]], z, loss="cross_entropy") == 1000


# ----------------------------------------------------------------------------------- what they take


def test_an_activation_is_a_name_or_an_object_for_all_layers_or_one_each():
    net, _, X, *_ = problem("squared_error", "tanh")
    forms = ["tanh", Tanh(), ["tanh"] * 3, (Tanh(), "tanh", Tanh())]
    first, *others = [steps.forward(X, net.weights, net.biases, form)[1][-1] for form in forms]
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_a_loss_is_a_name_or_an_object():
    h = [[1.0, 2.0]]
    assert steps.cost(h, h, h, loss=SquaredError()) == 0
    assert steps.output_delta(h, h, h, "identity", SquaredError()).tolist() == [[0, 0]]


def test_a_label_that_changes_after_its_check_has_no_row_of_another_class():
    class Late(CrossEntropy):
        def targets(self, *arguments):
            labels = super().targets(*arguments)
            labels[:2] = 3, -1
            return labels

    h = np.full((3, 3), 1 / 3)
    delta = steps.output_delta(np.zeros(3, np.int32), h, h, "softmax", Late())
    np.testing.assert_allclose(delta, h - [[0, 0, 0], [0, 0, 0], [1, 0, 0]])


def test_arrays_of_two_dtypes_are_computed_in_float64():
    net, functions, X, *_ = problem("squared_error", "tanh")
    z, a = steps.forward(X.astype("float32"), net.weights, net.biases, functions)
    assert {array.dtype.name for array in (*z, *a)} == {"float64"}


@pytest.mark.parametrize("change", [np.asfortranarray, lambda x: np.repeat(x, 2, axis=0)[::2]])
def test_arrays_of_any_layout_give_the_same(change, dtype):
    net, functions, X, y, _ = problem("squared_error", "tanh", dtype)

    def gradients(change):
        weights, biases = [change(W) for W in net.weights], [change(b) for b in net.biases]
        for array in (*weights, *biases):
            array.flags.writeable = False
        z, a = steps.forward(change(X), weights, biases, functions)
        delta = change(steps.output_delta(change(y), change(a[-1]), change(z[-1]), "tanh"))
        deltas = steps.hidden_deltas(delta, weights, [change(z_l) for z_l in z], functions)
        return flat(steps.batch_gradients(change(d), change(a_l), W)
                    for d, a_l, W in zip(deltas, a[:-1], weights, strict=True))

    for expected, found in zip(gradients(np.copy), gradients(change), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_penalty_is_left_out_unless_l2_is_passed():
    W = np.array([[1.0, -2.0]])
    h = np.zeros((3, 1))
    assert steps.cost(h + 2, h, h, [W]) == 2.0
    np.testing.assert_array_equal(steps.batch_gradients(h, np.ones((3, 2)), W)[0], 0 * W)


X, W, B, D = np.ones((4, 3)), np.ones((2, 3)), np.ones(2), np.ones((4, 2))


@pytest.mark.parametrize(
    ("step", "arguments", "message"),
    [
        (steps.forward, (X[0], [W], [B], "relu"), "X must have shape (any, any), got (3)"),
        (steps.forward, (X, [W.T], [B], "relu"), "W(1) must have shape (any, 3), got (3, 2)"),
        (steps.forward, (X, [W], [B[:1]], "relu"), "b(1) must have shape (2), got (1)"),
        (steps.forward, (X, [W, W], [B, B], "relu"), "W(2) must have shape (any, 2), got (2, 3)"),
        (steps.forward, (X, [W], [B, B], "relu"), "biases must have 1 entry, one for each layer"),
        (steps.forward, (X, [W], [B], ["relu", "relu"]), "activations must have 1 entry, one"),
        (steps.forward, (X, [W], [B], "rleu"), "did you mean 'relu'"),
        (steps.forward, (X, [W, W], [B, B], "softmax"), "softmax is an activation of the output"),
        (steps.output_delta, (D, D, D[:3], "tanh"), "z_out must have shape (4, 2), got (3, 2)"),
        (steps.output_delta, (X, D, D, "tanh"), "y has shape (4, 3)"),
        (steps.output_delta, ([0] * 4, D, D, "tanh", "cross_entropy"), "'tanh' does not go with"),
        (steps.output_delta, ([0, 1, 2, 0], D, D, "softmax", "cross_entropy"), "labels from 0"),
        (steps.hidden_deltas, (X, [W, W], [D, D], "tanh"), "W(2) must have shape (3, any)"),
        (steps.hidden_deltas, (D, [W, W], [D, D], "tanh"), "z(2) must have shape (4, 3)"),
        (steps.hidden_deltas, (D, [W, W], [D], "tanh"), "z must have 2 entries, one for"),
        (steps.example_gradients, (D, X[:3]), "a must have shape (4, any), got (3, 3)"),
        (steps.batch_gradients, (D, X, W.T), "W must have shape (2, 3), got (3, 2)"),
        (steps.batch_gradients, (D, X, W, 0, B), "sample_weight must have shape (4), got (2)"),
        (steps.update, ([(W, B)], [(B, B)], 1), "∂J/∂W(1) must have shape (2, 3), got (2)"),
        (steps.update, ([(W, B)], [], 1), "gradients must have 1 entry, one for each layer"),
        (steps.cost, (D, D, X), "z_out must have shape (4, 2), got (4, 3)"),
        (steps.cost, (D, D, D, [B]), "W(1) must have shape (any, any), got (2)"),
    ],
)
def test_a_wrong_argument_is_named(step, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        step(*arguments)


def test_complex_numbers_are_refused():
    with pytest.raises(TypeError, match="X has dtype complex128"):
        steps.forward(X + 1j, [W], [B], "relu")
