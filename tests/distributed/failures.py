"""Program of the ranks: what must end with a clear error; the last rank does something wrong.

mpiexec -n N python failures.py CASE[,CASE...] [FILE]
"""

import os
import signal
import sys
import tempfile
from time import perf_counter

import numpy as np
from mpi4py import MPI

import fastmlp
from fastmlp.distributed import communication, rounds, shared_run, slowness

cases, *rest = sys.argv[1:]
rank = MPI.COMM_WORLD.rank
wrong = rank == MPI.COMM_WORLD.size - 1


class AfterEpochs(fastmlp.Callback):
    """The last rank acts after its second epoch."""

    def __init__(self, act):
        self.act = act

    def on_epoch_end(self, net, history):
        return self.act(net) if wrong and history.epochs == 2 else None


def fail(net):
    raise KeyError("of a callback")


def interrupt(net):
    raise KeyboardInterrupt


def drift(net):
    net.set_parameters(net.weights, [b + 1 for b in net.biases])


def run_out_of_time(net):
    """The clock of this rank is far ahead from now on, during epochs."""
    rounds.perf_counter = lambda: 1e12


def slow_rank_times(self):
    """What a run of some seconds on three fast ranks and a slow one would report."""
    return slowness.RankTimes(9.0 if wrong else 2.5, 9.5, 60, f"host{rank}")


def broken_chunks(X, y):
    """The rank's second chunk has the wrong number of columns."""
    yield X[:30], y[:30]
    yield X[30:, :3], y[30:]


def kill_in_an_epoch():
    """The rank dies when it adds its 20th gradient: an epoch has 3 batches of 2 layers."""
    start, n = communication.GradientSum.start, 0

    def start_or_die(self, numbers):
        nonlocal n
        n += 1
        if n == 20:
            os.kill(os.getpid(), signal.SIGKILL)
        start(self, numbers)

    communication.GradientSum.start = start_or_die


def arguments_of(case):
    """Return the network, the examples and the options of a case, of this rank."""
    rng = np.random.default_rng(rank)
    X, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    normalized = case == "one row left of normalized chunks"
    net = fastmlp.MLP((4, 8, 3), seed=0, batch_norm=normalized)
    options = {"epochs": 6, "batch_size": 40}
    if case == "empty shard" and wrong:
        X, y = X[:0], y[:0]
    elif case == "columns" and wrong:
        X = X[:, :2]
    elif case == "other weights" and wrong:
        net.set_parameters([2 * w for w in net.weights], net.biases)
    elif case == "other seed" and wrong:
        net = fastmlp.MLP((4, 8, 3), seed=1)
    elif case == "other options" and wrong:
        options["l2"] = 0.1
    elif case == "other sharing" and wrong:
        options["local_steps"] = 3
    elif case == "other compression" and wrong:
        options["compression"] = "bfloat16"
    elif case == "threads of one rank" and wrong:
        options["n_threads"] = 1
    elif case == "wrong sharing" and wrong:
        options["compression"] = "zip"
    elif case == "local divergence":
        options.update(local_steps=4)
        if wrong:
            X = np.full(X.shape, 1e38)
    elif case == "unknown option" and wrong:
        options["batch_sums"] = None
    elif case == "other batch size" and wrong:
        options["batch_size"] = 7
    elif case == "other dtype" and wrong:
        net = fastmlp.MLP((4, 8, 3), seed=0, dtype="float64")
    elif case == "no targets":
        y = None
    elif case == "time is up":
        options["max_seconds"] = 1e6
        options["callbacks"] = [AfterEpochs(run_out_of_time)]
    elif case == "slow rank":
        shared_run.SharedRun.times = slow_rank_times
    elif case == "broken chunk":
        X, y = (lambda own=(X, y): broken_chunks(*own)) if wrong else [(X, y)], None
    elif case == "chunks and arrays" and wrong:
        X, y = [(X, y)], None
    elif case == "early stopping of one rank":
        options["validation_data"] = X[:9], rng.integers(0, 3, 9)
        options["optimizer"] = fastmlp.Adam(0.3)
        options["early_stopping"] = fastmlp.EarlyStopping() if wrong else None
    elif case == "memory map and array" and wrong:
        X = np.memmap(tempfile.TemporaryFile(), X.dtype, "w+", shape=X.shape)
    elif case == "one row left of normalized chunks":
        X, y = [(X, y), (X[:1], y[:1])] if wrong else [(X, y)], None
    elif case == "no chunk" and wrong:
        X, y = [], None
    elif case == "no chunk":
        X, y = [(X, y)], None
    elif case in ("folder", "other folder", "small folder"):
        # row groups of 16 rows in the first folder, one row group in the second
        folders = [fastmlp.ParquetFolder(rest[k], label="y") for k in (0, 1)]
        second = case == "small folder" or (case == "other folder" and wrong)
        X, y = folders[second], None
        options["validation_data"] = folders[1]
    elif case == "small batches of chunks":
        X, y = [(X, y)], None
        options["batch_size"] = 1
    elif case == "divergence":
        options.update(optimizer=fastmlp.GradientDescent(1e30), l2=1.0)
    elif case == "divergence on one rank" and wrong:
        X = np.full(X.shape, 1e38)
    elif case in ("callback fails", "interrupt", "drift", "callback stops"):
        acts = [fail, interrupt, drift, lambda net: True]
        names = ["callback fails", "interrupt", "drift", "callback stops"]
        options["callbacks"] = [AfterEpochs(dict(zip(names, acts, strict=True))[case])]
    elif case in ("killed", "checkpoint", "resume"):
        options.update(shuffle=False, callbacks=[fastmlp.Checkpoint(rest[0])])
        if case == "resume":
            net = fastmlp.load(rest[0])
            options["epochs"] -= net.epochs
        if case == "killed" and wrong:
            kill_in_an_epoch()
    return net, X, y, options


for case in cases.split(","):
    net, X, y, options = arguments_of(case)
    try:
        history = fastmlp.distributed.fit(net, X, y, **options)
        found = f"{history.epochs} epochs, {history.stopped_by}"
        if history.unfinished_batches:
            found += f", {history.unfinished_batches} batches more"
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    rounds.perf_counter = perf_counter
    # in one piece, or the end of the line may follow what another rank says meanwhile
    sys.stdout.write(f"rank {rank}, {case}: {found}\n")
    sys.stdout.flush()
