"""The space of a search: how it is written, its parameters, and errors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fastmlp.search.space import KEYS, Choice, Range, Space


def parsed(key: str, value: object) -> Range | Choice:
    shape = {} if key in ("hidden", "depth", "width") else {"hidden": (8,)}
    return Space.of({**shape, key: value}).keys[key]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("l2", 0.1, Choice((0.1,))),
        ("l2", [0, 0.1], Choice((0.0, 0.1))),
        ("l2", (0, 0.1), Range(0.0, 0.1, False, False)),
        ("l2", (1e-6, 1e-3, "log"), Range(1e-6, 1e-3, True, False)),
        ("l2", {"low": 1e-6, "high": 1e-3, "log": True}, Range(1e-6, 1e-3, True, False)),
        ("batch_size", {"low": 8, "high": 64}, Range(8, 64, False, True)),
        ("activation", "tanh", Choice(("tanh",))),
        ("activation", ["tanh", "relu"], Choice(("tanh", "relu"))),
        ("batch_norm", [False, True], Choice((False, True))),
        ("max_norm", [False, 3.0], Choice((None, 3.0))),
        ("hidden", (64, 32), Choice(((64, 32),))),
        ("hidden", [64, 32], Choice(((64, 32),))),
        ("hidden", [(64, 32), [16], ()], Choice(((64, 32), (16,), ()))),
        ("hidden", (), Choice(((),))),
    ],
)
def test_a_key_is_a_value_a_list_or_a_range(
    key: str, value: object, expected: Range | Choice
) -> None:
    assert parsed(key, value) == expected


def test_depth_width_and_taper_make_the_hidden_layers() -> None:
    space = Space.of({"depth": (1, 4), "width": (8, 64), "taper": [0.5, 1.0], "l2": 0.1})
    assert space.parameters({"depth": 3, "width": 50, "taper": 0.5}) == {
        "hidden": (50, 25, 12),
        "l2": 0.1,
    }
    assert space.parameters({"depth": 2, "width": 9, "taper": 1.0})["hidden"] == (9, 9)
    assert Space.of({"depth": (0, 1), "width": 4}).parameters({"depth": 0})["hidden"] == ()


def test_the_choice_of_the_hidden_layers_is_read_back() -> None:
    space = Space.of({"hidden": [(), (8,), (8, 4)]})
    assert [space.parameters({"hidden": text})["hidden"] for text in ("none", "8", "8-4")] == [
        (),
        (8,),
        (8, 4),
    ]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"hidden": (8,), "lerning_rate": 0.1}, "'lerning_rate'; did you mean 'learning_rate'?"),
        ({"l2": 0.1}, "the hidden layers are missing: give hidden"),
        ({"depth": (1, 2)}, "the hidden layers are missing"),
        ({"width": 8, "taper": 0.5}, "the hidden layers are missing"),
        ({"hidden": (8,), "depth": (1, 2)}, "hidden already gives the widths; leave out depth"),
        ({"hidden": [(8,), (0,)]}, "hidden[0] must be at least 1, got 0"),
        ({"depth": 1, "width": (0, 64)}, "low: width must be at least 1, got 0"),
        ({"depth": 1, "width": (8, 8.5)}, "high: width must be a whole number, got 8.5"),
        ({"hidden": (8,), "dropout": (0.0, 1.0)}, "high: dropout must be in [0, 1), got 1.0"),
        ({"hidden": (8,), "dropout": (0.5, 0.1)}, "dropout must go from a smaller to a larger"),
        ({"hidden": (8,), "l2": (0.0, 0.1, "log")}, "l2 must be above 0 on a log scale, got 0.0"),
        ({"hidden": (8,), "l2": (0.0, 0.1, "ln")}, "l2 must be (low, high) or (low, high, 'log')"),
        ({"hidden": (8,), "l2": {"low": 0.1}}, "l2 needs low and high, got {'low': 0.1}"),
        ({"hidden": (8,), "l2": {"low": 0, "hihg": 1}}, "'hihg'; did you mean 'high'?"),
        ({"hidden": (8,), "max_norm": (None, 3.0)}, "max_norm must be a range of numbers"),
        ({"hidden": (8,), "l2": []}, "l2 is an empty list; give the values to choose from"),
        ({"hidden": (8,), "l2": [0.1, 0.1]}, "l2 has 0.1 twice"),
        ({"hidden": (8,), "l2": "small"}, "l2 must be a number, got 'small'"),
        ({"hidden": (8,), "activation": ("relu", "tanh")}, "activation takes no range: give"),
        ({"hidden": (8,), "activation": ["relu", "tahn"]}, "'tahn'; did you mean 'tanh'?"),
        ({"hidden": (8,), "activation": "softmax"}, "softmax is for the output layer"),
        ({"hidden": (8,), "momentum": 0.9}, "momentum belongs to the optimizers gradient_descent"),
        ({"hidden": 8}, "hidden must be the widths of hidden layers, (256, 256); got 8"),
        ([1], "must be a dict such as {'hidden': [(64,), (256,)]}, got [1]"),
    ],
)
def test_an_error_names_key_value_and_what_was_expected(
    space: Any, message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Space.of(space)


def test_samplers_choose_in_the_order_of_the_keys() -> None:
    """The order decides which random numbers a key has, so it is part of what a seed means."""
    assert list(KEYS) == [
        "hidden", "depth", "width", "taper", "activation", "init", "batch_norm", "dropout",
        "input_dropout", "noise", "optimizer", "learning_rate", "schedule", "momentum",
        "weight_decay", "batch_size", "l2", "label_smoothing", "max_norm", "clip_norm", "ema",
        "dropout_schedule",
    ]


def test_a_constant_needs_an_optimizer_that_has_it() -> None:
    assert Space.of({"hidden": (8,), "optimizer": ["adam", "rmsprop"], "momentum": 0.9})


@pytest.mark.parametrize(
    "space",
    [
        {"hidden": [(8,), (25_600_000, 256)]},
        {"depth": (1, 3), "width": (8, 1_000_000)},
        {"depth": [1, 3, 2], "width": [8, 1_000_000, 16]},
    ],
)
def test_a_width_that_no_memory_holds_is_refused(space: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"hidden layers of .* make .* weights; at most"):
        Space.of(space).check_sizes(64, 10)


def test_a_file_is_read_as_toml(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text("hidden = [[64], [64, 32]]\nl2 = { low = 1e-6, high = 1e-3, log = true }\n")
    space = Space.of(Space.read(path))
    assert space.keys["hidden"] == Choice(((64,), (64, 32)))
    assert space.keys["l2"] == Range(1e-6, 1e-3, True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hidden = [[64]]\nwidht = 3\n", "unknown key 'widht'; did you mean 'width'?"),
        ("hidden = [[64], [-1]]\n", "hidden[0] must be at least 1, got -1"),
        ("hidden = [64\n", "Unclosed array"),
        ("hidden = [64]\nbatch_size = 99999999999999999999\n", "batch_size must be at most 92233"),
        ("hidden = [64]\nbatch_size = {low = 1, high = 99999999999999999999}\n",
         "high: batch_size must be at most 9223372036854775807"),
    ],
)
def test_errors_name_the_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"space\.toml: .*{re.escape(message)}"):
        Space.read(path)
