"""The digest of a model of a table: of what computes its predictions, and of nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")

from fastmlp.tabular import TabularClassifier, TabularRegressor, load  # noqa: E402
from fastmlp.tabular.digest import table_digest  # noqa: E402

FAST = {"quality": "fast", "random_state": 0, "n_threads": 1, "epochs": 1, "n_members": 1}
M = 120
x = np.random.default_rng(0).normal(size=M)
TABLE = pd.DataFrame({"x": x, "shop": np.repeat(["a", "b"], M // 2)})


@pytest.mark.parametrize(
    "options", [{}, {"per": "shop", "hidden_layer_sizes": (4,)}], ids=["one", "per"]
)
def test_a_file_keeps_the_digest_and_other_numbers_change_it(tmp_path, options):
    model = TabularRegressor(**FAST, **options).fit(TABLE, x)
    digest = table_digest(model)
    assert len(digest) == 64
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert table_digest(loaded) == digest
    loaded.metadata_, loaded.validation_scores_ = {"note": "x"}, {}
    loaded.n_epochs_ = [7 for _ in loaded.n_epochs_]
    assert table_digest(loaded) == digest
    net = loaded.networks_[-1]
    net.set_parameters([2 * W for W in net.weights], net.biases)
    assert table_digest(loaded) != digest


def test_what_encodes_and_scales_is_in_the_digest():
    digests = set()
    for name, value in (("target_mean_", 3.0), ("target_deviation_", 9.0), ("x", None)):
        model = TabularRegressor(**FAST).fit(TABLE, x)
        setattr(model, name, value)
        digests.add(table_digest(model))
    assert len(digests) == 3
    digests = set()
    for temperature, names in ((1.0, ["a", "b"]), (2.0, ["a", "b"]), (1.0, ["a", "c"])):
        model = TabularClassifier(**FAST).fit(TABLE, np.where(x > 0, *names))
        model.temperature_ = temperature
        digests.add(table_digest(model))
    assert len(digests) == 3


def test_models_of_values_are_in_the_digest():
    model = TabularRegressor(**FAST, per="shop", hidden_layer_sizes=(4,)).fit(TABLE, x)
    digests = {table_digest(model)}
    model.by_value_.models["b"].target_mean_ += 1
    digests.add(table_digest(model))
    model.by_value_.shared.target_mean_ += 1
    digests.add(table_digest(model))
    model.by_value_.models["c"] = model.by_value_.models.pop("b")
    digests.add(table_digest(model))
    assert len(digests) == 4
