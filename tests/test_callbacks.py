"""Callbacks alone, fed with figures; how fit calls them is in test_training."""

from __future__ import annotations

import builtins
import io
import sys

import numpy as np
import pytest

import fastmlp
from fastmlp import Callback, Checkpoint, EarlyStopping, History
from fastmlp.callbacks import Progress


def run(callback, net, figures, name="validation_cost"):
    """Give a callback these figures epoch by epoch; the epoch at which it stops, or None."""
    history = History()
    callback.on_fit_begin(net, history)
    stopped = None
    for figure in figures:
        history.cost.append(1.0)
        if name != "cost":
            getattr(history, name).append(figure)
        else:
            history.cost[-1] = figure
        history.seconds.append(0.5)
        if callback.on_epoch_end(net, history):
            stopped = history.epochs
            break
        net.set_parameters([W + 1 for W in net.weights], net.biases)
    callback.on_fit_end(net, history)
    return stopped


def test_callback_does_nothing_by_itself(net):
    assert run(Callback(), net, [1, 2, 3]) is None


@pytest.mark.parametrize(
    ("figures", "stops", "best"),
    [
        ([5, 4, 3, 2, 1], None, 5),
        ([5, 4, 6, 6, 6], 4, 2),
        ([5, 4, 4, 4, 4], 4, 2),
        ([5, 6, 4, 6, 3], None, 5),
        ([np.inf, np.inf, 1], 2, 0),
        ([np.nan, np.nan], 2, 0),
    ],
)
def test_patience_counts_epochs_without_a_lower_cost(net, figures, stops, best):
    callback = EarlyStopping(patience=2)
    assert run(callback, net, figures) == stops
    assert callback.best_epoch == best


def test_accuracy_has_to_grow(net):
    callback = EarlyStopping(patience=2, monitor="validation_accuracy")
    assert run(callback, net, [0.1, 0.5, 0.4, 0.5, 0.9], "validation_accuracy") == 4
    assert callback.best_epoch == 2


def test_training_cost_can_be_watched(net):
    assert run(EarlyStopping(patience=1, monitor="cost"), net, [3, 2, 2], "cost") == 3


def test_gains_below_min_delta_do_not_count(net):
    callback = EarlyStopping(patience=2, min_delta=0.5)
    assert run(callback, net, [5, 4.9, 4.8, 4.7]) == 3
    assert callback.best_epoch == 1


@pytest.mark.parametrize("restore", [True, False])
def test_parameters_of_the_best_epoch_come_back_if_wanted(net, restore):
    before = net.weights[0]
    run(EarlyStopping(patience=2, restore_best=restore), net, [5, 4, 6, 6])
    expected = before + (1 if restore else 3)
    np.testing.assert_allclose(net.weights[0], expected, rtol=1e-6)


def test_early_stopping_begins_anew_with_each_fit(net):
    callback = EarlyStopping(patience=2)
    assert run(callback, net, [1, 2, 2]) == 3
    assert run(callback, net, [9, 8, 7]) is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"patience": 0}, ValueError, "patience must be at least 1"),
        ({"min_delta": -1}, ValueError, "min_delta must be in"),
        ({"monitor": "val_loss"}, ValueError, "unknown monitor 'val_loss'"),
        ({"monitor": "validation_acuracy"}, ValueError, "did you mean 'validation_accuracy'"),
        ({"restore_best": None}, TypeError, "restore_best must be True or False"),
    ],
)
def test_wrong_arguments_of_early_stopping_are_explained(arguments, error, message):
    with pytest.raises(error, match=message):
        EarlyStopping(**arguments)


def test_checkpoint_saves_every_so_many_epochs_and_at_the_end(net, tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(
        type(net), "save", lambda self, path, with_optimizer: saved.append((path, with_optimizer))
    )
    run(Checkpoint(tmp_path / "net", every=2), net, range(5))
    assert saved == [(tmp_path / "net", True)] * 3


def test_checkpoint_holds_the_network_at_the_end_of_training(net, classes, tmp_path):
    path = tmp_path / "net.npz"
    net.fit(*classes, epochs=3, callbacks=[Checkpoint(path, every=2)])
    np.testing.assert_array_equal(fastmlp.load(path).weights[0], net.weights[0])


def test_checkpoint_of_the_end_has_the_best_parameters(net, classes, tmp_path):
    path = tmp_path / "net.npz"
    X, y = classes
    net.fit(X, y, epochs=5, optimizer=fastmlp.GradientDescent(5.0), validation_data=(X, y),
            early_stopping=True, callbacks=[Checkpoint(path)])
    assert fastmlp.load(path).cost(X, y) == net.cost(X, y) == min(net.history.validation_cost)


def test_a_checkpoint_that_cannot_be_written_is_an_error_before_training(net, classes, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere.*net.npz"):
        net.fit(*classes, epochs=5, callbacks=[Checkpoint(tmp_path / "nowhere/net.npz", every=5)])
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        net.fit(*classes, epochs=5, callbacks=[Checkpoint(tmp_path, every=5)])
    assert net.epochs == 0


def test_checkpoint_never_saves_before_an_epoch_is_done(net, tmp_path):
    run(Checkpoint(tmp_path / "net"), net, [])
    assert list(tmp_path.iterdir()) == []


def test_progress_prints_a_line_for_each_epoch(net, capsys):
    run(Progress(12), net, [0.25, 0.125])
    assert capsys.readouterr().out == (
        "epoch  1/12  cost 1  validation cost 0.25  0.50 s\n"
        "epoch  2/12  cost 1  validation cost 0.125  0.50 s\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_a_bar_in_a_terminal_with_rich(net, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("rich._console", None)  # a new one, which reads these
    run(Progress(2), net, [0.25, 0.125])
    shown = sys.stdout.getvalue()
    assert "2/2" in shown
    assert "validation cost 0.125" in shown


def test_progress_prints_lines_in_a_terminal_without_rich(net, monkeypatch):
    def without_rich(name, *args, **kwargs):
        if name.startswith("rich"):
            raise ImportError(name)
        return load(name, *args, **kwargs)

    load = builtins.__import__
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(builtins, "__import__", without_rich)
    run(Progress(2), net, [0.25])
    assert sys.stdout.getvalue() == "epoch 1/2  cost 1  validation cost 0.25  0.50 s\n"


def test_a_method_that_no_fit_calls_is_a_warning():
    with pytest.warns(UserWarning, match="Late.on_batch_end is never called: a fit calls on_fit_b"):

        class Late(fastmlp.Callback):
            def on_batch_end(self, net, history):
                """As in other libraries."""


@pytest.mark.parametrize("wrong", ["yes", 2.5])
def test_a_wrong_early_stopping_is_told_what_it_may_be(wrong):
    message = f"whole number of epochs, True, or an EarlyStopping, got {wrong!r}"
    with pytest.raises(TypeError, match=message):
        fastmlp.MLP((2, 2)).fit([[1, 2]], [0], early_stopping=wrong)
