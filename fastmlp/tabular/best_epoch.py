"""The best epoch of a network by the metric on its validation rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..callbacks import Callback
from ..history import History, TrainingDiverged
from ..network import MLP
from .metrics import Metric

__all__ = ["BestEpoch", "finite_outputs"]


class BestEpoch(Callback):
    """Evaluates the network after each epoch and keeps the parameters of the best one.

    Of epochs that are equally good the last counts.  The metric is recorded in the history.
    """

    def __init__(
        self, loss_of: Callable[[MLP], float], patience: int | None, metric: Metric
    ) -> None:
        self.loss_of, self.patience, self.metric = loss_of, patience, metric
        self.loss, self.epoch = math.inf, 0
        self.snapshot: Any = None

    def on_epoch_end(self, net: MLP, history: History) -> bool:
        """Evaluate; stop after `patience` epochs that were not better."""
        loss = self.loss_of(net)
        value = -loss if self.metric.greater_is_better else loss
        history.metrics.setdefault(self.metric.name, []).append(value)
        if loss <= self.loss or self.snapshot is None:
            self.loss, self.epoch, self.snapshot = loss, history.epochs, net.snapshot()
        return self.patience is not None and history.epochs - self.epoch >= self.patience

    def on_fit_end(self, net: MLP, history: History) -> None:
        """Go back to the best epoch."""
        if self.snapshot is not None:
            net.restore(self.snapshot)


@contextmanager
def finite_outputs(net: MLP) -> Iterator[None]:
    """Let outputs that are not finite, from which nothing can be scored, count as divergence."""
    try:
        yield
    except TrainingDiverged:
        raise
    except FloatingPointError:
        raise TrainingDiverged(
            f"the outputs for the validation rows are not finite after epoch {net.history.epochs}: "
            f"choose a lower learning_rate",
            history=net.history,
        ) from None
