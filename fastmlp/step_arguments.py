"""Checks of the arguments of the seven steps: arrays, losses and activations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import activations as table
from . import losses
from .activations import Activation, Softmax
from .kernels import operations
from .losses import Loss
from .support import checks

Array = NDArray[np.floating[Any]]
Function = str | Activation
Item = TypeVar("Item")


def kernels_for(*arrays: ArrayLike) -> ModuleType:
    """Return the kernels for float32 if no array needs another dtype, else those for float64.

    What is no array of numbers does not count: `real` then names it.
    """
    dtypes = [_real_dtype(x) for x in arrays]
    return operations("float32" if np.result_type(*dtypes) == np.float32 else "float64")


def _real_dtype(array: ArrayLike) -> np.dtype[Any]:
    """Return the dtype of real numbers, and float32 of anything else."""
    try:
        dtype = np.asarray(array).dtype
    except ValueError:  # rows of different lengths
        return np.dtype(np.float32)
    return np.result_type(np.float32, dtype if dtype.kind in "buif" else np.float32)


def real(kernels: ModuleType, name: str, array: ArrayLike, *shape: int | None) -> Array:
    """Return the array in the kernels' dtype and in C order.

    It must have this shape, in which None stands for any size.
    """
    found = checks.array(name, array)
    fits = found.ndim == len(shape) and all(
        n in (None, size) for n, size in zip(shape, found.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        sizes = ", ".join(map(str, found.shape))
        raise ValueError(f"{name} must have shape ({expected}), got ({sizes})")
    return np.ascontiguousarray(found, kernels.DTYPE)


def weights_of(kernels: ModuleType, s: ArrayLike | None, m: int) -> tuple[Array, float]:
    """Return s, by default m ones, and Σ s; 1 instead of the sum if it is 0."""
    s = np.ones(m, kernels.DTYPE) if s is None else real(kernels, "sample_weight", s, m)
    return s, float(s.sum()) or 1.0


def relative_weights(s: Array, total: float) -> Array:
    """Return m s_i/Σ s, the weights of m examples with mean 1; ones if all weights are 0."""
    return len(s) * (s / s.dtype.type(total)) if s.any() else np.ones_like(s)


def loss_and_targets(
    kernels: ModuleType, loss: losses.LossSpec, y: ArrayLike, n_rows: int, n_out: int
) -> tuple[Loss, Array]:
    """Return the loss, and the targets as rows; the row of a label is 1 there and 0 elsewhere."""
    kind = losses.from_spec(loss)
    kind.check_outputs(n_out)
    targets = kind.targets(y, n_rows, n_out, kernels.DTYPE)
    if kind.name == "cross_entropy" and targets.ndim == 1:
        targets = (targets[:, np.newaxis] == np.arange(n_out)).astype(kernels.DTYPE)
    return kind, targets


def one_each(name: str, items: Iterable[Item], n: int) -> list[Item]:
    """Return a list of n items, one for each layer of weights."""
    found = checks.items(name, items)
    if len(found) != n:
        raise ValueError(
            f"{name} must have {n} {'entry' if n == 1 else 'entries'}, one for each layer of "
            f"weights, got {len(found)}"
        )
    return found


def pairs(
    name: str, given: Iterable[tuple[ArrayLike, ArrayLike]]
) -> list[tuple[ArrayLike, ArrayLike]]:
    """Return two arrays of each layer of weights: of W and of b."""
    found = []
    for i, one in enumerate(checks.items(name, given)):
        of_W, of_b = checks.items(f"{name}[{i}]", one, 2)
        found.append((of_W, of_b))
    return found


def functions_of(activations: Function | Sequence[Function], n: int) -> list[Activation]:
    """Return the activation functions of n layers, from one for all layers or one for each."""
    each = [activations] * n if isinstance(activations, (str, Activation)) else activations
    each = one_each("activations", each, n)
    functions = [checks.named("activation", f, table.TABLE, Activation) for f in each]
    if any(f.name == "softmax" for f in functions[:-1]):
        raise ValueError("softmax is an activation of the output layer only")
    return functions


def activate(kernels: ModuleType, z: Array, f: Activation) -> tuple[Array, Array]:
    """Return f(z) and f'(z)."""
    if isinstance(f, Softmax):  # computed by the kernel of the cross-entropy, for any targets
        if f.groups and sum(f.groups) != z.shape[1]:
            raise ValueError(
                f"groups {f.groups} of softmax take {sum(f.groups)} outputs together, but z has "
                f"{z.shape[1]}"
            )
        h = kernels.loss(z, np.zeros_like(z), "cross_entropy", constants=f.groups)[0]
        return h, np.full_like(h, np.nan)  # softmax is not elementwise; no step needs f'
    both: tuple[Array, Array] = kernels.activate(z, f.name, f.parameter)
    return both
