"""Pictures of training and of trained networks, by matplotlib.

    ax = fastmlp.plotting.confusion(net, X_test, y_test)
    ax.figure.savefig("confusion.png")

Each function draws on the Axes or Figure it is given, or on a new one of pyplot's, and returns it;
nothing is shown or written.  `page` makes one HTML page of them all.  The pictures are of `MLP`,
`Ensemble` and, where it says so, of estimators in scikit-learn's manner.

It needs matplotlib: ``pip install "fastmlp[plot]"``.
"""

from .curves import activations, calibration, history
from .maps import confusion, decision_boundary
from .page import page
from .sheets import errors, images, weights

__all__ = [
    "activations",
    "calibration",
    "confusion",
    "decision_boundary",
    "errors",
    "history",
    "images",
    "page",
    "weights",
]
