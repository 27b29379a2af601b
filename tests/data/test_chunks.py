"""Training on chunks: as on arrays, but for the memory it takes.  Maps: test_memory_maps.py."""

from __future__ import annotations

import itertools
import pickle
import weakref

import numpy as np
import pytest
import scipy.sparse

import fastmlp
from fastmlp import MLP, Adam, Callback, EarlyStopping, GradientDescent, schedules

EVERYTHING = {
    "batch_norm": True, "dropout": [0.3, 0.1], "input_dropout": 0.1, "noise": 0.1,
}  # fmt: skip
OPTIONS = {
    "epochs": 3, "batch_size": 32, "l2": 1e-3, "label_smoothing": 0.1, "max_norm": 3.0,
    "clip_norm": 5.0, "ema": 0.9, "optimizer": Adam(schedules.Step(0.01, every=7)),
}  # fmt: skip


def cut(sizes, *arrays):
    """The arrays in chunks of these sizes, over and over until their end."""
    first, chunks = 0, []
    for size in itertools.cycle(sizes):
        if first >= arrays[0].shape[0]:
            return chunks
        chunks.append(tuple(one[first : first + size] for one in arrays))
        first += size


@pytest.fixture
def pixels(rng):
    """X (300, 64), a third of it not zero, and labels of ten classes."""
    X = rng.integers(0, 256, (300, 64)) * (rng.random((300, 64)) < 0.3)
    return X.astype(np.uint8), rng.integers(0, 10, 300)


# ------------------------------------------------------------------------- the same as on arrays


@pytest.mark.parametrize("n_threads", [1, 2, 5])
@pytest.mark.parametrize("sizes", [[300], [64], [7], [1], [31, 100, 2]], ids=str)
def test_chunks_give_the_bits_of_the_arrays_in_one(pixels, rng, sizes, n_threads, state):
    X, y = pixels
    s = rng.random(300)
    options = {**OPTIONS, "n_threads": n_threads, "shuffle": False}
    whole, chunked = (MLP((64, 128, 128, 10), **EVERYTHING) for _ in range(2))
    whole.fit(X, y, sample_weight=s, **options)
    chunked.fit(cut(sizes, X, y, s), **options)
    assert state(chunked) == state(whole)


