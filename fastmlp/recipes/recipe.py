"""A recipe: a network, its training, its distortions and the size of an ensemble, as TOML.

For example::

    name = "robust"
    description = "A line for the list of recipes."

    [network]                     # hidden, and other arguments of MLP
    hidden = [256, 256]
    dropout = 0.2

    [training]                    # arguments of fit; schedule is the learning rate schedule
    epochs = 20
    optimizer = { name = "adamw", learning_rate = 0.003 }
    schedule = "one_cycle"

    [augment]                     # optional: arguments of fastmlp.augment.Distortion
    rotation = 10

    [ensemble]                    # optional: the number of networks whose outputs are averaged
    size = 5

The whole recipe is checked when it is read, so that no mistake is found after an hour of training.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

from ..augment import Distortion
from ..experiments import toml
from ..experiments.settings import NETWORK, TRAINING, Settings
from ..experiments.toml import check_keys, located
from ..support import checks
from ..support.paths import as_text

__all__ = ["Recipe", "names", "parse", "read"]

FOLDER = Path(__file__).parent
KEYS: dict[str, tuple[str, ...]] = {
    "network": ("hidden", *NETWORK),
    "training": (*TRAINING, "schedule"),
    "augment": tuple(field.name for field in fields(Distortion)),
    "ensemble": ("size",),
}
MNIST = (784, 10)  # inputs and classes for which a recipe is checked when it is read


@dataclass(frozen=True)
class Recipe:
    """A checked recipe.

    Attributes
    ----------
    name, description : str
        Its name, and a line about it.
    settings : fastmlp.ablation.Settings
        Settings of network and training, distortions included.
    ensemble_size : int
        The number of networks; 1 for a single network instead of an ensemble.
    """

    name: str
    description: str
    settings: Settings
    ensemble_size: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return everything that a result depends on, except for data and seed, as JSON's types.

        Returns
        -------
        dict
            The settings and the size of the ensemble.
        """
        return {"settings": self.settings.to_json(), "ensemble_size": self.ensemble_size}


def names() -> list[str]:
    """Return the names of the recipes that come with fastmlp.

    Returns
    -------
    list of str
        In alphabetical order.

    Examples
    --------
    >>> fastmlp.recipes.names()
    ['ensemble', 'fast', 'plain', 'quick', 'record', 'report-best', 'strong']
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(recipe: str | PathLike[str]) -> Recipe:
    """Read and check a recipe.

    Parameters
    ----------
    recipe : str or path-like
        One of `names()`, or a file whose name ends in .toml.

    Returns
    -------
    Recipe
        Checked.

    Raises
    ------
    ValueError
        If there is no recipe of that name, or the file is not TOML or has an unknown key or an
        invalid value.  The message names the place and, for something unknown, the nearest known.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> fastmlp.recipes.read("fast").settings.hidden
    (512,)
    """
    if isinstance(recipe, Mapping):
        raise TypeError("recipe must be a name, a path or a Recipe, got a dict: pass parse(recipe)")
    path = Path(as_text(recipe, "recipe"))
    if path.suffix != ".toml":
        path = FOLDER / f"{checks.known('recipe', str(path), names())}.toml"
    return toml.read(path, parse)


def parse(given: Mapping[str, Any]) -> Recipe:
    """Check a recipe given as a mapping, with the contents that a TOML file would have.

    Parameters
    ----------
    given : mapping
        "name", "description", the table "network" and perhaps the other tables.

    Returns
    -------
    Recipe
        Checked.

    Raises
    ------
    ValueError
        For the reasons of `read`.
    """
    check_keys(given, ("name", "description", *KEYS), hint=_hint)
    for key in ("name", "description"):
        if not isinstance(given.get(key), str) or not given[key].strip():
            raise ValueError(f"{key} must be a text, got {given.get(key)!r}")
    tables: dict[str, Mapping[str, Any]] = {}
    for name, keys in KEYS.items():
        tables[name] = toml.table(name, given.get(name, {}))
        check_keys(tables[name], keys, name, _hint)
    if "network" not in given:
        raise ValueError("a recipe needs a table [network]")
    values = {**tables["network"], **tables["training"]}
    if "augment" in given:
        values["augment"] = tables["augment"]
    with located("network and training"):
        settings = Settings.of(values, *MNIST)
    ensemble_size = 1
    if "ensemble" in given:
        with located("ensemble"):
            ensemble_size = checks.whole("size", tables["ensemble"].get("size"), least=2)
    return Recipe(given["name"], given["description"], settings, ensemble_size)


def _hint(key: str, known: Collection[str]) -> str:
    """The table to which an unknown key belongs, or the nearest known key."""
    elsewhere = [name for name, keys in KEYS.items() if key in keys]
    return f"; it belongs in [{elsewhere[0]}]" if elsewhere else checks.nearest(key, known)
