"""Files that an earlier version may have written are read, and their networks predict the same."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fastmlp.model import headers

FOLDER = Path(__file__).parent
FILES = sorted((FOLDER / "models").glob("*.npz"))


@pytest.fixture(scope="module")
def models() -> ModuleType:
    """The program that writes the files."""
    spec = importlib.util.spec_from_file_location("golden_models", FOLDER / "models.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_model_of_an_earlier_version_predicts_the_same(path: Path, models: ModuleType) -> None:
    recorded = json.loads(path.with_suffix(".json").read_text())
    np.testing.assert_allclose(models.outputs(models.load(path)), recorded, atol=2e-6)


def test_there_is_a_file_of_each_model_and_of_each_format(models: ModuleType) -> None:
    assert [path.stem for path in FILES] == sorted(models.MODELS)
    formats = {int(path.stem.split("-")[0]) for path in FILES}
    assert formats == set(range(2, headers.NEWEST_FORMAT + 1))  # 1 is no longer written
