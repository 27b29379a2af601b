"""Text from outside in messages: no control characters, values cut, many entries counted."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.support.text import printable, quoted, shown, some_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("größe β", "größe β"),
        ("a\x1b[2J\x07\r\n", "a\\x1b[2J\\x07\\r\\n"),
        ("\x9b31m\u202e\u2028", "\\x9b31m\\u202e\\u2028"),
        (KeyError("\x1b"), "'\\x1b'"),
    ],
)
def test_printable_text_has_no_control_characters(text: object, expected: str) -> None:
    assert printable(text) == expected
    assert printable(text).isprintable()


@pytest.mark.parametrize("value", ["x" * 5000, 10**400, np.str_("x" * 5000)])
def test_long_values_are_cut_in_messages(value):
    assert quoted(value) == repr(value if isinstance(value, int) else str(value))[:80] + "…"
    assert quoted("x" * 78) == repr("x" * 78)


def test_integers_that_python_does_not_write_are_described():
    assert quoted(10**5000) == "int of thousands of digits"


def test_many_entries_are_the_first_ones_and_a_number():
    assert some_of("ab", 2) == "a, b"
    assert some_of("ab", 1002, "; ", "more rows") == "a; b; and 1,000 more rows"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((300, 64)), "ndarray of shape (300, 64)"),
        (np.array([0.5, 2]), "array([0.5, 2. ])"),
        ("a\nb", r"'a\nb'"),
        ([[0.0] * 9] * 9, repr([[0.0] * 9] * 9)[:80] + "…"),
        (2.5, "2.5"),
    ],
)
def test_arguments_are_shown_short_and_on_one_line(value, text):
    assert shown(value) == text


def test_a_table_is_shown_by_its_shape():
    table = pytest.importorskip("pandas").DataFrame(np.zeros((9, 2)))
    assert shown(table) == "DataFrame of shape (9, 2)"
