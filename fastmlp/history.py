"""The record of a call of fit, epoch by epoch, and the error that a fit may end with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape

__all__ = ["History", "TrainingDiverged", "best_epoch", "recorded"]

# why training ended, in words, by `History.stopped_by`
REASONS = {
    "": "in training",
    "epochs": "all epochs done",
    "cost_below": "ended because the cost fell below cost_below",
    "max_seconds": "ended by max_seconds",
    "interrupt": "interrupted by Ctrl-C",
    "stopped": "stopped because another network of the same call failed",
    "divergence": "ended because the cost or a parameter became infinite or NaN",
    "error": "ended by an error",
}


@dataclass
class History:
    """Record of a call of `MLP.fit`: one entry of each list for each whole epoch.

    Attributes
    ----------
    cost : list of float
        J over the epoch: the mean cost of its examples, each computed when its batch came, plus
        λ/2 Σ W² at the end of the epoch.
    validation_cost : list of float
        J over the validation data at the end of the epoch, without λ; empty without such data.
    validation_accuracy : list of float
        Fraction of the validation data that is classified correctly, from 0 to 1; empty without
        such data and for regression.
    learning_rate : list of float
        Learning rate of the last step of the epoch.
    seconds : list of float
        Duration of the epoch, validation included.
    metrics : dict of list of float
        Further figures of the validation data, by name, which callbacks record: one for each epoch.
        The networks of `fastmlp.tabular` have there the metric that their best epoch is chosen by,
        those of `fastmlp.sklearn` the "loss" of the validation set and, with early stopping, its
        "score".
    stopped_by : str
        Why training ended: "epochs" (all done), "cost_below", "max_seconds", "interrupt" (Ctrl-C),
        "divergence", "error", "stopped" (another network of `Ensemble.fit` failed), or the class
        name of the callback that stopped it, such as
        "EarlyStopping".  "" during training.
    unfinished_batches : int
        Number of batches of an epoch that was begun but not finished, because of Ctrl-C,
        `max_seconds` or an error; the parameters include their updates.  0 after whole epochs and
        after a divergence.

    See Also
    --------
    fastmlp.plotting.history : Plot it.

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
    metrics: dict[str, list[float]] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        """The number of whole epochs."""
        return len(self.cost)

    def __repr__(self) -> str:
        last = "".join(f"{name}={one[-1]:.4g}, " for name, one in recorded(self).items())
        return (
            f"History(epochs={self.epochs}, {last}seconds={sum(self.seconds):.3g}, "
            f"stopped_by={self.stopped_by!r})"
        )

    def _repr_html_(self) -> str:
        """Return the last and the best figures as a table, for notebooks."""
        head = "".join(f"<th>{text}</th>" for text in ("", "last epoch", "best", "best epoch"))
        body = "".join(
            f"<tr><th>{name}</th>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
            for name, *cells in self._figures()
        )
        table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>" if body else ""
        return f"<table><caption>{escape(self._ending())}</caption>{table}</table>"

    def _figures(self) -> Iterator[tuple[str, str, str, str]]:
        """Yield a name, its last value, its best value and the epoch of that."""
        for name, values in recorded(self).items():
            accuracy = name == "validation_accuracy"
            best = best_epoch(values, greatest=accuracy)
            form = "{:.2%}" if accuracy else "{:.4g}"
            last, least = form.format(values[-1]), form.format(values[best - 1])
            yield name.replace("_", " "), last, least, str(best)
        if self.learning_rate:
            yield "learning rate", f"{self.learning_rate[-1]:.4g}", "", ""

    def _ending(self) -> str:
        """Say how long training took and why it ended."""
        reason = REASONS.get(self.stopped_by, f"ended by {self.stopped_by}")
        text = f"{self.epochs} epoch{'' if self.epochs == 1 else 's'}"
        text += f" in {sum(self.seconds):.3g} s; {reason}"
        if self.unfinished_batches:
            text += f"; {self.unfinished_batches} batches of an unfinished epoch"
        return text


def recorded(history: History, *further: str) -> dict[str, list[float]]:
    """Return the lists of figures that a history has, by name; `further` are other lists of it."""
    names = ("cost", "validation_cost", "validation_accuracy", *further)
    return {name: values for name in names if (values := getattr(history, name))}


def best_epoch(values: Sequence[float], greatest: bool) -> int:
    """Return the first epoch with the best value of a figure, counted from 1.

    Parameters
    ----------
    values : sequence of float
        One for each epoch, at least one.
    greatest : bool
        Whether the greatest value is the best, as of a score, or the least, as of a cost.

    Returns
    -------
    int
        The epoch; NaN is the worst of all values.
    """
    losses = [math.inf if math.isnan(one) else -one if greatest else one for one in values]
    return losses.index(min(losses)) + 1


class TrainingDiverged(FloatingPointError):
    """Raised when the cost or a parameter becomes infinite or NaN in training.

    The network has the parameters that it had before that epoch, and a new optimizer state.

    Parameters
    ----------
    message : str
        What happened and what may help.
    epoch, batch : int, default 0
        The epoch and the batch in which it happened, both counted from 1.
    history : History, optional
        The history of the fit, up to the epoch before.  Default: an empty one.

    Attributes
    ----------
    epoch, batch, history
        The arguments.

    See Also
    --------
    MLP.fit : Raises it.

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
