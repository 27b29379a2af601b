"""Changes modules of the package, one place at a time, and runs the tests of each changed place.

    python tests/mutate.py fastmlp/schedules.py tests/test_schedules.py [--sample 40] [--seed 21]

The first arguments are modules or folders of modules, those under tests/ their tests.
A change that no test notices has survived: a test is missing, or the change makes no difference.

Works on a copy of the package, built in place, and of the tests. One process imports the package,
collects the tests and records the lines that each test executes. For each change inside a function
a fork of this process replaces the function's code and runs the tests that execute the changed
place, the fastest first. A change that survives this, or that lies outside functions, is written
into the module, and a fork of a process that has imported nothing of the package runs the tests;
those that execute any function of the module if none executes the changed place. So a test that
only reads a constant of the module notices no change of it here.

Changed code runs with the rights of its user, and as root it can replace what a test names outside
its own folder, such as a device: run this as an ordinary user, or in a container.

A change is killed when a test fails, or when the tests need more than twice their processor time
and 2 seconds. Tests that fail on the unchanged module, also if they do so only after faster ones or
in another process, are named and left out; those that are skipped are counted with their reasons.
The exit status is 1 if a test fails, and if the share of killed changes of a module is below
`--least`.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import json
import os
import random
import signal
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, TextIO

from trials import (
    Collector,
    Recorder,
    Session,
    Tests,
    copy_repository,
    failing,
    forked,
    import_again,
    not_recorded,
    passes,
    report_failed,
    report_recorded,
    run_pytest,
)

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip
WORDS = {True: "killed   ", False: "SURVIVED "}


@dataclass(frozen=True)
class Place:
    """A node of a module, where it hangs, and the lines whose execution depends on it."""

    parent: ast.AST
    field: str
    i: int | None
    function: str
    lines: range | None  # of the function whose default it is; None elsewhere outside functions
    inside: bool  # a function

    @property
    def node(self) -> Any:
        """The node in this place."""
        held = getattr(self.parent, self.field)
        return held if self.i is None else held[self.i]

    def put(self, node: ast.AST) -> None:
        """Put a node into this place."""
        if self.i is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.i] = node


@dataclass(frozen=True)
class Change:
    """A place of a module and the node that takes the place of its own."""

    place: Place
    node: ast.AST

    def __str__(self) -> str:
        before, after = (ast.unparse(one).splitlines()[0] for one in (self.place.node, self.node))
        return f"{self.place.node.lineno}: {self.place.function}: {before} -> {after}"

    @property
    def lines(self) -> range | None:
        """The lines whose execution depends on the place, if any function has such."""
        return self.place.lines

    @contextmanager
    def made(self) -> Generator[None]:
        """Change the tree of the module for a while."""
        node = self.place.node
        self.place.put(ast.fix_missing_locations(ast.copy_location(self.node, node)))
        try:
            yield
        finally:
            self.place.put(node)


def with_field(node: ast.AST, field: str, value: object) -> ast.AST:
    """Return a copy of a node with another value of a field."""
    changed = copy.copy(node)
    setattr(changed, field, value)
    return changed


def replacements(node: ast.expr | ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes that may stand in the place of a node."""
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case ast.Compare(ops=operators):
            for i, operator in enumerate(operators):
                ops: list[ast.AST] = [*operators]
                ops[i] = OPERATORS[type(operator)]()
                yield with_field(node, "ops", ops)
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) | ast.AugAssign(op=operator):
            if type(operator) in OPERATORS:
                yield with_field(node, "op", OPERATORS[type(operator)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.If(test=ast.Name("TYPE_CHECKING")):
            pass
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield with_field(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=ast.Constant(value=None | bool())):
            pass  # the constants are changed above, and None is taken for False
        case ast.Return(value=ast.expr()):
            yield ast.Return(ast.Constant(None))


def places(
    node: ast.AST, function: str = "module", lines: range | None = None, inside: bool = False
) -> Iterator[Place]:
    """Yield the place of every expression and statement under a node."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment"):  # which no test notices
            continue
        if isinstance(node, ast.keyword) and node.arg == "strict":  # zip's, an assertion
            continue
        here, within, of = inside, function, lines
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and name == "body":
            within = node.name if function == "module" else f"{function}.{node.name}"
            here = inside or isinstance(node, ast.FunctionDef)
        elif isinstance(node, ast.FunctionDef) and name == "args" and not inside:
            of = range(node.body[0].lineno, (node.end_lineno or 0) + 1)
        children = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for i, child in children:
            if isinstance(child, ast.stmt):
                body = getattr(child, "body", None)
                end = body[0].lineno if body else (child.end_lineno or child.lineno) + 1
                of = range(child.lineno, max(end, child.lineno + 1)) if here else None
            if isinstance(child, ast.expr | ast.stmt):
                yield Place(node, name, i, within, of, here)
            if isinstance(child, ast.AST):
                yield from places(child, within, of, here)


@dataclass(frozen=True)
class Module:
    """A module of the copy of the package, and the changes of it to try."""

    path: Path
    source: str
    tree: ast.Module
    changes: list[Change]
    n_possible: int

    def codes(self) -> list[CodeType]:
        """Return the code of each function, in the order of the source."""
        return list(code_inside(compile(self.tree, str(self.path), "exec", dont_inherit=True)))


def code_inside(code: CodeType) -> Iterator[CodeType]:
    """Yield code objects inside another, at any depth."""
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from code_inside(one)


def module_of(path: Path, sample: int | None, seed: int) -> Module:
    """Return a module and random changes of it, or all."""
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    found = [Change(one, node) for one in places(tree) for node in replacements(one.node)]
    changes = found
    if sample is not None and sample < len(found):
        chosen = random.Random(seed).sample(range(len(found)), sample)
        changes = [found[i] for i in sorted(chosen)]
    return Module(path, source, tree, changes, len(found))


def functions_by_code() -> dict[tuple[str, str, int], list[FunctionType]]:
    """Return the functions of this process by the file, the name and the line of their code."""
    functions: dict[tuple[str, str, int], list[FunctionType]] = {}
    for one in gc.get_objects():
        if type(one) is FunctionType:  # without the properties of foreign objects
            functions.setdefault(key_of(one.__code__), []).append(one)
    return functions


def key_of(code: CodeType) -> tuple[str, str, int]:
    """Return what tells one code from another."""
    return code.co_filename, code.co_qualname, code.co_firstlineno


def try_in_place(
    modules: list[Module], collector: Collector, session: Session, into: Path, log: TextIO
) -> None:
    """Record the tests, and try the changes inside functions on forks of this process.

    Writes the tests and, for each change, whether it is killed, or None if that is still open:
    outside functions and in functions that were called when the tests were collected.
    """

    def record() -> bool:
        recorder = Recorder(files=collector.files, skipped=session.skipped)
        session.session.config.pluginmanager.register(recorder)
        session.run(stop=False)
        into.write_text(json.dumps(asdict(recorder.recorded())))
        return True

    for module in modules:  # else a fork would import it, unchanged
        name = ".".join(module.path.relative_to(into.parent).with_suffix("").parts)
        import_module(name.removesuffix(".__init__"))
    called = [collector.lines(str(module.path)) for module in modules]
    functions = functions_by_code()
    gc.freeze()  # the forks share memory
    forked(record)
    if not into.exists():
        return
    tests = Tests(**json.loads(into.read_text()))
    tests = tests.without(session.failing(sorted(tests.seconds, key=tests.seconds.__getitem__)))
    report_recorded(tests.seconds, tests.failed, tests.skipped, log)
    verdicts: list[list[bool | None]] = []
    for module, early in zip(modules, called, strict=True):
        before = module.codes()
        verdicts.append([])
        for change in module.changes:
            inside = change.place.inside
            chosen = tests.order(module.path, change.lines) if inside else []
            with change.made():
                after = module.codes()
            try:
                for old, new in zip(before, after, strict=True):
                    for function in functions.get(key_of(old), []):
                        function.__code__ = new
                killed = bool(chosen) and not forked(
                    lambda chosen=chosen: session.run(chosen), tests.limit(chosen)
                )
                final = killed or (bool(chosen) and early.isdisjoint(change.lines or ()))
            except ValueError:  # the change takes the last use of a variable of an outer function
                final = False
            for old in before:
                for function in functions.get(key_of(old), []):
                    function.__code__ = old
            verdicts[-1].append(killed if final else None)
            if final:
                print(f"{WORDS[killed]} {module.path.name}:{change}", file=log, flush=True)
    into.write_text(json.dumps([asdict(tests), verdicts, list(sys.modules)]))


def main() -> int:
    """Run the tests on every change, and report those that survive."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("paths", nargs="+", help="modules and folders of modules, and their tests under tests/")
    add("--sample", type=int, help="number of random changes of each module (default: all)")
    add("--seed", type=int, default=21, help="seed of the random changes (default: 21)")
    add("--lines", type=int, nargs="+", help="only the changes, of those above, in these lines")
    add("--least", type=float, default=0.9, help="least share of killed changes (default: 0.9)")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    log = os.fdopen(os.dup(1), "w")
    worst = 1.0
    wanted = [one for one in arguments.paths if Path(one).parts[0] != "tests"]
    chosen = [one for one in arguments.paths if one not in wanted]
    if not (wanted and chosen):
        parser.error("paths of modules and of tests are needed, from the root of the repository")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy_repository(folder)
        paths: list[Path] = []
        for name in wanted:
            path = folder / name
            paths += sorted(path.rglob("*.py")) if path.is_dir() else [path]
            if not paths[-1:] or paths[-1].suffix != ".py" or not paths[-1].is_file():
                parser.error(f"no Python module of the repository: {name}")
        modules = [module_of(one, arguments.sample, arguments.seed) for one in paths]
        if arguments.lines:
            for one in modules:
                one.changes[:] = [c for c in one.changes if c.place.node.lineno in arguments.lines]
        into = folder / "recorded.json"
        collector = Collector(frozenset(map(str, paths)))
        plugin = Session(lambda one: try_in_place(modules, collector, one, into, log))

        def work() -> bool:
            collector.start()
            return run_pytest(folder, chosen, [plugin], compiling=True)

        forked(work)
        if not into.exists():
            sys.exit(not_recorded(folder))
        recorded, verdicts, imported = json.loads(into.read_text())
        import_again(imported)
        tests = Tests(**recorded)
        left = [one.path for one, found in zip(modules, verdicts, strict=True) if None in found]
        if left:
            failed = failing(folder, tests, left)
            report_failed(failed, log)
            tests = tests.without(failed)
        for module, killed in zip(modules, verdicts, strict=True):
            path = module.path
            for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
                compiled.unlink()  # which would be taken for that of the changed module
            for i, change in enumerate(module.changes):
                if killed[i] is None:
                    with change.made():
                        path.write_text(ast.unparse(module.tree), "utf-8")
                    killed[i] = not passes(folder, tests, path, change.lines)
                    print(f"{WORDS[killed[i]]} {path.name}:{change}", flush=True)
            path.write_text(module.source, "utf-8")
            share = sum(killed) / len(killed) if killed else 1.0
            worst = min(worst, share)
            print(f"{path.relative_to(folder)}: {sum(killed)} of {len(killed)} changes killed: "
                  f"{share:.1%} ({module.n_possible} possible)", flush=True)  # fmt: skip
    return int(worst < arguments.least or bool(tests.failed))


if __name__ == "__main__":
    sys.exit(main())
