"""scikit-learn's own callbacks (`set_callbacks`, ProgressBar, ScoringMonitor)."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.callback import CallbackSupportMixin, with_callbacks

__all__ = ["CallbackSupportMixin", "FitTasks", "with_callbacks"]


class FitTasks:
    """A fit and its epochs as the tasks that scikit-learn reports to its callbacks.

    Parameters
    ----------
    estimator : estimator
        The estimator that is fitted.
    n_epochs : int
        The largest number of epochs.
    data : dict
        X, y and metadata as the user passed them to fit.
    """

    def __init__(self, estimator: Any, n_epochs: int, data: dict[str, Any]) -> None:
        self.estimator = estimator
        self.data = data
        self.epochs_left = n_epochs
        self.has_callbacks = hasattr(estimator, "_skl_callbacks") or hasattr(
            estimator, "_parent_callback_ctx"
        )
        self.epoch: Any = None  # the context of the current epoch
        if self.has_callbacks:
            self.root = estimator._init_callback_context(max_subtasks=n_epochs)
            self.root.call_on_fit_task_begin(estimator=estimator, **data)

    def _reconstruction_attributes(self) -> dict[str, Any]:
        """What a copy of the estimator needs to predict as the estimator does now."""
        return {"network_": copy.deepcopy(self.estimator.network_)}

    def begin_epoch(self) -> None:
        """Report that an epoch begins, if there is another."""
        if self.has_callbacks and self.epochs_left > 0:
            self.epochs_left -= 1
            self.epoch = self.root.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(
                estimator=self.estimator,
                reconstruction_attributes=self._reconstruction_attributes,
                **self.data,
            )

    def end_epoch(self) -> bool:
        """Report that an epoch has ended; return whether a callback stops training."""
        if self.epoch is None:
            return False
        epoch, self.epoch = self.epoch, None
        return bool(
            epoch.call_on_fit_task_end(
                estimator=self.estimator,
                reconstruction_attributes=self._reconstruction_attributes,
                **self.data,
            )
        )

    def end(self) -> None:
        """Report the end of the fit, and of an epoch that has begun and did not run."""
        if self.has_callbacks:
            if self.epoch is not None:
                self.epoch.call_on_fit_task_end(estimator=self.estimator)
            self.root.call_on_fit_task_end(
                estimator=self.estimator,
                reconstruction_attributes=self._reconstruction_attributes,
                **self.data,
            )
