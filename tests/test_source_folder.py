"""`import fastmlp` in a source folder whose kernels are not built says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastmlp


@pytest.fixture
def unbuilt(tmp_path: Path) -> Path:
    """A folder with the Python files of the package and none of its compiled modules."""
    compiled = shutil.ignore_patterns("*.so", "*.pyd", "*.c", "__pycache__")
    shutil.copytree(Path(fastmlp.__file__).parent, tmp_path / "fastmlp", ignore=compiled)
    return tmp_path


def error_of_import(folder: Path) -> str:
    """The last line that Python prints when `import fastmlp` fails in the folder."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONSAFEPATH")
    }
    command = [sys.executable, "-c", "import fastmlp"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_import_from_unbuilt_sources_names_the_folder_and_both_ways_out(unbuilt: Path) -> None:
    (unbuilt / "setup.py").touch()
    error = error_of_import(unbuilt)
    assert error.startswith(f"ImportError: {unbuilt.resolve()} is the source folder of fastmlp")
    assert "another folder" in error
    assert "python -P" in error
    assert error.endswith("python setup.py build_ext --inplace")


def test_a_damaged_installation_is_not_taken_for_a_source_folder(unbuilt: Path) -> None:
    error = error_of_import(unbuilt)
    assert error == "ModuleNotFoundError: No module named 'fastmlp.kernels.cpu'"
