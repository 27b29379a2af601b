"""The program of docs/distributed.md runs."""

from __future__ import annotations

import re
from pathlib import Path

import fastmlp

PAGE = Path(__file__).parents[2] / "docs" / "distributed.md"


def test_the_program_of_the_page_runs_on_two_ranks(run_ranks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "train.py"
    program.write_text(re.search(r"```py\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL).group(1))
    printed = run_ranks(program, 2).stdout
    assert printed.count("History(") == 1
    X, y = fastmlp.datasets.digits()
    assert (fastmlp.load(tmp_path / "digits.npz").predict(X) == y).mean() > 0.95
