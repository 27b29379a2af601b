"""The structure of the package: imports point one way, and one file names the engine."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastmlp

ROOT = Path(fastmlp.__file__).parent
MODULES = {
    ".".join(("fastmlp", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in ROOT.rglob("*.py")
}


def imports(name: str, path: Path) -> Iterator[str]:
    """Yield every module of the package that a module imports, for types or in functions too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            modules = [one for one in inner if one in MODULES]
            yield from modules
            if len(modules) < len(inner) and base in MODULES:
                yield base


def of_main(name: str, path: Path) -> set[str]:
    """Return what a module imports; the package's own lazy names are no imports."""
    return {one for one in imports(name, path) if one != name}


@functools.cache
def graph_of_package() -> dict[str, set[str]]:
    """Return what each module imports, read from all files at the first call."""
    graph = {name: of_main(name, path) for name, path in MODULES.items()}
    # names that the root offers to type checkers, and loads at their first use only
    graph["fastmlp"] -= {f"fastmlp.{name}" for name in fastmlp.LAZY}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the circles that a depth-first search meets."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> None:
        if name in way:
            found.append([*way[way.index(name) :], name])
        elif name not in done:
            for other in sorted(graph[name]):
                visit(other, [*way, name])
            done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found


def test_no_import_circle_types_included():
    assert circles(graph_of_package()) == []


def test_the_search_for_circles_finds_one():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]


def test_one_module_names_the_engine():
    named = {
        name
        for name, path in MODULES.items()
        if re.search(r"\bEngine\(|\._engine\b", path.read_text("utf-8"))
    }
    assert named == {"fastmlp.model.state"}


def test_the_core_imports_no_optional_part():
    """What stands outside imports the core; the core knows nothing of it."""
    outside = (
        "ablation", "cli", "distributed", "experiments", "export", "playground", "plotting",
        "recipes", "search", "sklearn", "tabular",
    )  # fmt: skip
    for name, others in graph_of_package().items():
        part = name.split(".")[1] if "." in name else ""
        if part in outside or name in ("fastmlp.__main__",):
            continue
        assert not [one for one in others if one.split(".")[1:2] and one.split(".")[1] in outside]


@pytest.mark.parametrize(
    ("part", "others"),
    [
        ("experiments", {"ablation", "recipes", "search", "cli"}),
        ("ablation", {"recipes", "search", "cli"}),
        ("recipes", {"ablation", "search", "cli"}),
        ("search", {"ablation", "recipes", "cli"}),
    ],
)
def test_experiments_share_what_is_below_them_only(part: str, others: set[str]) -> None:
    """Ablation, recipes and search import `experiments` and not one another; cli imports all."""
    imported = {
        one.split(".")[1]
        for name, modules in graph_of_package().items()
        if name.split(".")[1:2] == [part]
        for one in modules
        if "." in one
    }
    assert not imported & others
    assert part == "experiments" or "experiments" in imported
