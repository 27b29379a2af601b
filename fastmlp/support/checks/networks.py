"""Checks of a network's description, its parameters, and the batches and rates of training."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..text import shown
from .arrays import Array, arrays
from .choices import items
from .scalars import whole

MAX_UNITS = 2**31 - 1
MAX_WEIGHTS = sys.maxsize // 8  # of 8 bytes each
LARGEST = {np.dtype(kind): float(np.finfo(kind).max) for kind in (np.float32, np.float64)}


def no_network(name: str, value: object) -> TypeError:
    """Return the error for something in place of a network, with how the network is found."""
    remedies = {
        "network_": "; pass its network_",  # of the estimators of fastmlp.sklearn
        "networks_": "; its networks are in networks_",  # of fastmlp.tabular
        "coefs_": "; fastmlp.export.from_sklearn makes one of it",
        "hidden_layer_sizes": "; fit it first",
        "__fspath__": "; fastmlp.load reads a file",
    }
    remedy = remedies["__fspath__"] if isinstance(value, str) else ""
    if not isinstance(value, type):
        remedy = next((text for one, text in remedies.items() if hasattr(value, one)), remedy)
    return TypeError(f"{name} must be an MLP, got {shown(value)}{remedy}")


def sizes(value: object) -> tuple[int, ...]:
    """Return the numbers of units: input, hidden layers, output.

    Column numbers have 32 bits, and the weights must be addressable.
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"sizes must be a sequence such as (784, 256, 10), got {shown(value)}")
    found = tuple(
        whole(f"sizes[{i}]", size, most=MAX_UNITS) for i, size in enumerate(items("sizes", value))
    )
    if len(found) < 2:
        raise ValueError(f"sizes needs at least an input and an output size, got {found}")
    n_weights = sum(n_in * n_out for n_in, n_out in pairwise(found))
    if n_weights > MAX_WEIGHTS:
        raise ValueError(
            f"sizes {found} need {n_weights} weights, more than memory can be addressed for, "
            f"{MAX_WEIGHTS}; use smaller layers"
        )
    return found


def real_dtype(value: DTypeLike) -> np.dtype[Any]:
    """Return float32 or float64."""
    try:
        dtype = np.dtype(value)
    except (TypeError, ValueError):
        dtype = np.dtype(object)
    if value is None or dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {shown(value)}")
    return dtype


def seed(value: object) -> int:
    """Return a seed ≥ 0; for None a random seed from the operating system."""
    if value is None:
        return int(np.random.SeedSequence().entropy)  # type: ignore[arg-type]
    return whole("seed", value, least=0, most=inf)


def layer_numbers(value: object, count: int) -> tuple[int, ...]:
    """Return indices of layers, from 0, without duplicates and in ascending order."""
    given = value if isinstance(value, (list, tuple, range, set, frozenset)) else [value]
    otherwise = ' or "encoding"'
    found = {whole("layers", one, least=-sys.maxsize, otherwise=otherwise) for one in given}
    for one in found:
        if not 0 <= one < count:
            raise ValueError(
                f"layers has {one}, but the network's {count} layers of weights are 0 … {count - 1}"
            )
    return tuple(sorted(found))


def parameters(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    sizes: tuple[int, ...],
    dtype: np.dtype[Any],
) -> list[tuple[Array, Array]]:
    """Return (weight, bias) of each layer in the network's dtype."""
    shapes = [(n_out, n_in) for n_in, n_out in pairwise(sizes)]
    return list(
        zip(
            arrays("weights", weights, shapes, dtype),
            arrays("biases", biases, [(n_out,) for n_out in sizes[1:]], dtype),
            strict=True,
        )
    )


def scales(
    value: Sequence[ArrayLike | None] | None,
    sizes: tuple[int, ...],
    batch_norm: Sequence[bool],
    dtype: np.dtype[Any],
) -> list[Array | None]:
    """Return γ (n_out,) of each normalized layer and None for other layers; for None all None."""
    if value is None:
        return [None] * (len(sizes) - 1)
    given = items("scales", value)
    if len(given) != len(sizes) - 1:
        raise ValueError(f"scales has {len(given)} entries for {len(sizes) - 1} layers")
    found: list[Array | None] = []
    for l, (one, normalized) in enumerate(zip(given, (*batch_norm, False), strict=True)):
        if one is None:
            found.append(None)
        elif normalized:
            found += arrays(f"scales[{l}]", [one], [(sizes[l + 1],)], dtype)
        else:
            raise ValueError(f"scales[{l}] must be None: layer {l} has no batch norm")
    return found


def normal_batches(batch_norm: Sequence[bool], n_rows: int, batch_size: int) -> None:
    """Refuse batches of one example where layers are normalized by their batch."""
    if any(batch_norm) and (batch_size == 1 or n_rows % batch_size == 1):
        raise ValueError(
            f"batch norm needs at least 2 examples in each batch; {n_rows} examples in batches of "
            f"{batch_size} leave one alone: choose another batch_size"
        )


def rates(
    found: Array, n_steps: int, dtype: np.dtype[Any], of: str = ""
) -> NDArray[np.float64]:
    """Return the rates of a schedule, perhaps a user's own, for each step of an epoch.

    They are learning rates, or what messages call `of`.
    """
    found = _of_each_step(found, n_steps, of)
    greatest = float(found.max(initial=0.0))
    if not 0 <= found.min(initial=0.0) <= greatest < np.inf:  # false for NaN too
        raise ValueError(f"the schedule{of} returned a rate that is negative, infinite or NaN")
    if greatest > LARGEST[dtype]:
        raise ValueError(
            f"the schedule{of} returned the rate {greatest:g}, which is inf in a {dtype} network"
        )
    return found


def factors(found: Array, n_steps: int, of: str) -> NDArray[np.float64]:
    """Return the factors in [0, 1] of a schedule for each step of an epoch."""
    found = _of_each_step(found, n_steps, of)
    outside = found[~((found >= 0) & (found <= 1))]  # NaN too
    if len(outside):
        raise ValueError(f"the schedule{of} returned {outside[0]:g}; expected numbers in [0, 1]")
    return found


def _of_each_step(found: Array, n_steps: int, of: str) -> NDArray[np.float64]:
    found = np.asarray(found, np.float64).view()  # whose shape is nobody else's
    if found.shape != (n_steps,):
        raise ValueError(
            f"the schedule{of} returned shape {found.shape} for {n_steps} steps; expected "
            f"({n_steps},)"
        )
    return np.ascontiguousarray(found)
