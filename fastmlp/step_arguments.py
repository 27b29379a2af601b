"""What the steps are given, checked: arrays as the kernels read them, losses, activations."""

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
    """The compiled kernels for these arrays: float32's if that holds them all, else float64's."""
    common = np.result_type(np.float32, *(np.asarray(x).dtype for x in arrays))
    return operations("float32" if common == np.float32 else "float64")


def real(kernels: ModuleType, name: str, array: ArrayLike, *shape: int | None) -> Array:
    """The array in the kernels' dtype, C-contiguous; its shape must be this, None being any."""
    given = checks.array(name, array)
    fits = given.ndim == len(shape) and all(
        n in (None, have) for n, have in zip(shape, given.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        found = ", ".join(map(str, given.shape))
        raise ValueError(f"{name} must have shape ({expected}), got ({found})")
    return np.ascontiguousarray(given, kernels.DTYPE)


def weights_of(kernels: ModuleType, s: ArrayLike | None, m: int) -> tuple[Array, float]:
    """s and Σ s, or 1 in its place if that is 0; m ones if there is none."""
    s = np.ones(m, kernels.DTYPE) if s is None else real(kernels, "sample_weight", s, m)
    return s, float(s.sum()) or 1.0


def shares(s: Array, total: float) -> Array:
    """m s_i/Σs: how many of a batch's m examples each one is; 1 if all weights are 0."""
    return len(s) * (s / s.dtype.type(total)) if s.any() else np.ones_like(s)


def loss_and_targets(
    kernels: ModuleType, loss: losses.LossSpec, y: ArrayLike, n_rows: int, n_out: int
) -> tuple[Loss, Array]:
    """The loss, and y as rows (m, n_out): a label's is 1 there and 0 elsewhere."""
    kind = losses.from_spec(loss)
    targets = kind.targets(y, n_rows, n_out, kernels.DTYPE)
    if kind.name == "cross_entropy" and targets.ndim == 1:
        targets = np.eye(n_out, dtype=kernels.DTYPE)[targets]
    return kind, targets


def one_each(name: str, items: Iterable[Item], n: int) -> list[Item]:
    """A list of n items, one for each layer of weights."""
    found = list(items)
    if len(found) != n:
        raise ValueError(f"{name} must be {n}, one for each layer of weights, got {len(found)}")
    return found


def functions_of(activations: Function | Sequence[Function], n: int) -> list[Activation]:
    """One activation for each of n layers."""
    each = [activations] * n if isinstance(activations, (str, Activation)) else activations
    each = one_each("activations", each, n)
    functions = [checks.named("activation", f, table.TABLE, Activation) for f in each]
    if any(f.name == "softmax" for f in functions[:-1]):
        raise ValueError("softmax is an activation of the output layer only")
    return functions


def activate(kernels: ModuleType, z: Array, f: Activation) -> tuple[Array, Array]:
    """f(z) and f'(z)."""
    if isinstance(f, Softmax):  # lives in the kernel of its loss, which wants targets: any will do
        h = kernels.loss(z, np.zeros_like(z), "cross_entropy", constants=f.groups)[0]
        return h, np.full_like(h, np.nan)  # f' is no elementwise function, and never needed
    both: tuple[Array, Array] = kernels.activate(z, f.name, f.parameter)
    return both
