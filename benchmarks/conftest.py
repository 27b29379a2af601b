"""Lines that `pytest benchmarks` prints below the tables: peak, fractions of it, phases."""

from typing import Any

import pytest

ROWS = pytest.StashKey[list[str]]()


@pytest.fixture
def remark(request: pytest.FixtureRequest) -> Any:
    """Call it with a line to have it printed at the end."""
    rows = request.config.stash.setdefault(ROWS, [])
    return lambda text: rows.append(f"{request.node.name}: {text}")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Below pytest-benchmark's tables."""
    for row in config.stash.get(ROWS, []):
        terminalreporter.write_line(row)
