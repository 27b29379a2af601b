"""What docs/derivation.md names, tests and functions, is where it says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "derivation.md").read_text(encoding="utf-8")
TESTS = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+)`", DOCUMENT))))
def test_each_test_that_the_document_names_exists(name):
    assert f"\ndef {name}(" in TESTS


@pytest.mark.parametrize(
    ("name", "path"), sorted(set(re.findall(r"\[`(\w+)`\]\(\.\./(fastmlp/[\w/.]+)\)", DOCUMENT)))
)
def test_each_function_that_the_document_names_is_where_it_says(name, path):
    source = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^(def|cdef inline .*?)\s*\b{name}\(", source, re.MULTILINE)
