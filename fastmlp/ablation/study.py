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

A study of a table of one's own compares models of `fastmlp.tabular`.  Its [base] and [factors] have
parameters of `TabularClassifier` or `TabularRegressor`; without [base] it is their default that is
changed, and without [factors] by those of `fastmlp.ablation.tables.FACTORS`:

    [study]
    data = "houses.csv"           # relative to the folder of the study
    label = "price"               # the column to predict
    metric = "mae"                # default: log_loss or rmse
    task = "regression"           # default: by the contents of the label column
    drop = ["id"]                 # columns to leave out
    group = "town"                # a column whose equal entries keep rows together; or time

The whole study is checked when it is read, so that no mistake is found after an hour of training.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import inf, prod
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..experiments import toml
from ..experiments.settings import DEFAULTS, Settings, label
from ..experiments.toml import check_keys, located
from ..support import checks
from ..support.extras import imported
from .images import DATA

if TYPE_CHECKING:
    from .tables import TableSettings

__all__ = ["Study", "Variant", "parse", "read"]

STUDY: dict[str, Any] = {
    "title": "",
    "data": "mnist",
    "validation_images": 0,
    "seeds": 5,
    "factorial": False,
}
TABLE: dict[str, Any] = {  # further keys of [study] that describe a table
    "label": None, "metric": None, "task": None, "drop": (), "group": None, "time": None,
}  # fmt: skip
MAX_VARIANTS = 10_000
MAX_SEEDS = 100_000
MAX_TABLE_SEED = 2**32 - 1  # scikit-learn's largest random_state


@dataclass(frozen=True)
class Variant:
    """One configuration of a study.

    Attributes
    ----------
    factor, value : str
        The factor that is changed, and the name of its value; "base" and "" for the base
        configuration.  In a factorial study both may name several, joined by " + ".
    settings : Settings or TableSettings
        The whole configuration.
    """

    factor: str
    value: str
    settings: Settings | TableSettings

    def __str__(self) -> str:
        return f"{self.factor}: {self.value}" if self.value else self.factor


@dataclass(frozen=True)
class Study:
    """A checked study.

    Attributes
    ----------
    name : str
        Name of its file, without the folder; empty if it was given as a mapping.
    title : str
        The title of its table and plot.
    data : str
        The data set, "mnist" or "digits"; or the file of a table, empty if none is named.
    table : dict or None
        What describes a table: the keys of `TABLE`.
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
    table: dict[str, Any] | None
    validation_images: int
    seeds: tuple[int, ...]
    base: dict[str, Any]
    variants: tuple[Variant, ...]


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


def parse(given: Mapping[str, Any], name: str = "") -> Study:
    """Check a study given as a mapping, with the contents that a TOML file would have.

    Parameters
    ----------
    given : mapping
        The tables "study", "base" and "factors", of which the study of a table needs only "study".
    name : str, default ""
        The name of its file, and its title if it has none.

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
    study = toml.table("study", given.get("study", {}))
    check_keys(study, {**STUDY, **TABLE}, "study")
    with located("study"):
        table = _table(study)
        study = {**STUDY, **({} if table is None else {"data": ""}), **study}
        title, data = study["title"], study["data"]
        if not isinstance(title, str):
            raise TypeError(f"title must be a text, got {title!r}")
        if table is None:
            _check_images(data)
        elif not isinstance(data, str):
            raise TypeError(f"data must be the name of a table's file, got {data!r}")
        n_validation = checks.whole("validation_images", study["validation_images"], least=0)
        seeds = _seeds(study["seeds"], inf if table is None else MAX_TABLE_SEED)
        factorial = checks.flag("factorial", study["factorial"])
    keys: Collection[str] = DEFAULTS
    settings: Callable[[Mapping[str, Any]], Any] = partial(_settings, data)
    if table is not None:
        imported("pandas", "tabular")
        from .tables import FACTORS, KEYS, TableSettings

        keys, settings = KEYS, TableSettings.of
        given = {"base": {}, "factors": FACTORS, **given}
    elif not given.get("base"):
        raise ValueError("a study needs a table [base]")
    if not given.get("factors"):
        raise ValueError("a study needs a table [factors]")
    base = dict(toml.table("base", given["base"]))
    with located("base"):
        variants = [Variant("base", "", settings(base))]
    factors = [
        _switches(key, one, keys) for key, one in toml.table("factors", given["factors"]).items()
    ]
    for switches in _combinations(factors) if factorial else _one_at_a_time(factors):
        with located(", ".join(f"factors.{one.factor}, {one.value}" for one in switches)):
            sets = {key: value for one in switches for key, value in one.sets.items()}
            variants.append(
                Variant(
                    " + ".join(one.factor for one in switches),
                    " + ".join(one.value for one in switches),
                    settings({**base, **sets}),
                )
            )
    title = title or name or "Ablation study"
    return Study(name, title, data, table, n_validation, seeds, base, tuple(variants))


