"""scikit-learn's own callbacks (`set_callbacks`, ProgressBar, ScoringMonitor)."""

from __future__ import annotations

import copy
from typing import Any

from sklearn.callback import CallbackSupportMixin, with_callbacks

__all__ = ["CallbackSupportMixin", "Tasks", "with_callbacks"]


class Tasks:
    """A fit and its epochs as the tasks that scikit-learn tells its callbacks of.

    Parameters
    ----------
    estimator : estimator
        Whose fit it is.
    n_epochs : int
        Epochs at most.
    data : dict
        X, y and metadata of the fit as the user gave them.
    """

    def __init__(self, estimator: Any, n_epochs: int, data: dict[str, Any]) -> None:
        self.estimator = estimator
        self.data = data
        self.left = n_epochs
        self.wanted = hasattr(estimator, "_skl_callbacks") or hasattr(
            estimator, "_parent_callback_ctx"
        )
        self.epoch: Any = None  # the context of the one under way
        if self.wanted:
            self.root = estimator._init_callback_context(max_subtasks=n_epochs)
            self.root.call_on_fit_task_begin(estimator=estimator, **data)

    def _state(self) -> dict[str, Any]:
        """What makes a copy of the estimator predict as it does now."""
        return {"network_": copy.deepcopy(self.estimator.network_)}

    def begin_epoch(self) -> None:
        """An epoch is about to run."""
        if self.wanted and self.left > 0:
            self.left -= 1
            self.epoch = self.root.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(
                estimator=self.estimator, reconstruction_attributes=self._state, **self.data
            )

    def end_epoch(self) -> bool:
        """An epoch has run; whether a callback wants to stop."""
        if self.epoch is None:
            return False
        epoch, self.epoch = self.epoch, None
        return bool(
            epoch.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=self._state, **self.data
            )
        )

    def end(self) -> None:
        """The fit is over; an epoch that was begun and not run ends empty."""
        if self.wanted:
            if self.epoch is not None:
                self.epoch.call_on_fit_task_end(estimator=self.estimator)
            self.root.call_on_fit_task_end(
                estimator=self.estimator, reconstruction_attributes=self._state, **self.data
            )