@pytest.mark.parametrize(
    "kind",
    [np.float32, np.float64, np.int16, np.asfortranarray, scipy.sparse.csr_array],
    ids=lambda kind: kind.__name__,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_chunks_may_be_of_any_kind_of_array(pixels, kind, dtype, state):
    X, y = kind(pixels[0]), pixels[1]
    whole, chunked = (MLP((64, 40, 10), dtype=dtype) for _ in range(2))
    options = {"epochs": 2, "batch_size": 40, "shuffle": False}
    whole.fit(X, y, **options)
    chunked.fit(cut([77], X, y), **options)
    assert state(chunked) == state(whole)


def test_chunks_of_every_loss_give_the_same_bits(rng, state):
    X, values = rng.normal(size=(90, 5)), rng.random((90, 3))
    values /= values.sum(axis=1, keepdims=True)
    for loss in fastmlp.losses.TABLE:
        y = values[:, 0] if loss == "quantile" else values  # which has three outputs for a target
        whole, chunked = (MLP((5, 8, 3), loss=loss) for _ in range(2))
        options = {"epochs": 2, "batch_size": 20, "shuffle": False}
        whole.fit(X, y, **options)
        chunked.fit(cut([33], X, y), **options)
        assert state(chunked) == state(whole)


def test_distorted_chunks_give_the_same_bits(pixels, state):
    augment = fastmlp.augment.Distortion(rotation=10, translation=1)
    whole, chunked = (MLP((64, 20, 10)) for _ in range(2))
    options = {"epochs": 2, "batch_size": 40, "shuffle": False, "augment": augment}
    whole.fit(*pixels, **options)
    chunked.fit(cut([77], *pixels), **options)
    assert state(chunked) == state(whole)


def test_frozen_layers_give_the_same_bits(pixels, state):
    whole, chunked = (MLP((64, 20, 20, 10)) for _ in range(2))
    for net in (whole, chunked):
        net.freeze(0)
    whole.fit(*pixels, epochs=2, shuffle=False)
    chunked.fit(cut([77], *pixels), epochs=2, shuffle=False)
    assert state(chunked) == state(whole)


def test_batch_larger_than_all_chunks_is_all_of_them(pixels, state):
    whole, chunked = (MLP((64, 20, 10)) for _ in range(2))
    whole.fit(*pixels, epochs=2, batch_size=10**6, shuffle=False)
    chunked.fit(cut([77], *pixels), epochs=2, batch_size=10**6, shuffle=False)
    assert state(chunked) == state(whole)


def test_one_shuffled_chunk_gives_the_bits_of_the_arrays(classes, state):
    whole, chunked = (MLP((6, 16, 3)) for _ in range(2))
    whole.fit(*classes, epochs=3)
    chunked.fit([classes], epochs=3)
    assert state(chunked) == state(whole)


def test_shuffled_rows_change_places_within_their_chunk(classes, state):
    """By the draws of one stream, that of the epoch: tried with the rows put there by hand."""
    X, y = classes
    stream = np.random.default_rng([0, 0])
    order = np.concatenate([first + stream.permutation(50) for first in range(0, 200, 50)])
    whole, chunked = (MLP((6, 16, 3)) for _ in range(2))
    chunked.fit(cut([50], X[:200], y[:200]), epochs=1, batch_size=30)
    whole.fit(X[order], y[order], epochs=1, batch_size=30, shuffle=False)
    assert state(chunked) == state(whole)


def test_a_second_fit_goes_on_where_the_first_ended(classes, state):
    halves, whole = (MLP((6, 16, 3)) for _ in range(2))
    chunks = cut([50], *classes)
    halves.fit(chunks, epochs=1)
    halves.fit(iter(chunks), epochs=1)
    whole.fit(chunks, epochs=2)
    assert state(halves)[:-2] == state(whole)[:-2]


def test_fits_on_one_batch_after_the_other_are_steps_of_one_epoch(classes, state):
    """What partial_fit builds on: parameters, moments and steps go on from call to call."""
    X, y = classes
    rate = schedules.Exponential(0.01, every=3, factor=0.5)
    parts, whole = (MLP((6, 16, 3)) for _ in range(2))
    for chunk in cut([46], X, y):
        parts.fit(*chunk, epochs=1, batch_size=46, optimizer=Adam(rate), shuffle=False)
    whole.fit(X, y, epochs=1, batch_size=46, optimizer=Adam(rate), shuffle=False)
    parts.epochs = whole.epochs  # five epochs of one batch each
    assert state(parts)[:-2] == state(whole)[:-2]


# --------------------------------------------------------------------- how chunks are gone through


def test_chunks_are_gone_through_once_an_epoch(classes):
    log = []

    def chunks():
        log.append("begin")
        for number, chunk in enumerate(cut([100], *classes)):
            log.append(number)
            yield chunk
        log.append("end")

    net = MLP((6, 16, 3))
    net.fit(chunks, epochs=3)
    assert log == ["begin", 0, 1, 2, "end"] * 3
    net.fit(chunks(), epochs=1)
    assert log == ["begin", 0, 1, 2, "end"] * 4


def test_memory_of_a_chunk_may_be_used_for_the_next(classes, state):
    X, y = classes
    memory, labels = np.empty((50, 6), np.float32), np.empty(50, np.int32)

    def chunks():
        for one, own in cut([50], X, y):
            memory[: len(one)], labels[: len(own)] = one, own
            yield memory[: len(one)], labels[: len(own)]

    fresh, again = (MLP((6, 16, 3)) for _ in range(2))
    fresh.fit(cut([50], X, y), epochs=2, batch_size=30)
    again.fit(chunks, epochs=2, batch_size=30)
    assert state(again) == state(fresh)


def test_an_iterator_is_good_for_one_epoch(classes):
    net = MLP((6, 16, 3))
    with pytest.raises(ValueError, match=r"good for one epoch, and epochs is 15.*fit\(lambda"):
        net.fit(iter([classes]))
    assert net.epochs == 0


def test_a_used_up_iterable_is_noticed(net, classes):
    used = iter([classes])
    with pytest.raises(ValueError, match="no chunk came; if X is used up"):
        net.fit(lambda: used, epochs=2)
    assert (net.epochs, net.history.epochs, net.history.stopped_by) == (1, 1, "error")


@pytest.mark.parametrize(
    ("second", "error", "message"),
    [
        (np.zeros((3, 6)), TypeError, r"chunk 2: expected \(X, y\) or .*got ndarray"),
        ((1, 2, 3, 4), TypeError, "chunk 2: expected .*got 4 entries"),
        ((np.zeros((3, 5)), [0, 1, 2]), ValueError, "chunk 2: X has 5 columns; .*6 inputs"),
        ((np.zeros((0, 6)), []), ValueError, "chunk 2: X is empty"),
        ((np.zeros((3, 6)), [0, 1]), ValueError, "chunk 2: y has 2 entries for 3 examples"),
        ((np.zeros((3, 6)), [0, 1, 3]), ValueError, r"chunk 2: y must hold labels.*y\[2\] is 3"),
        ((np.full((3, 6), np.nan), [0, 1, 2]), ValueError, r"chunk 2: .*X\[0, 0\] is nan"),
        ((np.zeros((3, 6)), [0, 1, 2], [1, 1, -1]), ValueError, "chunk 2: sample_weight must be"),
        ((np.zeros((3, 6)), [0, 1, 2], [1, 1, 1]), ValueError, "chunk 2: .*a sample_weight, the"),
        ((np.zeros((3, 6), np.uint8), [0, 1, 2]), ValueError, "chunk 2: has dense X of uint8"),
        ((scipy.sparse.csr_array((3, 6)), [0, 1, 2]), ValueError, "chunk 2: has sparse X of real"),
        ((np.zeros((3, 6)), np.eye(3)), ValueError, "chunk 2: .*y of 2 axes.* y of 1 axis"),
    ],
)
def test_a_bad_chunk_is_named_and_what_was_learned_before_stays(
    net, classes, second, error, message, state
):
    X, y = classes
    before = MLP((6, 16, 3), seed=1)
    before.fit(X[:200], y[:200], epochs=1, shuffle=False)
    with pytest.raises(error, match=message):
        net.fit([(X[:200], y[:200]), second], shuffle=False)
    assert state(net)[:-2] == state(before)[:-2]
    assert net.history.stopped_by == "error"


def test_sparse_chunks_must_be_of_one_kind_of_numbers(net):
    X, y = scipy.sparse.csr_array(np.eye(6)[:3]), [0, 1, 2]
    with pytest.raises(ValueError, match="chunk 2: has sparse X of uint8, .*sparse X of real"):
        net.fit([(X, y), (X.astype(np.uint8), y)])


def test_error_of_the_source_comes_through_as_it_is(net, classes):
    def chunks():
        yield classes
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="^the disk is gone$"):
        net.fit(chunks, epochs=2)
    assert net.history.stopped_by == "error"
    assert net.fit(*classes, epochs=1).stopped_by == "epochs"


