"""Text from outside in messages: no control characters, values cut, many entries counted."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.support.text import printable, quoted, some_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("größe β", "größe β"),
        ("a\x1b[2J\x07\r\n", "a\\x1b[2J\\x07\\r\\n"),
        ("\x9b31m\u202e\u2028", "\\x9b31m\\u202e\\u2028"),
        (KeyError("\x1b"), "'\\x1b'"),
    ],
)
def test_printable_text_has_no_control_characters(text: object, shown: str) -> None:
    assert printable(text) == shown
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
