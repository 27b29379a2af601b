"""Wrong arguments of fit_many are errors before anything is trained."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from fastmlp import MLP, Callback, Ensemble, fit_many


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
    assert net.epochs == 0


def test_wrong_callbacks_are_errors(classes, net):
    with pytest.raises(TypeError, match="must be a function from a network to the callbacks"):
        fit_many(untrained(2), *classes, options={"callbacks": [Callback()]})
    with pytest.raises(TypeError, match="must be a list of callbacks or a function"):
        fit_many([net], *classes, options={"callbacks": Callback()})
    assert (
        fit_many([net], *classes, options={"epochs": 1, "callbacks": [Callback()]})[0].epochs == 1
    )
