"""The space of a search: the settings that trials may have, as a dict or in TOML.

    key = value                   the same in all trials
    key = [a, b, c]               one of these
    key = (low, high)             a number between these; (low, high, "log"): uniform in its
                                  logarithm
    key = {low = 1e-4, high = 1e-2, log = true}     the same as TOML writes it

`KEYS` has all keys.  The hidden layers are given by their widths, ``hidden``, or by ``depth`` and
``width``; with ``taper`` each layer is that many times as wide as the one before it.  A setting
that is not in the space has the default of `MLP` and `MLP.fit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from os import PathLike
from typing import TYPE_CHECKING, Any

from .. import optimizers
from ..experiments import toml
from ..experiments.keys import Key, number, whole, widths
from ..experiments.parts import label
from ..experiments.settings import NETWORK, TRAINING, Setting, check_size, checked
from ..experiments.toml import check_keys
from ..support import checks

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["KEYS", "SPACE", "Choice", "Range", "Space", "parsed"]

# The default of `minimize`.
SPACE: dict[str, Any] = {
    "depth": (1, 3),
    "width": (32, 512, "log"),
    "activation": ["relu", "leaky_relu", "elu", "tanh"],
    "learning_rate": (1e-4, 3e-2, "log"),
    "l2": (1e-7, 1e-3, "log"),
    "dropout": (0.0, 0.6),
    "batch_size": (32, 256, "log"),
}

SHAPE = ("hidden", "depth", "width", "taper")  # of the hidden layers
CONSTANTS = ("momentum", "weight_decay")  # of optimizers
ELSEWHERE = ("dtype", "uint8_scale", "epochs", "augment")  # settings that are arguments of a search


def _keys(table: Mapping[str, Setting]) -> dict[str, Key]:
    return {
        key: Key(checked, setting.numbers)
        for key, setting in table.items()
        if key not in ELSEWHERE
    }


# In the order in which samplers choose them.
KEYS: dict[str, Key] = {
    "hidden": Key(widths),
    "depth": Key(whole(0), "whole"),
    "width": Key(whole(1), "whole"),
    "taper": Key(number("(0, 2]"), "real"),
    **_keys(NETWORK),
    "optimizer": Key(checked),
    "learning_rate": Key(number("(0, inf)"), "real"),
    "schedule": Key(checked),
    "momentum": Key(number("[0, 1)"), "real"),
    "weight_decay": Key(number("[0, inf)"), "real"),
    **_keys(TRAINING),
}


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both included."""

    low: float
    high: float
    log: bool
    whole: bool

    def to_json(self) -> Any:
        """Return it as JSON's types."""
        return {"low": self.low, "high": self.high, "log": self.log}

    @property
    def largest(self) -> float:
        """The largest value."""
        return self.high

    def suggest(self, name: str, trial: Trial) -> None:
        """Let the sampler of a trial choose a value."""
        if self.whole:
            trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        else:
            trial.suggest_float(name, self.low, self.high, log=self.log)

    def value(self, chosen: Any) -> Any:
        """Return the value for what the sampler has chosen."""
        return chosen


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]

    def to_json(self) -> Any:
        """Return it as JSON's types."""
        return [list(one) if isinstance(one, tuple) else one for one in self.values]

    @property
    def largest(self) -> Any:
        """The largest value, of numbers."""
        return max(self.values)

    def suggest(self, name: str, trial: Trial) -> None:
        """Let the sampler of a trial choose a value."""
        trial.suggest_categorical(name, [_label(one) for one in self.values])

    def value(self, chosen: Any) -> Any:
        """Return the value for what the sampler has chosen."""
        return next(one for one in self.values if _label(one) == chosen)


