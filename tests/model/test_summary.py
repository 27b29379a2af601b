"""The table of a network's layers shows what each layer is and does in training."""

from __future__ import annotations

import re

import pytest

import fastmlp
from fastmlp.encodings import Embedding, Numeric


@pytest.fixture
def regularized() -> fastmlp.MLP:
    net = fastmlp.MLP(
        (64, 100, 50, 10), activation=["relu", "tanh"], batch_norm=[True, False], dropout=0.3,
        input_dropout=0.1, noise=[0, 0.05],
    )
    net.freeze(0)
    return net


def test_a_plain_network_has_a_short_table() -> None:
    assert fastmlp.MLP((64, 100, 10)).summary() == (
        "layer   units  activation  weight     parameters\n"
        "input      64\n"
        "hidden    100  relu        (100, 64)       6,500\n"
        "output     10  softmax     (10, 100)       1,010\n"
        "loss cross_entropy, 7,510 parameters in float32"
    )


def test_what_layers_do_in_training_has_columns(regularized: fastmlp.MLP) -> None:
    assert regularized.summary() == (
        "layer   units  activation  batch norm  dropout  noise  weight     parameters  frozen\n"
        "input      64                              0.1\n"
        "hidden    100  relu        yes             0.3         (100, 64)       6,600  yes\n"
        "hidden     50  tanh                        0.3   0.05  (50, 100)       5,050\n"
        "output     10  softmax                                 (10, 50)          510\n"
        "loss cross_entropy, 12,160 parameters in float32, 5,560 of them trained"
    )


def test_encodings_have_a_row_and_count_as_frozen_when_they_are() -> None:
    encodings = [Embedding(5, 2), Numeric()]
    net = fastmlp.MLP((2, 4, 2), encodings=encodings, input_dropout=0.1)
    net.freeze([0, "encoding"])
    assert net.summary() == (
        "layer     units  activation  dropout  weight  parameters  frozen\n"
        "input         2\n"
        "encoding      3                  0.1                  10  yes\n"
        "hidden        4  relu                 (4, 3)          16  yes\n"
        "output        2  softmax              (2, 4)          10\n"
        "loss cross_entropy, 36 parameters in float32, 10 of them trained"
    )


def test_the_html_table_has_the_cells_of_the_text(regularized: fastmlp.MLP) -> None:
    html = regularized._repr_html_()
    cells = re.findall(r"<t[hd] [^>]*>(.*?)</t[hd]>", html)
    *lines, totals = regularized.summary().split("\n")
    words = [cell for line in lines for cell in re.split(r"  +", line.strip())]
    assert [cell for cell in cells if cell] == words
    assert f"<caption>MLP: {totals}</caption>" in html
    assert html.count("<tr>") == 5


def test_numbers_are_aligned_at_the_right(regularized: fastmlp.MLP) -> None:
    html = regularized._repr_html_()
    for cell in ("units", "64", "parameters", "6,600", "dropout", "0.3", "0.05"):
        assert f'<t{"h" if cell.isalpha() else "d"} style="text-align: right">{cell}</t' in html


def test_parameters_add_up_to_the_network_s(regularized: fastmlp.MLP) -> None:
    counts = re.findall(r"\)\s+([\d,]+)", regularized.summary())
    assert sum(int(count.replace(",", "")) for count in counts) == regularized.n_parameters


def test_a_linear_network_has_an_output_only() -> None:
    net = fastmlp.MLP((4, 1), loss="squared_error", dtype="float64")
    lines = net.summary().splitlines()
    assert [line.split()[0] for line in lines] == ["layer", "input", "output", "loss"]
    assert lines[-1] == "loss squared_error, 5 parameters in float64"
