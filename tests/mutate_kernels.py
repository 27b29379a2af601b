"""Changes operators and numbers of the kernels, and runs the kernels' tests on each change.

    python tests/mutate_kernels.py tests/kernels [--sample 10] [--seed 21]

Every random change of every file goes into one build of `engine` and `operations`, as a branch
beside the original statement, and a number in the module says which change takes place: two
modules are compiled instead of two for each change. A changed statement also notes that it was
executed, so that each change is tried on the tests that reach it only, the fastest first, each time
in a fork of a process that has collected the tests.

A change is killed when a test fails, when the process ends by a signal, or when the tests need more
than twice their processor time and 2 seconds. Changes that no test reaches have survived. What lies
outside functions, and changes that Cython or the C compiler refuses, are left out. Tests that fail
on the unchanged kernels, also after faster ones, are named and left out, and the exit status is 1;
those that are skipped are counted with their reasons.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import tokenize
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TextIO

import pytest
from trials import (
    ROOT,
    Outcomes,
    Session,
    copy_repository,
    forked,
    not_recorded,
    report_recorded,
    run_pytest,
)

KERNELS = Path("fastmlp", "kernels")
FILES = ("step", "losses", "cross_entropy", "updates", "activations", "dense", "tile", "dropout",
         "norms", "skipping", "sparse_rows", "batch_norm")  # fmt: skip
OPERATORS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "and": "or", "or": "and",
    "+": "-", "-": "+", "*": "/", "/": "*", "//": "*", "%": "*", "+=": "-=", "-=": "+=",
    "*=": "/=", "/=": "*=", "<<": ">>", ">>": "<<", "not": "", "True": "False", "False": "True",
}  # fmt: skip
NOT_BEFORE_A_VALUE = re.compile(r"[-+*/%<>=!,(\[{:&|^]+|and|or|not|return|if|else|in|while|elif")
RECORDED = "recorded.json"  # of the unchanged kernels: changes reached, seconds, failed tests
MOST = 1024  # changes of one build
HEADER = f"""
#pragma once
char changes_reached[{MOST}];
int change_in_place;
static inline int changed(int number) {{
    changes_reached[number] = 1;
    return change_in_place == number;
}}
"""
DECLARATION = 'cdef extern from "changes.h" nogil:\n    bint changed(int number) noexcept\n\n'
BUILD = """
import re, runpy, Cython.Build, setuptools
NAMES = ...
setup, cythonize, found = setuptools.setup, Cython.Build.cythonize, {}

def translate(modules, **options):
    for one in modules:
        if not any(name.startswith("_" + one.name.rpartition(".")[2] + "_") for name in NAMES):
            one.sources = [source.replace(".pyx", ".c") for source in one.sources]  # is not built
    return cythonize(modules, **options)

setuptools.setup, Cython.Build.cythonize = lambda **options: found.update(options), translate
runpy.run_path("setup.py")
modules = [one for one in found["ext_modules"] if one.name.rpartition(".")[2] in NAMES]
for one in modules:
    one.extra_compile_args = [re.sub("^-O.$", "-O1", flag) for flag in one.extra_compile_args]
