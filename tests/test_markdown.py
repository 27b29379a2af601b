"""The Python in docs/*.md runs, one block after the other, from a network trained on the digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[1] / "docs"
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
