"""Wrong arguments of fit_many are errors before anything is trained."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from fastmlp import MLP, Callback, Checkpoint, EarlyStopping, Ensemble, fit_many
from fastmlp.callbacks import Progress
from fastmlp.tracking import TensorBoard


def untrained(count: int = 3) -> list[MLP]:
    return [MLP((6, 16, 3), seed=seed) for seed in range(count)]


def test_wrong_lengths_are_errors(classes):
    X, y = classes
    with pytest.raises(ValueError, match=r"X is a list of 2, .* 3 networks; .* numpy.asarray\(X\)"):
        fit_many(untrained(3), [X, X], y)
    with pytest.raises(ValueError, match=r"y is a list of 230, .* numpy.asarray\(y\)"):
        fit_many(untrained(3), X, y.tolist())
    with pytest.raises(ValueError, match="options is a list of 1, .* a dict for all"):
        fit_many(untrained(3), X, y, options=[{}])


def test_wrong_arguments_are_errors(classes, net):
    X, y = classes
    with pytest.raises(TypeError, match=r"write \[MLP"):
        fit_many(net, X, y)
    with pytest.raises(TypeError, match="networks must be a sequence, got None"):
        fit_many(None, X, y)
    with pytest.raises(TypeError, match=r"networks\[1\] must be an MLP, got Ensemble"):
        fit_many([net, Ensemble(untrained(1))], X, y)
    with pytest.raises(ValueError, match=r"networks\[0\] and networks\[1\] are one and the same"):
        fit_many([net, net], X, y)
    with pytest.raises(TypeError, match="options: 'epoch' is no keyword of MLP.fit"):
        fit_many([net], X, y, options={"epoch": 3})
    with pytest.raises(TypeError, match=r"options\[0\]: .* no n_threads: each .* on one thread"):
        fit_many([net], X, y, options=[{"n_threads": 3}])
    with pytest.raises(TypeError, match="options must be a dict of MLP.fit's keywords"):
        fit_many([net], X, y, options="epochs")
    with pytest.raises(TypeError, match=r"options\[0\] must be a dict"):
        fit_many([net], X, y, options=["epochs"])
    with pytest.raises(ValueError, match="X is an iterator, good for one network"):
        fit_many(untrained(2), iter([classes]))
    with pytest.raises(ValueError, match="n_jobs must be at least 1, got 0"):
        fit_many([net], X, y, n_jobs=0)
    with pytest.raises(TypeError, match="an executor has its own workers"):
        fit_many([net], X, y, n_jobs=2, executor=ThreadPoolExecutor(1))
    with pytest.raises(TypeError, match="executor must have a method submit"):
        fit_many([net], X, y, executor=2)
    with pytest.raises(TypeError, match=r"got the class ThreadPoolExecutor: write Thread.*\(\)"):
        fit_many([net], X, y, executor=ThreadPoolExecutor)
    assert net.epochs == 0


@pytest.mark.parametrize("returned", [None, EarlyStopping(), 5])
def test_a_function_that_returns_no_list_of_callbacks_is_an_error(classes, returned):
    networks, message = untrained(2), "the function callbacks must return a list of callbacks"
    with pytest.raises(TypeError, match=message):
        fit_many(networks, *classes, options={"callbacks": lambda net: returned})
    with pytest.raises(TypeError, match=message):
        Ensemble(networks).fit(*classes, callbacks=lambda net: returned)
    assert [net.epochs for net in networks] == [0, 0]


def test_options_are_checked_for_each_size_and_dtype(classes):
    """What was checked for one network is not taken for granted for another."""
    nets = [MLP((6, 64, 3)), MLP((6, 8, 8, 3))]  # the first has more weights, and trains first
    fits = fit_many(nets, *classes, options={"rate_multipliers": [1, 2], "epochs": 1}, n_jobs=1)
    assert fits[0].epochs == 1 and "has 2 entries for 3 layers" in str(fits[1])
    nets = [MLP((6, 16, 3), dtype="float64"), MLP((6, 16, 3))]
    fits = fit_many(nets, *classes, options={"max_norm": 1e300, "epochs": 1}, n_jobs=1)
    assert fits[0].epochs == 1 and "max_norm" in str(fits[1])


def test_wrong_callbacks_are_errors(classes, net):
    with pytest.raises(TypeError, match="must be a function from a network to the callbacks"):
        fit_many(untrained(2), *classes, options={"callbacks": [Callback()]})
    with pytest.raises(TypeError, match="must be a list of callbacks or a function"):
        fit_many([net], *classes, options={"callbacks": Callback()})
    assert (
        fit_many([net], *classes, options={"epochs": 1, "callbacks": [Callback()]})[0].epochs == 1
    )


OF_ONE_NETWORK = {
    "EarlyStopping": lambda folder: EarlyStopping(monitor="cost"),
    "Checkpoint": lambda folder: Checkpoint(folder / "net.npz"),
    "Progress": lambda folder: Progress(2),
    "TensorBoard": lambda folder: TensorBoard(folder),
}


@pytest.mark.parametrize("name", OF_ONE_NETWORK)
def test_a_callback_that_remembers_is_of_one_network(classes, tmp_path, name):
    """Early stopping would put the parameters of one network into the other."""
    callback = OF_ONE_NETWORK[name](tmp_path)
    message = rf"networks\[0\] and networks\[2\] have one {name} in common"
    nets, given = untrained(), [[callback], [], [Callback(), callback]]
    with pytest.raises(ValueError, match=message):
        fit_many(nets, *classes, options=[{"callbacks": one} for one in given])
    coming = iter(given)
    with pytest.raises(ValueError, match=message):
        Ensemble(nets).fit(*classes, callbacks=lambda net: next(coming))
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match=message):
        fit_many(
            nets, *classes, options=[{"callbacks": one} for one in given], executor=pool
        )
    assert [net.epochs for net in nets] == [0, 0, 0]


def test_a_callback_of_a_user_may_be_of_several_networks(classes):
    class Counts(Callback):
        count = 0

        def on_fit_end(self, net, history):
            self.count += 1

    counts = Counts()
    fit_many(untrained(), *classes, options={"epochs": 1, "callbacks": lambda net: [counts]})
    assert counts.count == 3
