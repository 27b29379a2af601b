"""Training by solver "lbfgs": SciPy's L-BFGS-B over the network's cost and gradients."""

from __future__ import annotations

from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.utils.optimize import _check_optimize_result

from ..data.examples import Examples
from ..kernels.calls import TrainingOptions
from ..support import threads
from . import options
from .samples import Samples
from .sklearn_callbacks import FitTasks

if TYPE_CHECKING:
    from ..network import MLP

__all__ = ["train"]

Vector = NDArray[np.float64]


def train(estimator: Any, samples: Samples, tasks: FitTasks) -> None:
    """Minimize the loss of all samples at once."""
    net = estimator.network_
    state = net.state
    state.drop_averages()
    examples = Examples.checked(state, samples.X, samples.target, samples.weight)
    total_weight = len(samples) if samples.weight is None else float(np.sum(samples.weight))
    l2 = estimator.alpha / total_weight
    n_threads = threads.for_gradients(net.sizes, len(samples), estimator.n_threads)
    team = threads.AdaptiveTeam()
    step = TrainingOptions(l2=l2, max_cost=estimator._max_cost)

    def objective(packed: Vector) -> tuple[float, Vector]:
        unpack(net, packed)
        started = perf_counter()
        sums, gradients = state.gradients(examples.data, step, team.size(n_threads))
        seconds = perf_counter() - started
        team.report(seconds, sums.slept / seconds)
        return sums.cost / sums.weight + state.penalty(l2), pack(gradients)

    def after_iteration(packed: Vector) -> None:
        unpack(net, packed)
        if tasks.end_epoch():
            raise StopIteration
        tasks.begin_epoch()

    tasks.begin_epoch()
    result = minimize(
        objective,
        pack(state.layers()),
        method="L-BFGS-B",
        jac=True,
        callback=after_iteration if tasks.has_callbacks else None,
        options={"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol},
    )
    if not np.isfinite(result.x).all():
        raise ValueError(options.DIVERGED)
    unpack(net, result.x)
    estimator.n_iter_ = _check_optimize_result("lbfgs", result, estimator.max_iter)
    penalty = state.penalty(l2)
    loss = (result.fun - penalty) / estimator._loss_divisor + penalty
    constants = estimator._loss_constants(samples.target)
    if constants is not None:
        loss += np.average(constants, weights=samples.weight)
    estimator.loss_ = float(loss)


def pack(layers: Any) -> Vector:
    """Return weights and biases in one vector."""
    return np.concatenate([one.ravel() for layer in layers for one in layer])


def unpack(net: MLP, packed: Vector) -> None:
    """Set the network's parameters to those in a vector that `pack` returned."""
    first, layers = 0, []
    for n_in, n_out in pairwise(net.sizes):
        last = first + n_in * n_out
        weight = packed[first:last].reshape(n_out, n_in)
        layers.append((weight, packed[last : last + n_out]))
        first = last + n_out
    net.state.set_layers(layers)
