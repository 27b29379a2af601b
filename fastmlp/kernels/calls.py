"""What one call of `Engine.train` takes and returns.

The engine keeps nothing of these between calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BatchShare", "Batches", "GradientSum", "Progress", "TrainingOptions"]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What is done in each step of training, beside the optimizer's rule."""

    l2: float = 0.0  # λ
    l2_per_weight: bool = False  # λ / Σ s of a batch takes the place of λ
    label_smoothing: float = 0.0
    max_norm: float = 0.0  # 0: none
    clip_norm: float = 0.0  # 0: none
    ema: float = 0.0  # the decay of the average of the parameters; 0: no average
    frozen: tuple[bool, ...] = ()  # for each layer of weights; empty: none is frozen
    rate_multipliers: tuple[float, ...] = ()  # for each layer of weights; empty: all 1
    bias_rate_multipliers: tuple[float, ...] = ()  # likewise, of the biases in addition to it
    l2_multipliers: tuple[float, ...] = ()  # likewise
    frozen_encoding: bool = False  # the parameters of the encodings of columns stay as they are
    encoding_rate_multiplier: float = 1.0  # of these parameters
    scaling_rate_multiplier: float = 1.0  # of the factors of the encoded inputs
    scaling_decay_multiplier: float = 0.0  # of their weight decay
    distortion: Any = None  # the engine's `Distortion` for images, or None
    by_row_hash: bool = False  # random numbers depend on an example's values, not on its place
    max_cost: float = 0.0  # −log of the least probability that a cross-entropy counts; 0: none
    # OUT: Σ s·cost of each batch of the epoch, and Σ W² before its update; None: not wanted
    batch_sums: NDArray[np.float64] | None = field(default=None, compare=False)


class GradientSum(Protocol):
    """Adds up the gradient of a batch that several processes share."""

    def start(self, numbers: NDArray[np.floating[Any]]) -> None:
        """Begin to replace each number by its sum over the processes."""

    def finish(self, count: int) -> None:
        """Wait for the first `count` of the sums that have begun and not been waited for."""

    def add_up(self, numbers: NDArray[np.floating[Any]]) -> None:
        """Replace each number by its sum over the processes."""


class BatchShare(NamedTuple):
    """The part that this process has of each batch; others have the remaining rows."""

    starts: NDArray[np.int64]  # (n_batches + 1,) where in `order` its rows of each batch begin
    places: NDArray[np.int64]  # (n_batches,) the number of rows of the batch before them
    n_rows: NDArray[np.int64]  # (n_batches,) the number of rows of the whole batches
    weights: NDArray[np.float64]  # (n_batches,) Σ s of the whole batches
    gradient_sum: GradientSum
    # 0: the gradient of each batch is added up.  Otherwise each process makes so many updates by
    # its own rows, and then `average` is called with the parameters
    local_steps: int = 0
    # arrays, whether they are finite → whether they are finite in every process: then they have
    # been replaced by their average over the processes
    average: Callable[[list[NDArray[np.floating[Any]]], bool], bool] | None = None


class Batches(NamedTuple):
    """The batches that a call of `train` may run: rows of the data in the order of training."""

    order: NDArray[np.int64]
    batch_size: int
    rates: NDArray[np.float64]  # the learning rate α of each batch
    epoch: int = 0
    before: int = 0  # batches of the epoch before the first of these
    # the weight decay ω of each batch in place of the optimizer's, and factors of every dropout
    # probability; None: the optimizer's, and 1
    weight_decays: NDArray[np.float64] | None = None
    dropout_factors: NDArray[np.float64] | None = None
    # 0: a part of one epoch.  Otherwise so many whole epochs of all rows: `rates`, `weight_decays`
    # and `dropout_factors` are those of all their batches, and so are `batch_sums`
    n_epochs: int = 0
    # of the random order of the rows in each of these epochs, in words of 32 bits with the lowest
    # first; None: `order` has the order of each epoch, one after the other, or one for all
    seed: NDArray[np.uint32] | None = None
    share: BatchShare | None = None  # then `batch_size` is the most rows of a batch here


class Progress(NamedTuple):
    """How far an epoch has come; what one call returns is where the next one goes on."""

    batch: int = 0  # the next batch to run
    cost: float = 0.0  # Σ s·cost over the examples run
    weight: float = 0.0  # Σ s over them
    failed: int | None = None  # the batch at which the cost or a parameter ceased to be finite
    slept: float = 0.0  # seconds that the call's threads slept at barriers
    # of each whole epoch of several: Σ s·cost, Σ s, seconds, and Σ W² of each layer at its end.
    # `failed` is then a batch of the epoch after these, which is undone
    epochs: NDArray[np.float64] | None = None
