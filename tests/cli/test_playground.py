"""fastmlp playground: the file, and how it is opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastmlp import playground

Command = Callable[..., Any]  # see conftest.py


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The addresses that a browser is asked to open; the current folder is a temporary one."""
    found: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: not found.append(address))
    monkeypatch.chdir(tmp_path)
    return found


def test_the_page_is_written(fastmlp_command: Command, opened: list[str]) -> None:
    code, printed, err = fastmlp_command("playground", "lecture.html")
    page = Path("lecture.html").read_text(encoding="utf-8")
    assert (code, err) == (0, "")
    assert page == playground.page()
    assert printed == f"wrote lecture.html ({len(page.encode()) / 1e3:.0f} kB)\n"
    assert opened == []


def test_it_is_opened_on_request(fastmlp_command: Command, opened: list[str]) -> None:
    for _ in range(2):  # the same page may be written again
        assert fastmlp_command("playground", "--open").code == 0
    assert opened == [Path("playground.html").resolve().as_uri()] * 2


def test_a_system_without_a_browser_is_told(
    fastmlp_command: Command, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    code, printed, _ = fastmlp_command("playground", "--open")
    assert code == 0
    assert printed.endswith("no browser was found; open the file yourself\n")


def test_another_file_is_replaced_only_if_it_is_named(
    fastmlp_command: Command, opened: list[str]
) -> None:
    path = Path("playground.html")
    path.write_text("notes")
    code, printed, err = fastmlp_command("playground")
    assert (code, printed, path.read_text()) == (2, "", "notes")
    assert "to replace it, name it: fastmlp playground playground.html" in err
    assert fastmlp_command("playground", path).code == 0
    assert path.read_text(encoding="utf-8") == playground.page()


@pytest.mark.parametrize("out", ["nowhere/page.html", "."])
def test_a_file_that_cannot_be_written_is_refused(
    fastmlp_command: Command, opened: list[str], out: str
) -> None:
    code, printed, err = fastmlp_command("playground", out)
    assert (code, printed, err.count("\n")) == (2, "", 1)
    assert f"{out} cannot be written: " in err


@pytest.mark.skipif(os.name == "nt", reason="there are no devices among the files there")
def test_a_device_is_not_opened(fastmlp_command: Command, opened: list[str]) -> None:
    code, printed, err = fastmlp_command("playground", os.devnull, "--open")
    assert (code, printed, opened) == (2, "", [])
    assert f"--open needs OUT.html to be a file; {os.devnull} is a device or a pipe" in err
