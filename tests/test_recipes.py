"""Recipes: what is written is what is trained, and a stopped run ends with the same bits."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, AdamW, Checkpoint, Ensemble, recipes
from fastmlp.augment import Distortion
from fastmlp.schedules import OneCycle

NAMES = ["committee", "fast", "plain", "quick", "record", "report-best", "strong"]

# All that has a state which a checkpoint must bring back, in a few milliseconds an epoch.
EVERYTHING = {
    "name": "everything",
    "description": "For tests.",
    "network": {
        "hidden": [16, 12],
        "batch_norm": True,
        "dropout": 0.2,
        "input_dropout": 0.1,
        "noise": 0.1,
    },
    "training": {
        "epochs": 6,
        "batch_size": 30,
        "optimizer": {"name": "adamw", "learning_rate": 0.01, "beta_2": 0.98},
        "schedule": "one_cycle",
        "l2": 1e-4,
        "label_smoothing": 0.1,
        "max_norm": 2.0,
        "clip_norm": 5.0,
        "ema": 0.9,
    },
    "augment": {"rotation": 10, "translation": 0.5, "gentle_classes": [1, 7]},
}
COMMITTEE = {**EVERYTHING, "committee": {"size": 3}}


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = fastmlp.datasets.digits()
    return X[:200], y[:200]


@pytest.fixture
def everything() -> recipes.Recipe:
    return recipes.parse(EVERYTHING)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run.npz"


def assert_same(one: MLP, other: MLP) -> None:
    """Parameters, averages, running statistics: all that predicts and trains on."""
    a, b = (fastmlp.saving.packed(net)[1] for net in (one, other))
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert one.epochs == other.epochs


def changed(**tables) -> dict:
    """EVERYTHING with some keys of some tables set; None takes a table out."""
    found = {**EVERYTHING}
    for name, table in tables.items():
        found[name] = {**found.get(name, {}), **table} if isinstance(table, dict) else table
    return {name: table for name, table in found.items() if table is not None}


# ------------------------------------------------------------------------------- reading


def test_the_recipes_that_come_with_the_package():
    assert recipes.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_recipe_is_whole_and_named_like_its_file(name):
    recipe = recipes.read(name)
    assert recipe.name == name
    assert len(recipe.description) <= 90


def test_recipes_are_what_their_names_say():
    fast = recipes.read("fast")
    assert fast.settings.hidden == (512,)
    assert fast.settings.batch_size == 200
    assert fast.settings.optimizer == AdamW(OneCycle(0.006), beta_2=0.98)
    assert fast.settings.augment is None
    assert recipes.read("report-best").settings.hidden == (256, 256)
    assert recipes.read("plain").settings.augment is None
    assert recipes.read("record").settings.augment.elastic > 0
    assert recipes.read("committee").committee > 1


def test_distortions_are_as_written(everything):
    augment = Distortion(rotation=10, translation=0.5, gentle_classes=(1, 7))
    assert everything.settings.augment == augment


def test_a_recipe_can_be_a_file_of_one_s_own(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\ndescription = "Mine."\n[network]\nhidden = [5]\n')
    assert recipes.read(file) == recipes.read(str(file))
    assert recipes.read(file).settings.hidden == (5,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (changed(netwrok={}), "unknown key 'netwrok'; did you mean 'network'"),
        (changed(network={"widths": [3]}), "network: unknown key 'widths'. Known: hidden"),
        (changed(network={"drop_out": 0.1}), "network: unknown key 'drop_out'; did you mean 'drop"),
        (changed(network={"epochs": 3}), r"unknown key 'epochs'; it belongs in \[training\]"),
        (changed(training={"hidden": [3]}), r"unknown key 'hidden'; it belongs in \[network\]"),
        (changed(training={"epochs": 0}), "epochs must be at least 1, got 0"),
        (changed(training={"schedule": "one_cycel"}), "did you mean 'one_cycle'"),
        (changed(training={"optimizer": {"name": "adamw", "beta2": 0.9}}), "mean 'beta_2'"),
        (changed(training={"ema": 1.5}), "ema must be in"),
        (changed(network={"hidden": [0]}), r"hidden\[0\] must be at least 1"),
        (changed(network={"dropout": [0.1]}), "dropout has 1 entries for 2 hidden layers"),
        (changed(augment={"rotate": 3}), "augment: unknown key 'rotate'; did you mean 'rotation'"),
        (changed(augment={"rotation": "a bit"}), "augment: rotation must be a number"),
        (changed(augment={"gentle_classes": 1}), "gentle_classes must be a list"),
        (changed(committee={"size": 1}), "committee: size must be at least 2"),
        (changed(committee={}), "committee: size must be a whole number, got None"),
        (changed(committee={"members": 3}), "committee: unknown key 'members'. Known: size"),
        (changed(network=None), r"a recipe needs a table \[network\]"),
        (changed(network=7), r"network must be a table, \[network\], got 7"),
        (changed(name=None), "name must be a text, got None"),
        (changed(description=""), "description must be a text, got ''"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_told(given, message):
    with pytest.raises(ValueError, match=message):
        recipes.parse(given)


def test_an_unknown_recipe_is_told_with_the_nearest():
    with pytest.raises(ValueError, match="unknown recipe 'strnog'; did you mean 'strong'"):
        recipes.read("strnog")


def test_a_file_that_is_not_toml_is_told_by_its_name(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("name = ")
    with pytest.raises(ValueError, match="mine.toml: not TOML"):
        recipes.read(file)
    file.write_text("nam = 1")
    with pytest.raises(ValueError, match="mine.toml: unknown key 'nam'; did you mean 'name'"):
        recipes.read(file)


# ------------------------------------------------------------------------------ training


def by_hand(X, y, seed: int) -> MLP:
    """What EVERYTHING says, written out as calls."""
    net = MLP(
        (64, 16, 12, 10), batch_norm=True, dropout=0.2, input_dropout=0.1, noise=0.1, seed=seed
    )
    net.fit(
        X,
        y,
        epochs=6,
        batch_size=30,
        optimizer=AdamW(OneCycle(0.01), beta_2=0.98),
        l2=1e-4,
        label_smoothing=0.1,
        max_norm=2.0,
        clip_norm=5.0,
        ema=0.9,
        augment=Distortion(rotation=10, translation=0.5, gentle_classes=(1, 7)),
    )
    return net


def test_a_recipe_trains_what_the_same_calls_train(everything, digits):
    net, history = recipes.train(everything, *digits, seed=3)
    written = by_hand(*digits, seed=3)
    assert_same(net, written)
    assert history.cost == written.history.cost
    assert net.history is history
    assert history.stopped_by == "epochs"


def test_a_committee_is_networks_with_seeds_of_their_own(digits):
    model, histories = recipes.train(recipes.parse(COMMITTEE), *digits, seed=2)
    assert isinstance(model, Ensemble)
    for net, history, seed in zip(model.networks, histories, (6, 7, 8), strict=True):
        written = by_hand(*digits, seed=seed)
        assert_same(net, written)
        assert history.cost == written.history.cost


@pytest.mark.parametrize("given", [EVERYTHING, COMMITTEE], ids=["one", "committee"])
def test_no_bit_depends_on_the_number_of_threads(given, digits):
    models = [
        recipes.train(recipes.parse(given), *digits, n_threads=n_threads)[0]
        for n_threads in (1, 2)
    ]
    one, two = (getattr(model, "networks", [model]) for model in models)
    for a, b in zip(one, two, strict=True):
        assert_same(a, b)


def test_validation_data_are_evaluated_and_change_nothing(everything, digits):
    X, y = fastmlp.datasets.digits()
    held_out = X[200:300], y[200:300]
    net, history = recipes.train(everything, *digits, validation_data=held_out)
    assert history.validation_accuracy[-1] == np.mean(net.predict(held_out[0]) == held_out[1])
    assert len(history.validation_cost) == 6
    assert_same(net, recipes.train(everything, *digits)[0])


def test_targets_may_be_probabilities(everything, digits):
    X, y = digits
    net, _ = recipes.train(everything, X, np.eye(10)[y][:, ::-1], seed=1)
    assert net.sizes == (64, 16, 12, 10)


def test_verbose_has_a_line_for_each_epoch(everything, digits, capsys):
    _, history = recipes.train(everything, *digits, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[5].startswith(f"epoch 6/6  cost {history.cost[5]:.6g}  ")


def test_wrong_arguments_are_told(everything, digits, tmp_path):
    X, y = digits
    with pytest.raises(ValueError, match=r"X has shape \(200, 8, 8\)"):
        recipes.train(everything, X.reshape(200, 8, 8), y)
    with pytest.raises(TypeError, match="validation_data must be a pair"):
        recipes.train(everything, X, y, validation_data=0.1)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        recipes.train(everything, X, y, checkpoint=tmp_path / "nowhere" / "run.npz")


# ---------------------------------------------------------------------------- checkpoints


class Broken(Exception):
    pass


def break_epoch(monkeypatch, number: int) -> None:
    """Have an epoch fail when its steps are done, but before it counts as a whole one."""
    run_epoch = fastmlp.epochs.Run.run_epoch

    def broken(self, *given):
        cost = run_epoch(self, *given)
        if self.net.epochs == number:
            raise Broken
        return cost

    monkeypatch.setattr("fastmlp.epochs.Run.run_epoch", broken)


@pytest.mark.parametrize("number", [1, 4, 6])
@pytest.mark.parametrize("every", [1, 2])
def test_a_run_that_failed_within_an_epoch_ends_with_the_same_bits(
    everything, digits, path, monkeypatch, number, every
):
    whole, history = recipes.train(everything, *digits)
    checkpoint = Checkpoint(path, every)
    with monkeypatch.context() as patch:
        break_epoch(patch, number)
        with pytest.raises(Broken):
            recipes.train(everything, *digits, checkpoint=checkpoint)
    assert path.exists() == (number > every)
    resumed, joined = recipes.train(everything, *digits, checkpoint=checkpoint)
    assert_same(resumed, whole)
    assert joined.cost == history.cost
    assert joined.learning_rate == history.learning_rate
    assert len(joined.seconds) == 6
    assert resumed.history is joined
    assert resumed.metadata == {}
    np.testing.assert_array_equal(resumed.forward(digits[0]), whole.forward(digits[0]))


KILLED = """
    import itertools, json, os, signal, sys
    import fastmlp
    given, path, moment = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
    saves = itertools.count(1)
    replace = os.replace

    def dying(part, target):
        number = next(saves)  # a committee saves in several threads
        if number == 3 and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(part, target)
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = dying
    X, y = fastmlp.datasets.digits()
    recipe = fastmlp.recipes.parse(given)
    fastmlp.recipes.train(recipe, X[:200], y[:200], checkpoint=fastmlp.Checkpoint(path))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("given", [EVERYTHING, COMMITTEE], ids=["one", "committee"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_run_ends_with_the_same_bits(digits, path, given, moment):
    """Killed while its third checkpoint is written, and right after it."""
    program = [sys.executable, "-c", textwrap.dedent(KILLED), json.dumps(given), path, moment]
    assert subprocess.run(program).returncode == -signal.SIGKILL
    recipe = recipes.parse(given)
    whole, histories = recipes.train(recipe, *digits)
    resumed, joined = recipes.train(recipe, *digits, checkpoint=path)
    for one, other in zip(
        getattr(resumed, "networks", [resumed]), getattr(whole, "networks", [whole]), strict=True
    ):
        assert_same(one, other)
    if given is EVERYTHING:
        assert joined.cost == histories.cost
    else:
        assert [one.cost for one in joined] == [one.cost for one in histories]


def test_ctrl_c_leaves_a_checkpoint_of_whole_epochs(everything, digits, path, monkeypatch):
    run_epoch = fastmlp.epochs.Run.run_epoch

    def interrupted(self, *given):
        cost = run_epoch(self, *given)
        if self.net.epochs == 4:
            raise KeyboardInterrupt
        return cost

    with monkeypatch.context() as patch:
        patch.setattr("fastmlp.epochs.Run.run_epoch", interrupted)
        with pytest.warns(UserWarning, match="Training interrupted"):
            _, history = recipes.train(everything, *digits, checkpoint=path)
    assert (history.epochs, history.stopped_by) == (3, "interrupt")
    resumed, _ = recipes.train(everything, *digits, checkpoint=path)
    assert_same(resumed, recipes.train(everything, *digits)[0])


def test_a_finished_run_is_not_trained_again(everything, digits, path, monkeypatch):
    net, history = recipes.train(everything, *digits, checkpoint=path)
    monkeypatch.setattr(MLP, "fit", lambda *_, **__: pytest.fail("trained"))
    again, read = recipes.train(everything, *digits, checkpoint=path)
    assert_same(again, net)
    assert read == history


def test_a_checkpoint_is_written_at_most_twenty_times(digits, path, monkeypatch):
    recipe = recipes.parse(changed(training={"epochs": 41}))
    save, epochs = MLP.save, []

    def spy(self, *arguments, **options):
        epochs.append(self.epochs)
        save(self, *arguments, **options)

    monkeypatch.setattr(MLP, "save", spy)
    recipes.train(recipe, *digits, checkpoint=path)
    assert epochs == [*range(2, 41, 2), 41]


def test_the_checkpoint_of_another_run_is_told(everything, digits, path):
    X, y = digits
    recipes.train(everything, X, y, checkpoint=path)
    for recipe, data, seed, message in [
        (everything, (X, y), 1, "its seed is 0, not 1"),
        (everything, (X[:150], y[:150]), 0, "its data is '200 examples, .*', not '150 examples, "),
        (everything, (X, np.roll(y, 1)), 0, "its data is '200 examples"),
        (recipes.parse(changed(training={"l2": 0.0})), (X, y), 0, "its settings differ in l2"),
        (recipes.parse(changed(augment={"shear": 0.1})), (X, y), 0, "its settings differ"),
    ]:
        with pytest.raises(ValueError, match=f"checkpoint of another run: {message}"):
            recipes.train(recipe, *data, seed=seed, checkpoint=path)


def test_a_renamed_recipe_goes_on_from_its_checkpoint(everything, digits, path):
    net, _ = recipes.train(everything, *digits, checkpoint=path)
    renamed = dataclasses.replace(everything, name="other", description="Other.")
    assert_same(recipes.train(renamed, *digits, checkpoint=path)[0], net)


def test_a_file_that_is_no_checkpoint_is_told_and_kept(everything, digits, path):
    MLP((64, 10)).save(path)
    with pytest.raises(ValueError, match="run.npz is a model, but no checkpoint"):
        recipes.train(everything, *digits, checkpoint=path)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="run.npz is not a whole fastmlp model file"):
        recipes.train(everything, *digits, checkpoint=path)
    assert path.read_bytes() == b"something else"


def test_verbose_counts_on_after_a_resumption(everything, digits, path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        break_epoch(patch, 5)
        with pytest.raises(Broken):
            recipes.train(everything, *digits, checkpoint=path)
    recipes.train(everything, *digits, checkpoint=path, verbose=True)
    first, *epochs = capsys.readouterr().out.splitlines()
    assert first == "resumed after epoch 4"
    assert [line.split("  ")[0] for line in epochs] == ["epoch 5/6", "epoch 6/6"]


def test_sparse_examples_have_checkpoints_too(digits, path):
    sparse = pytest.importorskip("scipy.sparse")
    recipe = recipes.parse(changed(augment=None))
    X, y = sparse.csr_matrix(digits[0]), digits[1]
    net, _ = recipes.train(recipe, X, y, checkpoint=path)
    assert os.path.exists(path)
    assert_same(net, recipes.train(recipe, X, y)[0])
