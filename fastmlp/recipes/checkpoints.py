"""Checkpoints: the files from which an interrupted training by a recipe continues.

A checkpoint is a model file as `MLP.save` writes it, with the optimizer's state, and with the run's
identity, history and seconds in its metadata.  It is written after whole epochs only, so that the
continued training ends with the same bits as one that was not interrupted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ..callbacks import Callback, Checkpoint
from ..experiments.histories import joined
from ..history import History
from ..loading import load
from ..model import files
from ..network import MLP
from ..support import atomic_files

__all__ = ["SaveCheckpoint", "checked", "identity", "resume"]

MAX_SAVES = 20  # of a run, unless `Checkpoint.every` says otherwise
KEY = "checkpoint"  # of the metadata
LISTS = ("cost", "validation_cost", "validation_accuracy", "learning_rate", "seconds")  # of History

Identity = dict[str, Any]


def checked(given: str | os.PathLike[str] | Checkpoint, epochs: int) -> Checkpoint:
    """Return where to save a run, and how often.

    Parameters
    ----------
    given : path-like or Checkpoint
        The file, or the file and the number of epochs from one save to the next.
    epochs : int
        The number of epochs of the run.

    Returns
    -------
    Checkpoint
        The file, in a folder that exists, and the number of epochs.
    """
    if not isinstance(given, Checkpoint):
        given = Checkpoint(os.fspath(given), max(1, epochs // MAX_SAVES))
    atomic_files.require_writable(given.path)  # now, not after the first epochs
    return given


def identity(recipe: dict[str, Any], seed: int, data: dict[str, str | None]) -> Identity:
    """Return what identifies a run, as JSON gives it back.

    Parameters
    ----------
    recipe : dict
        The recipe (`Recipe.to_json`).
    seed : int
        The seed of the network.
    data : dict
        Descriptions of training and validation data.

    Returns
    -------
    dict
        All of these.
    """
    found: Identity = json.loads(json.dumps({**recipe, "seed": seed, **data}))
    return found


def resume(path: str | os.PathLike[str], identity: Identity) -> tuple[MLP, History, float]:
    """Read the checkpoint of a run.

    Parameters
    ----------
    path : path-like
        The file.
    identity : dict
        The identity of the run.

    Returns
    -------
    net : MLP
        The network, with the state of its optimizer.
    history : History
        The history so far.
    seconds : float
        The time of training so far.

    Raises
    ------
    ValueError
        If the file is no checkpoint, or that of another run.
    """
    net = load(path)
    entry = net.metadata.pop(KEY, None)
    if not isinstance(net, MLP) or not _is_entry(entry):
        raise ValueError(
            f"{os.fspath(path)} is a model, but not a checkpoint of a recipe; give another file"
        )
    for key, expected in identity.items():
        found = entry["identity"].get(key)
        if found == expected:
            continue
        difference = f"its {key} is {found!r}, not {expected!r}"
        if isinstance(expected, dict):  # too long to show as a whole
            found = found if isinstance(found, dict) else {}
            keys = [one for one in expected if found.get(one) != expected[one]]
            difference = f"its {key} differ in {', '.join(keys)}"
        raise ValueError(
            f"{os.fspath(path)} is the checkpoint of another run: {difference}. Give another file, "
            f"or delete this one to start again"
        )
    return net, History(**entry["history"]), float(entry["seconds"])


def _is_entry(entry: Any) -> bool:
    """Return whether the metadata of a file are those of a checkpoint."""
    try:
        found = History(**entry["history"])
        return (
            isinstance(entry["identity"], dict)
            and isinstance(entry["seconds"], (int, float))
            and all(isinstance(getattr(found, name), list) for name in LISTS)
            and all(isinstance(values, list) for values in dict(found.metrics).values())
        )
    except (KeyError, TypeError, ValueError):
        return False


@dataclass
class SaveCheckpoint(Callback):
    """Save the checkpoint of a run at regular intervals and after the last epoch.

    Parameters
    ----------
    checkpoint : Checkpoint
        The file, and the number of epochs from one save to the next.
    identity : dict
        The identity of the run.
    epochs : int
        The number of epochs of the run.
    earlier : History
        The history of the run before this fit.
    seconds : callable
        Returns the time of training so far.
    """

    checkpoint: Checkpoint
    identity: Identity
    epochs: int
    earlier: History
    seconds: Callable[[], float]

    def on_epoch_end(self, net: MLP, history: History) -> None:
        """Save if it is time."""
        whole = joined(self.earlier, history)
        if whole.epochs % self.checkpoint.every and whole.epochs < self.epochs:
            return
        entry = {
            "identity": self.identity,
            "history": asdict(whole),
            "seconds": self.seconds(),
        }
        packed = files.pack(net.state, {**net.metadata, KEY: entry}, with_optimizer=True)
        files.write_npz(self.checkpoint.path, packed)
