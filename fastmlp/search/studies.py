"""Optuna's study of a search: opened and checked, its trials counted and written as rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from os import PathLike
from typing import TYPE_CHECKING, Any

from ..experiments.parts import label
from . import storage
from .locks import SharedLock
from .space import Space

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

    from .trials import Outcome

__all__ = [
    "SAMPLERS", "begin", "begun", "check_settings", "describe", "fail_running", "finished",
    "free_place", "opened", "outcome", "require", "row", "store", "value",
]  # fmt: skip

SAMPLERS = ("tpe", "gp", "random")
WARM_UP = 2  # epochs before pruning: a network that learns fast at first need not end best
# names of our attributes of a study, and of a trial
SETTINGS, OUTCOME, PLACE = "fastmlp", "outcome", "place"
COLUMNS = ("number", "state", "value", "epochs", "seconds")  # of a row, before the parameters


def require(sampler: str) -> None:
    """Raise ImportError if a package that the search needs is not installed."""
    try:
        import optuna  # noqa: F401

        if sampler == "gp":
            import scipy  # noqa: F401
            import threadpoolctl  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'fastmlp.search needs {error.name}: pip install "fastmlp[search]"', name=error.name
        ) from None


@contextmanager
def opened(
    place: str | PathLike[str] | None, name: str, sampler: str, seed: int, pruning: bool
) -> Iterator[tuple[Study, SharedLock | None]]:
    """Open the study of this name in a file, both created if they do not exist."""
    import optuna

    from .samplers import TrialByTrial

    with storage.opened(place, name) as (opened_storage, lock):
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # no line about the new study
        try:
            study = optuna.create_study(
                storage=opened_storage,
                study_name=name,
                load_if_exists=True,
                sampler=TrialByTrial(sampler, seed),
                pruner=optuna.pruners.MedianPruner(n_warmup_steps=WARM_UP)
                if pruning
                else optuna.pruners.NopPruner(),
            )
        finally:
            optuna.logging.set_verbosity(verbosity)
        yield study, lock


def check_settings(study: Study, settings: Mapping[str, Any]) -> None:
    """Store the settings of a new study; raise ValueError if those of an old one differ."""
    new = json.loads(json.dumps(settings))
    old = study.user_attrs.get(SETTINGS)
    if old is None and not finished(study):
        study.set_user_attr(SETTINGS, new)
        return
    if not isinstance(old, dict):
        raise ValueError(
            f"the study {study.study_name!r} in this storage is not one of fastmlp.search; give "
            f"another storage or study_name"
        )
    differences = [
        f"another {key}" if key == "space" else f"{key} was {old.get(key)!r}, now {one!r}"
        for key, one in new.items()
        if one != old.get(key)
    ]
    if differences:
        raise ValueError(
            f"the study {study.study_name!r} in this storage was begun with other settings: "
            f"{'; '.join(differences)}. Give the same settings, or another storage or study_name"
        )


def begun(study: Study) -> list[FrozenTrial]:
    """Return the trials that are finished or running."""
    from optuna.trial import TrialState

    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    return study.get_trials(deepcopy=False, states=states)


def free_place(study: Study) -> int:
    """Return the lowest place that no finished or running trial has.

    It is that of the first trial that failed and was not replaced yet, otherwise of a new one.
    """
    taken = {one.user_attrs.get(PLACE, one.number) for one in begun(study)}
    return next(place for place in count() if place not in taken)


def begin(study: Study) -> Trial:
    """Begin the trial of the free place.  No other thread or process may do so meanwhile."""
    from .samplers import TrialByTrial

    assert isinstance(study.sampler, TrialByTrial)  # of `opened`
    study.sampler.place = place = free_place(study)
    trial = study.ask()
    trial.set_user_attr(PLACE, place)
    return trial


def finished(study: Study) -> list[FrozenTrial]:
    """Return the finished trials, by number."""
    return [one for one in begun(study) if one.state.is_finished()]


def fail_running(study: Study) -> int:
    """Mark the trials in the state of running as failed; return how many there were.

    Only for when it is known that no process works on them.
    """
    from optuna.trial import TrialState

    running = [one.number for one in begun(study) if not one.state.is_finished()]
    for number in running:
        study.tell(number, state=TrialState.FAIL)
    return len(running)


def store(trial: Trial, outcome: Outcome) -> None:
    """Store with a trial the parts of its outcome that Optuna itself does not store."""
    attributes = ("state", "cost", "epoch", "epochs", "seconds")
    trial.set_user_attr(OUTCOME, {name: getattr(outcome, name) for name in attributes})


def outcome(trial: FrozenTrial) -> dict[str, Any]:
    """Return what `store` has stored."""
    found: dict[str, Any] = trial.user_attrs[OUTCOME]
    return found


def value(trial: FrozenTrial) -> float:
    """Return the objective of a finished trial; infinite if it has none."""
    return float("inf") if trial.values is None else trial.values[0]


def row(trial: FrozenTrial, space: Space) -> dict[str, Any]:
    """Return a finished trial as a row of the table."""
    stored = outcome(trial)
    return {
        "number": trial.number,
        "state": stored["state"],
        "value": value(trial),
        "epochs": stored["epochs"],
        "seconds": stored["seconds"],
        **space.parameters(trial.params),
    }


def describe(row: Mapping[str, Any]) -> str:
    """Return the parameters of a row, or parameters alone, as a line of text."""
    return ", ".join(f"{key} {_text(one)}" for key, one in row.items() if key not in COLUMNS)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return label(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
