"""Optional packages."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import fastmlp.tabular
from fastmlp.support import extras


def test_a_package_that_is_there_is_imported():
    assert extras.imported("json", "none") is json


def test_a_missing_package_is_told_with_the_extra_that_brings_it():
    with pytest.raises(ImportError, match=r'needs no_such_package.*"fastmlp\[something\]"'):
        extras.imported("no_such_package.module", "something")


def test_the_package_and_its_exports_load_nothing_optional():
    code = (
        "import sys, fastmlp, fastmlp.export;"
        "print(*{'onnx', 'safetensors', 'torch', 'sklearn', 'keras', 'h5py'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_the_estimators_without_scikit_learn_name_their_extra() -> None:
    code = "import sys; sys.modules['sklearn'] = None; import fastmlp.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith(
        'ImportError: fastmlp.sklearn needs sklearn: pip install "fastmlp[sklearn]"\n'
    )


def test_names_that_are_loaded_at_their_first_use_are_listed() -> None:
    assert {"TabularClassifier", "TabularRegressor", "load"} <= set(dir(fastmlp.tabular))
