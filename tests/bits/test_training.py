"""Training leaves the same bits whatever the threads, sparsity, form of X, build and pauses."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from fastmlp.kernels.calls import Batches, Progress, TrainingOptions

# ------------------------------------------------- the engine against the kernels, one by one


def test_the_engine_is_its_kernels_one_after_the_other(isa, dtype, cases, Run):
    for case in cases:
        run = Run(isa, dtype, *case)
        assert run.by_engine() == run.by_kernels(), case


def test_so_it_is_with_every_optimizer_and_with_weights(isa, dtype, optimizer, Run):
    for weighted in (False, True):
        run = Run(isa, dtype, optimizer=optimizer, weighted=weighted, loss="squared_error")
        assert run.by_engine() == run.by_kernels(), weighted


def test_batches_in_chunks_and_a_small_last_batch(isa, dtype, Run):
    """Batches of more rows than the workspace has pass in chunks; 330 leaves each remainder."""
    for batch_size in (1, 5, 64, 127, 128, 129, 300, 329, 330, 1000):
        run = Run(isa, dtype, batch_size=batch_size)
        for threads in (1, 2):
            found = replace(run, threads=threads).by_engine()
            assert found == run.by_kernels(), (batch_size, threads)


@pytest.mark.parametrize(
    "sizes",
    [(70, 10), (70, 64, 10), (3, 1), (1, 1, 1), (33, 65, 129), (20, 100, 1), (20, 70, 200, 3)],
)
def test_networks_of_any_shape(isa, dtype, sizes, Run):
    run = Run(isa, dtype, sizes=sizes, loss="squared_error")
    for threads in (1, 2, 5):
        assert replace(run, threads=threads).by_engine() == run.by_kernels(), threads


@pytest.mark.parametrize("threads", [1, 2])
def test_networks_too_large_for_a_cache_take_larger_chunks(threads, Run):
    run = Run(sizes=(1200, 1100, 900, 10), batch_size=330, optimizer="descent")
    assert replace(run, threads=threads).by_engine() == run.by_kernels()


# ------------------------------------------------------------------ threads, sparsity, inputs


def test_any_number_of_threads(isa, dtype, hidden, Run):
    run = Run(isa, dtype, hidden)
    for threads in (2, 5):
        assert replace(run, threads=threads).by_engine() == run.by_engine(), threads


@pytest.mark.parametrize("threads", [3, 4, 7, 16, 33])
def test_more_threads_than_cores_or_panels(threads, Run):
    assert Run(threads=threads).by_engine() == Run().by_engine()


@pytest.mark.parametrize("threads", [2, 3, 4, 6])
@pytest.mark.parametrize("use_sparse", [False, True])
def test_hidden_layers_in_whole_panels_and_in_pieces_of_them(dtype, use_sparse, threads, Run):
    """Widths that the threads share by columns, by rows of a panel, and by both."""
    run = Run(dtype=dtype, sizes=(60, 100, 256, 208, 300, 10), density=0.4, use_sparse=use_sparse)
    assert replace(run, threads=threads).by_engine() == run.by_engine()


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"sizes": (60, 100, 256, 208, 300, 10)},
        {"sizes": (33, 65, 129)},
        {"sizes": (70, 1)},
    ],
    ids=str,
)
@pytest.mark.parametrize("batch_size", [32, 329])
def test_any_shares_of_the_threads(isa, dtype, shape, batch_size, Run):
    """Other shares in each batch: 8 threads on these sizes have parts of less than a panel."""
    run = Run(isa, dtype, loss="squared_error", batch_size=batch_size, **shape)
    for threads in (2, 3, 8):
        found = replace(run, threads=threads, unequal=True).by_engine()
        assert found == run.by_engine(), threads


def test_a_team_that_returns_has_the_shares_that_it_had(Run):
    run, progress = Run(batch_size=20), Progress()
    engine, data = run.engine()
    batches = Batches(run.order, run.batch_size, run.rates)
    found = []
    for threads in (3, 3, 2, 2, 1, 3, 2):
        progress = engine.train(data, batches, TrainingOptions(), progress, threads, 0.0)
        found.append(engine.training.shares)
        if len(found) in (1, 3):
            engine.training.shares = [0.5, 0.3, 0.2] if threads == 3 else [0.6, 0.4]
    assert found[0] == pytest.approx([1 / 3] * 3)
    assert found[1] == pytest.approx([0.5, 0.3, 0.2], abs=1e-4)
    assert found[2] == [0.5, 0.5]
    assert found[3] == pytest.approx([0.6, 0.4], abs=1e-4)
    assert found[4:] == [found[3], found[1], found[3]]
    for wrong in ([1.0], [0.1, 0.1], [np.nan, 0.5]):
        with pytest.raises(ValueError, match="shares"):
            engine.training.shares = wrong


@pytest.mark.parametrize("density", [0.0, 0.05, 0.5, 1.0])
def test_with_sparse_rows_or_without(isa, dtype, density, Run):
    for threads in (1, 2):
        run = Run(isa, dtype, density=density, threads=threads)
        assert run.by_engine() == replace(run, use_sparse=False).by_engine(), threads


def test_any_form_of_the_examples(isa, dtype, form, Run):
    for hidden, batch_size in product(("relu", "tanh"), (32, 300)):
        run = Run(isa, dtype, hidden, batch_size=batch_size)
        dense = replace(run, use_sparse=False)
        found = replace(run, form=form, threads=2).by_engine()
        assert found == dense.by_engine(), (hidden, batch_size)


# ---------------------------------------------------------------------------------- builds


def test_every_build_with_fused_products(dtype, cases, fused, Run):
    for case in cases:
        first, *others = (Run(isa, dtype, *case, threads=2).by_engine() for isa in fused)
        assert all(other == first for other in others), case


def test_every_build_with_every_optimizer(dtype, optimizer, fused, Run):
    runs = (Run(isa, dtype, optimizer=optimizer, weighted=True, batch_size=100) for isa in fused)
    first, *others = (run.by_engine() for run in runs)
    assert all(other == first for other in others)


@pytest.mark.parametrize("sizes", [(70, 10), (3, 1), (1, 1, 1), (33, 65, 129), (300, 17, 31, 257)])
def test_every_build_at_any_shape(dtype, sizes, fused, Run):
    runs = (Run(isa, dtype, sizes=sizes, loss="squared_error") for isa in fused)
    first, *others = (run.by_engine() for run in runs)
    assert all(other == first for other in others)


# ------------------------------------------------------------------------- pause and resume


def test_a_training_resumed_in_the_middle_of_an_epoch(isa, dtype, optimizer, Run):
    """In a new engine, from a snapshot, the state and the number of steps."""
    run = Run(isa, dtype, optimizer=optimizer)
    for pauses in ((5,), (1, 4, 10)):
        assert replace(run, pauses=pauses, threads=2).by_engine() == run.by_engine(), pauses


def test_the_same_training_twice(Run):
    run = Run(threads=2)
    assert run.anew() == run.anew()


def test_different_trainings_are_told_apart(Run):
    """All these equalities would hold as well if nothing were trained."""
    runs = Run(), Run(hidden="tanh"), Run(optimizer="descent"), Run(batch_size=33)
    assert len({run.by_engine()["W(1)"] for run in runs}) == len(runs)
