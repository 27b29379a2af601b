"""Data of several tests of the estimators."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="module")
def iris():
    """The irises: columns of mean 0 and deviation 1, and the names of the species."""
    datasets = pytest.importorskip("sklearn.datasets")
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    X, y = datasets.load_iris(return_X_y=True)
    return preprocessing.scale(X), np.array(["setosa", "versicolor", "virginica"])[y]
