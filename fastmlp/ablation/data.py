"""What a study needs of its data: how a variant is trained on them, and how well it did."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import Any, NamedTuple, Protocol

from ..training import Stop

__all__ = ["Figures", "Metric", "StudyData"]

DIGITS = 4  # significant ones of a metric without a unit


@dataclass(frozen=True)
class Metric:
    """The metric by which a study compares variants.

    Attributes
    ----------
    name : str
        Its name in files, such as "accuracy" or "rmse".
    title : str
        Its name in sentences, such as "accuracy" or "RMSE".
    greater_is_better : bool
        Its direction.
    unit : {"", "%"}
        "%" for a fraction from 0 to 1 that is shown as a percentage.
    """

    name: str
    title: str
    greater_is_better: bool
    unit: str = ""

    @property
    def scale(self) -> float:
        """The factor from a value to what is shown of it."""
        return 100.0 if self.unit == "%" else 1.0

    def decimals(self, typical: float | None) -> int:
        """Return with how many decimals values are shown that are about as large as `typical`."""
        if self.unit == "%":
            return 2
        exponent = floor(log10(abs(typical))) if typical else 0
        return max(0, DIGITS - 1 - exponent)


class Figures(NamedTuple):
    """What is recorded of a run."""

    score: float | None  # the metric on the test examples; None if training diverged
    validation_score: float | None  # on validation examples, if there are any
    cost: float | None  # J over the last epoch of training; None if training diverged
    epochs: int  # whole ones


class StudyData(Protocol):
    """The data of a study.

    `description` identifies them in JSON's types, and `about` is half a sentence on how they are
    divided.
    """

    @property
    def description(self) -> dict[str, Any]: ...

    @property
    def about(self) -> str: ...

    @property
    def metric(self) -> Metric: ...

    def check(self, settings: Any) -> None:
        """Raise ValueError for settings that do not fit the data."""

    def train(self, settings: Any, seed: int, stop: Stop) -> Any | None:
        """Return a trained model, or None if `stop` ended its training.

        With the same seed all settings have the same examples for training and testing.
        """

    def figures(self, model: Any, seed: int) -> Figures:
        """Return the figures of a model that `train` returned for this seed."""
