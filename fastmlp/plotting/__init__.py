"""Plots of training and of trained models, by matplotlib.

    ax = fastmlp.plotting.confusion(net, X_test, y_test)
    ax.figure.savefig("confusion.png")

Each function draws on the Axes or Figure that it is passed, or on a new one of pyplot's, and
returns it; none shows a window or writes a file.  `page` puts all plots of a model on one HTML
page.  The models are `MLP`, `Ensemble` and, where a function says so, estimators with
scikit-learn's interface.

matplotlib is required: ``pip install "fastmlp[plot]"``.
"""

from .classification import calibration, confusion, decision_boundary
from .curves import activations, history
from .grids import errors, images, weights
from .page import page
from .regression import predicted_vs_actual

__all__ = [
    "activations",
    "calibration",
    "confusion",
    "decision_boundary",
    "errors",
    "history",
    "images",
    "page",
    "predicted_vs_actual",
    "weights",
]
