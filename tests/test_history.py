"""A history is shown in one line, and as a table in a notebook."""

from __future__ import annotations

import math
from html.parser import HTMLParser
from typing import Any

import pytest

import fastmlp
from fastmlp import History
from fastmlp.history import best_epoch


class Cells(HTMLParser):
    """The texts of a table's caption and cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in ("caption", "td", "th"):
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data


HISTORY = History(
    cost=[2.0, 1.0, 0.5],
    validation_cost=[2.0, 1.25, 1.5],
    validation_accuracy=[0.5, 0.75, 0.625],
    learning_rate=[0.01, 0.01, 0.002],
    seconds=[0.5, 0.25, 0.25],
    stopped_by="EarlyStopping",
)


def test_the_repr_has_the_last_figures() -> None:
    assert repr(HISTORY) == (
        "History(epochs=3, cost=0.5, validation_cost=1.5, validation_accuracy=0.625, seconds=1, "
        "stopped_by='EarlyStopping')"
    )
    assert repr(History()) == "History(epochs=0, seconds=0, stopped_by='')"


def test_the_repr_of_a_long_history_is_short() -> None:
    many = [1 / 3] * 1000
    assert len(repr(History(many, many, many, many, many, "epochs"))) < 150


def test_the_table_has_last_and_best_figures() -> None:
    assert Cells(HISTORY._repr_html_()).texts == [
        "3 epochs in 1 s; ended by EarlyStopping",
        "", "last epoch", "best", "best epoch",
        "cost", "0.5", "0.5", "3",
        "validation cost", "1.5", "1.25", "2",
        "validation accuracy", "62.50%", "75.00%", "2",
        "learning rate", "0.002", "", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stopped_by", "words"),
    [
        ("epochs", "all epochs done"),
        ("cost_below", "the cost fell below cost_below"),
        ("max_seconds", "ended by max_seconds"),
        ("interrupt", "interrupted by Ctrl-C"),
        ("divergence", "became infinite or NaN"),
        ("error", "ended by an error"),
        ("", "in training"),
        ("My<Callback>", "ended by My<Callback>"),
    ],
)
def test_the_table_states_why_training_ended(stopped_by: str, words: str) -> None:
    caption = Cells(History(cost=[1.0], stopped_by=stopped_by)._repr_html_()).texts[0]
    assert caption.startswith("1 epoch in 0 s; ") and words in caption


def test_an_unfinished_epoch_is_stated() -> None:
    history = History(stopped_by="max_seconds", unfinished_batches=7)
    caption = "0 epochs in 0 s; ended by max_seconds; 7 batches of an unfinished epoch"
    assert Cells(history._repr_html_()).texts == [caption]


def test_a_fit_returns_what_its_table_shows(net: fastmlp.MLP, classes: Any) -> None:
    history = net.fit(*classes, epochs=3)
    texts = Cells(history._repr_html_()).texts
    assert texts[texts.index("cost") + 1] == f"{history.cost[-1]:.4g}"


@pytest.mark.parametrize(
    ("values", "greatest", "epoch"),
    [
        ([3.0, 1.0, 2.0], False, 2),
        ([3.0, 1.0, 1.0], False, 2),
        ([0.5, 0.75, 0.75], True, 2),
        ([math.nan, 2.0, 1.0], False, 3),
        ([math.nan, 2.0, 1.0], True, 2),
        ([math.nan, math.nan], True, 1),
        ([math.inf, 5.0], False, 2),
    ],
)
def test_the_best_epoch_is_the_first_of_the_best(
    values: list[float], greatest: bool, epoch: int
) -> None:
    assert best_epoch(values, greatest) == epoch
