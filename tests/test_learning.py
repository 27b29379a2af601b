"""The page that leads through the pages about backpropagation: its reading times."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "learning.md").read_text("utf-8")
ROWS = re.findall(r"^\| (\d+) \| \[.+?\]\((\S+)\) \| .* \| (\d+) \| .+ \|$", TEXT, re.MULTILINE)
WORDS_PER_MINUTE = 150


def words(page: Path) -> int:
    """The number of words of a page without its programs and what they print."""
    text = page.read_text("utf-8")
    if page.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
    return len(re.sub(r"^```(?:python|text)\n.*?^```$", "", text, flags=re.M | re.S).split())


@pytest.mark.parametrize(("number", "page", "minutes"), ROWS)
def test_reading_times_are_those_of_the_words(number: str, page: str, minutes: str) -> None:
    assert int(minutes) == math.ceil(words(DOCS / page) / WORDS_PER_MINUTE)


def test_the_pages_are_numbered_and_take_an_hour_and_a_quarter() -> None:
    assert [int(number) for number, *_ in ROWS] == list(range(1, 11))
    assert 70 <= sum(int(minutes) for *_, minutes in ROWS) <= 80
    assert f"{WORDS_PER_MINUTE} a minute" in TEXT
