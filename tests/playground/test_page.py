"""The page of the playground: what is in it, and that it needs nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import datasets, playground

FILES = [*playground.SCRIPTS, *playground.STYLES]
VOID = {"input", "link", "meta", "br", "path"}


@pytest.fixture(scope="module")
def page() -> str:
    return playground.page()


class Elements(HTMLParser):
    """The elements of a page, each closed where it has to be."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("aria-labelledby", "aria-describedby", "for"):
                self.references.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_needs_nothing_else(page: str) -> None:
    assert re.findall(r"(?:src|href)\s*=\s*[\"']?([^\"' >]+)", page) == ["data:,"]
    assert not re.search(r"https?:|//[a-z]+\.|url\(|@import|\bfetch\(|XMLHttpRequest", page)
    assert not re.search(r"\bimport\b[ (]|WebSocket|EventSource|sendBeacon|localStorage", page)
    assert "default-src 'none'" in page
    assert page.count("<script") == page.count("</script>") == 2
    assert len(page) < 300_000


def test_elements_are_closed_and_references_lead_to_one_element(page: str) -> None:
    found = Elements(page)
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert set(found.references) <= set(found.ids)


def test_scripts_name_elements_of_the_page(page: str) -> None:
    script = "".join(path.read_text("utf-8") for path in playground.SCRIPTS)
    named = set(re.findall(r'element\("([\w-]+)"\)', script))
    assert named <= set(Elements(page).ids)


def test_it_is_of_this_version(page: str) -> None:
    assert f"fastmlp {fastmlp.__version__}" in re.sub(r"\s+", " ", page)


def test_every_file_of_the_folder_is_in_the_page() -> None:
    used = {path.name for path in FILES if path.parent == playground.FOLDER}
    assert {path.name for path in playground.FOLDER.iterdir()} == used | {"playground.html"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_is_short_and_does_not_end_its_element(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    assert not re.search("</(script|style)", text)


@pytest.mark.parametrize("path", playground.SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_well_formed(path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no node")
    subprocess.run(["node", "--check", path], check=True)


def test_its_digits_are_those_of_the_package(
    page: str, javascript: Callable[..., list[Any]]
) -> None:
    text = re.search(r'<script type="application/json" id="digits">(.*)</script>', page)
    assert text is not None
    (found,) = javascript("readDigits(given.digits)", digits=json.loads(text[1]))
    X, y = datasets.digits()
    np.testing.assert_array_equal(np.array(found["X"] + found["test"]["X"]), X)
    np.testing.assert_array_equal(found["y"] + found["test"]["y"], y)
    assert len(found["X"]) == 1400
