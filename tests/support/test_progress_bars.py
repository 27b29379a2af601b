"""Progress fits into 80 columns, and into one output of a notebook's cell."""

from __future__ import annotations

import io
import re
import sys
import types
from typing import Any

import pytest

import fastmlp
from fastmlp.callbacks import Progress
from fastmlp.support import progress_bars
from fastmlp.support.progress_bars import Lines, NotebookBar, progress_bar

WIDEST = fastmlp.History(
    cost=[1.2345e-05], validation_cost=[9.8765e-05], validation_accuracy=[0.98765], seconds=[123.4]
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Display:
    """IPython's `display`, which keeps what it is passed."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def __call__(self, contents: dict[str, str], *, raw: bool, display_id: bool) -> Display:
        assert raw and display_id
        self.shown.append(contents)
        return self

    def update(self, contents: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(contents)


def last_screen(text: str) -> str:
    """The last line that a bar has drawn, without the terminal's codes."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    return [line for line in re.split(r"[\r\n]+", plain) if line.strip()][-1]


@pytest.mark.parametrize("epochs", [1, 200, 10_000])
def test_a_bar_of_80_columns_has_all_figures(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("rich._console", None)  # a new one, which reads these
    progress = Progress(epochs)
    progress.on_fit_begin(None, fastmlp.History())
    progress.on_epoch_end(None, WIDEST)
    progress.on_fit_end(None, WIDEST)
    line = last_screen(sys.stdout.getvalue())
    assert len(line.rstrip()) <= 80
    assert f"1/{epochs} " in line
    assert line.endswith("cost 1.234e-05  validation cost 9.876e-05, accuracy 0.9877")


def test_a_narrow_bar_wraps_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setattr("rich._console", None)
    progress = Progress(200)
    progress.on_fit_begin(None, fastmlp.History())
    progress.on_epoch_end(None, WIDEST)
    progress.on_fit_end(None, WIDEST)
    shown = sys.stdout.getvalue()
    assert "…" not in shown and "0.9877" in shown and "1/200" in shown


def test_a_line_has_at_most_80_columns_up_to_999_epochs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    history = fastmlp.History([0.1234], [0.1234], [0.9876], seconds=[1.25])
    progress = Progress(999)
    progress.on_fit_begin(None, fastmlp.History())
    progress.on_epoch_end(None, history)
    line = capsys.readouterr().out
    assert line == (
        "epoch   1/999  cost 0.1234  validation cost 0.1234, accuracy 0.9876  1.25 s\n"
    )
    assert len(line) <= 81


def test_a_notebook_has_a_bar_that_is_updated_in_place() -> None:
    display, time = Display(), iter([0.0, 0.05, 0.2, 0.25, 0.3, 0.35])
    bar = NotebookBar(3, display, lambda: next(time))
    bar.update(1, 0.5, "cost 3")  # too early to be shown
    bar.update(2, 0.25, "cost 2")
    bar.update(3, 0.25, "cost <1>")
    bar.close()
    texts = [contents["text/plain"] for contents in display.shown]
    assert texts == ["0/3  0.0 s  ", "2/3  0.8 s  cost 2", "3/3  1.0 s  cost <1>"]
    html = display.shown[-1]["text/html"]
    assert '<progress value="3" max="3"' in html and "cost &lt;1&gt;" in html


def test_a_bar_that_is_up_to_date_is_not_updated_at_its_end() -> None:
    display, time = Display(), iter([0.0, 1.0, 1.0])
    bar = NotebookBar(2, display, lambda: next(time))
    bar.update(2, 0.5, "cost 3")
    bar.close()
    assert len(display.shown) == 2


def test_the_output_decides_how_progress_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    display = Display()
    notebook: Any = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    module = types.SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setattr(progress_bars, "import_module", lambda name: module)
    monkeypatch.setattr(sys, "stdout", notebook)
    assert isinstance(progress_bar(3), NotebookBar)
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # redirected within a notebook
    assert isinstance(progress_bar(3), Lines)


def test_a_line_is_shown_at_once_where_output_is_not_a_terminal(monkeypatch):
    class Output(io.StringIO):
        shown = ""

        def flush(self):
            self.shown = self.getvalue()

    output = Output()
    monkeypatch.setattr(sys, "stdout", output)
    Lines(10).update(3, 1.5, "cost 0.1")
    assert output.shown == "epoch  3/10  cost 0.1  1.50 s\n"


def test_a_terminal_without_rich_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setitem(sys.modules, "rich", None)
    assert isinstance(progress_bar(3), Lines)
