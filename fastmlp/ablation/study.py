"""A study: a base configuration and what is switched in it, read from TOML and checked.

    [study]                       # all of it optional
    title = "Widths on the digits"
    data = "digits"               # or "mnist", the default
    held_out = 0                  # so many first images are not trained on
    seeds = 5                     # 0 to 4; or a list
    factorial = false             # true: every combination of all factors

    [base]                        # hidden, and any other key of `settings.DEFAULTS`
    hidden = [64, 64]

    [factors]
    dropout = [0.2, 0.5]          # a key, and what to try in place of the base's value

    [factors.depth]               # or variants with names, each setting some keys
    "one layer" = { hidden = [64] }
    "three layers" = { hidden = [64, 64, 64], epochs = 30 }

Everything is checked when the study is read, so that a mistake does not cost an hour of training.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

from ..support import checks
from .settings import DEFAULTS, Settings, label, located

__all__ = ["DATA", "Study", "Variant", "parse", "read"]

DATA = {"mnist": (784, 10), "digits": (64, 10)}  # inputs and classes
STUDY: dict[str, Any] = {
    "title": "",
    "data": "mnist",
    "held_out": 0,
    "seeds": 5,
    "factorial": False,
}
MOST_VARIANTS = 10_000

Table = Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """One configuration of a study.

    Attributes
    ----------
    factor, value : str
        What is switched and to what; "base" and "" for the base configuration.  In a factorial
        study both may name several, with " + " between.
    settings : Settings
        All of the configuration.
    """

    factor: str
    value: str
    settings: Settings

    def __str__(self) -> str:
        return f"{self.factor}: {self.value}" if self.value else self.factor


@dataclass(frozen=True)
class Study:
    """A checked study.

    Attributes
    ----------
    name : str
        Of its file, without folder.
    title : str
        For people.
    data : {"mnist", "digits"}
        What is trained and tested on.
    held_out : int
        Images at the beginning of the training part that are not trained on.
    seeds : tuple of int
        One run of each variant for each.
    base : dict
        The base configuration as the study writes it.
    variants : tuple of Variant
        The base first.
    """

    name: str
    title: str
    data: str
    held_out: int
    seeds: tuple[int, ...]
    base: dict[str, Any]
    variants: tuple[Variant, ...]

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of inputs and outputs."""
        return DATA[self.data]


@dataclass(frozen=True)
class Switch:
    """One alternative of a factor: its name, and the keys it sets."""

    factor: str
    value: str
    sets: dict[str, Any]


def read(path: str | PathLike[str]) -> Study:
    """Read and check a study.

    Parameters
    ----------
    path : path-like
        A TOML file.

    Returns
    -------
    Study
        Checked.

    Raises
    ------
    ValueError
        If it is not TOML, has an unknown key or a value that cannot be.  The message names the
        file, the key and, for an unknown one, the nearest known.
    """
    path = Path(path)
    with path.open("rb") as file:
        try:
            given = tomllib.load(file)
        except ValueError as error:  # also a UnicodeDecodeError
            raise ValueError(f"{path}: not TOML: {error}") from None
    try:
        return parse(given, path.name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse(given: Table, name: str = "study") -> Study:
    """Check a study given as the mapping that its TOML would be.

    Parameters
    ----------
    given : mapping
        With "base", "factors" and perhaps "study".
    name : str, default "study"
        What to call it; its title if it has none.

    Returns
    -------
    Study
        Checked.

    Raises
    ------
    ValueError
        As `read`.
    """
    _known("", given, ("study", "base", "factors"))
    for key in ("base", "factors"):
        if not given.get(key):
            raise ValueError(f"a study needs a table [{key}]")
    study = _table("study", given.get("study", {}))
    _known("study", study, STUDY)
    study = {**STUDY, **study}
    with located("study"):
        title, data = study["title"], checks.known("data", study["data"], DATA)
        if not isinstance(title, str):
            raise TypeError(f"title must be a text, got {title!r}")
        held_out = checks.whole("held_out", study["held_out"], least=0)
        seeds = _seeds(study["seeds"])
        factorial = checks.flag("factorial", study["factorial"])
    base = dict(_table("base", given["base"]))
    with located("base"):
        variants = [Variant("base", "", Settings.of(base, *DATA[data]))]
    factors = [_switches(key, one) for key, one in _table("factors", given["factors"]).items()]
    for switches in _combinations(factors) if factorial else _one_at_a_time(factors):
        with located(", ".join(f"factors.{one.factor}, {one.value}" for one in switches)):
            sets = {key: value for one in switches for key, value in one.sets.items()}
            variants.append(
                Variant(
                    " + ".join(one.factor for one in switches),
                    " + ".join(one.value for one in switches),
                    Settings.of({**base, **sets}, *DATA[data]),
                )
            )
    return Study(name, title or name, data, held_out, seeds, base, tuple(variants))


def _table(place: str, value: object) -> Table:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} must be a table, [{place}], got {value!r}")
    return value