@pytest.mark.parametrize("given", [np.zeros((4, 6)), scipy.sparse.csr_array((4, 6)), 3, None])
def test_examples_without_targets_are_no_chunks(net, given):
    with pytest.raises(TypeError, match=r"y is missing: give fit\(X, y\)"):
        net.fit(given)


@pytest.mark.parametrize("pair", [tuple, list])
def test_a_pair_of_arrays_is_no_chunk_and_the_error_says_what_is(net, classes, pair):
    message = r"chunk 1: expected \(X, y\).*, got ndarray; .*give fit\(X, y\).*fit\(\[\(X, y\)\]\)"
    with pytest.raises(TypeError, match=message):
        net.fit(pair(classes))
    assert net.fit([classes], epochs=1).stopped_by == "epochs"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sample_weight": np.ones(230)}, TypeError, "sample_weight of chunks comes with each"),
        ({"validation_data": 0.2}, ValueError, r"or a ParquetFolder where X is read in"),
        ({"shuffle": np.arange}, ValueError, "shuffle must be True or False where X is read in"),
        ({"optimizer": Adam(schedules.Cosine(0.1))}, ValueError, "needs total_steps when"),
        ({"optimizer": Adam(schedules.OneCycle(0.1))}, ValueError, "epochs × ⌈examples"),
    ],
)
def test_what_chunks_cannot_do_is_told_before_anything_happens(
    net, classes, options, error, message
):
    with pytest.raises(error, match=message):
        net.fit(lambda: pytest.fail("read"), **options)
    assert net.epochs == 0


def test_sparse_chunks_are_not_distorted(net, classes):
    X, y = classes
    net = MLP((4, 3))
    augment = fastmlp.augment.Distortion(rotation=10)
    chunk = scipy.sparse.csr_array(X[:, :4]), y
    with pytest.raises(TypeError, match="augment distorts dense images; X is a sparse matrix"):
        net.fit([chunk], augment=augment)
    assert net.epochs == 0


def test_an_example_left_alone_is_not_normalized(classes):
    X, y = classes
    net = MLP((6, 16, 3), batch_norm=True)
    with pytest.raises(ValueError, match="batch norm needs at least 2 examples.*; 201 examples"):
        net.fit(cut([67], X[:201], y[:201]), epochs=1, batch_size=50)