@dataclass(frozen=True)
class Space:
    """A checked space.

    Attributes
    ----------
    keys : dict
        For each key a `Range` or a `Choice`, which has one value if the key is fixed.
    """

    keys: dict[str, Range | Choice]

    @classmethod
    def of(cls, given: object) -> Space:
        """Check a space as users write it."""
        if not isinstance(given, Mapping):
            raise TypeError(f"must be a dict such as {{'hidden': [(64,), (256,)]}}, got {given!r}")
        check_keys({str(key): value for key, value in given.items()}, KEYS)
        space = cls({key: parsed(key, given[key], KEYS[key]) for key in KEYS if key in given})
        space._check_shape()
        space._check_constants()
        return space

    @classmethod
    def read(cls, path: str | PathLike[str]) -> dict[str, Any]:
        """Return the space in a TOML file as users write it, checked; errors name the file too."""

        def parse(given: dict[str, Any]) -> dict[str, Any]:
            cls.of(given)
            return given

        return toml.read(path, parse)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's types."""
        return {key: one.to_json() for key, one in self.keys.items()}

    def check_sizes(self, n_in: int, n_out: int) -> None:
        """Raise ValueError if the largest network in the space has too many weights."""
        if "hidden" in self.keys:
            choice = self.keys["hidden"]
            assert isinstance(choice, Choice)
            networks = choice.values
        else:
            largest = {key: self.keys[key].largest for key in SHAPE if key in self.keys}
            networks = (self._layers(largest),)
        for hidden in networks:
            check_size(n_in, hidden, n_out)

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Let the sampler of a trial choose what is not fixed; return the trial's parameters."""
        for key, one in self.keys.items():
            if isinstance(one, Range) or len(one.values) > 1:
                one.suggest(key, trial)
        return self.parameters(trial.params)

    def parameters(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a trial, fixed ones included, from what its sampler chose.

        They have ``hidden``, also where the space has ``depth`` and ``width``.
        """
        found = self.values(chosen)
        hidden = found["hidden"] if "hidden" in found else self._layers(found)
        return {"hidden": hidden} | {
            key: value for key, value in found.items() if key not in SHAPE
        }

    def values(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of each key, from what the sampler of a trial chose."""
        found = {}
        for key, one in self.keys.items():
            fixed = isinstance(one, Choice) and len(one.values) == 1
            found[key] = one.values[0] if fixed else one.value(chosen[key])  # type: ignore[union-attr]
        return found

    def _layers(self, found: Mapping[str, Any]) -> tuple[int, ...]:
        """The widths of `depth` layers: `width`, and each next one `taper` times as wide."""
        taper = found.get("taper", 1.0)
        return tuple(max(1, round(found["width"] * taper**k)) for k in range(found["depth"]))

    def _check_shape(self) -> None:
        """The hidden layers are given, by `hidden` or by `depth` and `width`."""
        given = [key for key in SHAPE if key in self.keys]
        if given == ["hidden"] or given[:2] == ["depth", "width"]:
            return
        if "hidden" in given:
            raise ValueError(f"hidden already gives the widths; leave out {', '.join(given[1:])}")
        raise ValueError(
            "the hidden layers are missing: give hidden, such as [(64,), (256, 256)], or depth "
            "and width"
        )

    def _check_constants(self) -> None:
        """Each constant belongs to at least one optimizer in the space."""
        optimizer = self.keys.get("optimizer", Choice(("adam",)))
        assert isinstance(optimizer, Choice)
        for key in CONSTANTS:
            if key in self.keys and not any(takes(name, key) for name in optimizer.values):
                known = [name for name in optimizers.TABLE if takes(name, key)]
                raise ValueError(
                    f"{key} belongs to the optimizers {', '.join(known)}; the space has "
                    f"{', '.join(optimizer.values)}"
                )


def takes(optimizer: str, constant: str) -> bool:
    """Whether an optimizer has such a constant."""
    return constant in {field.name for field in fields(optimizers.TABLE[optimizer])}


def parsed(key: str, given: object, kind: Key) -> Range | Choice:
    """Return what a space has for a key, checked."""
    if kind.check is widths:
        several = isinstance(given, (list, tuple)) and given and all(
            isinstance(one, (list, tuple)) for one in given
        )
        given = list(given) if several else [given]  # type: ignore[call-overload]
    elif isinstance(given, (tuple, Mapping)):
        return _range(key, given, kind)
    if not isinstance(given, list):
        return Choice((kind.check(key, given),))
    if not given:
        raise ValueError(f"{key} is an empty list; give the values to choose from")
    values = tuple(kind.check(key, one) for one in given)
    for one in values:
        if values.count(one) > 1:
            raise ValueError(f"{key} has {_label(one)!r} twice")
    return Choice(values)


def _range(key: str, given: tuple[Any, ...] | Mapping[str, Any], kind: Key) -> Range:
    if not kind.numbers:
        raise TypeError(f"{key} takes no range: give a value, or a list of values; got {given!r}")
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
    with checks.within("low"):
        low = kind.check(key, low)
    with checks.within("high"):
        high = kind.check(key, high)
    if low >= high:
        raise ValueError(f"{key} must go from a smaller to a larger number, got {low} and {high}")
    if logarithmic and low <= 0:
        raise ValueError(f"{key} must be above 0 on a log scale, got {low}")
    return Range(low, high, logarithmic, kind.numbers == "whole")


def _label(value: Any) -> Any:
    """A value as Optuna stores it: the widths of hidden layers become a text."""
    return label(value) if isinstance(value, tuple) else value
