"""Recipes: networks and their training, written down in TOML, that anyone runs with one line.

    fastmlp.recipes.names()
    net, history = fastmlp.recipes.train("fast", X, y, seed=0)

They were made for MNIST and train on any labeled examples (those with distortions: square images).
`recipe` says how one is written, `running` how one is carried out and resumed.
"""

from .recipe import Recipe, names, parse, read
from .running import train

__all__ = ["Recipe", "names", "parse", "read", "train"]
