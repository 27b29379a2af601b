"""
With scikit-learn's tools
=========================

The estimators replace scikit-learn's own in pipelines, grid searches and scores.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp.sklearn import MLPClassifier

data = load_breast_cancer(as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(data.data, data.target, random_state=0)

# %%
# Dropout, label smoothing and the learning rate schedule are parameters like any other.

model = MLPClassifier(
    hidden_layer_sizes=(64, 64),
    learning_rate=fastmlp.schedules.OneCycle(0.01),
    max_iter=30,
    tol=0,
    n_iter_no_change=np.inf,  # all 30 epochs: the schedule ends with them
    random_state=0,
)
warnings.simplefilter("ignore", ConvergenceWarning)  # 30 epochs are intended
search = GridSearchCV(
    make_pipeline(StandardScaler(), model),
    {"mlpclassifier__dropout": [0.0, 0.2, 0.5], "mlpclassifier__label_smoothing": [0.0, 0.1]},
    error_score="raise",
)
search.fit(X_train, y_train)
print(search.best_params_)
print(f"accuracy {search.score(X_test, y_test):.3f}")

# %%
# The plotting functions accept the estimator like a network.

transformed = search.best_estimator_[0].transform(X_test)
fastmlp.plotting.calibration(search.best_estimator_[1], transformed, y_test.to_numpy(), bins=5)
plt.show()
