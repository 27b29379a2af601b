"""What a call of fit did, epoch by epoch, and the error that may end it."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["History", "TrainingDiverged"]


@dataclass
class History:
    """Figures of a call of fit, one entry for each whole epoch.

    Attributes
    ----------
    cost : list of float
        J over the epoch: the mean cost of its examples while the parameters moved, with
        λ/2 Σ W² at its end.
    validation_cost : list of float
        J over the validation data at the epoch's end, without λ; empty without such data.
    validation_accuracy : list of float
        Part of the validation data that is predicted right, 0 to 1; empty without such data and
        for regression.
    learning_rate : list of float
        Rate of the epoch's last step.
    seconds : list of float
        Time that the epoch took, its validation included.
    stopped_by : str
        Why it ended: "epochs" (all done), "cost_below", "max_seconds", "interrupt" (Ctrl-C),
        "divergence", "error", or the class name of the callback that stopped it, as
        "EarlyStopping".  "" while it runs.
    unfinished_batches : int
        Batches of an epoch that was begun and not finished: by Ctrl-C, `max_seconds` or an error.
        The parameters have seen them; 0 after whole epochs and after a divergence.

    Examples
    --------
    >>> history = net.fit(X, y, epochs=3, validation_data=0.1)
    >>> history.epochs, len(history.validation_accuracy), history.stopped_by
    (3, 3, 'epochs')
    """

    cost: list[float] = field(default_factory=list)
    validation_cost: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    stopped_by: str = ""
    unfinished_batches: int = 0

    @property
    def epochs(self) -> int:
        """The number of whole epochs."""
        return len(self.cost)


class TrainingDiverged(FloatingPointError):
    """The cost or a parameter became infinite or NaN in training.

    The network is as it was before that epoch, and its optimizer begins anew.

    Parameters
    ----------
    message : str
        What happened, in words.
    epoch, batch : int
        Where, both counted from 1; attributes too.
    history : History
        The epochs before it; an attribute too.

    Examples
    --------
    >>> net.fit(X, y, optimizer=fastmlp.GradientDescent(1e30))
    Traceback (most recent call last):
        ...
    fastmlp.history.TrainingDiverged: ...
    """

    def __init__(
        self, message: str, epoch: int = 0, batch: int = 0, history: History | None = None
    ) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.batch = batch
        self.history = history if history is not None else History()
