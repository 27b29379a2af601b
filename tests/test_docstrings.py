"""Public docstrings: complete by numpydoc's own checks, and their examples run."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

import fastmlp

# What numpydoc would like and this project does not ask for: an extended summary, "See Also" and,
# below the first level, examples; text that begins on the line below the quotes; and a capital
# letter where a sentence begins with a symbol, such as f or α.
NOT_ASKED = {"ES01", "SA01", "EX01", "GL01", "SS02", "PR08", "RT04"}


NAMES = [*fastmlp.__all__, "sklearn"]  # which is not in __all__, since it needs scikit-learn


def public_names(name: str) -> Iterator[str]:
    """Of a name of fastmlp: itself, or if it is a module, what that makes public."""
    if name == "sklearn":
        pytest.importorskip("sklearn")
    found = resolve_name(f"fastmlp.{name}")
    if not inspect.ismodule(found):
        yield f"fastmlp.{name}"
    elif name != "reference":  # formulas to compare with, for tests
        yield from (f"fastmlp.{name}.{one}" for one in found.__all__)


def documented(name: str) -> Iterator[str]:
    """Names of a public object and its members, but those that only override what is described."""
    thing = resolve_name(name)
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return
    yield name
    for member, value in own_members(thing) if inspect.isclass(thing) else ():
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        if member.startswith("_") or not (inspect.isfunction(value) or isinstance(value, property)):
            continue
        inherited = any(hasattr(base, member) for base in thing.__mro__[1:])
        if value.__doc__ or not inherited:
            yield f"{name}.{member}"


def own_members(kind: type) -> Iterator[tuple[str, Any]]:
    """Members of a class, and of bases in other modules that are not public, as of MLP."""
    for base in kind.__mro__:
        other = base.__module__.startswith("fastmlp.") and base.__module__ != kind.__module__
        package = resolve_name(base.__module__.rpartition(".")[0] or base.__module__)
        if base is kind or (other and base.__name__ not in getattr(package, "__all__", ())):
            yield from vars(base).items()


@pytest.fixture(scope="session")
def complaints() -> Callable[[str], list[tuple[str, str]]]:
    """What numpydoc has to say of a name: codes and messages."""
    validate = pytest.importorskip("numpydoc.validate")
    docscrape = pytest.importorskip("numpydoc.docscrape_sphinx")

    class Docstring(validate.Validator):  # type: ignore[misc, name-defined]
        """What a record is made of may be described as attributes, by its base classes too.

        `net` is the self of fit.
        """

        def __init__(self, obj_name: str) -> None:
            super().__init__(docscrape.get_doc_object(resolve_name(obj_name)))
            self.is_method_of_mlp = obj_name.startswith("fastmlp.MLP.")

        @property
        def signature_parameters(self) -> tuple[str, ...]:
            given = super().signature_parameters
            own = self.is_method_of_mlp and given[:1] == ("net",)
            return tuple(p for p in given[own:] if not p.startswith("_"))

        @property
        def doc_all_parameters(self) -> dict[str, Any]:
            own = super().doc_all_parameters
            if own or not inspect.isclass(self.obj):
                return own
            attributes: dict[str, Any] = {}
            for kind in self.obj.__mro__:
                if kind.__module__.startswith("fastmlp."):
                    of_kind = Docstring(f"{kind.__module__}.{kind.__qualname__}")
                    attributes |= of_kind._doc_parameters(["Attributes"])
            return {p: attributes[p] for p in self.signature_parameters if p in attributes}

    return lambda name: validate.validate(name, validator_cls=Docstring)["errors"]


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_are_complete(
    name: str, complaints: Callable[[str], list[tuple[str, str]]]
) -> None:
    found = [
        f"{one}: {code} {message}"
        for public in public_names(name)
        for one in documented(public)
        for code, message in complaints(one)
        if code not in NOT_ASKED or (code == "EX01" and one == f"fastmlp.{name}")
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings_run(
    name: str,
    example_names: Callable[[], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fastmlp.support.threads, "_chosen", None)
    monkeypatch.setattr(fastmlp.support.threads, "_omp_before", fastmlp.kernels.omp_threads())
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(
        optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False
    )
    reports: list[str] = []
    for public in public_names(name):
        for one in documented(public):
            for test in finder.find(resolve_name(one), one, module=False, globs=example_names()):
                runner.run(test, out=reports.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(reports)
