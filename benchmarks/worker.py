"""A contender in a process of its own, which works only when it has the turn.

Between its turns a worker sleeps on its pipe, so the thread pools of one library, spinning or not,
never meet those of another.  Requests and answers are lines of JSON:

    {"do": "start"}                    nothing: the answer says that the library is imported
    {"do": "prepare", "seconds": s}    check the results, warm up, find how much work lasts s
    {"do": "turn"}                     that much work, timed
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from . import ROOT
from .cases import CASES, Array
from .contender import Contender
from .contenders import CONTENDERS

__all__ = ["Worker", "WorkerFailed"]


class WorkerFailed(RuntimeError):
    """A contender could not be built, or gave up."""


class Worker:
    """The parent's end: starts the process and hands it its turns."""

    def __init__(self, contender: str, case: str, data: Path, threads: int | None) -> None:
        environment = dict(os.environ)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment.pop(name, None)
            if threads is not None and contender != "fastmlp":
                environment[name] = str(threads)
        if contender == "fastmlp":
            environment["OPENBLAS_NUM_THREADS"] = "1"
        arguments = [contender, case, str(data), str(threads or 0)]
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def ask(self, do: str, **values: float) -> dict[str, Any]:
        """One request and its answer."""
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps({"do": do, **values}) + "\n")
            self.process.stdin.flush()
            answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            self.process.wait()
            self.errors.seek(0)
            last = self.errors.read().strip().splitlines()[-1:]
            raise WorkerFailed(*last or [f"exit status {self.process.returncode}"]) from None
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()


def prepare(contender: Contender, seconds: float) -> dict[str, Any]:
    """Check, warm up and choose; answer with what shows that the results are right."""
    case = contender.case

    def run(n: int = case.few) -> float:
        start = time.perf_counter()
        work(contender, n)
        return time.perf_counter() - start

    answer: dict[str, Any] = {}
    if case.predicts:
        run()
        contender.tune(run)
        answer["agreement"] = float(np.mean(contender.labels() == contender.expected))
    else:
        contender.reset()
        answer["costs"] = [contender.train(case.few, shuffle=False)[1][0] for _ in range(2)]
        contender.tune(run)
    while (spent := run(contender.units)) < seconds / 2:
        contender.units *= max(2, min(8, round(seconds / spent)))
    contender.units = max(1, round(contender.units * seconds / spent))
    run(contender.units)
    return answer


def turn(contender: Contender) -> dict[str, Any]:
    """From the first parameters on: the same work in every turn."""
    contender.reset()
    cpu, start = time.process_time(), time.perf_counter()
    units = work(contender, contender.units)
    seconds = time.perf_counter() - start
    used = (time.process_time() - cpu) / seconds
    return {"seconds": seconds / units, "units": units, "cpus": used}


def work(contender: Contender, n: int) -> int:
    """About n steps or calls; how many they were."""
    return contender.predict(n) if contender.case.predicts else contender.train(n)[0]


def serve(name: str, case: str, path: str, threads: str) -> None:
    """The child's end."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    with np.load(path) as file:
        data: dict[str, Array] = dict(file)
    contender = CONTENDERS[name](CASES[case], data, int(threads) or None)
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any] = {}
        if request["do"] == "prepare":
            answer = prepare(contender, request["seconds"])
        elif request["do"] == "turn":
            answer = turn(contender)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
