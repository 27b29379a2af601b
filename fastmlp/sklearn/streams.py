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
from sklearn.utils.validation import _check_sample_weight

from ..support import checks
from .samples import Samples

__all__ = ["goes_on", "plain_samples", "random_numbers", "remember"]

CONSTANT = frozenset([int, float, str, bool, type(None)])  # types whose values never change

_of_thread = threading.local()


@cache
def _values(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    """The function that returns all parameters of an estimator of this class."""
    return attrgetter(*kind._get_param_names())


def remember(estimator: Any) -> None:
    """Note the parameters that a call of partial_fit has checked, if none changes in place."""
    values = _values(estimator.__class__)(estimator)
    types = {type(value) for value in values}
    if tuple in types:
        types.remove(tuple)
        types |= {type(one) for value in values if type(value) is tuple for one in value}
    estimator._checked = (*values, estimator.network_) if types <= CONSTANT else None


def goes_on(estimator: Any) -> bool:
    """Return whether parameters and network are those that an earlier call has checked."""
    attributes = estimator.__dict__
    before = attributes.get("_checked")
    if before is None or before[-1] is not attributes.get("network_"):
        return False
    return all(map(is_, before, _values(estimator.__class__)(estimator)))


def plain_samples(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Samples | None:
    """Return the samples of arrays that need no conversion, or None where more is to be checked."""
    dtype = estimator.network_.dtype
    if not (
        type(X) is np.ndarray
        and type(y) is np.ndarray
        and X.ndim == 2
        and y.shape == X.shape[:1]
        and len(X) > 0
        and X.shape[1] == estimator.n_features_in_
        and "feature_names_in_" not in estimator.__dict__
        and checks.ready(X, dtype)
    ):
        return None
    target = estimator._plain_target(y)
    if target is None:
        return None
    if sample_weight is not None:
        sample_weight = _check_sample_weight(sample_weight, X)
    return Samples(X, target, y, sample_weight, is_ready=True)


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
