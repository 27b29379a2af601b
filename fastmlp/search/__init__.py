"""Search of hyperparameters: Bayesian optimization by Optuna.

For example::

    result = fastmlp.search.minimize(X, y, n_trials=50, epochs=20, storage="digits.journal")
    net = result.refit(X, y)

It needs Optuna: ``pip install "fastmlp[search]"``.  `space` describes how a search space is
written, and `SPACE` is the default one.
"""

from .loop import minimize
from .space import SPACE
from .trials import Result

__all__ = ["SPACE", "Result", "minimize"]
