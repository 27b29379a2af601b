"""What a network is: its properties, parameters and snapshots."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Adam
from fastmlp.encodings import Embedding, OneHot


def same_parameters(one: MLP, other: MLP) -> bool:
    pairs = zip((*one.weights, *one.biases), (*other.weights, *other.biases), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def by_pickle(given):
    return pickle.loads(pickle.dumps(given))


def test_parameters_are_read_only_copies(net):
    with pytest.raises(ValueError, match="read-only"):
        net.weights[0][0, 0] = 1
    assert net.weights[0] is not net.weights[0]


def test_parameters_that_are_set_are_those_that_are_read(net, rng):
    weights = [rng.normal(size=W.shape).astype(np.float32) for W in net.weights]
    biases = [rng.normal(size=b.shape).astype(np.float32) for b in net.biases]
    net.set_parameters(weights, biases)
    for found, given in zip((*net.weights, *net.biases), (*weights, *biases), strict=True):
        np.testing.assert_array_equal(found, given)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([np.zeros((16, 6))], "weights must be a list of 2 arrays"),
        (np.zeros((2, 16, 6)), "weights must be a list of 2 arrays"),
        ([np.zeros((6, 16)), np.zeros((3, 16))], r"weights\[0\] has shape \(6, 16\); expected"),
        ([np.zeros((16, 6)), np.full((3, 16), np.nan)], r"weights\[1\]\[0, 0\] is nan"),
        ([np.zeros((16, 6)), np.full((3, 16), 1e300)], "1e\\+300, too large for a float32"),
    ],
)
def test_wrong_parameters_are_explained_and_change_nothing(net, weights, message):
    before = copy.deepcopy(net)
    with pytest.raises(ValueError, match=message):
        net.set_parameters(weights, net.biases)
    assert same_parameters(net, before)


# --------------------------------------------------------------------------- properties


@pytest.mark.parametrize(
    "name",
    [
        "sizes", "activation", "output_activation", "loss", "batch_norm", "dropout",
        "input_dropout", "noise", "dtype", "seed", "uint8_scale", "n_in", "n_out", "n_parameters",
        "weights", "biases", "scales", "statistics", "folded", "frozen",
    ],
)  # fmt: skip
def test_what_a_network_is_made_of_cannot_be_set(net, name):
    with pytest.raises(AttributeError, match=f"property {name!r} .* has no setter"):
        setattr(net, name, getattr(net, name))


@pytest.mark.parametrize("epochs", [-1, 1.5, "many", None, 2**70])
def test_a_number_of_epochs_is_checked_when_it_is_set(net, classes, epochs):
    with pytest.raises((TypeError, ValueError), match=r"net\.epochs must be"):
        net.epochs = epochs
    net.epochs = 3
    net.fit(*classes, epochs=1)
    assert net.epochs == 4


def test_numbers_of_inputs_and_outputs_are_the_ends_of_sizes():
    net = MLP((4, 9, 3))
    assert (net.n_in, net.n_out) == (4, 3)


# ----------------------------------------------------------------- snapshot and restore


def everything(net: MLP) -> bytes:
    """The bytes of parameters, running statistics and averages."""
    layers = [*net.state.layers(), *(net.state.averages() or ())]
    pairs = [pair for pair in net.statistics if pair is not None]
    return b"".join(one.tobytes() for group in (*layers, *pairs) for one in group)


@pytest.fixture
def rich(classes) -> MLP:
    """A network with everything that a snapshot holds."""
    net = MLP((6, 16, 8, 3), batch_norm=[True, False], seed=1)
    net.fit(*classes, epochs=2, ema=0.9)
    return net


def test_restore_brings_the_bits_of_a_snapshot_back(rich, classes):
    before, outputs = everything(rich), rich.forward(classes[0])
    snapshot = rich.snapshot()
    rich.fit(*classes, epochs=2, ema=0.9)
    after = rich.snapshot()
    assert everything(rich) != before
    rich.restore(snapshot)
    assert everything(rich) == before
    np.testing.assert_array_equal(rich.forward(classes[0]), outputs)
    rich.restore(after)
    assert everything(rich) != before


CHANGES = {
    "fit": lambda net, X, y: net.fit(X, y, epochs=1, ema=0.9),
    "fit that drops the average": lambda net, X, y: net.fit(X, y, epochs=1),
    "set_parameters": lambda net, X, y: net.set_parameters(*MLP(net.sizes, seed=3).folded),
    "use_average": lambda net, X, y: setattr(net, "use_average", not net.use_average),
    "restore": lambda net, X, y: net.restore(MLP(net.sizes, batch_norm=[True, False]).snapshot()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_snapshot_stays_what_it_was(rich, classes, change):
    snapshot = rich.snapshot()
    before, outputs = everything(rich), rich.forward(classes[0])
    for _ in range(3):
        change(rich, *classes)
    rich.restore(snapshot)
    assert everything(rich) == before
    assert rich.use_average
    np.testing.assert_array_equal(rich.forward(classes[0]), outputs)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_snapshot_can_be_restored_twice(rich, classes, change):
    """What is trained after a restore does not change the snapshot that was restored."""
    snapshot, before = rich.snapshot(), everything(rich)
    for _ in range(2):
        rich.restore(snapshot)
        assert everything(rich) == before
        change(rich, *classes)


def test_the_optimizer_goes_on_after_a_restore(classes):
    restored, stayed = (MLP((6, 16, 3), seed=1) for _ in range(2))
    for net in (restored, stayed):
        net.fit(*classes, epochs=2)
    restored.restore(restored.snapshot())
    for net in (restored, stayed):
        net.fit(*classes, epochs=2)
    assert same_parameters(restored, stayed)


def test_a_snapshot_is_for_any_network_of_the_same_layers(rich, classes):
    other = MLP(rich.sizes, batch_norm=[True, False], activation="tanh", seed=9)
    other.restore(rich.snapshot())
    assert everything(other) == everything(rich)
    before = everything(rich)
    other.fit(*classes, epochs=1)
    assert everything(rich) == before


@pytest.mark.parametrize(
    ("other", "error", "message"),
    [
        (lambda: MLP((6, 15, 3)).snapshot(), ValueError, "is of another network"),
        (lambda: MLP((6, 16, 3), dtype="float64").snapshot(), TypeError, "float32 network"),
        (lambda: MLP((6, 16, 3)).weights, TypeError, "what MLP.snapshot of a float32 network"),
        (lambda: None, TypeError, "what MLP.snapshot"),
    ],
)
def test_what_is_no_snapshot_of_such_a_network_is_refused(net, other, error, message):
    before = everything(net)
    with pytest.raises(error, match=message):
        net.restore(other())
    assert everything(net) == before


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, by_pickle])
def test_a_snapshot_can_be_copied_and_pickled(rich, classes, copied):
    before, snapshot = everything(rich), copied(rich.snapshot())
    rich.fit(*classes, epochs=1)
    rich.restore(snapshot)
    assert everything(rich) == before


OF_OTHER_LAYOUTS = {
    "batch norm of another layer": [{"batch_norm": [True, False]}, {"batch_norm": [False, True]}],
    "encodings of other columns": [
        {"encodings": [Embedding(3, 2), OneHot(3)]}, {"encodings": [OneHot(3), Embedding(3, 2)]}
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", OF_OTHER_LAYOUTS)
def test_a_snapshot_whose_numbers_lie_elsewhere_is_refused(name):
    one, other = (MLP((2, 16, 16, 3), **options) for options in OF_OTHER_LAYOUTS[name])
    before = everything(one)
    with pytest.raises(ValueError, match="is of another network"):
        one.restore(other.snapshot())
    assert everything(one) == before


def test_a_snapshot_of_a_network_with_batch_norm_is_refused_by_one_without(rich):
    with pytest.raises(ValueError, match="is of another network"):
        MLP(rich.sizes).restore(rich.snapshot())


def test_a_callback_keeps_the_best_parameters_by_snapshots(rng):
    """What EarlyStopping does, by public methods alone."""

    class Best(fastmlp.Callback):
        cost = np.inf

        def on_epoch_end(self, net, history):
            if history.validation_cost[-1] < self.cost:
                self.cost, self.snapshot = history.validation_cost[-1], net.snapshot()

        def on_fit_end(self, net, history):
            net.restore(self.snapshot)

    X, y = rng.normal(size=(260, 6)), rng.integers(0, 3, 260)  # nothing to learn but noise
    net, validation = MLP((6, 32, 3)), (X[60:], y[60:])
    options = {"epochs": 60, "optimizer": Adam(0.01), "validation_data": validation}
    history = net.fit(X[:60], y[:60], callbacks=[Best()], **options)
    assert net.cost(*validation) == min(history.validation_cost) < history.validation_cost[-1]


# ----------------------------------------------------------------------- copies and pickles


class OfClasses(MLP):
    """A network that knows the names of its classes."""

    def __init__(self, names, **options):
        super().__init__((6, 4, len(names)), **options)
        self.names = names


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, by_pickle])
def test_copies_and_pickles_have_the_attributes_of_a_subclass_and_of_the_user(copied):
    net = OfClasses(["a", "b", "c"], seed=3)
    net.note, net.metadata["columns"] = "mine", ["x"]
    other = copied(net)
    assert type(other) is OfClasses and same_parameters(other, net)
    assert (other.names, other.note, other.metadata) == (net.names, "mine", net.metadata)
