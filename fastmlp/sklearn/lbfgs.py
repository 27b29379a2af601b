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
from .protocol import Tasks
from .validation import Part

if TYPE_CHECKING:
    from ..network import MLP

__all__ = ["train"]

Vector = NDArray[np.float64]


def train(estimator: Any, part: Part, tasks: Tasks) -> None:
    """Minimize J of all examples at once."""
    net = estimator.network_
    state = net.state
    examples = Examples.checked(state, part.X, part.target, part.weight)
    total_weight = len(part) if part.weight is None else float(np.sum(part.weight))
    l2 = estimator.alpha / total_weight
    n_threads = threads.for_gradients(net.sizes, len(part), estimator.n_threads)
    team, step = threads.AdaptiveTeam(), TrainingOptions(l2=l2)

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
    found = minimize(
        objective,
        pack(state.layers()),
        method="L-BFGS-B",
        jac=True,
        callback=after_iteration if tasks.wanted else None,
        options={"maxfun": estimator.max_fun, "maxiter": estimator.max_iter, "gtol": estimator.tol},
    )
    if not np.isfinite(found.x).all():
        raise ValueError(options.DIVERGED)
    unpack(net, found.x)
    estimator.n_iter_ = _check_optimize_result("lbfgs", found, estimator.max_iter)
    penalty = state.penalty(l2)
    data = (found.fun - penalty) / estimator._per_output
    estimator.loss_ = float(data + estimator._offset(part) + penalty)


def pack(layers: Any) -> Vector:
    """Weights and biases in one vector."""
    return np.concatenate([one.ravel() for layer in layers for one in layer])


def unpack(net: MLP, packed: Vector) -> None:
    """Set the network's parameters from `pack`'s vector."""
    first, layers = 0, []
    for n_in, n_out in pairwise(net.sizes):
        last = first + n_in * n_out
        weight = packed[first:last].reshape(n_out, n_in)
        layers.append((weight, packed[last : last + n_out]))
        first = last + n_out
    net.state.set_layers(layers)
