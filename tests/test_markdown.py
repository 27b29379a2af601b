"""The Python in docs/*.md runs, one block after the other, from a network trained on the digits.

README.md is also the description of the package on an index, where no relative link leads anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [page for page in sorted(DOCS.glob("*.md")) if "```python" in page.read_text("utf-8")]


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer. Maximum iterations")  # short examples
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(
    page: Path,
    blocks: Callable[[Path, str], list[str]],
    example_names: Callable[[], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = example_names()
    for block in blocks(page, "python"):
        try:
            exec(block, names)
        except ModuleNotFoundError as error:
            pytest.skip(f"{page.name} goes on with a package that is not installed: {error.name}")


def addresses(page: Path) -> list[tuple[str, ...]]:
    """The address of each link and each image outside code, inline or at the end of the page."""
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    return re.findall(r"\]\(<?([^)\s>]+)|^\[[^\]]+\]: *(\S+)|(?:href|src)=\"([^\"]+)\"", text, re.M)


def test_the_links_of_the_readme_are_absolute() -> None:
    found = ["".join(groups) for groups in addresses(ROOT / "README.md")]
    assert found
    assert [one for one in found if not re.match("https://|#", one)] == []


def test_links_of_the_readme_to_the_repository_lead_to_its_files() -> None:
    forms = (
        r"https://github\.com/fastmlp/fastmlp/(blob|tree)/main/([^#]+)",
        r"https://raw\.githubusercontent\.com/fastmlp/fastmlp/(main)/([^#]+)",
    )
    for groups in addresses(ROOT / "README.md"):
        for form in forms:
            if link := re.match(form, "".join(groups)):
                assert (ROOT / link[2]).exists(), link[0]
                assert (ROOT / link[2]).is_dir() == (link[1] == "tree"), link[0]
