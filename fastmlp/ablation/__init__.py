"""Ablation studies: what each part of a configuration contributes, measured by changing it.

For example::

    results = fastmlp.ablation.run("study.toml", data="mnist")

`study` describes the file of a study.  `data` is the interface of what a study compares models on:
`images`, whose settings are those of `fastmlp.experiments.settings`, and `tables`, with the
parameters of the estimators of `fastmlp.tabular`.  `summary` computes the figures.
"""

from ..experiments.settings import Settings
from .loop import run
from .study import Study, Variant, parse, read
from .summary import Results, Row

__all__ = ["Results", "Row", "Settings", "Study", "Variant", "parse", "read", "run"]
