"""Training by solver "lbfgs": L-BFGS over the network's cost and gradients of all samples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.optimize import _check_optimize_result

from ..data.examples import Examples
from ..kernels.calls import TrainingOptions
from ..support import threads
from . import options
from .minimize import minimize
from .samples import Samples
from .sklearn_callbacks import FitTasks

__all__ = ["train"]

Vector = NDArray[np.float64]

N_PAIRS = 10  # of steps and changes of the gradient, as in scikit-learn


def train(estimator: Any, samples: Samples, tasks: FitTasks) -> Callable[[], Any]:
    """Minimize the loss of all samples at once.

    Returns the function that warns if it has not converged, to be called after the fit.
    """
    net = estimator.network_
    state = net.state
    state.drop_averages()
    examples = Examples.checked(state, samples.X, samples.target, samples.weight)
    total_weight = len(samples) if samples.weight is None else float(np.sum(samples.weight))
    l2 = options.number(estimator, "alpha") / total_weight
    max_iter = options.number(estimator, "max_iter")
    n_threads = threads.for_gradients(net.sizes, len(samples), estimator.n_threads)
    team = threads.AdaptiveTeam()
    step = TrainingOptions(l2=l2, max_cost=estimator._max_cost)

    def objective(parameters: Vector) -> tuple[float, Vector]:
        state.set_flat_parameters(parameters)
        started = perf_counter()
        sums, gradient = state.flat_gradients(examples.data, step, team.size(n_threads))
        seconds = perf_counter() - started
        team.report(seconds, sums.slept / seconds)
        return sums.cost / sums.weight + state.penalty(l2), gradient

    def halts() -> bool:
        if tasks.end_epoch():
            return True
        tasks.begin_epoch()
        return False

    tasks.begin_epoch()
    with np.errstate(over="ignore", invalid="ignore"):  # SciPy's, in C, does not warn either
        result = minimize(
            objective,
            state.flat_parameters(),
            state.inverse_hessian(N_PAIRS),
            tolerance=options.number(estimator, "tol"),
            max_iterations=max_iter,
            max_evaluations=options.number(estimator, "max_fun"),
            halts=halts if tasks.has_callbacks else None,
        )
    if not np.isfinite(result.x).all():
        raise ValueError(options.DIVERGED)
    state.set_flat_parameters(result.x)
    estimator.n_iter_ = min(result.nit, max_iter)
    penalty = state.penalty(l2)
    loss = (result.fun - penalty) / estimator._loss_divisor + penalty
    constants = estimator._loss_constants(samples.target)
    if constants is not None:
        loss += np.average(constants, weights=samples.weight)
    estimator.loss_ = float(loss)
    return partial(_check_optimize_result, "lbfgs", result, max_iter)
