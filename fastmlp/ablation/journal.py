"""The file of finished runs: a JSON line for each, safe if the process is killed at any moment.

A run is on disk before it counts as finished.  A killed process can leave an incomplete last line:
it has no newline, and is removed when the file is opened again.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Journal", "Run"]

MAX_BYTES = 1 << 30  # of a file

Key = tuple[str, str, int]  # data, settings and seed


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    data : dict
        The data: name, size, fingerprint, and "metric" if that is not the accuracy.
    settings : dict
        The whole configuration (the settings' `to_json`).
    seed : int
        The seed of the run.
    score : float or None
        The metric on the test examples; None if training diverged.  In the file its key is the
        name of the metric.
    validation_score : float or None
        The same on the validation examples, if there are any; in the file "validation_" and the
        name of the metric.
    cost : float or None
        J over the last epoch of training; None if training diverged.
    epochs : int
        Number of whole epochs of training.
    began, seconds : float
        When training began (Unix time), and how long it took.
    diverged : str or None
        The message of `TrainingDiverged`.
    """

    data: dict[str, Any]
    settings: dict[str, Any]
    seed: int
    score: float | None
    validation_score: float | None
    cost: float | None
    epochs: int
    began: float
    seconds: float
    diverged: str | None

    @property
    def key(self) -> Key:
        """Identifies the run."""
        return identity(self.data, self.settings, self.seed)

    def to_json(self) -> dict[str, Any]:
        """Return the run as the file has it."""
        names = _names(self.data)
        return {names.get(key, key): value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Self:
        """Return the run that a line of the file has; unknown entries are ignored."""
        names = _names(entry["data"])
        known = [field.name for field in fields(cls)]
        return cls(**{key: entry[names.get(key, key)] for key in known})


def _names(data: dict[str, Any]) -> dict[str, str]:
    """Return the keys in the file of those attributes that are named after the metric."""
    metric = data.get("metric", "accuracy")
    return {"score": metric, "validation_score": f"validation_{metric}"}


def identity(data: dict[str, Any], settings: dict[str, Any], seed: int) -> Key:
    """Return what identifies a run, whatever study it belongs to."""
    return json.dumps(data, sort_keys=True), json.dumps(settings, sort_keys=True), seed


def _check(run: Run) -> None:
    """Raise TypeError if a line has figures that are not numbers, or a seed without a hash."""
    hash(run.key)
    figures = (run.score, run.validation_score, run.cost, run.epochs, run.began, run.seconds)
    if not all(one is None or isinstance(one, (int, float)) for one in figures):
        raise TypeError("figures are numbers")


class Journal:
    """The finished runs in a file, to which only this process writes.

    Parameters
    ----------
    path : path-like
        The file, created if it does not exist.

    Attributes
    ----------
    runs : dict
        Finished runs by their `key`.

    Raises
    ------
    ValueError
        If a line is not a run, or another process has the file open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._failed = False
        self._file = path.open("a+b", buffering=0)
        try:
            self._reserve()
            self.runs = {run.key: run for run in self._read()}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, run: Run) -> None:
        """Write a run to the disk; any thread may call this."""
        line = json.dumps(run.to_json(), allow_nan=False).encode() + b"\n"
        with self._lock:
            if self._failed:
                raise OSError(f"{self.path}: an earlier line could not be written")
            try:
                # Nothing may follow a line that was written in part, to a full disk.
                self._failed = self._file.write(line) != len(line)
                os.fsync(self._file.fileno())
            except OSError:
                self._failed = True
                raise
            if self._failed:
                raise OSError(f"{self.path}: no room for another line")
            self.runs[run.key] = run

    def _reserve(self) -> None:
        """Lock the file as long as the process lives, however it ends."""
        if sys.platform == "win32":  # has no such lock
            return
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{self.path}: another process is writing to it") from None

    def _read(self) -> list[Run]:
        if self.path.stat().st_size > MAX_BYTES:
            raise ValueError(f"{self.path}: a journal of more than {MAX_BYTES:,} bytes")
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)
        found = []
        for number, line in enumerate(content[:whole].splitlines(), start=1):
            try:
                found.append(Run.from_json(json.loads(line)))
                _check(found[-1])
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                raise ValueError(
                    f"{self.path}, line {number}: not a run of an ablation study; delete the line, "
                    f"or choose another folder"
                ) from None
        return found
