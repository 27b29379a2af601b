"""Callbacks that log the figures of each epoch for TensorBoard and MLflow.

    net.fit(X, y, validation_data=0.2, callbacks=[fastmlp.tracking.TensorBoard("logs/first")])

Both log what the history has: cost, validation cost and accuracy, learning rate, and the metrics
that other callbacks record, wherever these stand in the list; a metric that is recorded in some
epochs only is logged in these.  The step of a figure is the network's number of epochs so far, so
that the curves of later calls of fit continue those of the first.  A callback object is for one
network at a time: the networks of an `Ensemble` need one each.

TensorBoard needs tensorboardX, ``pip install "fastmlp[tensorboard]"``; MLflow needs
``pip install "fastmlp[mlflow]"``.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any

from .callbacks import Callback, Network
from .history import History, recorded
from .support import extras
from .support.keywords import WithKeywords
from .support.paths import as_text

__all__ = ["MLflow", "TensorBoard"]

STATUS = {  # others: FINISHED
    "interrupt": "KILLED", "stopped": "KILLED", "divergence": "FAILED", "error": "FAILED",
}  # fmt: skip
NOT_IN_NAMES = re.compile(r"[^\w./-]")  # such as the parentheses in a scorer's text


class Tracker(WithKeywords, Callback):
    """Base class of callbacks that log each figure of the history once."""

    _of_one_network = True
    _after_others = True

    def __init__(self) -> None:
        self._epochs_before = 0
        self._logged: dict[str, int] = {}  # the length of each figure's list when it was logged

    def log(self, figures: dict[str, float], step: int) -> None:
        """Log figures by name.

        Parameters
        ----------
        figures : dict of str to float
            The figures, at least one.
        step : int
            The network's number of epochs.
        """
        raise NotImplementedError

    def on_fit_begin(self, net: Network, history: History) -> None:
        self._epochs_before, self._logged = net.epochs, {}

    def on_epoch_end(self, net: Network, history: History) -> None:
        self._log_new(history)

    def on_fit_end(self, net: Network, history: History) -> None:
        self._log_new(history)  # those of an epoch at whose end another callback failed

    def _log_new(self, history: History) -> None:
        """Log the figures that have a value since they were logged last."""
        by_name = figures_of(history)
        new = {
            name: values[-1]
            for name, values in by_name.items()
            if len(values) > self._logged.get(name, 0)
        }
        self._logged = {name: len(values) for name, values in by_name.items()}
        if new:
            self.log(new, self._epochs_before + history.epochs)


class TensorBoard(Tracker):
    """Log the figures of each epoch to a folder that TensorBoard reads.

    Parameters
    ----------
    folder : path-like
        The folder of the run, created if it does not exist.  TensorBoard shows each subfolder of
        its ``--logdir`` as a run.

    Raises
    ------
    ImportError
        If tensorboardX is not installed.

    See Also
    --------
    MLflow : The same for MLflow.

    Examples
    --------
    >>> net = fastmlp.MLP((64, 100, 10))
    >>> logs = fastmlp.tracking.TensorBoard("logs/first")
    >>> history = net.fit(X, y, epochs=3, validation_data=0.2, callbacks=[logs])

    The curves are shown by ``tensorboard --logdir logs``.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        self.folder = as_text(folder, "folder")
        self._writer: Any = None
        extras.imported("tensorboardX", "tensorboard")

    def on_fit_begin(self, net: Network, history: History) -> None:
        super().on_fit_begin(net, history)
        package = extras.imported("tensorboardX", "tensorboard")
        # The name of the file has the second alone, and fits may be shorter than that.
        self._writer = package.SummaryWriter(self.folder, filename_suffix=f".{time.time_ns()}")

    def log(self, figures: dict[str, float], step: int) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def on_fit_end(self, net: Network, history: History) -> None:
        if self._writer is None:
            return
        try:
            super().on_fit_end(net, history)
        finally:
            self._writer.close()
            self._writer = None


class MLflow(Tracker):
    """Log the figures of each epoch to MLflow.

    They go to the active run of the thread in which the network is trained.  If there is none, each
    fit is a run of its own, which ends with the fit and has sizes, seed and number of parameters of
    the network as its parameters.

    Parameters
    ----------
    run_name : str, optional
        Name of a run that the callback starts.  Default: MLflow invents one.

    Raises
    ------
    ImportError
        If MLflow is not installed.

    See Also
    --------
    TensorBoard : The same for TensorBoard.

    Notes
    -----
    The server and the experiment are those of ``mlflow.set_tracking_uri`` and
    ``mlflow.set_experiment``, or of MLflow's environment variables.
    """

    def __init__(self, run_name: str | None = None) -> None:
        super().__init__()
        if run_name is not None and not isinstance(run_name, str):
            raise TypeError(f"run_name must be text or None, got {run_name!r}")
        self.run_name = run_name
        self._run_id: str | None = None
        self._started = False
        extras.imported("mlflow", "mlflow")

    def on_fit_begin(self, net: Network, history: History) -> None:
        super().on_fit_begin(net, history)
        mlflow = extras.imported("mlflow", "mlflow")
        run = mlflow.active_run()
        self._started = run is None
        if self._started:
            run = mlflow.start_run(run_name=self.run_name)
            mlflow.log_params(
                {
                    "sizes": ",".join(map(str, net.sizes)),
                    "seed": net.seed,
                    "n_parameters": net.n_parameters,
                }
            )
        self._run_id = run.info.run_id

    def log(self, figures: dict[str, float], step: int) -> None:
        mlflow = extras.imported("mlflow", "mlflow")
        mlflow.log_metrics(figures, step=step, run_id=self._run_id)

    def on_fit_end(self, net: Network, history: History) -> None:
        try:
            if self._run_id is not None:
                super().on_fit_end(net, history)
        finally:
            self._run_id = None
            if self._started:
                self._started = False
                mlflow = extras.imported("mlflow", "mlflow")
                mlflow.end_run(STATUS.get(history.stopped_by, "FINISHED"))


def figures_of(history: History) -> dict[str, list[float]]:
    """Return the figures of each epoch by name, metrics with "validation_" before theirs."""
    figures = recorded(history, "learning_rate")
    for metric, values in history.metrics.items():
        name = NOT_IN_NAMES.sub("_", f"validation_{metric}")
        while name in figures:  # such as a metric called "cost"
            name += "_"
        figures[name] = values
    return figures
