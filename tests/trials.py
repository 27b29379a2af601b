"""Runs tests in forks of a process: what mutate.py and mutate_kernels.py share."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Container, Generator, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, TextIO

import pytest

ROOT = Path(__file__).parents[1]
CALLS_FOLLOWED = 100
LONGEST_WAIT = 60  # seconds
NAP = 0.02
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux
PRINTED = "pytest.txt"  # by what collects the tests
HEAVY = ("numpy", "hypothesis", "scipy.sparse", "sklearn.pipeline", "pandas")


def import_again(names: list[str]) -> None:
    """Import those large packages that another process has imported, so that forks need not."""
    for name in HEAVY:
        if name in names:
            import_module(name)


@dataclass(eq=False)  # pytest hashes its plugins
class Outcomes:
    """A plugin of pytest that notes which tests pass, which fail, and why others are skipped."""

    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test, or that its setup or its end has failed."""
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.skipped:
            self.skipped[report.nodeid] = reason_of(report)
        elif report.when == "call":
            self.passed.add(report.nodeid)


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test or a file of tests was skipped, or was expected to fail."""
    where = report.longrepr
    reason = where[2] if isinstance(where, tuple) else where
    return str(getattr(report, "wasxfail", reason)).removeprefix("Skipped: ")


@dataclass(eq=False)
class Recorder(Outcomes):
    """A plugin of pytest that records the lines of some files and the time of each passing test."""

    files: frozenset[str] = frozenset()
    lines: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    calls: Counter[CodeType] = field(default_factory=Counter)
    test: str = ""

    def trace(self, frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        """Record a line, and follow functions of the files, in each test the first calls only."""
        file = frame.f_code.co_filename
        if file not in self.files:
            return None
        if event == "line":
            self.lines[self.test].add((file, frame.f_lineno))
        elif event == "call":
            self.calls[frame.f_code] += 1
            if self.calls[frame.f_code] > CALLS_FOLLOWED:
                return None
        return self.trace

    def record(self, test: str) -> Generator[None, object, object]:
        """Record what happens meanwhile."""
        self.test = test
        self.calls.clear()
        self.lines.setdefault(test, set())
        started = time.process_time()
        threading.settrace(self.trace)
        sys.settrace(self.trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            elapsed = time.process_time() - started
            self.seconds[test] = self.seconds.get(test, 0.0) + elapsed

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record a setup as its file's: fixtures of a session run before its first test only."""
        return (yield from self.record(item.nodeid.partition("::")[0]))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record a test."""
        return (yield from self.record(item.nodeid))

    def recorded(self) -> Tests:
        """Return what was recorded of the tests that have passed, and which others there are."""
        lines = {test: sorted(found) for test, found in self.lines.items()}
        seconds = {test: self.seconds[test] for test in sorted(self.passed - self.failed)}
        return Tests(lines, seconds, sorted(self.failed), self.skipped)


@dataclass
class Collector:
    """The lines of the functions, in some files, that are called while tests are collected."""

    files: frozenset[str]
    codes: set[CodeType] = field(default_factory=set)

    def trace(self, frame: FrameType, *_: object) -> None:
        """Note a call."""
        if frame.f_code.co_filename in self.files:
            self.codes.add(frame.f_code)

    def start(self) -> None:
        """Begin to note calls."""
        sys.settrace(self.trace)

    def lines(self, file: str) -> set[int]:
        """Stop, and return the lines in a file."""
        sys.settrace(None)
        lines = {
            line for one in self.codes if one.co_filename == file for *_, line in one.co_lines()
        }
        return {line for line in lines if line is not None}


@dataclass(frozen=True)
class Tests:
    """The tests of some modules: the lines that each of them executes, and how long it takes."""

    lines: dict[str, list[tuple[str, int]]]
    seconds: dict[str, float]
    failed: list[str]  # on the modules as they are; these can notice no change
    skipped: dict[str, str]  # and the reasons

    def order(self, path: Path, wanted: range | None) -> list[str]:
        """Return the tests that execute some lines of a module, or any, the fastest first."""
        reached = {
            test: {line for file, line in lines if file == str(path)}
            for test, lines in self.lines.items()
        }
        chosen = [
            test
            for test in self.seconds
            if (reached[test] if wanted is None else
                not (reached[test] | reached[test.partition("::")[0]]).isdisjoint(wanted))
        ]  # fmt: skip
        return sorted(chosen, key=self.seconds.__getitem__)

    def limit(self, tests: list[str]) -> float:
        """Return the processor time after which tests have failed: twice theirs and 2 seconds."""
        return 2 * (1 + sum(self.seconds[test] for test in tests))

    def known(self) -> set[str]:
        """Return the names of all tests, also of those that fail or are skipped."""
        return {*self.seconds, *self.failed, *self.skipped}

    def without(self, failed: list[str]) -> Tests:
        """Return these tests without some that fail after others, or in another process."""
        seconds = {test: time for test, time in self.seconds.items() if test not in failed}
        return replace(self, seconds=seconds, failed=sorted({*self.failed, *failed}))


def report_recorded(
    seconds: dict[str, float], failed: list[str], skipped: dict[str, str], log: TextIO
) -> None:
    """Print how many tests pass, name those that fail before anything is changed, count others."""
    print(f"{len(seconds)} tests pass in {sum(seconds.values()):.1f} s", file=log, flush=True)
    report_failed(failed, log)
    for reason, count in Counter(skipped.values()).most_common():
        print(f"SKIPPED, left out: {count} tests: {reason}", file=log, flush=True)


def report_failed(failed: Iterable[str], log: TextIO) -> None:
    """Name tests that fail before anything is changed."""
    for test in failed:
        print(f"FAILS ON THE UNCHANGED CODE, left out: {test}", file=log, flush=True)


@dataclass(frozen=True, eq=False)
class Selection:
    """A plugin of pytest that runs certain tests in a certain order."""

    tests: list[str]
    known: Container[str]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests that are wanted, and those whose name the change has altered."""
        found = {item.nodeid: item for item in items}
        new = [item for item in items if item.nodeid not in self.known]
        items[:] = [*new, *(found[test] for test in self.tests if test in found)]


