"""Ablation studies: what each part of a configuration is worth, by switching it.

For example::

    results = fastmlp.ablation.run("study.toml", data="mnist")

`study` says how a study is written, `settings` what can be set in it; `summary` has the figures.
"""

from .running import run
from .settings import Settings
from .study import Study, Variant, parse, read
from .summary import Results, Row

__all__ = ["Results", "Row", "Settings", "Study", "Variant", "parse", "read", "run"]
