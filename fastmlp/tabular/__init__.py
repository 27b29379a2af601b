"""Models of tables: scikit-learn estimators that take a table as it is, and a reader of files.

Needs the extra ``tabular``: scikit-learn, SciPy and pandas.
"""

from ..support.extras import imported

for _module in ("pandas", "sklearn", "scipy"):
    imported(_module, "tabular")

from .classifier import TabularClassifier  # noqa: E402
from .loading import load  # noqa: E402
from .reading import read_table  # noqa: E402
from .regressor import TabularRegressor  # noqa: E402

__all__ = ["TabularClassifier", "TabularRegressor", "load", "read_table"]