def with_threads_again() -> None:
    """Let a fork of a process that has collected tests use as many threads as any other process.

    In a fork the package uses one thread, because OpenMP's are not there; but what collects tests
    has used one thread too (see `run_pytest`), and the fork can start others.
    """
    os.environ.pop("OMP_NUM_THREADS", None)
    threads = sys.modules.get("fastmlp.support.threads")
    if threads is not None:
        threads._forked = False


@dataclass(eq=False)
class Session:
    """A plugin of pytest that does some work instead of running the tests it has collected."""

    work: Callable[[Session], None] | None
    session: Any = None
    skipped: dict[str, str] = field(default_factory=dict)  # files of tests, and the reasons

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file of tests that is skipped as a whole."""
        if report.skipped:
            self.skipped[report.nodeid] = reason_of(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Do the work, which may call `passes`."""
        self.session, work = session, self.work
        if work is None:
            return None
        self.work = None
        work(self)
        return True

    def run(self, tests: list[str] | None = None, stop: bool = True) -> bool:
        """Run tests in this process, a fork, by default all, and return whether they pass."""
        print_into(os.devnull)
        with_threads_again()
        found = {item.nodeid: item for item in self.session.items}
        if tests is not None:
            self.session.items[:] = [found[test] for test in tests]
        self.session.config.option.maxfail = int(stop)
        self.session.config.hook.pytest_runtestloop(session=self.session)
        return not self.session.testsfailed

    def failing(self, tests: list[str]) -> list[str]:
        """Return which tests fail in a fork of this process, in their order."""

        def work(into: Path) -> None:
            outcomes = Outcomes()
            self.session.config.pluginmanager.register(outcomes)
            self.run(tests, stop=False)
            into.write_text("\n".join(outcomes.failed))

        return written_by(work)


def written_by(work: Callable[[Path], None]) -> list[str]:
    """Return the lines that work writes into a file, in a fork of this process."""
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder, "lines.txt")
        forked(lambda: work(into) is None)
        if not into.exists():
            sys.exit("the tests end the process when they run in another order")
        return into.read_text().splitlines()


