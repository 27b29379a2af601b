"""Files that tests of the reader write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastmlp.tabular.reading import read_table


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes a file whose name says nothing about its contents."""

    def written(content: bytes) -> Path:
        path = tmp_path / "table"
        path.write_bytes(content)
        return path

    return written


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Writes text or bytes to the file t.csv and reads it as a table."""

    def table(text: str | bytes, **options: Any) -> Any:
        path = tmp_path / "t.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(path, **options)

    return table
