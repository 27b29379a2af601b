"""The comments in exported C files of models of tables: memory, the example, and the row."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp.export import quantize_table, to_c

pd = pytest.importorskip("pandas")
tabular = pytest.importorskip("fastmlp.tabular")

BYTES = {"double": 8, "float": 4, "int": 4, "int32_t": 4, "uint8_t": 1, "int8_t": 1}
DECLARATION = re.compile(rf"^ +({'|'.join(BYTES)}) ([^;\n]*);$", re.MULTILINE)
CONSTANT = re.compile(rf"^static const ({'|'.join(BYTES)}) \w+\[(\d+)\] = {{$", re.MULTILINE)


def small(kind: str, table: Any, y: Any, **options: Any) -> Any:
    """A model of a table that is trained for an epoch."""
    options = {"n_members": 1, "hidden_layer_sizes": (4,), **options}
    return getattr(tabular, kind)(quality="fast", epochs=1, random_state=0, **options).fit(table, y)


def buffers(text: str, function: str) -> int:
    """Return the bytes of the arrays that a function of C declares."""
    body = re.search(
        rf"^[\w ]+ \**{function}\([^;{{]*\n{{\n(.*?)^}}", text, re.MULTILINE | re.DOTALL
    )
    assert body
    total = 0
    for kind, names in DECLARATION.findall(body[1]):
        for size in re.findall(r"\w((?:\[\d+\])+)", names):
            total += BYTES[kind] * int(np.prod([int(n) for n in re.findall(r"\d+", size)]))
    return total


def assert_states_memory(text: str, model: Any) -> None:
    """Assert that the comment of a file states the memory that the code declares."""
    plain = " ".join(text.partition("*/")[0].replace("\n *", " ").split())
    size, stack = re.search(
        r"([\d,]+) bytes of constants, and on the stack ([\d,]+)", plain
    ).groups()
    levels = [level for one in model.encoder_.categories if not one.part for level in one.levels]
    of_texts = sum(len(level.encode()) + 1 for level in levels)
    of_numbers = sum(BYTES[kind] * int(n) for kind, n in CONSTANT.findall(text))
    assert int(size.replace(",", "")) == of_numbers + of_texts
    called = ["read", *(f"network_{i + 1}" for i in range(len(model.networks_)))]
    predict = "predict_proba" if hasattr(model, "classes_") else "predict"
    outer = buffers(text, "net_mean") + buffers(text, f"net_{predict}")
    expected = outer + max(buffers(text, f"net_{one}") for one in called)
    assert int(stack.replace(",", "")) == expected
    assert "PROGMEM" not in text  # no constant is in an AVR's flash memory alone


@pytest.mark.filterwarnings("ignore:the 8-bit model differs")
@pytest.mark.parametrize("in_8_bits", [False, True])
def test_the_comment_states_the_memory_that_the_code_declares(
    of_table: Any, tmp_path: Path, in_8_bits: bool
) -> None:
    model, (table, _) = of_table
    to_c(quantize_table(model, table) if in_8_bits else model, tmp_path / "net.c")
    assert_states_memory((tmp_path / "net.c").read_text(), model)


def test_the_comment_describes_the_networks_and_the_row(of_table: Any, tmp_path: Path) -> None:
    model, _ = of_table
    to_c(model, tmp_path / "net.c")
    comment = (tmp_path / "net.c").read_text().partition("*/")[0]
    plain = " ".join(comment.replace("\n *", " ").split())
    for net, encoding in zip(model.networks_, model.encodings_, strict=True):
        functions = (*net.activation, net.output_activation)
        layers = ", ".join(f"{n} {f.name}" for n, f in zip(net.sizes[1:], functions, strict=True))
        n_inputs = net.weights[0].shape[1]
        assert f" with numbers encoded as {encoding}: {n_inputs} inputs, {layers}" in plain
    has_dates = "date" in model.encoder_.kinds.values()
    assert ("in UTC, as net_seconds returns them. Categories are" in plain) == has_dates
    assert f"each of the {len(model.encoder_.kinds)} columns that the model uses" in plain


def test_the_parts_of_a_date_count_where_the_network_is_smaller(tmp_path: Path) -> None:
    table = pd.DataFrame({"when": pd.date_range("2020-02-28", periods=40, freq="20min")})
    model = small("TabularRegressor", table, np.arange(40.0), encoding="raw", hidden_layer_sizes=())
    to_c(model, tmp_path / "net.c")
    text = (tmp_path / "net.c").read_text()
    assert buffers(text, "net_network_1") < buffers(text, "net_read") == 48
    assert_states_memory(text, model)


@pytest.mark.parametrize(("length", "shown"), [(40, True), (41, False)])
def test_a_short_level_is_in_the_example(tmp_path: Path, length: int, shown: bool) -> None:
    level = "north " * 6 + "west" + "x" * (length - 40)
    table = pd.DataFrame({"age": [1.5, 2.5, 9.0] * 20, "ward": [level, level, "south"] * 20})
    to_c(small("TabularRegressor", table, np.arange(60.0)), tmp_path / "net.c")
    example = (tmp_path / "net.c").read_text().partition("*/")[0]
    assert f'row.ward = "{level if shown else ""}";' in example
    assert "row.age = 2.5;" in example


@pytest.mark.parametrize("first", ["2020-02-28", "2020-02-28 13:14:15", "0999-12-01"])
def test_the_first_date_is_in_the_example(tmp_path: Path, first: str) -> None:
    table = pd.DataFrame({"when": [first, "2024-05-06"] * 20, "x": np.arange(40.0) % 9})
    to_c(small("TabularRegressor", table, np.arange(40.0)), tmp_path / "net.c")
    example = (tmp_path / "net.c").read_text().partition("*/")[0]
    year, month, day = map(int, first[:10].split("-"))
    assert f"row.when = net_seconds({year}, {month}, {day}, 0, 0, 0.0);" in example


@pytest.mark.parametrize("more", [0, 1])
def test_comments_of_members_have_200_characters_and_lines_of_96(tmp_path: Path, more: int) -> None:
    name = "abcde" + "f" * more + 39 * " abcd"
    table = pd.DataFrame({name: np.arange(40.0) % 9})
    to_c(small("TabularRegressor", table, np.arange(40.0)), tmp_path / "net.c")
    text = (tmp_path / "net.c").read_text()
    struct = re.search(r"typedef struct {\n(.*?)}", text, re.DOTALL)[1]
    comments = re.findall(r"/\* (.*?) \*/", struct, re.DOTALL)
    plain = [" ".join(comment.split()) for comment in comments]
    assert plain[0] == (f"{name[:-5]} ..., a number" if more else f"{name}, a number")
    lines = struct.partition("*/")[0].splitlines()
    assert max(map(len, lines)) <= 96
    for line, following in itertools.pairwise(lines):  # whose next word had no room
        assert len(f"{line} {following.split()[0]}") > 96
