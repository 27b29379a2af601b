"""Histories of several calls of fit become one."""

from __future__ import annotations

from fastmlp import MLP, History
from fastmlp.experiments.histories import joined

FIRST = History(
    [3.0, 2.0], [3.5, 2.5], [0.1, 0.2], [0.01, 0.02], [1.0, 1.5], "interrupt", unfinished_batches=4
)
SECOND = History([1.0], [1.5], [0.3], [0.03], [2.0], "epochs")


def test_epochs_follow_each_other_and_the_end_is_that_of_the_second() -> None:
    assert joined(FIRST, SECOND) == History(
        [3.0, 2.0, 1.0], [3.5, 2.5, 1.5], [0.1, 0.2, 0.3], [0.01, 0.02, 0.03], [1.0, 1.5, 2.0],
        "epochs", unfinished_batches=0,
    )
    assert joined(SECOND, FIRST).unfinished_batches == 4
    assert joined(SECOND, FIRST).stopped_by == "interrupt"


def test_the_two_histories_stay_as_they_are() -> None:
    joined(FIRST, SECOND).cost.append(9.0)
    assert FIRST.cost == [3.0, 2.0]
    assert SECOND.cost == [1.0]


def test_two_fits_joined_have_the_epochs_of_both(classes) -> None:
    net = MLP((6, 4, 3))
    first, second = (net.fit(*classes, epochs=epochs) for epochs in (2, 3))
    assert joined(first, second).cost == first.cost + second.cost
    assert joined(first, second).epochs == 5


def test_metrics_are_joined_by_name() -> None:
    first, second = History([2.0], metrics={"auc": [0.5]}), History([1.0], metrics={"auc": [0.75]})
    assert joined(first, second).metrics == {"auc": [0.5, 0.75]}
    assert first.metrics == {"auc": [0.5]}
