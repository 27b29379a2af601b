"""The samplers that propose the next trial: TPE, a Gaussian process, or random choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from .gaussian_process import GaussianProcessSampler

__all__ = ["TABLE", "TrialByTrial"]

TABLE: dict[str, Callable[[int], BaseSampler]] = {
    "tpe": lambda seed: TPESampler(seed=seed),
    "gp": GaussianProcessSampler,
    "random": lambda seed: RandomSampler(seed=seed),
}


class TrialByTrial(BaseSampler):
    """A new sampler for each trial, seeded by the search's seed and the trial's place.

    The place is the trial's number in a search without failed trials; a trial that replaces a
    failed one has its place (`studies.free_place`).  So a search that was killed and continued
    proposes the same trials as one that was not, a second process with the same seed proposes
    others, and threads share no random numbers.  Samplers learn from the trials in the study only.

    Parameters
    ----------
    name : str
        A key of `TABLE`.
    seed : int
        The seed of the search.

    Attributes
    ----------
    place : int or None
        The place of the next trial; None: its number.
    """

    def __init__(self, name: str, seed: int) -> None:
        self._make = TABLE[name]
        self._seed = seed
        self._samplers: dict[int, BaseSampler] = {}
        self.place: int | None = None

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Create the trial's sampler."""
        place = trial.number if self.place is None else self.place
        seed = np.random.SeedSequence([self._seed, place]).generate_state(1)
        self._samplers[trial.number] = self._make(int(seed[0]))
        self._samplers[trial.number].before_trial(study, trial)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the parameters that are chosen together."""
        return self._samplers[trial.number].infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Choose the parameters that are chosen together."""
        return self._samplers[trial.number].sample_relative(study, trial, search_space)

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Choose a parameter by itself."""
        sampler = self._samplers[trial.number]
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self,
        study: Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Drop the trial's sampler."""
        sampler = self._samplers.pop(trial.number, None)
        if sampler is not None:  # None for the trial of a killed process
            sampler.after_trial(study, trial, state, values)
