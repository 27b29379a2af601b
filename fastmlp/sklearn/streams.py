"""What a call of partial_fit need not do again: checks of parameters and of plain arrays.

scikit-learn's checks take ten times as long as a step of a small network on 200 rows.  They are
left out where their result is known: the parameters are the objects that the previous call has
checked, X and y are arrays that need no conversion, and all their values are good.  Whatever else
comes goes through scikit-learn's checks, which also word all errors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from operator import attrgetter, is_
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

__all__ = ["goes_on", "is_finite", "is_plain", "random_numbers", "remember"]

CONSTANT = frozenset([int, float, str, bool, type(None)])  # types whose values never change
FLOATS = (np.dtype(np.float64), np.dtype(np.float32))

_of_thread = threading.local()


@cache
def _values(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """The function that returns all parameters of an estimator of this class."""
    return attrgetter(*kind._get_param_names())


def _checked(estimator: Any) -> tuple[Any, ...] | None:
    """The estimator's parameters and its network; None if a parameter can be changed in place."""
    values = _values(estimator.__class__)(estimator)
    types = {type(value) for value in values}
    if tuple in types:
        types.remove(tuple)
        types |= {type(one) for value in values if type(value) is tuple for one in value}
    return (*values, estimator.__dict__.get("network_")) if types <= CONSTANT else None


def remember(estimator: Any) -> None:
    """Note that a call of partial_fit has checked the estimator's parameters."""
    estimator._checked = _checked(estimator)


def goes_on(estimator: Any) -> bool:
    """Return whether parameters and network are those that an earlier call has checked."""
    before = estimator.__dict__.get("_checked")
    if before is None:
        return False
    now = _checked(estimator)
    return now is not None and all(map(is_, before, now))


def is_plain(estimator: Any, X: Any, y: Any) -> bool:
    """Return whether X and y are arrays of finite numbers, as a fitted estimator takes them."""
    return (
        type(X) is np.ndarray
        and type(y) is np.ndarray
        and X.dtype in FLOATS
        and X.ndim == 2
        and y.shape == X.shape[:1]
        and len(X) > 0
        and X.shape[1] == estimator.n_features_in_
        and not hasattr(estimator, "feature_names_in_")
        and is_finite(X)
    )


def is_finite(values: np.ndarray[Any, Any]) -> bool:
    """Return whether the sum of values is finite, and so are all of them."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum()))


@contextmanager
def random_numbers(seed: Any) -> Iterator[np.random.RandomState]:
    """Return a context with scikit-learn's random numbers for a `random_state`.

    To make them for an integer takes longer than a step; to seed them anew does not.  They are this
    context's own until it ends.
    """
    if type(seed) is not int:
        yield check_random_state(seed)
        return
    rng = _of_thread.__dict__.pop("rng", None) or np.random.RandomState(seed)
    rng.seed(seed)
    yield rng
    _of_thread.rng = rng
