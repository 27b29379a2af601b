"""How models of tables are trained in a limited time: fewer epochs, then fewer networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from .plan import FEWEST_EPOCHS, NetworkPlan, Plan

__all__ = ["seconds_of_epochs", "within_time"]


def seconds_of_epochs(n_rows: Sequence[int], trial: Callable[[int], float]) -> list[float]:
    """Return the seconds that an epoch of a network of each model takes, from some trials.

    The first model is tried, and those of the others with the most and the fewest rows; between
    these the time is taken to grow evenly with the rows.

    Parameters
    ----------
    n_rows : sequence of int
        The rows of each model.
    trial : callable
        Measures a model, of which it is given the number; infinite if there was no time for it.
    """
    found = [trial(0)]
    others = range(1, len(n_rows))
    tried: dict[int, float] = {}
    by_rows = sorted(others, key=n_rows.__getitem__)
    for number in (*by_rows[-1:], *by_rows[:1]):
        if n_rows[number] not in tried:
            tried[n_rows[number]] = trial(number)
    timed = sorted(n for n, seconds in tried.items() if math.isfinite(seconds))
    if not timed:
        return found + [math.inf] * len(others)
    between = np.interp(n_rows[1:], timed, [tried[n] for n in timed])
    return found + [float(one) for one in between]


def within_time(
    plans: Sequence[Plan],
    n_rows: Sequence[int],
    seconds_of: Sequence[float],
    seconds: float,
    n_jobs: int,
) -> list[Plan]:
    """Return plans of models that take about as long as there is time for.

    First epochs are left out, alike of all networks, down to FEWEST_EPOCHS of each.  Then networks
    are left out, so that a model may have none: the first networks of all models go before second
    ones, and models of many rows before those of few.  The first model, which has the most rows,
    keeps a network with an epoch at least.

    Parameters
    ----------
    plans : sequence of Plan
        The plans.
    n_rows : sequence of int
        The rows of each model.
    seconds_of : sequence of float
        Of each plan, the seconds of an epoch of one of its networks; infinite if it is too long.
    seconds : float
        The time there is.
    n_jobs : int
        Networks in training at once.
    """
    order = [(i, k) for k, plan in enumerate(plans) for i in range(len(plan.networks))]
    order.sort(key=lambda one: (one[0], -n_rows[one[1]]))
    planned = [plans[k].networks[i].epochs for i, k in order]
    fewest = [min(FEWEST_EPOCHS, epochs) for epochs in planned]
    costs = [seconds_of[k] for _, k in order]
    least = list(accumulate(n * cost for n, cost in zip(fewest, costs, strict=True)))
    n = max(1, sum(total <= seconds * n_jobs for total in least))
    time = seconds * min(n_jobs, n)
    if time < least[n - 1]:
        epochs = [int(one * time / least[n - 1]) for one in fewest[:n]]
    else:
        most = sum(one * cost for one, cost in zip(planned[:n], costs, strict=False))
        part = min(1.0, (time - least[n - 1]) / max(most - least[n - 1], 1e-9))
        epochs = [
            low + int(part * (high - low)) for low, high in zip(fewest, planned, strict=True)
        ][:n]
    found: list[list[NetworkPlan]] = [[] for _ in plans]
    for (i, k), number in zip(order, epochs, strict=False):
        found[k].append(replace(plans[k].networks[i], epochs=max(1, number)))
    return [replace(plan, networks=tuple(own)) for plan, own in zip(plans, found, strict=True)]
