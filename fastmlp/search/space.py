"""The space of a search: which settings trials have, as a dict or in TOML.

    key = value                   the same in all trials
    key = [a, b, c]               one of these
    key = (low, high)             a number between these two; (low, high, "log"): evenly by its
                                  logarithm
    key = {low = 1e-4, high = 1e-2, log = true}     the same as TOML writes it

`KEYS` has all of them.  The hidden layers are given by their widths, ``hidden``, or by ``depth``
and ``width``; with ``taper`` each is so many times as wide as the one before it.  What is not in
a space is as in `MLP` and `MLP.fit`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import activations, initializers, optimizers
from ..support import checks

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["KEYS", "SPACE", "Choice", "Range", "Space", "read"]

# What `minimize` searches unless it is told otherwise.
SPACE: dict[str, Any] = {
    "depth": (1, 3),
    "width": (32, 512, "log"),
    "activation": ["relu", "leaky_relu", "elu", "tanh"],
    "learning_rate": (1e-4, 3e-2, "log"),
    "l2": (1e-7, 1e-3, "log"),
    "dropout": (0.0, 0.6),
    "batch_size": (32, 256, "log"),
}

SCHEDULES = ("constant", "cosine", "one_cycle")  # those that a rate is enough for
SHAPE = ("hidden", "depth", "width", "taper")
CONSTANTS = ("momentum", "weight_decay")  # of optimizers
MOST_WEIGHTS = 10**9  # more is a slip of the hand

Check = Callable[[str, object], Any]


@dataclass(frozen=True)
class Key:
    """What a key takes: the check of one value, and "real" or "whole" where it may have a range."""

    check: Check
    range: str = ""


def _number(interval: str) -> Check:
    return lambda name, value: checks.number(name, value, interval)


def _perhaps(check: Check) -> Check:
    """None, in TOML false, turns it off."""
    return lambda name, value: None if value is None or value is False else check(name, value)


def _whole(least: int) -> Check:
    return lambda name, value: checks.whole(name, value, least)


def _one_of(names: Collection[str]) -> Check:
    return lambda name, value: checks.known(name, value, names)


def _widths(name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} must be the widths of hidden layers, (256, 256); got {value!r}")
    return tuple(checks.whole(f"{name}[{i}]", width) for i, width in enumerate(value))


NETWORK: dict[str, Key] = {
    "activation": Key(_one_of([name for name in activations.TABLE if name != "softmax"])),
    "init": Key(_one_of(initializers.TABLE)),
    "batch_norm": Key(checks.flag),
    "dropout": Key(_number("[0, 1)"), "real"),
    "input_dropout": Key(_number("[0, 1)"), "real"),
    "noise": Key(_number("[0, inf)"), "real"),
}
TRAINING: dict[str, Key] = {
    "batch_size": Key(_whole(1), "whole"),
    "l2": Key(_number("[0, inf)"), "real"),
    "label_smoothing": Key(_number("[0, 1)"), "real"),
    "max_norm": Key(_perhaps(_number("(0, inf)")), "real"),
    "clip_norm": Key(_perhaps(_number("(0, inf)")), "real"),
    "ema": Key(_perhaps(_number("(0, 1)")), "real"),
}
KEYS: dict[str, Key] = {
    "hidden": Key(_widths),
    "depth": Key(_whole(0), "whole"),
    "width": Key(_whole(1), "whole"),
    "taper": Key(_number("(0, 2]"), "real"),
    **NETWORK,
    "optimizer": Key(_one_of(optimizers.TABLE)),
    "learning_rate": Key(_number("(0, inf)"), "real"),
    "schedule": Key(_one_of(SCHEDULES)),
    "momentum": Key(_number("[0, 1)"), "real"),
    "weight_decay": Key(_number("[0, inf)"), "real"),
    **TRAINING,
}


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both included."""

    low: float
    high: float
    log: bool
    whole: bool

    @property
    def plain(self) -> Any:
        """Itself as JSON has it."""
        return {"low": self.low, "high": self.high, "log": self.log}

    @property
    def most(self) -> float:
        """The largest value."""
        return self.high

    def suggest(self, name: str, trial: Trial) -> None:
        """Have a trial's sampler choose."""
        if self.whole:
            trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        else:
            trial.suggest_float(name, self.low, self.high, log=self.log)

    def value(self, chosen: Any) -> Any:
        """What the sampler's choice stands for."""
        return chosen


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]

    @property
    def plain(self) -> Any:
        """Itself as JSON has it."""
        return [list(one) if isinstance(one, tuple) else one for one in self.values]

    @property
    def most(self) -> Any:
        """The largest value, of numbers."""
        return max(self.values)

    def suggest(self, name: str, trial: Trial) -> None:
        """Have a trial's sampler choose."""
        trial.suggest_categorical(name, [_label(one) for one in self.values])

    def value(self, chosen: Any) -> Any:
        """What the sampler's choice stands for."""
        return next(one for one in self.values if _label(one) == chosen)


