"""What `import fastmlp` loads, and the names it gives."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import fastmlp


def test_import_loads_nothing_optional():
    code = (
        "import sys, fastmlp\n"
        "names = ('rich', 'scipy', 'pandas', 'matplotlib', 'sklearn', 'difflib',"
        " 'fastmlp.schedules', 'fastmlp.datasets', 'fastmlp.plotting',"
        " 'fastmlp.sklearn', 'fastmlp.export', 'fastmlp.steps', 'fastmlp.reference',"
        " 'fastmlp.cli')\n"
        "sys.exit([name for name in names if name in sys.modules] or 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", fastmlp.__all__)
def test_public_name_is_there(name):
    assert hasattr(fastmlp, name)
    assert name in dir(fastmlp)


def test_the_documentation_finds_the_public_names():
    assert "__all__" in dir(fastmlp)  # without it, sphinx takes only what is defined in this file


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'MLPP'"):
        _ = fastmlp.MLPP


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ReLU", "activations.ReLU"),
        ("Cosine", "schedules.Cosine"),
        ("Distortion", "augment.Distortion"),
        ("SGD", "GradientDescent"),
        ("MLPClassifier", "sklearn.MLPClassifier"),
        ("TabularRegressor", "tabular.TabularRegressor"),
    ],
)
def test_a_name_of_a_module_and_one_of_another_library_are_guessed(name, meant):
    with pytest.raises(AttributeError, match=f"'{name}'; did you mean fastmlp.{meant}"):
        getattr(fastmlp, name)


@pytest.mark.parametrize("name", fastmlp.SYNONYMS.values())
def test_names_that_are_guessed_exist(name):
    module, _, last = name.rpartition(".")
    found = pytest.importorskip(f"fastmlp.{module}") if module else fastmlp
    assert hasattr(found, last)


def test_version_is_that_of_the_installed_package():
    try:
        installed = version("fastmlp")
    except PackageNotFoundError:
        pytest.skip("used from its source folder")
    assert fastmlp.__version__ == installed


def test_type_checkers_know_the_modules_that_are_loaded_at_first_use():
    tree = ast.parse(Path(fastmlp.__file__).read_text(encoding="utf-8"))
    blocks = [one for one in tree.body if isinstance(one, ast.If)]
    imports = [one for one in blocks[0].body if isinstance(one, ast.ImportFrom)]
    assert {alias.name for one in imports for alias in one.names} == set(fastmlp.LAZY)
    hidden = [one for one in blocks[1].body if isinstance(one, ast.FunctionDef)]
    assert [one.name for one in hidden] == ["__getattr__"]
