"""What a call of fit did, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["History"]


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

    @property
    def epochs(self) -> int:
        """The number of whole epochs."""
        return len(self.cost)