@dataclass(frozen=True)
class Space:
    """A checked space.

    Attributes
    ----------
    keys : dict
        For each key what it may be: a `Range`, or a `Choice`, of one value where it is fixed.
    """

    keys: dict[str, Range | Choice]

    @classmethod
    def of(cls, given: object) -> Space:
        """Check a space as users write it; errors name the key, what came and what was expected."""
        if not isinstance(given, Mapping):
            raise TypeError(f"must be a dict such as {{'hidden': [(64,), (256,)]}}, got {given!r}")
        for key in given:
            if key not in KEYS:
                raise ValueError(f"unknown key {key!r}{checks.nearest(str(key), KEYS)}")
        space = cls({key: _parsed(key, given[key]) for key in KEYS if key in given})
        space._check_shape()
        space._check_constants()
        return space

    @property
    def plain(self) -> dict[str, Any]:
        """Itself as JSON has it."""
        return {key: one.plain for key, one in self.keys.items()}

    def check_sizes(self, n_in: int, n_out: int) -> None:
        """Refuse what no machine has the memory for."""
        if "hidden" in self.keys:
            shapes = self.keys["hidden"]
            assert isinstance(shapes, Choice)
            widest = max(shapes.values, key=lambda one: _weights((n_in, *one, n_out)))
        else:
            widest = self._layers({key: self.keys[key].most for key in SHAPE if key in self.keys})
        if (weights := _weights((n_in, *widest, n_out))) > MOST_WEIGHTS:
            raise ValueError(
                f"hidden layers of {_label(widest)} units make {weights:,} weights; at most "
                f"{MOST_WEIGHTS:,}"
            )

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Have a trial's sampler choose all that is not fixed; return the trial's parameters."""
        for key, one in self.keys.items():
            if isinstance(one, Range) or len(one.values) > 1:
                one.suggest(key, trial)
        return self.parameters(trial.params)

    def parameters(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a trial, fixed ones too, from what its sampler chose.

        They have ``hidden`` whichever way the space says it.
        """
        found = {}
        for key, one in self.keys.items():
            fixed = isinstance(one, Choice) and len(one.values) == 1
            found[key] = one.values[0] if fixed else one.value(chosen[key])  # type: ignore[union-attr]
        hidden = found["hidden"] if "hidden" in found else self._layers(found)
        return {"hidden": hidden} | {
            key: value for key, value in found.items() if key not in SHAPE
        }

    def _layers(self, found: Mapping[str, Any]) -> tuple[int, ...]:
        """depth layers, the first of width units, each next one taper times as wide."""
        taper = found.get("taper", 1.0)
        return tuple(max(1, round(found["width"] * taper**k)) for k in range(found["depth"]))

    def _check_shape(self) -> None:
        """The hidden layers are given, and in one way."""
        there = [key for key in SHAPE if key in self.keys]
        if there == ["hidden"] or there[:2] == ["depth", "width"]:
            return
        if "hidden" in there:
            raise ValueError(f"hidden says it all already; leave out {', '.join(there[1:])}")
        raise ValueError(
            "the hidden layers are missing: give hidden, such as [(64,), (256, 256)], or depth "
            "and width"
        )

    def _check_constants(self) -> None:
        """Each constant of optimizers is one of some optimizer in the space."""
        optimizer = self.keys.get("optimizer", Choice(("adam",)))
        assert isinstance(optimizer, Choice)
        for key in CONSTANTS:
            if key in self.keys and not any(takes(name, key) for name in optimizer.values):
                known = [name for name in optimizers.TABLE if takes(name, key)]
                raise ValueError(
                    f"{key} goes with the optimizers {', '.join(known)}; the space has "
                    f"{', '.join(optimizer.values)}"
                )


