"""Program of the ranks: what must end with a clear error; the last rank does something wrong.

mpiexec -n N python failures.py CASE [FILE]
"""

import os
import signal
import sys

import numpy as np
from mpi4py import MPI

import fastmlp
from fastmlp.distributed import communication

case, *rest = sys.argv[1:]
rank = MPI.COMM_WORLD.rank
wrong = rank == MPI.COMM_WORLD.size - 1
rng = np.random.default_rng(rank)
X, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
net = fastmlp.MLP((4, 8, 3), seed=0, batch_norm=case == "batch norm")
options = {"epochs": 6, "batch_size": 40}


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
elif case == "wrong sharing" and wrong:
    options["compression"] = "zip"
elif case == "local divergence":
    options.update(local_steps=4)
    if wrong:
        options["sample_weight"] = np.full(60, 1e38)
elif case == "unknown option" and wrong:
    options["batch_sums"] = None
elif case == "max_seconds":
    options["max_seconds"] = 5
elif case == "chunks":
    X, y = [(X, y)], None
elif case == "divergence":
    options.update(optimizer=fastmlp.GradientDescent(1e30), l2=1.0)
elif case == "divergence on one rank" and wrong:
    options["sample_weight"] = np.full(60, 1e38)
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

try:
    history = fastmlp.distributed.fit(net, X, y, **options)
    found = f"{history.epochs} epochs, {history.stopped_by}"
except Exception as error:
    found = f"{type(error).__name__}: {error}"
# in one piece, or the end of the line may follow what another rank says meanwhile
sys.stdout.write(f"rank {rank}: {found}\n")
sys.stdout.flush()
