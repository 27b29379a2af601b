"""Checkpoints: an interrupted run ends with the same bits as one that was not interrupted."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, Checkpoint, recipes
from fastmlp.recipes import checkpoints
from fastmlp.recipes.training import run_recipe
from fastmlp.training.loop import Run

Changed = Callable[..., dict[str, Any]]
Digits = tuple[np.ndarray, np.ndarray]
Same = Callable[..., None]


class Broken(Exception):
    pass


def fail_in_epoch(patch: pytest.MonkeyPatch, number: int, error: type[BaseException]) -> None:
    """Let an epoch fail after all its steps, before it counts as a whole one."""
    run_epoch = Run.run_epoch

    def failing(self: Run, *arguments: Any) -> Any:
        result = run_epoch(self, *arguments)
        if self.net.epochs == number:
            raise error
        return result

    patch.setattr(Run, "run_epoch", failing)


@pytest.mark.parametrize("number", [1, 4, 6])
@pytest.mark.parametrize("every", [1, 2])
def test_a_run_that_failed_within_an_epoch_ends_with_the_same_bits(
    everything: recipes.Recipe, digits: Digits, path: Path, monkeypatch: pytest.MonkeyPatch,
    assert_same: Same, number: int, every: int,
) -> None:
    whole, history = recipes.train(everything, *digits)
    checkpoint = Checkpoint(path, every)
    with monkeypatch.context() as patch:
        fail_in_epoch(patch, number, Broken)
        with pytest.raises(Broken):
            recipes.train(everything, *digits, checkpoint=checkpoint)
    assert path.exists() == (number > every)
    resumed, joined = recipes.train(everything, *digits, checkpoint=checkpoint)
    assert_same(resumed, whole)
    assert joined.cost == history.cost
    assert joined.learning_rate == history.learning_rate
    assert len(joined.seconds) == 6
    assert joined.unfinished_batches == 0
    assert resumed.history is joined
    assert resumed.metadata == {}
    np.testing.assert_array_equal(resumed.forward(digits[0]), whole.forward(digits[0]))


KILLED = """
    import itertools, json, os, signal, sys
    import fastmlp
    given, path, moment = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
    saves = itertools.count(1)
    replace = os.replace

    def killing(part, target):
        number = next(saves)  # an ensemble saves in several threads
        if number == 3 and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(part, target)
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = killing
    X, y = fastmlp.datasets.digits()
    recipe = fastmlp.recipes.parse(given)
    fastmlp.recipes.train(recipe, X[:200], y[:200], checkpoint=fastmlp.Checkpoint(path))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("tables", [{}, {"ensemble": {"size": 3}}], ids=["network", "ensemble"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_run_ends_with_the_same_bits(
    changed: Changed, digits: Digits, path: Path, assert_same: Same, tables: Any, moment: str
) -> None:
    """Killed while its third checkpoint is written, and immediately after it."""
    given = changed(**tables)
    program = [sys.executable, "-c", textwrap.dedent(KILLED), json.dumps(given), path, moment]
    assert subprocess.run(program).returncode == -signal.SIGKILL
    recipe = recipes.parse(given)
    whole = run_recipe(recipe, *digits)
    resumed = run_recipe(recipe, *digits, checkpoint=path)
    assert_same(resumed.model, whole.model)
    for one, other in zip(resumed.histories, whole.histories, strict=True):
        assert one.cost == other.cost
    assert len(resumed.resumed) == recipe.ensemble_size
    assert 0 < sum(resumed.resumed) < 6 * recipe.ensemble_size


def test_ctrl_c_leaves_a_checkpoint_of_whole_epochs(
    everything: recipes.Recipe, digits: Digits, path: Path, monkeypatch: pytest.MonkeyPatch,
    assert_same: Same,
) -> None:
    with monkeypatch.context() as patch:
        fail_in_epoch(patch, 4, KeyboardInterrupt)
        with pytest.warns(UserWarning, match="Training interrupted"):
            _, history = recipes.train(everything, *digits, checkpoint=path)
    assert (history.epochs, history.stopped_by) == (3, "interrupt")
    assert history.unfinished_batches == 7  # of 30 of the 200 examples
    resumed, joined = recipes.train(everything, *digits, checkpoint=path)
    assert_same(resumed, recipes.train(everything, *digits)[0])
    assert joined.unfinished_batches == 0


def test_a_finished_run_is_not_trained_again(
    everything: recipes.Recipe, digits: Digits, path: Path, monkeypatch: pytest.MonkeyPatch,
    assert_same: Same,
) -> None:
    net, history = recipes.train(everything, *digits, checkpoint=path)
    monkeypatch.setattr(Run, "train", lambda *_, **__: pytest.fail("trained"))
    again, read = recipes.train(everything, *digits, checkpoint=path)
    assert_same(again, net)
    assert read == history


def test_the_seconds_of_earlier_processes_count(
    either: recipes.Recipe, digits: Digits, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand seconds pass before the failure; checkpoints after it have them too."""
    with monkeypatch.context() as patch:
        fail_in_epoch(patch, 4, Broken)
        with pytest.raises(Broken):
            run_recipe(either, *digits, checkpoint=path, n_threads=1)
    file = path if either.ensemble_size == 1 else Path(f"{path}.1")
    net = fastmlp.load(file)
    assert 0 < net.metadata["checkpoint"]["seconds"] < 1000
    net.metadata["checkpoint"]["seconds"] = 1000.0
    net.save(file, with_optimizer=True)
    assert 1000 < run_recipe(either, *digits, checkpoint=path).seconds < 2000
    finished = fastmlp.load(file).metadata["checkpoint"]
    assert len(finished["history"]["cost"]) == 6
    assert 1000 < finished["seconds"] < 2000
    assert run_recipe(either, *digits, checkpoint=path).seconds > 1000


def test_a_checkpoint_is_written_at_most_twenty_times(
    changed: Changed, digits: Digits, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipes.parse(changed(training={"epochs": 41}))
    write, epochs = checkpoints.files.write_npz, []

    def spy(path: str, packed: Any) -> None:
        epochs.append(packed[0]["epochs"])
        write(path, packed)

    monkeypatch.setattr(checkpoints.files, "write_npz", spy)
    recipes.train(recipe, *digits, checkpoint=path)
    assert epochs == [*range(2, 41, 2), 41]


def test_the_checkpoint_of_another_recipe_is_refused(
    changed: Changed, everything: recipes.Recipe, digits: Digits, path: Path
) -> None:
    recipes.train(everything, *digits, checkpoint=path)
    for tables, message in [
        ({"training": {"l2": 0.0}}, "its settings differ in l2"),
        ({"network": {"uint8_scale": 0.5}}, "its settings differ in uint8_scale"),
        ({"augment": {"shear": 0.1}}, "its settings differ in augment"),
    ]:
        with pytest.raises(ValueError, match=f"checkpoint of another run: {message}"):
            recipes.train(recipes.parse(changed(**tables)), *digits, checkpoint=path)
    pair = dataclasses.replace(everything, ensemble_size=2)
    os.rename(path, f"{path}.1")
    with pytest.raises(ValueError, match="its ensemble_size is 1, not 2"):
        recipes.train(pair, *digits, checkpoint=path)


def test_the_checkpoint_of_another_seed_or_other_data_is_refused(
    everything: recipes.Recipe, digits: Digits, path: Path
) -> None:
    X, y = digits
    recipes.train(everything, X, y, validation_data=(X[:20], y[:20]), checkpoint=path)
    same = {"X": X, "y": y, "validation_data": (X[:20], y[:20])}
    for options, message in [
        ({"seed": 1}, "its seed is 0, not 1"),
        ({"X": X[:150], "y": y[:150]}, "its data is '200 examples, .*', not '150 examples, "),
        ({"y": np.roll(y, 1)}, "its data is '200 examples"),
        ({"X": X.astype(np.float64)}, "its data is '200 examples"),
        ({"validation_data": None}, "its validation_data is '20 examples, .*', not None"),
        ({"validation_data": (X[1:21], y[:20])}, "its validation_data is '20 examples, .*', not"),
    ]:
        with pytest.raises(ValueError, match=f"checkpoint of another run: {message}"):
            recipes.train(everything, checkpoint=path, **{**same, **options})


def test_the_members_of_an_ensemble_have_checkpoints_of_their_own(
    ensemble: recipes.Recipe, digits: Digits, path: Path
) -> None:
    recipes.train(ensemble, *digits, checkpoint=path)
    os.replace(f"{path}.2", f"{path}.1")
    with pytest.raises(ValueError, match="its seed is 1, not 0"):
        recipes.train(ensemble, *digits, checkpoint=path)


def test_a_renamed_recipe_continues_from_its_checkpoint(
    everything: recipes.Recipe, digits: Digits, path: Path, assert_same: Same
) -> None:
    net, _ = recipes.train(everything, *digits, checkpoint=path)
    renamed = dataclasses.replace(everything, name="other", description="Other.")
    assert_same(recipes.train(renamed, *digits, checkpoint=path)[0], net)


@pytest.mark.parametrize(
    "entry",
    [
        5,
        [],
        {},
        {"identity": {}, "history": {}, "seconds": "1"},
        {"identity": [], "history": {}, "seconds": 1},
        {"identity": {}, "history": [], "seconds": 1},
        {"identity": {}, "history": {"mood": []}, "seconds": 1},
        {"identity": {}, "history": {"cost": 5}, "seconds": 1},
        {"identity": {}, "history": {"seconds": "12"}, "seconds": 1},
    ],
    ids=str,
)
def test_metadata_of_the_wrong_kind_are_no_checkpoint(
    everything: recipes.Recipe, digits: Digits, path: Path, entry: object
) -> None:
    net = MLP((64, 10))
    net.metadata = {"checkpoint": entry}
    net.save(path)
    with pytest.raises(ValueError, match="run.npz is a model, but not a checkpoint"):
        recipes.train(everything, *digits, checkpoint=path)


def test_a_file_that_is_no_checkpoint_is_refused_and_not_changed(
    everything: recipes.Recipe, digits: Digits, path: Path
) -> None:
    for model in (MLP((64, 10)), fastmlp.Ensemble([MLP((64, 10))])):
        model.save(path)
        with pytest.raises(ValueError, match="run.npz is a model, but not a checkpoint"):
            recipes.train(everything, *digits, checkpoint=path)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="run.npz is not a whole fastmlp model file"):
        recipes.train(everything, *digits, checkpoint=path)
    assert path.read_bytes() == b"something else"


def test_verbose_numbers_the_epochs_over_all_processes(
    everything: recipes.Recipe, digits: Digits, path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        fail_in_epoch(patch, 5, Broken)
        with pytest.raises(Broken):
            recipes.train(everything, *digits, checkpoint=path)
    recipes.train(everything, *digits, checkpoint=path, verbose=True)
    first, *epochs = capsys.readouterr().out.splitlines()
    assert first == "resumed after epoch 4"
    assert [line.split("  ")[0] for line in epochs] == ["epoch 5/6", "epoch 6/6"]


def test_sparse_examples_have_checkpoints_too(
    changed: Changed, digits: Digits, path: Path, assert_same: Same
) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    recipe = recipes.parse(changed(augment=None))
    X, y = sparse.csr_matrix(digits[0]), digits[1]
    net, _ = recipes.train(recipe, X, y, checkpoint=path)
    assert path.exists()
    assert_same(net, recipes.train(recipe, X, y)[0])
    with pytest.raises(ValueError, match="its data is"):
        recipes.train(recipe, 2 * X, y, checkpoint=path)
