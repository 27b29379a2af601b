"""One method on one split of a table, in a process of its own with one thread.

    python -m benchmarks.table_methods METHOD TABLE SEED

prints what was measured as a line of JSON.  Only the methods of fastmlp need fastmlp, so that
`benchmarks.tables` runs the others by the Python of another environment.

All methods are told which columns are categories.  fastmlp, CatBoost, LightGBM and
HistGradientBoosting take missing numbers as they are.  For the others a missing number is the mean
of its column, and 1 in a column of its own.  scikit-learn's MLP gets one-hot categories, and its
inputs and targets standardized.  A missing category is a level of its own.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import resource
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .machine import cpu_name
from .table_data import Array, Split, Table, read, split

__all__ = ["METHODS", "measure"]

COVERAGE = 0.9  # of the intervals that are checked
LEAST_PROBABILITY = 1e-7  # whose logarithm is taken


class Method(NamedTuple):
    """How a method takes its data."""

    package: str  # that has it
    classifier: str  # module:class
    regressor: str
    options: dict[str, Any]  # that make it use one thread and print nothing
    seed: str = "random_state"  # the name of that option
    missing_numbers: bool = True  # whether it takes them


def _fastmlp(quality: str) -> Method:
    return Method(
        "fastmlp",
        "fastmlp.tabular:TabularClassifier",
        "fastmlp.tabular:TabularRegressor",
        {"quality": quality, "n_threads": 1},
    )


METHODS = {
    "fastmlp-fast": _fastmlp("fast"),
    "fastmlp-good": _fastmlp("good"),
    "fastmlp-best": _fastmlp("best"),
    "scikit-MLP": Method(
        "scikit-learn",
        "sklearn.neural_network:MLPClassifier",
        "sklearn.neural_network:MLPRegressor",
        {},
        missing_numbers=False,
    ),
    "RealMLP-TD": Method(
        "pytabkit",
        "pytabkit:RealMLP_TD_Classifier",
        "pytabkit:RealMLP_TD_Regressor",
        {"device": "cpu", "n_threads": 1},
        missing_numbers=False,
    ),
    "CatBoost": Method(
        "catboost",
        "catboost:CatBoostClassifier",
        "catboost:CatBoostRegressor",
        {"thread_count": 1, "verbose": False, "allow_writing_files": False},
        seed="random_seed",
    ),
    "LightGBM": Method(
        "lightgbm",
        "lightgbm:LGBMClassifier",
        "lightgbm:LGBMRegressor",
        {"n_jobs": 1, "verbose": -1},
    ),
    "HistGradientBoosting": Method(
        "scikit-learn",
        "sklearn.ensemble:HistGradientBoostingClassifier",
        "sklearn.ensemble:HistGradientBoostingRegressor",
        {"categorical_features": "from_dtype"},
    ),
}


def prepared(data: Split, name: str, categories: list[str]) -> Split:
    """Return a split as the method takes it."""
    train, test = data.X_train, data.X_test
    if not METHODS[name].missing_numbers:
        train, test = filled(train, test, categories)
    if name.startswith("fastmlp"):
        train, test = (X.astype(dict.fromkeys(categories, "category")) for X in (train, test))
    else:
        train, test = with_levels(train, test, categories)
    if name == "CatBoost":
        train, test = (X.astype(dict.fromkeys(categories, str)) for X in (train, test))
    elif name == "scikit-MLP":
        train, test = standardized(train, test, categories)
    return data._replace(X_train=train, X_test=test)


def filled(
    train: pd.DataFrame, test: pd.DataFrame, categories: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return tables without missing numbers."""
    train, test = train.copy(), test.copy()
    for name in [name for name in train if name not in categories]:
        mean, any_missing = train[name].mean(), train[name].isna().any()
        for X in (train, test):
            if any_missing:
                X[f"{name} is missing"] = X[name].isna().astype(float)
            X[name] = X[name].fillna(mean)
    return train, test


def with_levels(
    train: pd.DataFrame, test: pd.DataFrame, categories: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return tables with pandas' categories, those of the training set."""
    train, test = train.copy(), test.copy()
    for name in categories:
        for X in (train, test):
            X[name] = X[name].where(X[name].notna(), "missing").astype(str)
        train[name] = train[name].astype("category")
        test[name] = test[name].astype(train[name].dtype)
    return train, test


def standardized(
    train: pd.DataFrame, test: pd.DataFrame, categories: list[str]
) -> tuple[Array, Array]:
    """Return one-hot and standardized arrays."""
    from sklearn.preprocessing import StandardScaler

    train, test = (pd.get_dummies(X, columns=categories, dtype=float) for X in (train, test))
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def estimator(name: str, table: Table, seed: int) -> Any:
    """Return the method's estimator with its defaults."""
    method = METHODS[name]
    module, kind = (method.classifier if table.classification else method.regressor).split(":")
    options = {**method.options, method.seed: seed}
    if name == "CatBoost":
        options["cat_features"] = table.categories
    model = getattr(importlib.import_module(module), kind)(**options)
    if name == "scikit-MLP" and not table.classification:  # which does not scale the target
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.preprocessing import StandardScaler

        return TransformedTargetRegressor(model, transformer=StandardScaler())
    return model


def cpu_seconds() -> float:
    """Return the processor time of this process and its children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(name: str, table: Table, seed: int) -> dict[str, Any]:
    """Return error, log-loss, processor time and coverage of a method on a split."""
    data = prepared(split(table, seed), name, table.categories)
    model = estimator(name, table, seed)
    options = {"cat_col_names": table.categories} if name == "RealMLP-TD" else {}
    begun = cpu_seconds()
    model.fit(data.X_train, data.y_train, **options)
    used = cpu_seconds() - begun
    y = data.y_test
    found: dict[str, Any] = {"logloss": None, "coverage": None}
    if table.classification:
        p = model.predict_proba(data.X_test)
        true = np.clip(p[np.arange(len(y)), y], LEAST_PROBABILITY, 1)
        found["error"] = float(np.mean(p.argmax(axis=1) != y))
        found["logloss"] = float(-np.log(true).mean())
    else:
        h = np.ravel(model.predict(data.X_test))
        found["error"] = float(np.sqrt(np.mean((h - y) ** 2)) / y.std())
        if name.startswith("fastmlp"):
            low, high = model.predict_interval(data.X_test, coverage=COVERAGE).T
            found["coverage"] = float(np.mean((low <= y) & (y <= high)))
    return {
        **found,
        "cpu_seconds": used,
        "train_rows": len(data.y_train),
        "version": version(METHODS[name].package),
        "processor": cpu_name(),
    }


def version(package: str) -> str:
    """Return a package's name and version; of fastmlp's source tree also the commit."""
    if package != "fastmlp":
        return f"{package} {importlib.metadata.version(package)}"
    import fastmlp

    folder = Path(fastmlp.__file__).parent
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=folder, capture_output=True, text=True
    )
    return f"fastmlp {fastmlp.__version__} {commit.stdout.strip()}".strip()


def main(name: str, table: str, seed: str) -> None:
    """Measure and print."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    warnings.simplefilter("ignore")
    if name == "RealMLP-TD":
        import torch

        torch.set_num_threads(1)
    print(json.dumps(measure(name, read(table), int(seed))), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
