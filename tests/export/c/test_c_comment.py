"""The comment at the top of a C file: what it says of the functions, of memory and accuracy."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.encodings import Numeric, OneHot, PiecewiseLinear
from fastmlp.export import c_comment, quantize, to_c

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


@pytest.mark.parametrize(
    ("own", "dtype", "arithmetic", "bound"),
    [
        (SINGLE, SINGLE, "float.", "(4 + 2 sqrt(n)) 2^-24"),
        (SINGLE, DOUBLE, "double.", "(4 + 2 sqrt(n)) 2^-24"),
        (DOUBLE, SINGLE, "float, to which the parameters are rounded.", "(5 + 2 sqrt(n)) 2^-24"),
        (DOUBLE, DOUBLE, "double.", "(4 + 2 sqrt(n)) 2^-53"),
    ],
)
def test_the_bound_of_rounding_errors_is_that_of_the_dtypes(own, dtype, arithmetic, bound):
    text = c_comment.float_accuracy(own, dtype)
    assert f"All arithmetic is in {arithmetic}" in text
    assert f"{own} network in Python" in text
    assert bound in text


def text_of(net: MLP, folder: Path, **options) -> str:
    """Return the comment of a network's file, in one line."""
    to_c(net, folder / "net.c", **options)
    comment = (folder / "net.c").read_text().partition("*/")[0]
    return " ".join(re.sub(r"\n \*", " ", comment).split())


def test_the_comment_counts_layers_memory_and_multiplications(tmp_path):
    text = text_of(MLP((6, 5, 3), activation="tanh", uint8_scale=0.5), tmp_path)
    assert "net: a multilayer perceptron, 6-5-3, by fastmlp " in text
    assert "layers 6 inputs, 5 tanh, 3 softmax" in text
    assert "6 inputs; uint8 inputs of Python are multiplied by 0.5 first" in text
    assert f"{4 * (6 * 5 + 5 + 5 * 3 + 3)} bytes of constants and about 1 kB of code" in text
    assert "45 multiply-adds in the layers" in text
    assert "predict the most probable class" in text
    assert "uint8" not in text_of(MLP((6, 5, 3), uint8_scale=1), tmp_path)


@pytest.mark.parametrize(
    ("sizes", "dtype", "n_bytes"),
    [
        ((6, 5, 4, 3), "float32", 4 * (5 + 4)),
        ((6, 5, 4, 7, 3), "float64", 8 * (7 + 4)),  # the first and the third share a buffer
        ((6, 3), "float32", 0),
        ((9, 256, 3), "float32", 4 * 256),
        ((600, 31, 3), "float32", 4 * 31),
        ((100, 256, 3), "float32", 4 * (256 + 32)),  # with the sums of a block of outputs
    ],
)
def test_the_stack_holds_two_layers(tmp_path, sizes, dtype, n_bytes):
    text = text_of(MLP(sizes, dtype=dtype), tmp_path)
    assert f"{n_bytes:,} bytes for two consecutive layers" in text


@pytest.mark.parametrize(
    ("n_out", "options", "predict"),
    [
        (1, {"loss": "binary_cross_entropy"}, "label"),
        (2, {"loss": "binary_cross_entropy", "output_activation": "sigmoid"}, "labels"),
        (1, {"loss": "squared_error"}, "value"),
        (2, {"loss": "squared_error"}, "values"),
        (3, {}, "class"),
    ],
)
def test_what_predict_returns_is_that_of_the_loss(n_out, options, predict):
    assert c_comment.kind_of_prediction(MLP((4, n_out), **options)) == predict


def test_encodings_are_named_with_their_columns_and_sizes(tmp_path):
    encodings = [Numeric(), OneHot(3), PiecewiseLinear((0, 1, 2))]
    text = text_of(MLP((3, 2), encodings=encodings), tmp_path)
    assert "0 numeric, 1 one_hot (3 levels), 2 piecewise_linear (2 bins); 6 numbers in all" in text
    assert "bytes of constants; on AVR" in text  # the code of encodings was not measured


@pytest.mark.filterwarnings("ignore:the 8-bit network differs")
def test_the_range_of_bytes_is_in_the_units_of_the_inputs(tmp_path):
    X = np.linspace(-1, 1.55, 256 * 4).reshape(256, 4)  # steps of 0.01
    net = MLP((4, 3, 2), seed=0)
    text = text_of(quantize(net, X), tmp_path)
    low, high = map(float, re.search(r"256 values from (\S+) to (\S+) and clipped", text).groups())
    assert (low, high) == pytest.approx((-1, 1.55), abs=0.01)


@pytest.mark.parametrize(
    ("names", "numbered", "note"),
    [
        (None, False, ""),
        (["a", "b"], False, ": a, b"),
        (("a", 3), True, ": 0 a, 1 3"),
        ([["a", "b"], ["c"]], True, ": 0 a, 1 b; 0 c"),
        (["*/ x", "??/", "y\n"], False, ": __ x, ___, y_"),
    ],
)
def test_names_of_columns_and_classes_cannot_end_the_comment(names, numbered, note):
    assert c_comment.names_note(names, numbered=numbered) == note


def test_classes_are_named_with_their_numbers(tmp_path):
    net = MLP((2, 3))
    net.metadata = {"classes": ["red", "green", "blue"], "columns": ["a", "b"]}
    text = text_of(net, tmp_path)
    assert "the most probable class: 0 red, 1 green, 2 blue" in text
    assert "x 2 inputs: a, b" in text


def test_500_characters_of_names_are_shown():
    name = "x " * 249 + "xx"
    assert c_comment.names_note([name]) == f": {name}"
    assert c_comment.names_note([f"{name}x"]).endswith(" ...")


def test_long_names_are_cut():
    note = c_comment.names_note([f"column{i}" for i in range(100)])
    assert len(note) <= 2 + 500
    assert note.endswith(" ...")
