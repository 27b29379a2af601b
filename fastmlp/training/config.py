"""The options of a call of fit, checked and frozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import optimizers
from ..augment import Distortion
from ..kernels.calls import TrainingOptions
from ..model.spec import NetworkSpec
from ..optimizers import Optimizer
from ..support import checks
from ..support.text import shown

if TYPE_CHECKING:  # imported when something is trained
    from ..data.parquet import ParquetFolder
    from ..schedules import Schedule

__all__ = ["FitConfig", "FitOptions"]


# one factor for all layers of weights, or one for each
Multipliers: TypeAlias = float | Sequence[float] | NDArray[Any] | None


class FitOptions(TypedDict, total=False):
    """The keywords of `MLP.fit` that an ensemble's fit and experiments pass on to it."""

    epochs: int
    batch_size: int
    optimizer: str | Optimizer
    l2: float
    validation_data: tuple[checks.Examples, ArrayLike] | ParquetFolder | float | None
    sample_weight: ArrayLike | None
    cost_below: float | None
    max_seconds: float | None
    shuffle: bool | Callable[[int], ArrayLike]
    label_smoothing: float
    max_norm: float | None
    clip_norm: float | None
    ema: float | None
    dropout_schedule: Schedule | None
    rate_multipliers: Multipliers
    l2_multipliers: Multipliers
    bias_rate_multipliers: Multipliers
    encoding_rate_multiplier: float
    scaling_rate_multiplier: float
    scaling_decay_multiplier: float
    augment: Distortion | None
    reset_optimizer: bool


@dataclass(frozen=True)
class FitConfig:
    """What a call of fit does, apart from examples and callbacks."""

    epochs: int
    batch_size: int
    optimizer: Optimizer
    reset_optimizer: bool
    shuffle: bool | Callable[[int], ArrayLike]
    step: TrainingOptions  # what the engine does in each step
    dropout_schedule: Schedule | None  # of the factor of every dropout probability
    cost_below: float  # −∞: train all epochs
    max_seconds: float  # ∞: no limit
    n_threads: int | None

    @classmethod
    def checked(
        cls,
        spec: NetworkSpec,
        *,
        epochs: int = 15,
        batch_size: int = 100,
        optimizer: str | Optimizer = "adam",
        l2: float = 0.0,
        cost_below: float | None = None,
        max_seconds: float | None = None,
        shuffle: bool | Callable[[int], ArrayLike] = True,
        label_smoothing: float = 0.0,
        max_norm: float | None = None,
        clip_norm: float | None = None,
        ema: float | None = None,
        dropout_schedule: Schedule | None = None,
        rate_multipliers: Multipliers = None,
        l2_multipliers: Multipliers = None,
        bias_rate_multipliers: Multipliers = None,
        encoding_rate_multiplier: float = 1.0,
        scaling_rate_multiplier: float = 1.0,
        scaling_decay_multiplier: float = 0.0,
        augment: Distortion | None = None,
        n_threads: int | None = None,
        reset_optimizer: bool = False,
        l2_per_weight: bool = False,
        by_row_hash: bool = False,
        max_cost: float = 0.0,
        batch_sums: NDArray[np.float64] | None = None,
    ) -> Self:
        """Return the options of `MLP.fit` for a network of this description, each checked.

        Four more are for estimators: `l2_per_weight` divides λ by the sum of the sample weights of
        a batch; with `by_row_hash` the random numbers of an example's dropout depend on its values
        instead of on its place; no −log of a probability counts as more than `max_cost` > 0 in the
        cost; and `batch_sums` (n_batches, 2) receives Σ s·cost of each batch of an epoch and Σ W²
        before its update.
        """
        epochs = checks.whole("epochs", epochs)
        batch_size = checks.whole("batch_size", batch_size)
        label_smoothing = checks.number(
            "label_smoothing", label_smoothing, "[0, 1)", dtype=spec.dtype
        )
        if label_smoothing > 0 and not spec.loss.classification:
            raise ValueError(
                f"label_smoothing is for classification; the network's loss is {spec.loss.name}"
            )
        checked_optimizer = checks.named("optimizer", optimizer, optimizers.TABLE, Optimizer)
        with checks.within("optimizer"):
            checked_optimizer.check(spec.dtype)

        def factor(name: str, value: object) -> float:
            return checks.number(name, value, "[0, inf)", dtype=spec.dtype)

        def factors(name: str, values: Multipliers) -> tuple[float, ...]:
            """Return one for each layer of weights; empty for all 1."""
            if values is None:
                return ()
            return checks.each(name, values, spec.n_layers, factor, "layers of weights")

        step = TrainingOptions(
            l2=factor("l2", l2),
            l2_per_weight=l2_per_weight,
            label_smoothing=label_smoothing,
            max_norm=_limit("max_norm", max_norm, spec.dtype),
            clip_norm=_limit("clip_norm", clip_norm, spec.dtype),
            ema=0.0 if ema is None else checks.number("ema", ema, "(0, 1)", dtype=spec.dtype),
            rate_multipliers=factors("rate_multipliers", rate_multipliers),
            bias_rate_multipliers=factors("bias_rate_multipliers", bias_rate_multipliers),
            l2_multipliers=factors("l2_multipliers", l2_multipliers),
            encoding_rate_multiplier=factor("encoding_rate_multiplier", encoding_rate_multiplier),
            scaling_rate_multiplier=factor("scaling_rate_multiplier", scaling_rate_multiplier),
            scaling_decay_multiplier=factor("scaling_decay_multiplier", scaling_decay_multiplier),
            distortion=_distortion(spec, augment),
            by_row_hash=by_row_hash,
            max_cost=max_cost,
            batch_sums=batch_sums,
        )
        return cls(
            epochs=epochs,
            batch_size=batch_size,
            optimizer=checked_optimizer,
            reset_optimizer=checks.flag("reset_optimizer", reset_optimizer),
            shuffle=shuffle if callable(shuffle) else checks.flag(
                "shuffle", shuffle, " or a function of the number of examples"
            ),
            step=step,
            dropout_schedule=_dropout_schedule(dropout_schedule),
            cost_below=-inf if cost_below is None else checks.number("cost_below", cost_below),
            max_seconds=_limit("max_seconds", max_seconds) or inf,
            n_threads=None if n_threads is None else checks.whole("n_threads", n_threads),
        )


def _limit(name: str, value: float | None, dtype: np.dtype[Any] | None = None) -> float:
    """Return a limit > 0, or 0 for none."""
    return 0.0 if value is None else checks.number(name, value, "(0, inf)", dtype=dtype)


def _dropout_schedule(schedule: Schedule | None) -> Schedule | None:
    if schedule is None:
        return None
    from ..schedules import Schedule

    if not isinstance(schedule, Schedule):
        raise TypeError(
            f"dropout_schedule must be a schedule such as fastmlp.schedules.FlatCosine(1), got "
            f"{shown(schedule)}"
        )
    return schedule


def _distortion(spec: NetworkSpec, augment: Distortion | None) -> object:
    """The distortion as the engine takes it."""
    if augment is None:
        return None
    if not isinstance(augment, Distortion):
        raise TypeError(f"augment must be a fastmlp.augment.Distortion, got {shown(augment)}")
    if spec.encodings:
        raise ValueError("augment distorts images; the network's columns have encodings")
    if augment.gentle_classes and spec.loss.groups:
        raise ValueError("gentle_classes are of one class an image; the network's loss has groups")
    with checks.within("augment"):
        return augment.for_engine(spec.sizes[0], spec.dtype.name)
