"""The Python in docs/*.md runs, one block after the other, from a network trained on the digits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [page for page in sorted(DOCS.glob("*.md")) if "```python" in page.read_text("utf-8")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(
    page: Path,
    blocks: Callable[[Path, str], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    X, y = fastmlp.datasets.digits()
    X = X.astype(np.float32)
    net = fastmlp.MLP((64, 32, 10))
    net.fit(X[:1500], y[:1500], epochs=3)
    names: dict[str, Any] = {
        "fastmlp": fastmlp, "np": np, "net": net,
        "X_train": X[:1500], "y_train": y[:1500], "X_test": X[1500:], "y_test": y[1500:],
    }  # fmt: skip
    for block in blocks(page, "python"):
        try:
            exec(block, names)
        except ModuleNotFoundError as error:
            pytest.skip(f"{page.name} goes on with a package that is not installed: {error.name}")
