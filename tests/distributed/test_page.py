"""The programs of the pages about several machines run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import fastmlp

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(params=["distributed.md", "laptop_to_cluster.md"])
def program(request, tmp_path, monkeypatch):
    """The file of a page's program, in the working directory."""
    monkeypatch.chdir(tmp_path)
    page = (DOCS / request.param).read_text("utf-8")
    path = tmp_path / "train.py"
    path.write_text(re.search(r"```py\n(# train.py\n.*?)```", page, re.DOTALL).group(1))
    return path


def accuracy():
    X, y = fastmlp.datasets.digits()
    return (fastmlp.load("digits.npz").predict(X) == y).mean()


def test_the_program_of_a_page_runs_on_two_ranks(run_ranks, program):
    printed = run_ranks(program, 2).stdout
    assert printed.count("History(") == 1
    assert accuracy() > 0.95


def test_the_program_from_laptop_to_cluster_goes_on_from_its_checkpoint(run_ranks, program):
    if "CHECKPOINT" not in program.read_text():
        pytest.skip("this page's program begins anew")
    program.write_text(program.read_text().replace("EPOCHS = 20", "EPOCHS = 4"))
    run_ranks(program, 1)
    assert fastmlp.load("digits.npz").epochs == 4
    program.write_text(program.read_text().replace("EPOCHS = 4", "EPOCHS = 6"))
    assert run_ranks(program, 2).stdout.count("History(epochs=2") == 1
    assert fastmlp.load("digits.npz").epochs == 6
    assert run_ranks(program, 2).stdout.count("History(") == 0
