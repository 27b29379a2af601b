"""Comparison of a model with baselines, and the table of scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fastmlp.cli.baselines import baseline_scores, better_baselines, score_lines
from fastmlp.tabular import TabularClassifier


@pytest.mark.parametrize(
    ("metric", "model", "baselines", "better"),
    [
        ("rmse", 2.0, {"mean": 3.0, "ridge": 1.0}, ["ridge"]),
        ("log_loss", 0.5, {"shares": 0.5, "logistic": 0.6}, ["shares"]),
        ("auc", 0.8, {"shares": 0.5, "logistic": 0.9}, ["logistic"]),
        ("accuracy", 0.8, {"shares": 0.7, "logistic": 0.75}, []),
    ],
)
def test_baselines_that_are_at_least_as_good_are_named(
    metric: str, model: float, baselines: dict[str, float], better: list[str]
) -> None:
    found = {name: {metric: value} for name, value in baselines.items()}
    assert better_baselines(metric, {metric: model}, found) == better
    assert better_baselines(metric, {}, found) == []  # it does not exist for the model


def test_each_metric_has_a_line_and_what_does_not_exist_is_left_out() -> None:
    columns = {"model": {"rmse": 0.123456789, "r2": 0.5, "coverage_90": 0.9}, "mean": {"rmse": 2.0}}
    lines = [line.split() for line in score_lines("regression", columns)]
    assert lines == [
        ["model", "mean"],
        ["RMSE", "0.123457", "2"],
        ["R2", "0.5000"],
        ["90", "%", "intervals", "hold", "0.9000"],
    ]


def test_rows_of_one_class_alone_have_no_logistic_regression(rng: np.random.Generator) -> None:
    X = pd.DataFrame({"a": rng.normal(size=40), "b": rng.normal(size=40)})
    y = np.where(X["a"] > 0, "yes", "no")
    model = TabularClassifier(quality="fast", epochs=1, random_state=0).fit(X, y)
    yes = X[y == "yes"]
    scores = baseline_scores(model, yes, y[y == "yes"], X, y)
    assert scores["logistic regression"] == scores["majority class"]
    assert scores["majority class"]["accuracy"] == pytest.approx(len(yes) / 40)


def test_class_weights_by_label_hold_for_logistic_regression_too(rng: np.random.Generator) -> None:
    X = pd.DataFrame({"a": rng.normal(size=200)})
    y = np.where(X["a"] + rng.normal(size=200) > 0.8, "yes", "no")
    found = {}
    for weights in (None, {"yes": 4.0}, {"yes": 1.0, "no": 1.0}):
        model = TabularClassifier(quality="fast", epochs=1, class_weight=weights, random_state=0)
        scores = baseline_scores(model.fit(X, y), X, y, X, y)["logistic regression"]
        found[str(weights)] = scores["balanced_accuracy"], scores["accuracy"]
    plain, weighted, equal = found.values()
    assert weighted[0] > plain[0] + 0.05 and weighted[1] < plain[1]
    assert equal == plain
