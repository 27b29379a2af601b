"""Recipes: networks and their training as TOML files.

    fastmlp.recipes.names()
    net, history = fastmlp.recipes.train("fast", X, y, seed=0)

The recipes that come with fastmlp were made for MNIST.  They train on any examples with class
labels; those with distortions need square images.  `recipe` reads and checks the files, `training`
trains by them, and `checkpoints` stores an unfinished training.
"""

from .recipe import Recipe, names, parse, read
from .training import train

__all__ = ["Recipe", "names", "parse", "read", "train"]
