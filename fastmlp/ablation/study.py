"""A study: a base configuration and factors that change it, read from TOML and checked.

    [study]                       # optional, like each of its keys
    title = "Widths on the digits"
    data = "digits"               # or "mnist", the default
    validation_images = 0         # number of training images to set aside: the first
    seeds = 5                     # 0 to 4; or a list of seeds
    factorial = false             # true: every combination of all factors

    [base]                        # hidden, and any other key of fastmlp.experiments.settings
    hidden = [64, 64]

    [factors]
    dropout = [0.2, 0.5]          # a key, and the values to try in place of the base's

    [factors.depth]               # or named variants, each of which sets some keys
    "one layer" = { hidden = [64] }
    "three layers" = { hidden = [64, 64, 64], epochs = 30 }

The whole study is checked when it is read, so that no mistake is found after an hour of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

from ..experiments import toml
from ..experiments.settings import DEFAULTS, Settings, label
from ..experiments.toml import check_keys, located
from ..support import checks
from .data import DATA

__all__ = ["Study", "Variant", "parse", "read"]

STUDY: dict[str, Any] = {
    "title": "",
    "data": "mnist",
    "validation_images": 0,
    "seeds": 5,
    "factorial": False,
}
MAX_VARIANTS = 10_000
MAX_SEEDS = 100_000


@dataclass(frozen=True)
class Variant:
    """One configuration of a study.

    Attributes
    ----------
    factor, value : str
        The factor that is changed, and the name of its value; "base" and "" for the base
        configuration.  In a factorial study both may name several, joined by " + ".
    settings : Settings
        The whole configuration.
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
        Name of its file, without the folder.
    title : str
        The title of its table and plot.
    data : {"mnist", "digits"}
        The data set.
    validation_images : int
        Number of training images that are set aside as a validation set: the first of them.
    seeds : tuple of int
        Each variant is run once with each.
    base : dict
        The base configuration as it is written in the study.
    variants : tuple of Variant
        The base first.
    """

    name: str
    title: str
    data: str
    validation_images: int
    seeds: tuple[int, ...]
    base: dict[str, Any]
    variants: tuple[Variant, ...]

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of inputs and outputs."""
        return DATA[self.data].n_in, DATA[self.data].n_classes


@dataclass(frozen=True)
class Switch:
    """One value of a factor: its name, and the keys that it sets."""

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
        If it is not TOML, has an unknown key or an invalid value.  The message names the file, the
        key and, for an unknown key, the nearest known one.
    """
    return toml.read(path, lambda given: parse(given, Path(path).name))


def parse(given: Mapping[str, Any], name: str = "study") -> Study:
    """Check a study given as a mapping, with the contents that a TOML file would have.

    Parameters
    ----------
    given : mapping
        The tables "base", "factors" and perhaps "study".
    name : str, default "study"
        Its name, and its title if it has none.

    Returns
    -------
    Study
        Checked.

    Raises
    ------
    ValueError
        For the reasons of `read`.
    """
    check_keys(given, ("study", "base", "factors"))
    for key in ("base", "factors"):
        if not given.get(key):
            raise ValueError(f"a study needs a table [{key}]")
    study = toml.table("study", given.get("study", {}))
    check_keys(study, STUDY, "study")
    study = {**STUDY, **study}
    with located("study"):
        title, data = study["title"], checks.known("data", study["data"], DATA)
        if not isinstance(title, str):
            raise TypeError(f"title must be a text, got {title!r}")
        n_validation = checks.whole("validation_images", study["validation_images"], least=0)
        seeds = _seeds(study["seeds"])
        factorial = checks.flag("factorial", study["factorial"])
    base = dict(toml.table("base", given["base"]))
    with located("base"):
        variants = [Variant("base", "", _settings(base, data))]
    factors = [
        _switches(key, one) for key, one in toml.table("factors", given["factors"]).items()
    ]
    for switches in _combinations(factors) if factorial else _one_at_a_time(factors):
        with located(", ".join(f"factors.{one.factor}, {one.value}" for one in switches)):
            sets = {key: value for one in switches for key, value in one.sets.items()}
            variants.append(
                Variant(
                    " + ".join(one.factor for one in switches),
                    " + ".join(one.value for one in switches),
                    _settings({**base, **sets}, data),
                )
            )
    return Study(name, title or name, data, n_validation, seeds, base, tuple(variants))


def _settings(given: Mapping[str, Any], data: str) -> Settings:
    """The settings of a variant; bytes of images count as numbers from 0 to 1 by default."""
    n_in, n_classes, uint8_scale = DATA[data]
    return Settings.of({"uint8_scale": uint8_scale, **given}, n_in, n_classes)


def _seeds(value: object) -> tuple[int, ...]:
    """The seeds of a list, or for a number n the seeds from 0 to n − 1."""
    if not isinstance(value, (list, tuple)):
        count = checks.whole("seeds", value)
        if count > MAX_SEEDS:
            raise ValueError(
                f"seeds = {count:,} are too many, at most {MAX_SEEDS:,}; for a seed give a list, "
                f"seeds = [{count}]"
            )
        return tuple(range(count))
    found = tuple(checks.whole(f"seeds[{i}]", one, least=0) for i, one in enumerate(value))
    if not found or len(set(found)) < len(found):
        raise ValueError(f"seeds must be a number, or different seeds in a list; got {value!r}")
    return found


def _switches(factor: str, given: object) -> list[Switch]:
    """The values of a factor: of the key that it is named after, or named variants."""
    place = f"factors.{factor}"
    if isinstance(given, Mapping):
        for value, sets in given.items():
            if not isinstance(sets, Mapping):
                raise ValueError(
                    f"{place}: {value!r} must be a table of keys to set, got {sets!r}; values to "
                    f"try for one key are a list: {factor} = [ … ]"
                )
            check_keys(sets, DEFAULTS, f"{place}, {value}")
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
        raise ValueError(f"{place} is empty; give values to try in place of the base's")
    values = [one.value for one in found]
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{place} has {value} twice")
    return found


def _one_at_a_time(factors: list[list[Switch]]) -> list[tuple[Switch, ...]]:
    return [(one,) for switches in factors for one in switches]


def _combinations(factors: list[list[Switch]]) -> list[tuple[Switch, ...]]:
    """All combinations of values, each factor's base included, except for the base itself."""
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
    if count > MAX_VARIANTS:
        raise ValueError(
            f"study: factorial = true makes {count:,} variants; at most {MAX_VARIANTS:,}"
        )
    ways = product(*[[None, *switches] for switches in factors])
    return [
        switched for way in ways if (switched := tuple(one for one in way if one is not None))
    ]