def read(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the space in a TOML file, checked; errors name the file too."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            given = tomllib.load(file)
        Space.of(given)
    except (TypeError, ValueError) as error:  # what is not TOML is a ValueError, too
        raise ValueError(f"{path}: {error}") from None
    return given


def takes(optimizer: str, constant: str) -> bool:
    """Whether an optimizer has such a constant."""
    return constant in {field.name for field in fields(optimizers.TABLE[optimizer])}


def _parsed(key: str, given: object) -> Range | Choice:
    """What stands at a key, checked."""
    kind = KEYS[key]
    if key == "hidden":
        several = isinstance(given, (list, tuple)) and given and all(
            isinstance(one, (list, tuple)) for one in given
        )
        given = list(given) if several else [given]  # type: ignore[call-overload]
    elif isinstance(given, (tuple, Mapping)):
        return _range(key, given, kind)
    if not isinstance(given, list):
        return Choice((kind.check(key, given),))
    if not given:
        raise ValueError(f"{key} is an empty list; give what to choose from")
    values = tuple(kind.check(key, one) for one in given)
    for one in values:
        if values.count(one) > 1:
            raise ValueError(f"{key} has {_label(one)!r} twice")
    return Choice(values)


def _range(key: str, given: tuple[Any, ...] | Mapping[str, Any], kind: Key) -> Range:
    if not kind.range:
        raise TypeError(f"{key} has no range: give a value, or a list of them; got {given!r}")
    if isinstance(given, tuple):
        if len(given) not in (2, 3) or given[2:] not in ((), ("log",)):
            raise ValueError(f"{key} must be (low, high) or (low, high, 'log'), got {given!r}")
        low, high, logarithmic = given[0], given[1], len(given) == 3
    else:
        for name in given:
            checks.known(f"key of {key}", name, ("low", "high", "log"))
        if "low" not in given or "high" not in given:
            raise ValueError(f"{key} needs low and high, got {dict(given)!r}")
        low, high = given["low"], given["high"]
        logarithmic = checks.flag(f"{key}.log", given.get("log", False))
    if any(end is None or isinstance(end, bool) for end in (low, high)):
        raise TypeError(f"{key} must be a range of numbers, got {given!r}")
    low, high = kind.check(f"{key}, low end", low), kind.check(f"{key}, high end", high)
    if low >= high:
        raise ValueError(f"{key} must go from a smaller to a larger number, got {low} and {high}")
    if logarithmic and low <= 0:
        raise ValueError(f"{key} must be above 0 on a log scale, got {low}")
    return Range(low, high, logarithmic, kind.range == "whole")


def _label(value: Any) -> Any:
    """A value as Optuna stores it: the widths of hidden layers as a text."""
    return "-".join(map(str, value)) or "none" if isinstance(value, tuple) else value


def _weights(sizes: tuple[int, ...]) -> int:
    return sum(n_in * n_out for n_in, n_out in pairwise(sizes))
