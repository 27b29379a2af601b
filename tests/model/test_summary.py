"""The table of a network's layers, in text and in HTML."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from fastmlp import MLP


@pytest.fixture
def tuned() -> MLP:
    net = MLP((784, 256, 64, 10), activation=["relu", "tanh"], batch_norm=[True, False])
    net.freeze(0)
    return net


def test_summary_has_a_line_for_each_layer_and_the_totals(tuned):
    assert tuned.summary().splitlines() == [
        "layer   units  activation                weight      parameters",
        "input     784",
        "hidden    256  batch norm, relu, frozen  (256, 784)     201,216",
        "hidden     64  tanh                      (64, 256)       16,448",
        "output     10  softmax                   (10, 64)           650",
        "loss cross_entropy, 218,314 parameters in float32",
    ]


def test_parameters_of_the_layers_are_those_of_the_network(tuned):
    column = [line.split()[-1].replace(",", "") for line in tuned.summary().splitlines()[2:-1]]
    assert sum(map(int, column)) == tuned.n_parameters


def test_a_linear_network_has_an_output_alone():
    lines = MLP((4, 1), loss="squared_error", dtype="float64").summary().splitlines()
    assert [line.split()[0] for line in lines] == ["layer", "input", "output", "loss"]
    assert lines[-1] == "loss squared_error, 5 parameters in float64"


def test_a_notebook_shows_the_same_table(tuned):
    table = ElementTree.fromstring(tuned._repr_html_())
    assert table.find("caption").text == "MLP: loss cross_entropy, 218,314 parameters in float32"
    rows = [[cell.text or "" for cell in row] for row in table.iter("tr")]
    text = [" ".join(filter(None, row)) for row in rows]
    assert text == [" ".join(line.split()) for line in tuned.summary().splitlines()[:-1]]
