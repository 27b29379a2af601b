"""scikit-learn's own checks of estimators: every one passes, with every option."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")
from sklearn.utils.estimator_checks import check_estimator

import fastmlp
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore")  # many checks fit odd data


def half_square(h, y):
    """A loss in Python; `difference` is its derivative."""
    return ((h - y) ** 2).sum(axis=1) / 2


def difference(h, y):
    return h - y


CLASSIFIERS = [  # options that do not act on one another share an estimator
    {},
    {"activation": "gelu", "label_smoothing": 0.1, "n_threads": 1},
    {"activation": ["leaky_relu"], "class_weight": "balanced", "max_seconds": 60.0},
    {"dropout": 0.2, "ema": 0.9},
    {"batch_norm": True, "scoring": "loss"},
    {"dropout": [0.1], "batch_norm": [True], "solver": "sgd"},
    {
        "learning_rate": fastmlp.schedules.Cosine(0.01),
        "callbacks": [fastmlp.EarlyStopping(monitor="cost")],
    },
    {"solver": "sgd", "learning_rate_init": 0.1},
]
REGRESSORS = [
    {},
    {"activation": "silu", "dropout": 0.2},
    {"batch_norm": True, "scoring": "r2"},
    {"solver": "lbfgs"},
    {"loss": "absolute_error", "learning_rate": fastmlp.schedules.Cosine(0.01)},
    {"loss": "huber", "ema": 0.9},
    {"loss": "quantile", "learning_rate_init": 0.01},
    {"loss": "poisson", "learning_rate_init": 0.01},
    {"loss": "gamma", "learning_rate_init": 0.05},
    {"loss": (half_square, difference)},
]


def failed(estimator) -> dict[str, object]:
    """The checks that did not pass, with their exceptions."""
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    return {
        result["check_name"]: result["exception"]
        for result in results
        if result["status"] not in ("passed", "skipped")
    }


@pytest.mark.parametrize("options", CLASSIFIERS, ids=str)
def test_classifier_passes_every_check(options):
    assert failed(MLPClassifier(**options)) == {}


@pytest.mark.parametrize("options", REGRESSORS, ids=", ".join)
def test_regressor_passes_every_check(options):
    assert failed(MLPRegressor(**options)) == {}
