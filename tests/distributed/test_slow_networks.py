"""Accumulated gradients, local steps and compressed gradients, by the formulas in NumPy."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.distributed.shares import starts

PROGRAM = Path(__file__).with_name("slow_networks.py")

spec = importlib.util.spec_from_file_location("slow_networks", PROGRAM)
cases = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)


@pytest.fixture(scope="module", params=[1, 2, 3], ids="{} ranks".format)
def trained(request, run_ranks, tmp_path_factory):
    """The number of ranks, and the folder of what they saved."""
    folder = tmp_path_factory.mktemp("ranks")
    run_ranks(PROGRAM, request.param, folder, *cases.CASES)
    return request.param, folder


def gradient(parameters, X, y):
    """Σ over the examples of the gradient of the cross-entropy: W1, b1, W2, b2."""
    W1, b1, W2, b2 = parameters
    a = np.tanh(X @ W1.T + b1)
    z = a @ W2.T + b2
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    below = (p @ W2) * (1 - a**2)
    return [below.T @ X, below.sum(axis=0), p.T @ a, p.sum(axis=0)]


def descend(parameters, total, n_rows):
    """One step of gradient descent by the mean gradient; λ is of weights alone."""
    return [
        p - cases.RATE * (g / n_rows + (0.01 * p if p.ndim == 2 else 0))
        for p, g in zip(parameters, total, strict=True)
    ]


def start(case):
    net = cases.network(case)
    return [one for pair in zip(net.weights, net.biases, strict=True) for one in pair]


def parts(case, n_ranks, batch_size):
    """Yield what each rank has of each batch, in all epochs."""
    counts = cases.counts(case, n_ranks)
    firsts = [starts(counts, rank, batch_size) for rank in range(n_ranks)]
    shards = [cases.shard(case, n_ranks, rank) for rank in range(n_ranks)]
    for _ in range(cases.EPOCHS):
        for k in range(len(firsts[0]) - 1):
            yield [
                (X[first[k] : first[k + 1]], y[first[k] : first[k + 1]])
                for first, (X, y) in zip(firsts, shards, strict=True)
            ]


def accumulated(case, n_ranks, k):
    """The mean gradient of k batches; the last update of an epoch has those that are left."""
    parameters = start(case)
    batches = list(parts(case, n_ranks, cases.BATCH_SIZE))
    per_epoch = len(batches) // cases.EPOCHS
    for epoch in range(cases.EPOCHS):
        for first in range(0, per_epoch, k):
            group = batches[epoch * per_epoch :][:per_epoch][first : first + k]
            rows = [part for batch in group for part in batch]
            totals = [gradient(parameters, *part) for part in rows]
            total = [sum(each) for each in zip(*totals, strict=True)]
            parameters = descend(parameters, total, sum(len(y) for _, y in rows))
    return parameters


def local(case, n_ranks, k, batch_size):
    """k updates of each rank by its own rows, then the mean weighted by numbers of examples."""
    every = [start(case) for _ in range(n_ranks)]
    batches = list(parts(case, n_ranks, batch_size))
    per_epoch = len(batches) // cases.EPOCHS
    weights = np.array(cases.counts(case, n_ranks)) / cases.N_ROWS
    for i, batch in enumerate(batches):
        for rank, (X, y) in enumerate(batch):
            if len(y):
                every[rank] = descend(every[rank], gradient(every[rank], X, y), len(y))
        if (i % per_epoch + 1) % k == 0 or (i + 1) % per_epoch == 0:
            mean = [
                sum(w * p for w, p in zip(weights, each, strict=True))
                for each in zip(*every, strict=True)
            ]
            every = [mean] * n_ranks
    return every[0]


def bfloat16(numbers):
    """Round to 8 significant bits, to nearest and even."""
    fraction, exponent = np.frexp(numbers.astype(np.float32))
    return np.ldexp(np.rint(fraction * 256) / 256, exponent)


def compressed(case, n_ranks):
    """Each rank's sums are rounded, added up in float32, and rounded again."""
    parameters = start(case)
    for batch in parts(case, n_ranks, cases.BATCH_SIZE):
        totals = [gradient(parameters, *part) for part in batch]
        if n_ranks > 1:
            sent = [[bfloat16(g) for g in one] for one in totals]
            total = [bfloat16(sum(each)).astype(float) for each in zip(*sent, strict=True)]
        else:
            total = totals[0]
        parameters = descend(parameters, total, sum(len(y) for _, y in batch))
    return parameters


EXPECTED = {
    "accumulate": lambda case, n: accumulated(case, n, 3),
    "local": lambda case, n: local(case, n, 4, cases.BATCH_SIZE),
    "local_uneven": lambda case, n: local(case, n, 3, cases.BATCH_SIZE),
    "local_accumulate": lambda case, n: local(case, n, 2, 2 * cases.BATCH_SIZE),
    "bfloat16": compressed,
}


def found(trained, name):
    n_ranks, folder = trained
    return [fastmlp.load(folder / f"{name}-{n_ranks}-{rank}.npz") for rank in range(n_ranks)]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_result_is_that_of_the_formulas(trained, name):
    expected = EXPECTED[name](cases.CASES[name], trained[0])
    net = found(trained, name)[0]
    ours = [one for pair in zip(net.weights, net.biases, strict=True) for one in pair]
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", cases.CASES)
def test_every_rank_ends_with_the_same_bits(trained, name):
    nets = found(trained, name)
    for attribute in ("weights", "biases"):
        for other in nets[1:]:
            for ours, theirs in zip(
                getattr(nets[0], attribute), getattr(other, attribute), strict=True
            ):
                np.testing.assert_array_equal(ours, theirs)
    slots = [net.state.optimizer_state() for net in nets]
    for other in slots[1:]:
        for ours, theirs in zip(slots[0], other, strict=True):
            for one, two in zip(ours, theirs, strict=True):
                for a, b in zip(one, two, strict=True):
                    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("trained", [3], indirect=True, ids="{} ranks".format)
def test_a_second_run_gives_the_same_bits(trained, run_ranks, tmp_path):
    """With the most ranks, whose order may vary most."""
    n_ranks, folder = trained
    names = ("local_adam", "bfloat16_single", "local_clipped")
    run_ranks(PROGRAM, n_ranks, tmp_path, *names)
    for name in names:
        first, second = (
            fastmlp.load(one / f"{name}-{n_ranks}-0.npz").state.snapshot().tobytes()
            for one in (folder, tmp_path)
        )
        assert first == second
