"""The code of every page in docs/ runs when the page alone is copied, from top to bottom.

The README's code is run by tests/cli/test_readme.py.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastmlp.ablation.tables import FACTORS
from fastmlp.cli import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REPORT = 'Tao Hu, "A technical report about Deep Learning"'


def pages(*, with_code: bool) -> list[Path]:
    """The Markdown files of docs/, all of them or those with code that can be run."""
    found = sorted(DOCS.rglob("*.md"))
    return [page for page in found if not with_code or BLOCK.search(page.read_text("utf-8"))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands(console: str) -> Iterator[list[str]]:
    """The lines of a console block that begin with a prompt, split into words."""
    for line in console.splitlines():
        if line.startswith("$ "):
            yield shlex.split(line.removeprefix("$ "))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer. Maximum iterations")  # short examples
@pytest.mark.parametrize("page", pages(with_code=True), ids=name_of)
def test_the_code_of_a_page_runs_when_the_page_is_copied_alone(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    # the study of a table, here with one value of each factor; with all: tests/cli/test_ablate.py
    some = {key: values[-1:] for key, values in FACTORS.items()}
    monkeypatch.setattr("fastmlp.ablation.tables.FACTORS", some)
    names = {"__name__": "__main__"}
    for language, code in BLOCK.findall(page.read_text("utf-8")):
        if language == "console":
            for program, *arguments in commands(code):
                assert program == "fastmlp"
                assert main(arguments) == 0
            continue
        try:
            exec(compile(code, page, "exec"), names)
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


@pytest.mark.parametrize("page", [README, *pages(with_code=False)], ids=name_of)
def test_a_page_names_the_report_in_full_where_it_first_mentions_it(page: Path) -> None:
    text = " ".join(re.sub(r"^\s*>\s?", "", page.read_text("utf-8"), flags=re.MULTILINE).split())
    if first := re.search(r"\b[Tt]he report\b", text):
        assert -80 <= text.find(REPORT) - first.start() <= 80, text[first.start() :][:80]


