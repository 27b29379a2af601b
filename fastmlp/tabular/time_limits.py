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
    of_first = trial(0)
    others = range(1, len(n_rows))
    by_rows = sorted(others, key=n_rows.__getitem__)
    seconds_by_rows: dict[int, float] = {}
    for number in (*by_rows[-1:], *by_rows[:1]):  # none if there is only the first model
        if n_rows[number] not in seconds_by_rows:
            seconds_by_rows[n_rows[number]] = trial(number)
    timed = sorted(n for n, seconds in seconds_by_rows.items() if math.isfinite(seconds))
    if not timed:
        return [of_first] + [math.inf] * len(others)
    of_others = np.interp(n_rows[1:], timed, [seconds_by_rows[n] for n in timed])
    return [of_first, *of_others.tolist()]


def within_time(
    plans: Sequence[Plan],
    n_rows: Sequence[int],
    seconds_of: Sequence[float],
    seconds: float,
    n_at_once: int,
) -> list[Plan]:
    """Return plans of models that take about as long as there is time for.

    Epochs are left out first, an equal part of those of each network, down to FEWEST_EPOCHS.  Where
    that is not enough, networks are left out, so that a model may have none: first networks of
    models have precedence over second ones, and models of many rows over those of few.  The first
    model, which has the most rows, keeps a network with an epoch at least.

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
    n_at_once : int
        Networks in training at once.
    """
    # the networks in the order in which they have precedence: network i of model k
    order = [(i, k) for k, plan in enumerate(plans) for i in range(len(plan.networks))]
    order.sort(key=lambda network: (network[0], -n_rows[network[1]]))
    planned = [plans[k].networks[i].epochs for i, k in order]
    fewest = [min(FEWEST_EPOCHS, epochs) for epochs in planned]
    costs = [seconds_of[k] for _, k in order]  # of an epoch
    least = list(accumulate(n * cost for n, cost in zip(fewest, costs, strict=True)))

    n = max(1, sum(total <= seconds * n_at_once for total in least))  # networks that are trained
    time = seconds * min(n_at_once, n)  # of all threads
    if time < least[n - 1]:
        epochs = [int(number * time / least[n - 1]) for number in fewest[:n]]
    else:
        most = sum(number * cost for number, cost in zip(planned[:n], costs, strict=False))
        part = 1.0 if most <= time else (time - least[n - 1]) / (most - least[n - 1])
        epochs = [
            low + int(part * (high - low)) for low, high in zip(fewest, planned, strict=True)
        ][:n]
    networks: list[list[NetworkPlan]] = [[] for _ in plans]
    for (i, k), number in zip(order, epochs, strict=False):
        networks[k].append(replace(plans[k].networks[i], epochs=max(1, number)))
    return [
        replace(plan, networks=tuple(of_plan))
        for plan, of_plan in zip(plans, networks, strict=True)
    ]
