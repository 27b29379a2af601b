"""Warnings are a line each, which begins with the command that runs."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

pytest.importorskip("pandas")

from fastmlp.cli import notices, tables  # noqa: E402

from .conftest import Command  # noqa: E402

DAYS = "".join(f"{1 + i % 9:02}.12.2024,0{2139 + i % 5},{'yn'[i % 2]}\n" for i in range(80))
SHORT = ("--quality", "fast", "--epochs", 1)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table about whose columns there is a warning when it is read, and one when it is fitted."""
    path = tmp_path / "table.csv"
    path.write_text(f"day,zip,late\n{DAYS}", "utf-8")
    return path


@pytest.fixture
def model(fastmlp_command: Command, table: Path, tmp_path: Path) -> Path:
    path = tmp_path / "model.npz"
    assert fastmlp_command("train", table, "--label", "late", *SHORT, "--save", path).code == 0
    return path


def commands_of(err: str) -> set[str]:
    """Return what the lines of the standard error stream begin with."""
    return {line.partition(":")[0] for line in err.splitlines()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", *SHORT),
        ("search", "--quality", "fast", "--epochs", 1, "--trials", 1, "--save", "best.npz"),
        ("search", "--quality", "fast", "--epochs", 1, "--trials", 2, "--jobs", 2),
        ("ablate", "--quality", "fast", "--seeds", 1, "--out", "results"),
    ],
    ids=["train", "search", "two searches at once", "ablate"],
)
def test_warnings_of_training_name_the_command(
    fastmlp_command: Command,
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[object, ...],
) -> None:
    if arguments[0] == "search":
        pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    command, *options = arguments
    code, _, err = fastmlp_command(command, table, "--label", "late", *options)
    assert code == 0
    assert "cells that are codes" in err
    assert "dates are read as text" in err
    assert commands_of(err) == {f"fastmlp {command}"}


@pytest.mark.parametrize("command", ["predict", "evaluate", "explain"])
def test_warnings_about_a_table_to_predict_from_name_the_command(
    fastmlp_command: Command, table: Path, model: Path, command: str
) -> None:
    other = table.with_name("other.csv")
    other.write_text(f"day,zip,late\n10.12.2024,02139,y\n{DAYS}", "utf-8")
    code, _, err = fastmlp_command(command, model, other)
    assert code == 0
    assert "categories in 1 of 81 rows that the model does not know ('10.12.2024')" in err
    assert commands_of(err) == {f"fastmlp {command}"}


def test_control_characters_of_a_warning_are_shown_as_escapes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Args:
        command = "train"

    with notices.reported_warnings(Args()):
        warnings.warn("a\x1b[2J\nb", stacklevel=1)
    assert capsys.readouterr().err == "fastmlp train: warning: a\\x1b[2J b\n"


@pytest.mark.parametrize(("length", "limit"), [(10, 10), (11, 10)])
def test_a_line_is_cut_at_a_length(length: int, limit: int) -> None:
    cut = "x" * limit + "…" * (length > limit)
    assert notices.one_line("x" * length, limit) == cut


def test_messages_of_two_thousand_characters_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    for n, cut in ((2000, ""), (2001, "…")):
        notices.report(None, "error", "x" * n)
        assert capsys.readouterr().err == f"fastmlp: error: {'x' * 2000}{cut}\n"


def test_filters_and_the_way_of_showing_warnings_are_as_before() -> None:
    before = list(warnings.filters), warnings.showwarning

    class Args:
        command = None

    with notices.reported_warnings(Args()):
        assert warnings.showwarning is not before[1]
    assert (list(warnings.filters), warnings.showwarning) == before


def test_a_table_that_python_opens_warns_as_read_table_does(table: Path) -> None:
    with pytest.warns(UserWarning, match="cells that are codes") as found:
        tables.open_table(table)
    assert found[0].filename == __file__
