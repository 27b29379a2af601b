"""Models of tables: scikit-learn estimators that take a table as it is, and a reader of files.

Needs the extra ``tabular``: scikit-learn, SciPy and pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..support.extras import imported

if TYPE_CHECKING:
    from .classifier import TabularClassifier
    from .loading import load
    from .reading import read_table
    from .regressor import TabularRegressor

__all__ = ["TabularClassifier", "TabularRegressor", "load", "read_table"]

LAZY = {  # the modules of the names, which import pandas and scikit-learn
    "TabularClassifier": "classifier",
    "TabularRegressor": "regressor",
    "load": "loading",
    "read_table": "reading",
}

if not TYPE_CHECKING:  # to type checkers every name would seem to exist

    def __getattr__(name: str) -> Any:
        if name not in LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        for module in ("pandas", "sklearn", "scipy"):
            imported(module, "tabular")
        return getattr(import_module(f".{LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