def stat_of(process: int) -> list[str]:
    """Return what Linux says of a process, from its state on."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def forked(work: Callable[[], bool], seconds: float | None = None) -> bool:
    """Whether work succeeds in a fork of this process.

    With `seconds` it fails after this processor time, or if it sleeps for `LONGEST_WAIT`, both of
    which a busy machine does not change.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setsid()
            ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)
            if seconds is not None:
                limit = round(seconds + 1)
                resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            status = int(not work())
        finally:
            os._exit(status)
    done = status = naps = 0
    used: list[str] = []
    try:
        while not done:
            time.sleep(NAP)
            done, status = os.waitpid(child, os.WNOHANG)
            fields = [] if done else stat_of(child)
            asleep = fields[:1] == ["S"] and used == fields[11:13]
            naps, used = naps + 1 if asleep else 0, fields[11:13]  # its processor time
            if seconds is not None and naps * NAP > LONGEST_WAIT:
                return False
        return status == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # with what the tests have started
        if not done:
            os.waitpid(child, 0)


def print_into(path: str | Path) -> None:
    """Let this process and what it starts print into a file."""
    for stream in (1, 2):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)


def run_pytest(
    folder: Path, tests: list[str], plugins: list[object], compiling: bool, stop: bool = True
) -> bool:
    """Whether pytest succeeds in this process, in a folder; perhaps it keeps compiled files."""
    os.chdir(folder)
    sys.path[0] = str(folder)
    sys.dont_write_bytecode = not compiling
    session = any(isinstance(plugin, Session) for plugin in plugins)
    if session:
        os.environ["OMP_NUM_THREADS"] = "1"
    print_into(folder / PRINTED if session else os.devnull)
    options = ["-q", f"--maxfail={int(stop)}", "--tb=no", "-p", "no:cacheprovider",
               "-p", "no:xdist", "--hypothesis-seed=0", f"--basetemp={folder / 'tests-write-here'}",
               "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # fmt: skip
    status = pytest.main([*options, *tests], plugins=plugins)
    return status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def passes(folder: Path, tests: Tests, path: Path, lines: range | None) -> bool:
    """Whether the tests pass that execute some lines of a module as it is now, or any line."""
    chosen = tests.order(path, lines) or tests.order(path, None)
    if not chosen:  # pytest without a file would run all tests that there are
        return True
    files = list(dict.fromkeys(test.partition("::")[0] for test in chosen))
    plugins: list[object] = [Selection(chosen, tests.known())]
    return forked(lambda: run_pytest(folder, files, plugins, compiling=False), tests.limit(chosen))


def failing(folder: Path, tests: Tests, paths: list[Path]) -> list[str]:
    """Return which tests of some modules fail in a process that has imported nothing of them."""
    reaching = {test for path in paths for test in tests.order(path, None)}
    chosen = sorted(reaching, key=tests.seconds.__getitem__)
    if not chosen:
        return []
    files = list(dict.fromkeys(test.partition("::")[0] for test in chosen))

    def work(into: Path) -> None:
        outcomes = Outcomes()
        plugins: list[object] = [Selection(chosen, tests.known()), outcomes]
        run_pytest(folder, files, plugins, compiling=False, stop=False)
        missing = {*chosen} - outcomes.passed
        into.write_text("\n".join(sorted(outcomes.failed | missing)))

    return written_by(work)


def not_recorded(folder: Path) -> str:
    """Return why no test was recorded: what pytest has printed."""
    printed = (folder / PRINTED).read_text("utf-8", "replace")
    return f"{printed[-4000:]}\nthe tests cannot be collected, or one of them ends the process"


def copy_or_link(source: str, target: str) -> None:
    """Copy a file, or link it if it is a compiled module, which is large and does not change."""
    if source.endswith((".so", ".gz")):
        os.symlink(source, target)
    else:
        shutil.copy(source, target)


def copy_repository(folder: Path) -> None:
    """Copy the package and its tests into a folder, and link what else lies beside them."""
    copied, skipped = {"fastmlp", "tests"}, {".git", "build", ".hypothesis"}
    for path in ROOT.iterdir():
        if path.name in copied:
            caches = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, folder / path.name, ignore=caches, copy_function=copy_or_link)
        elif path.name not in skipped:
            (folder / path.name).symlink_to(path)
