"""``mpiexec -n N fastmlp train``: one model, one output, one error."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.cli import main

PROGRAM = Path(__file__).with_name("command.py")
OPTIONS = ("--label", "y", "--epochs", 3, "--members", 3, "--hidden", 8)
MNIST = Path(__file__).parents[2] / "benchmarks" / "mnist"
RECIPE = """
name = "small"
description = "A small network."
[network]
hidden = [32]
batch_norm = true
uint8_scale = 0.004
[training]
epochs = 3
batch_size = 100
"""
ENSEMBLE = RECIPE + "[ensemble]\nsize = 3\n"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    pytest.importorskip("pandas")
    path = tmp_path_factory.mktemp("tables") / "rows.csv"
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{'yes' if a > 0 else 'no'}" for a, b, c in X]
    path.write_text("\n".join(["a,b,c,y", *lines]))
    return path


def run_train(run_ranks, case, *arguments, n_ranks=2, succeeds=True):
    return run_ranks(PROGRAM, n_ranks, case, "train", *arguments, succeeds=succeeds)


def errors(result):
    """Return the lines of the command's errors."""
    return [line for line in result.stderr.splitlines() if "error: " in line]


def test_members_divided_among_ranks_are_those_of_one_process(
    run_ranks, table, tmp_path, capsys
):
    """Also if a rank has none."""
    alone, paths, words = "", {}, []
    for n_members in (3, 1):
        paths[n_members] = [tmp_path / f"{n_members}-{one}.npz" for one in ("one", "many")]
        options = ("train", table, *OPTIONS, "--members", n_members, "--save")
        assert main([str(one) for one in (*options, paths[n_members][0])]) == 0
        alone += capsys.readouterr().out
        words += ["AND", "", *options, paths[n_members][1]]
    limited = ("AND", "", "train", table, *OPTIONS, "--time-limit", 60)
    result = run_ranks(PROGRAM, 2, *words[1:], *limited)
    found = result.stdout.replace("many", "one")
    assert found.startswith(alone)
    # a time limit gives all ranks the same networks
    assert "3 networks; epoch kept:" in found.removeprefix(alone)
    for n_members, of_members in paths.items():
        models = [fastmlp.tabular.load(path) for path in of_members]
        assert len(models[0].networks_) == n_members
        for one, other in zip(*(model.networks_ for model in models), strict=True):
            assert one.snapshot().tobytes() == other.snapshot().tobytes()


def test_an_error_of_every_rank_is_one_line(run_ranks):
    messages = {
        "nowhere.csv: No such file": ("nowhere.csv", "--label", "y"),
        "several ranks cannot read TABLE from the standard input": ("-", "--label", "y"),
        "unknown recipe 'nowhere'": ("--recipe", "nowhere"),
    }
    first, *others = messages.values()
    more = [word for arguments in others for word in ("AND", "", "train", *arguments)]
    result = run_train(run_ranks, "", *first, *more, succeeds=False)
    for line, message in zip(errors(result), messages, strict=True):
        assert message in line and line.startswith("fastmlp train: error: ")
    assert result.returncode == 2


def test_without_mpi4py_no_rank_trains_alone(run_ranks, table, tmp_path):
    path = tmp_path / "model.npz"
    result = run_train(run_ranks, "no mpi4py", table, *OPTIONS, "--save", path, succeeds=False)
    (line,) = errors(result)
    assert 'pip install "fastmlp[mpi]"' in line
    assert result.returncode == 2 and not path.exists()


MESSAGES = {  # by case
    "in training": "fastmlp train: error: rank 1 of 2: the disk of this rank is full",
    "at the end": "fastmlp train: error: rank 0 of 2: the disk of this rank is full",
    "other data": "rows.csv: ranks 0 and 1 have different data or networks",
    "before training": "rank 1 of 2: the disk of this rank is full",  # ends the processes
}


def test_an_error_of_one_rank_ends_all(run_ranks, table, tmp_path):
    path = tmp_path / "model.npz"
    first, *others = MESSAGES
    train = (table, *OPTIONS, "--save", path)
    more = [word for case in others for word in ("AND", case, "train", *train)]
    result = run_train(run_ranks, first, *train, *more, succeeds=False)
    for message in MESSAGES.values():
        # rank 1 has the same error in training and before
        count = 2 if "rank 1 of 2" in message else 1
        assert result.stderr.count(message.removeprefix("fastmlp train: error: ")) == count
        assert message in result.stderr
    assert not path.exists()


def test_a_killed_rank_ends_the_command(run_ranks, table, tmp_path):
    path = tmp_path / "model.npz"
    result = run_train(run_ranks, "killed", table, *OPTIONS, "--save", path, succeeds=False)
    assert "signal 9" in result.stdout + result.stderr
    assert not path.exists()


def test_ranks_train_by_a_recipe(run_ranks, tmp_path):
    """One network with batch norm, and three of an ensemble."""
    first, again = [], []
    for name, text in (("single", RECIPE), ("ensemble", ENSEMBLE)):
        recipe = tmp_path / f"{name}.toml"
        recipe.write_text(text)
        common = (
            "AND", "", "train", "--recipe", recipe, "--data", MNIST, "--validation-images", 59_000,
            "--checkpoint", tmp_path / f"{name}-checkpoint.npz",
        )  # fmt: skip
        first += [*common, "--save", tmp_path / f"{name}.npz"]
        again += common
    outputs = [run_ranks(PROGRAM, 2, *words[1:]).stdout for words in (first, again)]
    accuracies = re.findall("Accuracy: ([0-9.]+)", outputs[0])
    assert len(accuracies) == 2 and all(float(one) > 0.6 for one in accuracies)
    for name, n_networks in (("single", 1), ("ensemble", 3)):
        net = fastmlp.load(tmp_path / f"{name}.npz")
        assert len(getattr(net, "networks", [net])) == n_networks
    assert re.findall("Accuracy: ([0-9.]+)", outputs[1]) == accuracies
    assert outputs[1].count("Resumed after epochs: 3") == 2


def test_other_commands_run_on_each_rank_by_itself(run_ranks):
    result = run_ranks(PROGRAM, 2, "", "info")
    assert result.stdout.count("fastmlp ") >= 2
