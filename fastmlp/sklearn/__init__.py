"""scikit-learn's MLPClassifier and MLPRegressor, faster and with more options.

For example::

    from fastmlp.sklearn import MLPClassifier     # in place of sklearn.neural_network

    model = MLPClassifier(hidden_layer_sizes=(100,), random_state=0).fit(X, y)

Parameters, defaults, fitted attributes, warnings and errors are scikit-learn's.  The same
`random_state` gives the same initial parameters and the same order of samples, so that the trained
network equals scikit-learn's up to rounding.  docs/scikit_learn.md describes what is new.

The module needs scikit-learn: ``pip install "fastmlp[sklearn]"``.
"""

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise ImportError(
        f'fastmlp.sklearn needs {error.name}: pip install "fastmlp[sklearn]"', name=error.name
    ) from None

from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
