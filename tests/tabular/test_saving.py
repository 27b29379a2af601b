"""The file of an estimator of tables: what it holds, and what a model has that is read from it."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sklearn = pytest.importorskip("sklearn")

import fastmlp  # noqa: E402
from fastmlp.tabular import TabularRegressor, load  # noqa: E402

FAST = {"quality": "fast", "random_state": 0, "n_threads": 1, "epochs": 1, "n_members": 2}
x = np.random.default_rng(0).normal(size=60)
TABLE = pd.DataFrame({"x": x, "z": x**2})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model"


def test_a_file_names_the_versions_that_made_it(path):
    TabularRegressor(**FAST).fit(TABLE, x).save(path)
    with np.load(path) as contents:
        header = json.loads(str(contents["header"]))
    assert header["metadata"]["table"]["versions"] == {
        "fastmlp": fastmlp.__version__, "python": platform.python_version(),
        "numpy": np.__version__, "pandas": pd.__version__, "scikit-learn": sklearn.__version__,
    }  # fmt: skip


def test_a_file_has_the_parameters_alone_in_the_dtype_that_is_chosen(path):
    model = TabularRegressor(**FAST).fit(TABLE, x)
    n_parameters = sum(net.n_parameters for net in model.networks_)
    for dtype, n_bytes in (("float32", 4), ("float16", 2)):
        model.save(path, dtype=dtype)
        assert n_bytes * n_parameters < path.stat().st_size < 1.5 * n_bytes * n_parameters
        np.testing.assert_allclose(load(path).predict(TABLE), model.predict(TABLE), atol=0.05)


def test_a_model_of_an_array_has_no_names_of_columns(path):
    model = TabularRegressor(**FAST).fit(TABLE.to_numpy(), x)
    model.save(path)
    loaded = load(path)
    assert not hasattr(loaded, "feature_names_in_")
    assert loaded.n_features_in_ == 2
    np.testing.assert_array_equal(
        loaded.predict(TABLE.to_numpy()), model.predict(TABLE.to_numpy())
    )


def test_metadata_of_the_user_come_back_beside_the_model_s_own(path):
    model = TabularRegressor(**FAST).fit(TABLE, x)
    model.metadata_ = {"note": "ü"}
    model.save(path)
    loaded = load(path)
    assert loaded.metadata_ == {"note": "ü"}
    assert (loaded.n_epochs_, loaded.best_epochs_) == (model.n_epochs_, model.best_epochs_)
    assert loaded.validation_scores_ == model.validation_scores_
    assert loaded.dropped_columns_ == {}