setup(ext_modules=modules, script_args=["-q", "build_ext", "--inplace"])
"""


@dataclass(frozen=True)
class Statement:
    """A statement of one or more lines inside a function."""

    first: int  # line numbers, from 1
    last: int
    indent: str
    function: str
    tokens: tuple[str, ...]

    def changes(self) -> Iterator[tuple[int, str]]:
        """Yield the place of a token and what may stand there instead."""
        cast = False
        start = self.tokens.index("=") if self.tokens[0] == "cdef" else 0
        for i, token in enumerate(self.tokens):
            before = self.tokens[i - 1] if i else "("
            opens = NOT_BEFORE_A_VALUE.fullmatch(before) is not None
            if cast or (token == "<" and opens):
                cast = token != ">"
            elif i <= start and start:
                continue
            elif token in ("-", "+", "*") and opens:
                if token == "-":
                    yield i, ""
            elif token in OPERATORS:
                yield i, OPERATORS[token]
            elif token.isdigit():
                yield from ((i, str(int(token) + 1)), (i, f"({int(token) - 1})"))
            elif re.fullmatch(r"\d[\d.]*(e-?\d+)?", token):
                yield from ((i, f"({float(token)} + 1)"), (i, f"({float(token)} - 1)"))

    def text(self, i: int | None = None, token: str = "") -> str:
        """Return the statement on one line, with another token in place i."""
        return " ".join(token if j == i else one for j, one in enumerate(self.tokens))

    def with_branches(self, changes: list[tuple[int, int, str]]) -> str:
        """Return the statement with changes: the number of each, its place and its token."""
        tokens = self.tokens
        if tokens[0] in ("if", "elif", "while"):
            return f"{self.indent}{tokens[0]} {self.choice(1, len(tokens) - 1, changes)}:"
        if tokens[0] == "for":
            start = tokens.index("range") + 2
            parts, at = [], start
            for end in [*top_level_commas(tokens, start), len(tokens) - 2]:
                parts.append(self.choice(at, end, changes))
                at = end + 1
            return f"{self.indent}{' '.join(tokens[:start])} {', '.join(parts)}):"
        head = ""
        if tokens[0] == "cdef":
            equal = tokens.index("=")
            name = tokens[equal - 1]
            head = f"{self.indent}{' '.join(tokens[:equal])}\n"
            tokens = (name, *tokens[equal:])
            changes = [(number, i - equal + 1, token) for number, i, token in changes]
        statement = Statement(self.first, self.last, self.indent, self.function, tokens)
        lines = [f"if changed({n}): {statement.text(i, token)}" for n, i, token in changes]
        lines = [lines[0], *(f"el{line}" for line in lines[1:]), f"else: {statement.text()}"]
        return head + "\n".join(self.indent + line for line in lines)

    def choice(self, start: int, end: int, changes: list[tuple[int, int, str]]) -> str:
        """Return an expression, the tokens from start to end, with the changes inside it."""
        text = " ".join(self.tokens[start:end])
        for number, i, token in changes:
            if start <= i < end:
                changed = " ".join([*self.tokens[start:i], token, *self.tokens[i + 1 : end]])
                text = f"({changed}) if changed({number}) else ({text})"
        return text


def top_level_commas(tokens: tuple[str, ...], start: int) -> list[int]:
    """Return the places of the commas between arguments that begin at a place."""
    depth, commas = 0, []
    for i in range(start, len(tokens) - 2):
        depth += (tokens[i] in "([") - (tokens[i] in ")]")
        if tokens[i] == "," and depth == 0:
            commas.append(i)
    return commas


def statements(source: str) -> Iterator[Statement]:
    """Yield the statements of a file that can be changed."""
    function, body, indents = "", 0, [""]
    tokens: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type == tokenize.INDENT:
            indents.append(token.string)
        elif token.type == tokenize.DEDENT:
            indents.pop()
        elif token.type == tokenize.NEWLINE:
            texts = tuple(one.string for one in tokens)
            depth = len(indents) - 1
            if texts[-1] == ":" and texts[0] in ("cdef", "def", "cpdef") and "(" in texts:
                if function == "" or depth <= body:
                    function, body = texts[texts.index("(") - 1], depth
            elif depth <= body:
                function = ""
            elif function and changeable(texts):
                first, last = tokens[0].start[0], tokens[-1].end[0]
                yield Statement(first, last, indents[-1], function, texts)
            tokens = []
        elif token.type not in (tokenize.NL, tokenize.COMMENT, tokenize.ENDMARKER):
            tokens.append(token)


def changeable(tokens: tuple[str, ...]) -> bool:
    """Whether a statement inside a function is of a form that can have branches."""
    if tokens[0] == "for":
        return tokens[2:5] == ("in", "range", "(") and tokens[-2:] == (")", ":")
    if tokens[0] in ("if", "elif", "while"):
        return tokens[-1] == ":"
    if tokens[0] == "cdef":
        return tokens.count("=") == 1 and not top_level_commas((*tokens, ")", ":"), 1)
    return tokens[-1] != ":" and ";" not in tokens and not tokens[0].startswith(('"', "with"))


@dataclass(frozen=True)
class Change:
    """A statement of a file, the place of one of its tokens, and what stands there instead."""

    file: str
    statement: Statement
    i: int
    token: str

    def __str__(self) -> str:
        one = self.statement
        change = f"token {self.i}, {one.tokens[self.i]}, becomes {self.token or 'nothing'}"
        return f"{self.file}.pxd:{one.first}: {one.function}: {one.text()} -> {change}"


def sampled(files: list[str], count: int | None, seed: int) -> dict[int, Change]:
    """Return random changes of each file, by number."""
    changes: list[Change] = []
    for file in files:
        source = (ROOT / KERNELS / f"{file}.pxd").read_text("utf-8")
        found = [Change(file, one, *where) for one in statements(source) for where in one.changes()]
        if count is not None and count < len(found):
            chosen = random.Random(seed).sample(range(len(found)), count)
            found = [found[i] for i in sorted(chosen)]
        changes += found
    return dict(enumerate(changes, 1))


def write(folder: Path, changes: dict[int, Change]) -> None:
    """Write the changed files into a copy of the repository."""
    (folder / KERNELS / "changes.h").write_text(HEADER)
    for file in {change.file for change in changes.values()}:
        source = (ROOT / KERNELS / f"{file}.pxd").read_text("utf-8")
        lines = source.split("\n")
        inside: dict[Statement, list[tuple[int, int, str]]] = {}
        for number, change in changes.items():
            if change.file == file:
                inside.setdefault(change.statement, []).append((number, change.i, change.token))
        for statement, found in inside.items():
            gap = [""] * (statement.last - statement.first)
            lines[statement.first - 1 : statement.last] = [statement.with_branches(found), *gap]
        at = next(i for i, line in enumerate(lines) if re.match("from |cdef |ctypedef ", line))
        lines.insert(at, DECLARATION)
        (folder / KERNELS / f"{file}.pxd").write_text("\n".join(lines), "utf-8")


def build(folder: Path, changes: dict[int, Change], names: list[str]) -> None:
    """Build modules, and take out the changes that do not compile."""
    for _ in range(20):
        write(folder, changes)
        command = [sys.executable, "-c", BUILD.replace("...", repr(names))]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        bad = set()
        for file, line in re.findall(r"(\w+)\.pxd:(\d+):\d+", done.stdout + done.stderr):
            text = (folder / KERNELS / f"{file}.pxd").read_text("utf-8").split("\n")
            bad |= {int(one) for one in re.findall(r"changed\((\d+)\)", text[int(line) - 1])}
        if not bad:
            sys.exit(done.stdout[-4000:] + done.stderr[-4000:])
        for number in bad:
            print(f"left out  {changes.pop(number)}", flush=True)


@dataclass(eq=False)  # pytest hashes its plugins
class Recorder(Outcomes):
    """A plugin of pytest that records the changes which each passing test reaches, and failures."""

    modules: list[ctypes.CDLL] = field(default_factory=list)
    reached: dict[str, list[int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Record one test, its setup included."""
        arrays = [(ctypes.c_char * MOST).in_dll(one, "changes_reached") for one in self.modules]
        for array in arrays:
            ctypes.memset(array, 0, MOST)
        started = time.process_time()
        result = yield
        if item.nodeid in self.passed - self.failed:
            self.seconds[item.nodeid] = time.process_time() - started
            flags = [array.raw for array in arrays]
            self.reached[item.nodeid] = [i for i in range(MOST) if any(one[i] for one in flags)]
        return result


