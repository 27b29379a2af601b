"""Training: the checked options of a fit, the loop over epochs, evaluation, many fits at once."""

from ..history import TrainingDiverged
from .config import FitConfig, FitOptions, Multipliers
from .endings import Stop
from .evaluation import evaluate
from .jobs import StopWhenSet, run_jobs
from .loop import fit

__all__ = [
    "FitConfig",
    "FitOptions",
    "Multipliers",
    "Stop",
    "StopWhenSet",
    "TrainingDiverged",
    "evaluate",
    "fit",
    "run_jobs",
]
