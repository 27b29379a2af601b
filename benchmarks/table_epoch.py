"""An epoch of a large table of numbers: fastmlp against eager PyTorch on the same network.

Each of them has, for each number of threads, a process that makes the data and then trains an epoch
whenever it has the turn.  A ratio is that of two turns of the same round.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import ROOT, machine

__all__ = ["measure"]

Array = NDArray[Any]
Epoch = Callable[[Array, Array], None]  # trains one epoch

N_COLUMNS = 30
N_CLASSES = 2
LEARNING_RATE, BETA_2 = 1e-3, 0.95
WARM_UP = 0.05  # of the rows, before the first round
PAUSE = 0.3  # seconds between turns, after which no thread spins any more


def data(n_rows: int) -> tuple[Array, Array]:
    """Return numbers (m, 30) and the class of each row."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, N_COLUMNS), np.float32)
    y = (X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) > X[:, 3]).astype(np.int64)
    return X, y


def fastmlp_epoch(plan: dict[str, Any], n_threads: int) -> tuple[Epoch, str]:
    """Return the function that trains an epoch, and the version."""
    import fastmlp

    net = fastmlp.MLP(plan["sizes"], activation=plan["activation"], dropout=plan["dropout"],
                      loss="cross_entropy", seed=0)
    optimizer = fastmlp.AdamW(LEARNING_RATE, beta_2=BETA_2, weight_decay=plan["weight_decay"])

    def epoch(X: Array, y: Array) -> None:
        net.fit(X, y, epochs=1, batch_size=plan["batch_size"], optimizer=optimizer,
                n_threads=n_threads)

    return epoch, fastmlp.__version__


def torch_epoch(plan: dict[str, Any], n_threads: int) -> tuple[Epoch, str]:
    """Return the function that trains an epoch, and the version."""
    import torch

    torch.set_num_threads(n_threads)
    torch.set_flush_denormal(True)
    activation = {"silu": torch.nn.SiLU, "relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
    layers: list[Any] = []
    *inner, (n_in, n_out) = zip(plan["sizes"][:-1], plan["sizes"][1:], strict=True)
    for n, m in inner:
        layers += [torch.nn.Linear(n, m), activation[plan["activation"]](),
                   torch.nn.Dropout(plan["dropout"])]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(n_in, n_out))
    optimizer = torch.optim.AdamW(net.parameters(), LEARNING_RATE, betas=(0.9, BETA_2),
                                  weight_decay=plan["weight_decay"], fused=True)
    loss = torch.nn.CrossEntropyLoss()

    def epoch(X: Array, y: Array) -> None:
        inputs, labels = torch.from_numpy(X), torch.from_numpy(y)
        for rows in torch.randperm(len(labels)).split(plan["batch_size"]):
            optimizer.zero_grad(set_to_none=True)
            loss(net(inputs.index_select(0, rows)), labels.index_select(0, rows)).backward()
            optimizer.step()

    return epoch, torch.__version__


LIBRARIES = {"fastmlp": fastmlp_epoch, "torch": torch_epoch}


def serve(library: str, plan: str, n_rows: str, n_threads: str) -> None:
    """The child's end: a line on standard input is a turn, its seconds are the answer."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    X, y = data(int(n_rows))
    epoch, version = LIBRARIES[library](json.loads(plan), int(n_threads))
    some = max(1, int(WARM_UP * len(X)))
    epoch(X[:some], y[:some])
    print(json.dumps(version), file=answers, flush=True)
    for _ in sys.stdin:
        begun = time.perf_counter()
        epoch(X, y)
        print(json.dumps(time.perf_counter() - begun), file=answers, flush=True)


def measure(peers_python: str, n_rows: int, n_rounds: int) -> dict[str, Any]:
    """Return the times of both libraries, with one thread and with two."""
    from fastmlp.tabular.plan import plan_of

    plan = plan_of("good", n_rows).networks[0]
    network = {
        "sizes": [N_COLUMNS, *plan.hidden, N_CLASSES], "activation": plan.activation,
        "dropout": plan.dropout, "batch_size": plan.batch_size, "weight_decay": plan.weight_decay,
    }
    threads = sorted({1, min(2, machine.CPUS)})
    times: dict[tuple[str, int], list[float]] = {}
    versions = {}
    with contextlib.ExitStack() as stack:
        workers = {}
        for library in LIBRARIES:
            python = sys.executable if library == "fastmlp" else peers_python
            for n in threads:
                command = [python, "-m", "benchmarks.table_epoch", library, json.dumps(network),
                           str(n_rows), str(n)]
                worker = subprocess.Popen(
                    command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=stack.enter_context(tempfile.TemporaryFile()), text=True,
                )
                stack.callback(worker.kill)
                workers[library, n] = worker
                versions[library] = answer(worker, command)
        for number in range(n_rounds):
            order = list(workers)
            for key in order[:: 1 if number % 2 == 0 else -1]:
                time.sleep(PAUSE)
                worker = workers[key]
                assert worker.stdin is not None
                worker.stdin.write("\n")
                worker.stdin.flush()
                seconds = answer(worker, [*key])
                times.setdefault(key, []).append(seconds)
                print(f"{key[0]}, {key[1]} threads: {seconds:.2f} s", flush=True)
    found: dict[str, Any] = {
        **network, "rows": n_rows, "columns": N_COLUMNS, "rounds": n_rounds,
        "processor": machine.cpu_name(), **versions, "threads": {},
    }
    for n in threads:
        ratios = [b / a for a, b in zip(times["fastmlp", n], times["torch", n], strict=True)]
        found["threads"][str(n)] = {
            **{library: median(times[library, n]) for library in LIBRARIES},
            "ratio": median(ratios), "low": min(ratios), "high": max(ratios),
        }
        print(f"{n} threads: PyTorch takes {median(ratios):.2f} times as long", flush=True)
    return found


def answer(worker: subprocess.Popen[str], what: list[Any]) -> Any:
    """Return a worker's answer."""
    assert worker.stdout is not None
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"{' '.join(map(str, what))} ended with status {worker.wait()}")
    return json.loads(line)


if __name__ == "__main__":
    serve(*sys.argv[1:])