def _known(place: str, table: Table, keys: Mapping[str, Any] | tuple[str, ...]) -> None:
    for key in table:
        if key not in keys:
            where = f"{place}: " if place else ""
            raise ValueError(f"{where}unknown key {key!r}{checks.nearest(key, keys)}")


def _seeds(value: object) -> tuple[int, ...]:
    """The seeds from 0 for a number of them, or those of a list."""
    if not isinstance(value, (list, tuple)):
        return tuple(range(checks.whole("seeds", value)))
    found = tuple(checks.whole(f"seeds[{i}]", one, least=0) for i, one in enumerate(value))
    if not found or len(set(found)) < len(found):
        raise ValueError(f"seeds must be a number, or different seeds in a list; got {value!r}")
    return found


def _switches(factor: str, given: object) -> list[Switch]:
    """The alternatives of a factor: values of the key it is named after, or named variants."""
    place = f"factors.{factor}"
    if isinstance(given, Mapping):
        for value, sets in given.items():
            if not isinstance(sets, Mapping):
                raise ValueError(
                    f"{place}: {value!r} must be a table of keys to set, got {sets!r}; values to "
                    f"try for one key stand in a list: {factor} = [ … ]"
                )
            _known(f"{place}, {value}", sets, DEFAULTS)
        found = [Switch(factor, value, dict(sets)) for value, sets in given.items()]
    elif isinstance(given, (list, tuple)):
        if factor not in DEFAULTS:
            raise ValueError(
                f"factors: unknown key {factor!r}{checks.nearest(factor, DEFAULTS)}. A factor of "
                f"another name is a table of variants: [{place}]"
            )
        found = [Switch(factor, label(one), {factor: one}) for one in given]
    else:
        raise ValueError(f"{place} must be a list of values to try, got {given!r}")
    if not found:
        raise ValueError(f"{place} is empty; give what to try in place of the base's value")
    values = [one.value for one in found]
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{place} has {value} twice")
    return found


def _one_at_a_time(factors: list[list[Switch]]) -> list[tuple[Switch, ...]]:
    return [(one,) for switches in factors for one in switches]


def _combinations(factors: list[list[Switch]]) -> list[tuple[Switch, ...]]:
    """All ways to leave each factor as in the base or to switch it, but for the base itself."""
    owner: dict[str, str] = {}
    for switches in factors:
        for key in {key for one in switches for key in one.sets}:
            factor = switches[0].factor
            if owner.setdefault(key, factor) != factor:
                raise ValueError(
                    f"factors: {owner[key]} and {factor} both set {key}; in a factorial study each "
                    f"key belongs to one factor"
                )
    count = prod(len(switches) + 1 for switches in factors)
    if count > MOST_VARIANTS:
        raise ValueError(
            f"study: factorial = true makes {count:,} variants; at most {MOST_VARIANTS:,}"
        )
    ways = product(*[[None, *switches] for switches in factors])
    return [
        switched for way in ways if (switched := tuple(one for one in way if one is not None))
    ]
