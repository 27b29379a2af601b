"""Callbacks that log the figures of each epoch for TensorBoard and MLflow.

    net.fit(X, y, validation_data=0.2, callbacks=[fastmlp.tracking.TensorBoard("logs/first")])

Both log what the history has: cost, validation cost and accuracy, learning rate, and the metrics
that other callbacks record.  The step of a figure is the network's number of epochs so far, so that
the curves of later calls of fit continue those of the first.  A callback object is for one network
at a time: the networks of an `Ensemble` need one each.

TensorBoard needs tensorboardX, ``pip install "fastmlp[tensorboard]"``; MLflow needs
``pip install "fastmlp[mlflow]"``.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any

from .callbacks import Callback, Network
from .history import History
from .support import extras

__all__ = ["MLflow", "TensorBoard"]

STATUS = {"interrupt": "KILLED", "divergence": "FAILED", "error": "FAILED"}  # others: FINISHED
NOT_IN_NAMES = re.compile(r"[^\w./-]")  # such as the parentheses in a scorer's text


class TensorBoard(Callback):
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

    _of_one_network = True

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.fspath(folder)
        self._writer: Any = None
        extras.imported("tensorboardX", "tensorboard")

    def on_fit_begin(self, net: Network, history: History) -> None:
        package = extras.imported("tensorboardX", "tensorboard")
        # The name of the file has the second alone, and fits may be shorter than that.
        self._writer = package.SummaryWriter(self.folder, filename_suffix=f".{time.time_ns()}")

    def on_epoch_end(self, net: Network, history: History) -> None:
        for name, value in last_figures(history).items():
            self._writer.add_scalar(name, value, net.epochs)

    def on_fit_end(self, net: Network, history: History) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None


class MLflow(Callback):
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

    _of_one_network = True

    def __init__(self, run_name: str | None = None) -> None:
        self.run_name = run_name
        self._run_id: str | None = None
        self._started = False
        self._mlflow = extras.imported("mlflow", "mlflow")

    def on_fit_begin(self, net: Network, history: History) -> None:
        run = self._mlflow.active_run()
        self._started = run is None
        if self._started:
            run = self._mlflow.start_run(run_name=self.run_name)
            self._mlflow.log_params(
                {
                    "sizes": ",".join(map(str, net.sizes)),
                    "seed": net.seed,
                    "n_parameters": net.n_parameters,
                }
            )
        self._run_id = run.info.run_id

    def on_epoch_end(self, net: Network, history: History) -> None:
        self._mlflow.log_metrics(last_figures(history), step=net.epochs, run_id=self._run_id)

    def on_fit_end(self, net: Network, history: History) -> None:
        if self._started:
            self._mlflow.end_run(STATUS.get(history.stopped_by, "FINISHED"))
            self._started = False


def last_figures(history: History) -> dict[str, float]:
    """Return the figures of the last epoch by name, metrics with "validation_" before theirs."""
    figures = {
        name: values[-1]
        for name in ("cost", "validation_cost", "validation_accuracy", "learning_rate")
        if (values := getattr(history, name))
    }
    for name, values in history.metrics.items():
        figures[NOT_IN_NAMES.sub("_", f"validation_{name}")] = values[-1]
    return figures
