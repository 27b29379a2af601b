"""Several ranks train as one process does on the same batches."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.distributed.shares import starts

PROGRAM = Path(__file__).with_name("agreement.py")
N_RANKS = [1, 2, 3]
# than those of one process
OTHER_BATCHES = ("shuffled", "shuffled_chunks", "uneven_chunks", "uneven_chunks_decay")

spec = importlib.util.spec_from_file_location("fits_of_ranks", PROGRAM)
cases = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)


@pytest.fixture(scope="module", params=N_RANKS, ids="{} ranks".format)
def trained(request, run_ranks, tmp_path_factory):
    """The number of ranks, and the folder of what they saved."""
    folder = tmp_path_factory.mktemp("ranks")
    run_ranks(PROGRAM, request.param, folder, *cases.CASES)
    return request.param, folder


def in_one_process(case, n_ranks):
    """Train on the same batches: each the ranks' parts of it, one after the other."""
    counts = cases.counts(n_ranks, case.even)
    firsts = np.cumsum([0, *counts])
    batch_size = min(case.batch_size, sum(counts))
    parts = [starts(counts, rank, batch_size) for rank in range(n_ranks)]
    order = np.concatenate(
        [
            firsts[rank] + np.arange(parts[rank][k], parts[rank][k + 1])
            for k in range(len(parts[0]) - 1)
            for rank in range(n_ranks)
        ]
    )
    (X, y), options = cases.shard(case, [sum(counts)], 0)
    if case.weighted:
        options["sample_weight"] = options["sample_weight"][order]
    net = cases.network(case)
    return net, net.fit(X[order], y[order], **options)


def running_statistics(net):
    """Return the means and variances of normalized layers in a row."""
    return np.array([n for pair in net.state.statistics() for one in pair or () for n in one])


@pytest.mark.parametrize("name", [name for name in cases.CASES if name not in OTHER_BATCHES])
def test_ranks_give_what_one_process_gives(trained, name):
    n_ranks, folder = trained
    case = cases.CASES[name]
    net, history = in_one_process(case, n_ranks)
    assert net.state.steps >= (50 if case.options == cases.FIFTY_STEPS else 5)
    expected = asdict(history)
    for rank in range(n_ranks):
        loss = case.network.get("loss")
        found = fastmlp.load(folder / f"{name}-{n_ranks}-{rank}.npz", loss=loss)
        layers = zip(net.state.layers(), found.state.layers(), strict=True)
        for ours, theirs in (pair for layer in layers for pair in zip(*layer, strict=True)):
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-12)
        np.testing.assert_allclose(
            running_statistics(found), running_statistics(net), rtol=0, atol=1e-12
        )
        figures = json.loads((folder / f"{name}-{n_ranks}-{rank}.json").read_text())
        assert figures["stopped_by"] == expected["stopped_by"]
        for figure in ("cost", "validation_cost", "validation_accuracy", "learning_rate"):
            assert figures[figure] == pytest.approx(expected[figure], rel=1e-10), figure


@pytest.mark.parametrize("name", cases.CASES)
def test_every_rank_has_the_same_bits_and_history(trained, name):
    n_ranks, folder = trained
    bits = [(folder / f"{name}-{n_ranks}-{rank}.bits").read_bytes() for rank in range(n_ranks)]
    histories = [(folder / f"{name}-{n_ranks}-{rank}.json").read_text() for rank in range(n_ranks)]
    assert len(set(bits)) == len(set(histories)) == 1


@pytest.mark.parametrize("trained", [3], indirect=True, ids="{} ranks".format)
def test_a_second_run_gives_the_same_bits(trained, run_ranks, tmp_path):
    """With the most ranks, whose order may vary most."""
    n_ranks, folder = trained
    names = ("random", "uneven", "shuffled")
    run_ranks(PROGRAM, n_ranks, tmp_path, *names)
    for name in names:
        path = f"{name}-{n_ranks}-0.bits"
        assert (tmp_path / path).read_bytes() == (folder / path).read_bytes()


def test_each_rank_shuffles_rows_of_its_own(trained):
    """Shuffled batches are others, and training still succeeds."""
    n_ranks, folder = trained
    costs = {
        name: json.loads((folder / f"{name}-{n_ranks}-0.json").read_text())["cost"]
        for name in ("adam", "shuffled")
    }
    assert costs["shuffled"] != costs["adam"][:3]
    assert costs["shuffled"][-1] < costs["shuffled"][0]


def test_chunks_of_unequal_lengths_make_smaller_batches_at_the_end(trained):
    """Each rank adds its part of the batch size as long as it has rows."""
    n_ranks, folder = trained
    case = cases.CASES["uneven_chunks"]
    counts = cases.counts(n_ranks, case.even)
    firsts = np.cumsum([0, *counts])
    own = [60 * (rank + 1) // n_ranks - 60 * rank // n_ranks for rank in range(n_ranks)]
    (X, y), options = cases.shard(case, [sum(counts)], 0)
    net = cases.network(case)
    for _ in range(options["epochs"]):
        for k in range(max(-(-n // size) for n, size in zip(counts, own, strict=True))):
            rows = [
                np.arange(first + k * size, min(first + (k + 1) * size, first + n))
                for first, n, size in zip(firsts, counts, own, strict=False)
            ]
            batch = np.concatenate([one for one in rows if len(one)])
            net.fit(X[batch], y[batch], batch_size=60, epochs=1, shuffle=False)
    found = fastmlp.load(folder / f"uneven_chunks-{n_ranks}-0.npz")
    for ours, theirs in zip(net.weights, found.weights, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-12)
