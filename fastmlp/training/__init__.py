"""Training: the checked options of a fit, the loop over epochs, evaluation, many fits at once."""

from ..history import TrainingDiverged
from .config import FitConfig, FitOptions
from .evaluation import evaluate
from .loop import fit
from .side_by_side import StopWhenSet, side_by_side

__all__ = [
    "FitConfig",
    "FitOptions",
    "StopWhenSet",
    "TrainingDiverged",
    "evaluate",
    "fit",
    "side_by_side",
]
