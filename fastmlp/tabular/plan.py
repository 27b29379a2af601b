"""How many networks a model of a table has, and how each of them is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Self

from .parameters import kept, restored

__all__ = ["FEWEST_EPOCHS", "MOST_MEMBERS", "QUALITIES", "NetworkPlan", "Plan", "plan_of"]

TURNS = ("piecewise_linear", "periodic")  # encodings of numbers, from network to network
HIDDEN = (128, 128, 128)
VALIDATION_FRACTION = 0.15  # of the rows, which a network is not trained on
FULL_ROWS = 10_000  # up to so many rows all epochs of a plan are trained
FEWEST_EPOCHS = 8
MOST_MEMBERS = 100_000  # networks, whose plans alone take memory and time
BATCHES_PER_EPOCH = 15  # smaller tables have smaller batches, down to SMALLEST_BATCH
SMALLEST_BATCH, LARGEST_BATCH = 32, 256


@dataclass(frozen=True)
class NetworkPlan:
    """How one network is made and trained."""

    encoding: str  # of numbers: one of columns.ENCODINGS
    hidden: tuple[int, ...]
    activation: str
    dropout: float
    label_smoothing: float
    learning_rate: float  # the highest of the schedule
    weight_decay: float
    batch_size: int
    epochs: int


@dataclass(frozen=True)
class Plan:
    """All networks of a model, each trained without its own validation rows."""

    networks: tuple[NetworkPlan, ...]
    validation_fraction: float

    def to_json(self) -> dict[str, Any]:
        """Return the plan in JSON's types."""
        networks = [
            {name: kept(name, value) for name, value in vars(network).items()}
            for network in self.networks
        ]
        return {"networks": networks, "validation_fraction": self.validation_fraction}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Return the plan that `to_json` described."""
        networks = [
            NetworkPlan(**{name: restored(value) for name, value in network.items()})
            for network in entry["networks"]
        ]
        return cls(tuple(networks), float(entry["validation_fraction"]))


@dataclass(frozen=True)
class Quality:
    """What `quality` stands for."""

    n_members: int
    epochs: int


QUALITIES = {
    "fast": Quality(n_members=2, epochs=28),
    "good": Quality(n_members=4, epochs=96),
    "best": Quality(n_members=24, epochs=96),
}


def plan_of(
    quality: str,
    n_rows: int,
    *,
    n_members: int | None = None,
    overrides: dict[str, Any] | None = None,
) -> Plan:
    """Return the plan for a training set of so many rows.

    The networks take turns: the first sees numbers also by a piecewise-linear code, the second by
    their quantiles and waves of them, and so on.

    Parameters
    ----------
    quality : {"fast", "good", "best"}
        Which of `QUALITIES`.
    n_rows : int
        Rows of the training set.
    n_members : int, optional
        The number of networks, in place of the quality's own.
    overrides : dict, optional
        Fields of `NetworkPlan` that have values of their own.
    """
    chosen = QUALITIES[quality]
    batch_size = SMALLEST_BATCH
    while batch_size < LARGEST_BATCH and 2 * batch_size * BATCHES_PER_EPOCH <= n_rows:
        batch_size *= 2
    epochs = max(FEWEST_EPOCHS, round(chosen.epochs * min(1.0, sqrt(FULL_ROWS / n_rows))))
    network = NetworkPlan(
        encoding=TURNS[0],
        hidden=HIDDEN,
        activation="silu",
        dropout=0.15,
        label_smoothing=0.0,
        learning_rate=5e-3,
        weight_decay=0.05,
        batch_size=batch_size,
        epochs=epochs,
    )
    networks = [
        replace(network, **{"encoding": TURNS[i % len(TURNS)], **(overrides or {})})
        for i in range(chosen.n_members if n_members is None else n_members)
    ]
    return Plan(tuple(networks), VALIDATION_FRACTION)
