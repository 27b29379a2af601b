"""Damaged files for everything that reads files: `python tests/fuzz/fuzz.py TARGET --seconds N`.

Several targets run one after the other, each in a process of its own.

An input is a valid file with a few changes: bits, numbers, pieces of it, members of archives.  A
reader accepts it, or raises a ValueError or an OSError.  Any other exception, an input that takes
more than ten seconds of processor time, and one that needs more than a gigabyte of memory is a
failure; the input is then written to the current folder.  The inputs depend on the seed alone.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).parent))  # also with PYTHONSAFEPATH

from targets import TARGETS, Target  # noqa: E402

CPU_SECONDS = 10
MEMORY = 1 << 30  # bytes that a process may take in addition to what it has at the start
TOKENS = [b"-1", b"0", b"1e999", b"NaN", b"18446744073709551616", b"99999999999999999999999", b"[]",
          b"{}", b"null", b"true", b'""', b"\xff", b"\0", b"1.5", b"'", b'"', b"\n", b"[" * 3000]
NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1]


class Hang(BaseException):
    """An input took too much processor time."""


class Result(NamedTuple):
    """What a run of the fuzzer did."""

    executions: int
    accepted: int
    refused: int
    failures: list[str]
    peak_bytes: int


def piece(data: bytes, rng: random.Random, longest: int = 64) -> tuple[int, int]:
    first = rng.randrange(len(data) + 1)
    return first, min(len(data), first + rng.randrange(1, longest))


def changed(data: bytes, rng: random.Random) -> bytes:
    """Change one place of a file."""
    first, end = piece(data, rng)
    way = rng.randrange(8)
    if way == 0 and data:
        place = rng.randrange(len(data))
        return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
    if way == 1:
        number = rng.choice(NUMBERS)
        width, order = rng.choice([1, 2, 4, 8]), rng.choice(["little", "big"])
        new = (number % 2 ** (8 * width)).to_bytes(width, order)  # type: ignore[arg-type]
        return data[:first] + new + data[first + width :]
    if way == 2:
        return data[:first] + data[end:]
    if way == 3:
        return data[:first]
    if way == 4:
        return data[:end] + data[first:end] * rng.choice([1, 2, 50]) + data[end:]
    if way == 5:
        return data[:first] + rng.choice(TOKENS) + data[first:]
    tokens = list(re.finditer(rb"-?\d+(\.\d+)?|\"[^\"]*\"|true|false|null|\w+", data[:20000]))
    if not tokens:
        return data[:first] + rng.randbytes(8) + data[end:]
    one, other = rng.choice(tokens), rng.choice(tokens)
    new = other.group() if way == 6 else rng.choice(TOKENS)
    return data[: one.start()] + new + data[one.end() :]


def changed_archive(data: bytes, rng: random.Random) -> bytes:
    """Change a member of a zip archive, whose checksums stay right."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(one, archive.read(one)) for one in archive.namelist()]
    place = rng.randrange(len(members))
    name, content = members[place]
    way = rng.randrange(10)
    if way == 0:
        del members[place]
    elif way == 1:
        members.insert(place, (rng.choice(members)[0], content))
    elif way == 2:
        members[place] = (changed(name.encode(), rng).decode("latin-1"), content)
    elif way == 3:
        members[place] = (name, rng.choice(members)[1])
    else:
        members[place] = (name, changed(content, rng))
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", rng.choice([0, 8])) as archive:
        warnings.simplefilter("ignore")  # of a name that occurs twice
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def mutated(seeds: list[bytes], rng: random.Random) -> bytes:
    """Change a valid file in one to four places."""
    data = rng.choice(seeds)
    for _ in range(rng.randrange(1, 5)):
        if data[:2] == b"PK" and rng.random() < 0.7:
            try:
                data = changed_archive(data, rng)
                continue
            except (zipfile.BadZipFile, NotImplementedError, ValueError, IndexError, EOFError):
                pass  # earlier changes left no archive
            except Exception:  # noqa: BLE001  # nor one that zipfile can read
                pass
        data = changed(data, rng)
    return data


def limited(function: Callable[[], Any]) -> None:
    """Call a function that may take CPU_SECONDS."""

    def stop(*_: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        function()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def fuzz(
    target: Target, seed: int, *, seconds: float = float("inf"), executions: int | None = None
) -> Result:
    """Try inputs until the time has passed, or so many inputs."""
    rng, failures = random.Random(seed), []
    n = accepted = refused = 0
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seeds = target.seeds(Path(folder))
        for data in seeds:  # all of which are valid
            target.read(Path(folder) / f"seed{target.suffix}", data)
        end = time.monotonic() + seconds
        while (executions is None or n < executions) and time.monotonic() < end:
            data, n = mutated(seeds, rng), n + 1
            try:
                limited(partial(target.read, Path(folder) / f"input{target.suffix}", data))
                accepted += 1
            except (ValueError, OSError):
                refused += 1
            except (Exception, Hang) as error:  # noqa: BLE001
                place = traceback.extract_tb(error.__traceback__)[-1]
                text = f"{type(error).__name__}: {error} at {place.filename}:{place.lineno}"
                if text not in failures:
                    failures.append(text)
                    Path(f"failure-{target.name}-{seed}-{n}{target.suffix}").write_bytes(data)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Result(n, accepted, refused, failures, peak)


def limit_memory() -> None:
    """Let this process take MEMORY bytes more than it has now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))


def in_a_process(function: Callable[[], int]) -> int:
    """Return the exit status that a function returns in a copy of this process."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        status = function()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def main() -> int:
    """Run the targets, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="+", choices=TARGETS, metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--executions", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    targets = [TARGETS[name] for name in arguments.targets]
    for target in targets:
        target.prepare()
    options = {"seconds": arguments.seconds, "executions": arguments.executions}
    if len(targets) == 1:
        return report(targets[0], arguments.seed, options)
    statuses = [in_a_process(partial(report, one, arguments.seed, options)) for one in targets]
    return any(statuses)


def report(target: Target, seed: int, options: dict[str, Any]) -> int:
    """Run one target, and print what came of it."""
    limit_memory()
    result = fuzz(target, seed, **options)
    print(f"{target.name}: {result.executions} executions, {result.accepted} accepted, "
          f"{result.refused} refused, {len(result.failures)} failures, "
          f"peak {result.peak_bytes / 2**20:.0f} MiB")
    for one in result.failures:
        print(" ", one)
    return bool(result.failures)


if __name__ == "__main__":
    sys.exit(main())