def try_each(
    folder: Path, names: list[str], changes: dict[int, Change], session: Session, log: TextIO
) -> None:
    """Record the tests, and run those of each change in a fork of this process."""
    paths = [path for name in names for path in (folder / KERNELS).glob(f"{name}.*so")]
    modules = [ctypes.CDLL(str(path)) for path in paths]
    into = folder / RECORDED

    def record() -> bool:
        recorder = Recorder(modules=modules, skipped=session.skipped)
        session.session.config.pluginmanager.register(recorder)
        session.run(stop=False)
        recorded = [recorder.reached, recorder.seconds, sorted(recorder.failed), recorder.skipped]
        into.write_text(json.dumps(recorded))
        return True

    def passes(number: int, tests: list[str]) -> bool:
        for module in modules:
            ctypes.c_int.in_dll(module, "change_in_place").value = number
        return session.run(tests)

    forked(record)
    if not into.exists():
        return
    reached, seconds, failed, skipped = json.loads(into.read_text())
    for test in session.failing(sorted(seconds, key=seconds.__getitem__)):
        failed.append(test)
        del seconds[test]
    into.write_text(json.dumps([reached, seconds, failed, skipped]))
    report_recorded(seconds, failed, skipped, log)
    counts: dict[str, list[bool]] = {}
    for number, change in changes.items():
        tests = [test for test in seconds if number in reached[test]]
        tests.sort(key=seconds.__getitem__)
        limit = 2 * (1 + sum(seconds[test] for test in tests))
        killed = bool(tests) and not forked(partial(passes, number, tests), limit)
        counts.setdefault(change.file, []).append(killed)
        verdict = "killed" if killed else "SURVIVED" if tests else "UNREACHED"
        print(f"{verdict:9} {change}", file=log, flush=True)
    for file, results in counts.items():
        print(f"{file}.pxd: {sum(results)} of {len(results)} changes killed", file=log, flush=True)


def main() -> int:
    """Build the changes, run the tests on each, and report those that survive."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("tests", nargs="+", help="paths of tests of the kernels")
    add("--files", nargs="+", default=FILES, help="names of .pxd files, without the ending")
    add("--sample", type=int, help="number of random changes of each file (default: all)")
    add("--seed", type=int, default=21, help="seed of the random changes (default: 21)")
    add("--modules", nargs="+", default=["engine", "operations"], help="default: both modules")
    add("--build", default="v3_f32", help="instruction set and dtype (default: v3_f32)")
    arguments = parser.parse_args()
    changes = sampled(arguments.files, arguments.sample, arguments.seed)
    if len(changes) >= MOST:
        parser.error(f"{len(changes)} changes, more than the {MOST - 1} of one build")
    log = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy_repository(folder)
        isa, _, element = arguments.build.partition("_")
        names = [f"_{module}_{arguments.build}" for module in arguments.modules]
        for path in (folder / KERNELS).glob("_*_*_f*.so"):
            if f"_{isa}_" not in path.name or path.name.partition(".")[0] in names:
                path.unlink()  # no test compares with the kernels as they are
        build(folder, changes, names)
        plugin = Session(lambda one: try_each(folder, names, changes, one, log))
        tests = [*arguments.tests, "-k", "not float64" if element == "f32" else "not float32"]
        forked(lambda: run_pytest(folder, tests, [plugin], compiling=True))
        if not (folder / RECORDED).exists():
            sys.exit(not_recorded(folder))
        return int(bool(json.loads((folder / RECORDED).read_text())[2]))


if __name__ == "__main__":
    sys.exit(main())
