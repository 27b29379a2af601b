"""Ctrl-C during a fit: what was learned stays, and the network can be trained again."""

from __future__ import annotations

import _thread
import linecache
import signal
import sys
import threading
import warnings

import numpy as np
import pytest

from fastmlp import MLP, Callback, Checkpoint
from fastmlp.training import loop


def parameters(net: MLP) -> np.ndarray:
    return np.concatenate([one.ravel() for one in (*net.weights, *net.biases)])


def interrupt():
    raise KeyboardInterrupt


def test_interrupt_keeps_what_was_learned(net, classes, recorder, doing):
    recorder = recorder()
    with pytest.warns(UserWarning, match="interrupted, whole epochs done: 1"):
        history = net.fit(*classes, callbacks=[recorder, doing(interrupt)])
    assert (history.epochs, history.stopped_by) == (1, "interrupt")
    assert recorder.calls[-1] == "end: interrupt"
    assert net.fit(*classes, epochs=1).stopped_by == "epochs"


def test_warning_about_an_interrupt_points_at_the_call(net, classes, doing):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net.fit(*classes, callbacks=[doing(interrupt)])
    assert caught[0].filename == __file__


@pytest.fixture
def ctrl_c():
    """Ctrl-C does what Python makes of it, also where pytest was started to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_interrupt_acts_within_an_epoch(rng, ctrl_c):
    """Without it this would go on for minutes."""
    X, y = rng.normal(size=(3000, 100)).astype(np.float32), rng.integers(0, 2, 3000)
    net = MLP((100, 1000, 1000, 2))

    class PressLater(Callback):
        def on_fit_begin(self, net, history):
            threading.Thread(target=_thread.interrupt_main).start()

    with pytest.warns(UserWarning, match="interrupted"):
        history = net.fit(X, y, batch_size=1, epochs=100, callbacks=[PressLater()])
    assert history.stopped_by == "interrupt"
    assert np.isfinite(parameters(net)).all()


def test_interrupt_acts_within_a_batch(rng, ctrl_c):
    """Of one batch of seconds, which changes nothing."""
    X, y = rng.normal(size=(50_000, 100)).astype(np.float32), rng.integers(0, 2, 50_000)
    net = MLP((100, 1000, 1000, 2))
    before = parameters(net)
    press = threading.Timer(0.2, _thread.interrupt_main)

    class PressLater(Callback):
        def on_fit_begin(self, net, history):
            press.start()

    with pytest.warns(UserWarning, match="interrupted, whole epochs done: 0"):
        history = net.fit(X, y, batch_size=len(X), epochs=2, callbacks=[PressLater()])
    assert history.stopped_by == "interrupt"
    np.testing.assert_array_equal(parameters(net), before)


class InterruptAt:
    """Raises KeyboardInterrupt at one of the executed lines of the training loop, as Ctrl-C may.

    Not where a `with` block has ended and `__exit__` is about to be called, which tracing shows as
    a second visit to the line: Python looks for signals before that, in the block, and after it.
    """

    def __init__(self, at: int) -> None:
        self.at, self.lines, self.before = at, 0, sys.gettrace()
        self.entered: set[tuple[int, int]] = set()

    def __call__(self, frame, event, arg):
        if frame.f_code.co_filename != loop.__file__:
            return None
        if event == "line" and not self.is_end_of_with(frame):
            self.lines += 1
            if self.lines == self.at:
                raise KeyboardInterrupt
        return self

    def is_end_of_with(self, frame) -> bool:
        if not linecache.getline(loop.__file__, frame.f_lineno).lstrip().startswith("with "):
            return False
        place = id(frame), frame.f_lineno
        again = place in self.entered
        self.entered.add(place)
        return again

    def __enter__(self):
        sys.settrace(self)
        return self

    def __exit__(self, *error):
        sys.settrace(self.before)


def interrupted_fit(net, X, y, at: int) -> int:
    """Lines that a fit executed, interrupted at one of them; it ends as documented or by Ctrl-C."""
    with InterruptAt(at) as places, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            net.fit(X, y, epochs=2, validation_data=0.2, early_stopping=True)
        except KeyboardInterrupt:
            pass
    return places.lines


def test_wherever_ctrl_c_comes_the_network_trains_again(classes):
    n_lines = interrupted_fit(MLP((6, 3)), *classes, at=0)
    assert n_lines > 100
    for at in range(1, n_lines + 1):
        net = MLP((6, 3), seed=1)
        assert interrupted_fit(net, *classes, at=at) >= at
        history = net.fit(*classes, epochs=1)
        assert (history.stopped_by, history.epochs) == ("epochs", 1), f"after line {at}"
        assert np.isfinite(parameters(net)).all()


def chunks_cut_short(chunks, net, error, after=1):
    """A function for fit that raises in the second epoch, after so many chunks."""

    def read():
        for number, chunk in enumerate(chunks):
            if net.history.epochs == 1 and number == after:
                raise error
            yield chunk

    return read


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("the disk is gone")], ids=repr)
@pytest.mark.parametrize(("after", "n_batches"), [(0, 0), (1, 3), (2, 7)])
def test_batches_of_an_epoch_cut_short_are_counted(net, classes, error, after, n_batches):
    """Of 77 rows in batches of 20 17 are left over, to begin the next chunk's first batch."""
    chunks = [tuple(one[k::3] for one in classes) for k in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            net.fit(chunks_cut_short(chunks, net, error, after), epochs=3, batch_size=20)
        except OSError:
            pass
    assert (net.history.epochs, net.history.unfinished_batches) == (1, n_batches)
    assert net.epochs == (2 if after else 1)
    assert net.fit(*classes, epochs=1).unfinished_batches == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("the disk is gone")], ids=repr)
@pytest.mark.parametrize(
    ("every", "batch_size", "saved"), [(1, 20, 1), (2, 20, 0), (2, 1000, 1)]
)
def test_training_resumed_from_a_checkpoint_gives_the_bits_of_the_whole(
    classes, tmp_path, error, every, batch_size, saved
):
    """An epoch that was cut short is not saved as a whole one, unless it has not trained yet."""
    chunks = [tuple(one[k::3] for one in classes) for k in range(3)]
    whole, net = MLP((6, 16, 3), dropout=0.2), MLP((6, 16, 3), dropout=0.2)
    whole.fit(chunks, epochs=3, batch_size=batch_size)
    path = tmp_path / "net.npz"
    net.save(path, with_optimizer=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            net.fit(
                chunks_cut_short(chunks, net, error), epochs=3, batch_size=batch_size,
                callbacks=[Checkpoint(path, every=every)],
            )
        except OSError:
            pass
    resumed = MLP.load(path)
    assert resumed.epochs == saved
    resumed.fit(chunks, epochs=3 - saved, batch_size=batch_size)
    np.testing.assert_array_equal(parameters(resumed), parameters(whole))


def test_an_epoch_that_the_time_cuts_short_is_not_saved(rng, tmp_path):
    net, path = MLP((20, 64, 2)), tmp_path / "net.npz"
    X, y = rng.normal(size=(50_000, 20)), rng.integers(0, 2, 50_000)
    history = net.fit(
        X, y, epochs=1, batch_size=1, max_seconds=0.01, callbacks=[Checkpoint(path)]
    )
    assert history.unfinished_batches == net.state.steps > 0
    assert not path.exists()