def _table(study: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a study says of its table, checked; None if it is of images."""
    given = {key: study[key] for key in TABLE if key in study}
    if "label" not in given:
        if given:
            raise ValueError(f"{next(iter(given))} is for a table; give label, a column, too")
        return None
    if "validation_images" in study:
        raise ValueError("validation_images is for images, and label for a table; give one of them")
    table = {**TABLE, **given}
    for key in ("label", "group", "time"):
        if table[key] is not None:
            checks.column(key, table[key])
    for key in ("metric", "task"):
        if table[key] is not None and not isinstance(table[key], str):
            raise TypeError(f"{key} must be a text, got {table[key]!r}")
    if table["task"] is not None:
        checks.known("task", table["task"], ("classification", "regression"))
    table["drop"] = checks.columns("drop", table["drop"])
    return table


def _check_images(data: object) -> None:
    """Check the name of a data set."""
    if isinstance(data, str) and data not in DATA:
        hint = checks.nearest(data, DATA)
        raise ValueError(f"unknown data {data!r}{hint}; for a table give label, a column, too")
    checks.known("data", data, DATA)


def _settings(data: str, given: Mapping[str, Any]) -> Settings:
    """The settings of a variant; bytes of images count as numbers from 0 to 1 by default."""
    n_in, n_classes, uint8_scale = DATA[data]
    return Settings.of({"uint8_scale": uint8_scale, **given}, n_in, n_classes)


def _seeds(value: object, largest: float) -> tuple[int, ...]:
    """The seeds of a list, or for a number n the seeds from 0 to n − 1."""
    if not isinstance(value, (list, tuple)):
        count = checks.whole("seeds", value)
        if count > MAX_SEEDS:
            raise ValueError(
                f"seeds = {count:,} are too many, at most {MAX_SEEDS:,}; for a seed give a list, "
                f"seeds = [{count}]"
            )
        return tuple(range(count))
    found = tuple(
        checks.whole(f"seeds[{i}]", one, least=0, most=largest) for i, one in enumerate(value)
    )
    if not found or len(set(found)) < len(found):
        raise ValueError(f"seeds must be a number, or different seeds in a list; got {value!r}")
    return found


def _switches(factor: str, given: object, keys: Collection[str]) -> list[Switch]:
    """The values of a factor: of the key that it is named after, or named variants."""
    place = f"factors.{factor}"
    if isinstance(given, Mapping):
        for value, sets in given.items():
            if not isinstance(sets, Mapping):
                raise ValueError(
                    f"{place}: {value!r} must be a table of keys to set, got {sets!r}; values to "
                    f"try for one key are a list: {factor} = [ … ]"
                )
            check_keys(sets, keys, f"{place}, {value}")
        found = [Switch(factor, value, dict(sets)) for value, sets in given.items()]
    elif isinstance(given, (list, tuple)):
        if factor not in keys:
            raise ValueError(
                f"factors: unknown key {factor!r}{checks.nearest(factor, keys)}. A factor of "
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