def test_weights_of_a_chunk_may_all_be_zero_but_not_of_every_chunk(classes, state):
    X, y = classes
    s = (np.arange(230) >= 100).astype(float)
    whole, chunked = (MLP((6, 16, 3)) for _ in range(2))
    whole.fit(X, y, sample_weight=s, epochs=1, shuffle=False)
    chunked.fit(cut([100], X, y, s), epochs=1, shuffle=False)
    assert state(chunked) == state(whole)
    with pytest.raises(ValueError, match="sample_weight is zero for every example"):
        chunked.fit(cut([100], X, y, s * 0), epochs=1)


# ----------------------------------------------------------------------- what else fit looks after


def test_a_curve_with_an_end_runs_through_the_chunks(net, classes):
    rate = schedules.Cosine(1.0, total_steps=20)
    seen = MLP((6, 16, 3), seed=1)
    options = {"epochs": 4, "batch_size": 46, "optimizer": Adam(rate)}
    history = net.fit(cut([50], *classes), **options)
    assert history.learning_rate == seen.fit(*classes, **options).learning_rate


def test_validation_and_early_stopping_work_as_on_arrays(
    classes, tmp_path, small_chunks, state, mapped
):
    X, y = classes
    held_out = mapped(tmp_path / "X.npy", X[150:]), mapped(tmp_path / "y.npy", y[150:])
    whole, chunked = (MLP((6, 16, 3)) for _ in range(2))
    options = {"epochs": 200, "shuffle": False, "early_stopping": EarlyStopping(5, min_delta=0.01)}
    one = whole.fit(X[:150], y[:150], validation_data=(X[150:], y[150:]), **options)
    other = chunked.fit(cut([40], X[:150], y[:150]), validation_data=held_out, **options)
    assert state(chunked) == state(whole)
    assert other.stopped_by == one.stopped_by == "EarlyStopping"
    assert other.validation_accuracy == one.validation_accuracy
    np.testing.assert_allclose(other.validation_cost, one.validation_cost, rtol=1e-12)


def test_divergence_in_a_later_chunk_restores_the_epoch_and_names_the_batch(net, classes):
    rate = schedules.Step(0.01, every=8, factor=1e30)
    good = MLP((6, 16, 3), seed=1)
    good.fit(*classes, epochs=1, batch_size=50, optimizer=GradientDescent(0.01), shuffle=False)
    with pytest.raises(fastmlp.TrainingDiverged) as caught:
        net.fit(cut([60], *classes), batch_size=50, optimizer=GradientDescent(rate), shuffle=False)
    assert (caught.value.epoch, caught.value.batch in (4, 5)) == (2, True)
    for one, other in zip(net.weights, good.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_ctrl_c_in_the_source_keeps_what_was_learned(net, classes):
    def chunks():
        yield classes
        if net.history.epochs == 1:
            raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="interrupted, whole epochs done: 1"):
        history = net.fit(chunks)
    assert (history.epochs, history.stopped_by, net.epochs) == (1, "interrupt", 2)


def test_time_stops_an_endless_stream(net, classes):
    history = net.fit(itertools.repeat(classes), epochs=1, max_seconds=0.05)
    assert (history.stopped_by, history.epochs) == ("max_seconds", 0)
    assert net.state.steps > 0


def test_callbacks_see_whole_epochs(net, classes):
    class Seen(Callback):
        epochs: list[int] = []

        def on_epoch_end(self, net, history):
            self.epochs.append(history.epochs)
            return history.epochs == 2

    assert net.fit(cut([50], *classes), callbacks=[Seen()]).stopped_by == "Seen"
    assert Seen.epochs == [1, 2]


# --------------------------------------------------------------------------------- memory and size


def test_chunks_are_let_go_before_the_next_ones(classes):
    """One chunk is alive at a time, beside the few rows left over."""
    alive = []

    class Tracked(np.ndarray):
        pass

    def chunks():
        for X, y in cut([50], *classes):
            assert not any(reference() is not None for reference in alive)
            own = X.copy().view(Tracked)
            alive.append(weakref.ref(own))
            yield own, y
            del own

    MLP((6, 16, 3)).fit(chunks, epochs=2, batch_size=30)
    assert len(alive) == 10


def test_files_and_pickles_do_not_grow_with_calls_of_fit(classes, tmp_path):
    chunks = cut([115], *classes)
    net, sizes = MLP((6, 16, 3)), []
    for call in range(99):
        net.fit(iter(chunks), epochs=1, batch_size=115)
        if call in (49, 98):  # as many digits in the numbers of epochs and steps
            net.save(tmp_path / "net.npz")
            sizes.append(((tmp_path / "net.npz").stat().st_size, len(pickle.dumps(net))))
    assert net.epochs == 99
    assert sizes[1] == pytest.approx(sizes[0], abs=16)
