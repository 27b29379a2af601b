"""Changes one module of the package, one place at a time, and runs its tests on each change.

    python tests/mutate.py fastmlp/schedules.py tests/test_schedules.py [--seconds 60] [--least 0.9]

A change that no test notices has survived: a test is missing, or the change makes no difference.
Works on a copy of the package, built in place, and of the tests. The exit status is 1 if the share
of killed changes is below `--least`.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
}  # fmt: skip


def with_field(node: ast.AST, field: str, value: object) -> ast.AST:
    """Return a copy of a node with another value of a field."""
    changed = copy.copy(node)
    setattr(changed, field, value)
    return changed


def changes(node: ast.expr | ast.stmt) -> Iterator[ast.AST]:
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
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            yield with_field(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield ast.Return(ast.Constant(None))


def places(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Yield the parent, field and index of every expression and statement under a node."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "type_comment"):  # which no test notices
            continue
        children = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for i, child in children:
            if isinstance(child, ast.expr | ast.stmt):
                yield node, field, i
            if isinstance(child, ast.AST):
                yield from places(child)


def put(parent: ast.AST, field: str, i: int | None, node: ast.AST) -> None:
    """Put a node into a place."""
    if i is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[i] = node


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, a description and the source of every change of a module."""
    tree = ast.parse(source)
    for parent, field, i in places(tree):
        held = getattr(parent, field)
        node = held if i is None else held[i]
        for changed in changes(node):
            put(parent, field, i, changed)
            text = ast.unparse(ast.fix_missing_locations(tree))
            put(parent, field, i, node)
            before, after = (ast.unparse(one).splitlines()[0] for one in (node, changed))
            yield node.lineno, f"{before} -> {after}", text


def passes(folder: Path, tests: list[str], seconds: float) -> bool:
    """Whether the tests pass; tests that take longer than `seconds` do not."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # with what the tests have started
            process.wait()


def main() -> int:
    """Run the tests on every change, and report those that survive."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("module", help="path of a module, from the root of the repository")
    add("tests", nargs="+", help="paths of its tests")
    add("--seconds", type=float, default=60, help="limit of one run of the tests (default: 60)")
    add("--least", type=float, default=0.9, help="least share of killed changes (default: 0.9)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        caches = shutil.ignore_patterns("__pycache__")
        for name in ("fastmlp", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=caches)
        shutil.copy(ROOT / "pyproject.toml", folder)
        path = folder / arguments.module
        if not path.is_file() or path.suffix != ".py":
            parser.error(f"no Python module of the repository: {arguments.module}")
        source = path.read_text("utf-8")
        if not passes(folder, arguments.tests, arguments.seconds):
            parser.error("the tests do not pass on the module as it is")
        n_killed = n_changes = 0
        try:
            for line, change, text in mutants(source):
                path.write_text(text, "utf-8")
                survived = passes(folder, arguments.tests, arguments.seconds)
                n_changes += 1
                n_killed += not survived
                verdict = "SURVIVED" if survived else "killed"
                print(f"{verdict:8}  {arguments.module}:{line}: {change}", flush=True)
        except KeyboardInterrupt:
            pass
    share = n_killed / n_changes if n_changes else 1.0
    print(f"{n_killed} of {n_changes} changes killed: {share:.1%}")
    return int(share < arguments.least)


if __name__ == "__main__":
    sys.exit(main())
