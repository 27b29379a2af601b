"""A recipe: a network, its training, distortions and the size of a committee, read from TOML.

For example::

    name = "robust"
    description = "One line for a list."

    [network]                     # hidden, and other arguments of MLP
    hidden = [256, 256]
    dropout = 0.2

    [training]                    # arguments of fit; schedule is the course of the learning rate
    epochs = 20
    optimizer = { name = "adamw", learning_rate = 0.003 }
    schedule = "one_cycle"

    [augment]                     # optional: arguments of fastmlp.augment.Distortion
    rotation = 10

    [committee]                   # optional: so many networks, which answer together
    size = 5

Everything is checked when a recipe is read, so that a mistake does not cost an hour of training.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

from ..ablation.settings import NETWORK, TRAINING, Settings, located
from ..augment import Distortion
from ..support import checks

__all__ = ["Recipe", "names", "parse", "read"]

FOLDER = Path(__file__).parent
KEYS: dict[str, tuple[str, ...]] = {
    "network": ("hidden", *NETWORK),
    "training": (*TRAINING, "schedule"),
    "augment": tuple(field.name for field in fields(Distortion)),
    "committee": ("size",),
}
MNIST = (784, 10)  # inputs and classes that a recipe's widths are checked with when it is read


@dataclass(frozen=True)
class Recipe:
    """A checked recipe.

    Attributes
    ----------
    name, description : str
        What to call it, and a line that says what it is.
    settings : fastmlp.ablation.Settings
        Of network and training, distortions included.
    committee : int
        The number of networks; 1 is a single one.
    """

    name: str
    description: str
    settings: Settings
    committee: int = 1

    @property
    def plain(self) -> dict[str, Any]:
        """All that a result depends on beside data and seed, as JSON has it."""
        return {"settings": self.settings.plain, "committee": self.committee}


def names() -> list[str]:
    """Return the names of the recipes that come with fastmlp.

    Returns
    -------
    list of str
        In the order of the alphabet.

    Examples
    --------
    >>> fastmlp.recipes.names()
    ['committee', 'fast', 'plain', 'quick', 'record', 'report-best', 'strong']
    """
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(recipe: str | PathLike[str]) -> Recipe:
    """Read and check a recipe.

    Parameters
    ----------
    recipe : str or path-like
        One of `names()`, or a file of your own whose name ends in .toml.

    Returns
    -------
    Recipe
        Checked.

    Raises
    ------
    ValueError
        If there is none of that name, it is not TOML, or it has an unknown key or a value that
        cannot be.  The message says where, and for something unknown the nearest known.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> fastmlp.recipes.read("fast").settings.hidden
    (512,)
    """
    path = Path(recipe)
    if path.suffix != ".toml":
        path = FOLDER / f"{checks.known('recipe', str(recipe), names())}.toml"
    with path.open("rb") as file:
        try:
            given = tomllib.load(file)
        except ValueError as error:  # also a UnicodeDecodeError
            raise ValueError(f"{path}: not TOML: {error}") from None
    try:
        return parse(given)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse(given: Mapping[str, Any]) -> Recipe:
    """Check a recipe given as the mapping that its TOML would be.

    Parameters
    ----------
    given : mapping
        With "name", "description", "network" and perhaps the other tables.

    Returns
    -------
    Recipe
        Checked.

    Raises
    ------
    ValueError
        As `read`.
    """
    _known("", given, ("name", "description", *KEYS))
    for key in ("name", "description"):
        if not isinstance(given.get(key), str) or not given[key].strip():
            raise ValueError(f"{key} must be a text, got {given.get(key)!r}")
    tables: dict[str, Mapping[str, Any]] = {}
    for place, keys in KEYS.items():
        table = given.get(place, {})
        if not isinstance(table, Mapping):
            raise ValueError(f"{place} must be a table, [{place}], got {table!r}")
        _known(place, table, keys)
        tables[place] = table
    if "network" not in given:
        raise ValueError("a recipe needs a table [network]")
    given_settings = {**tables["network"], **tables["training"]}
    if "augment" in given:
        given_settings["augment"] = tables["augment"]
    with located("network and training"):
        settings = Settings.of(given_settings, *MNIST)
    committee = 1
    if "committee" in given:
        with located("committee"):
            committee = checks.whole("size", tables["committee"].get("size"), least=2)
    return Recipe(given["name"], given["description"], settings, committee)


def _known(place: str, table: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    for key in table:
        if key not in keys:
            where = f"{place}: " if place else ""
            elsewhere = [other for other, known in KEYS.items() if key in known]
            hint = f"; it belongs in [{elsewhere[0]}]" if elsewhere else checks.nearest(key, keys)
            raise ValueError(f"{where}unknown key {key!r}{hint}")
