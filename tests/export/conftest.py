"""Networks of every kind that leave, trained a little so that nothing in them is as it began."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp import MLP, Ensemble
from fastmlp.activations import ELU, TABLE, LeakyReLU
from fastmlp.losses import CrossEntropy, Quantile

Array = NDArray[Any]

VALUES = {"loss": "squared_error"}
NETWORKS: dict[str, dict[str, Any]] = {
    **{
        name: {"sizes": (6, 9, 8, 3), "activation": name, "batch_norm": [True, False], **VALUES}
        for name in TABLE
        if name not in ("softmax", "exponential")
    },
    "mixed": {"sizes": (6, 9, 8, 7, 3), "activation": [LeakyReLU(0.3), ELU(0.5), "gelu"], **VALUES},
    "classes": {
        "sizes": (6, 9, 8, 3),
        "batch_norm": True,
        "dropout": [0.1, 0.2],
        "input_dropout": 0.1,
        "noise": 0.1,
    },
    "two classes": {"sizes": (6, 9, 2), "activation": "tanh"},
    "groups": {
        "sizes": (6, 9, 9), "loss": CrossEntropy((3, 2, 4)), "targets": 3, "batch_norm": True
    },  # fmt: skip
    "yes or no": {"sizes": (6, 9, 1), "loss": "binary_cross_entropy", "batch_norm": True},
    "several labels": {"sizes": (6, 9, 3), "loss": "binary_cross_entropy"},
    "one value": {"sizes": (6, 9, 1), **VALUES},
    "linear": {"sizes": (6, 3), **VALUES},
    "output activation": {"sizes": (6, 9, 3), "output_activation": ELU(0.4), **VALUES},
    "absolute error": {"sizes": (6, 9, 2), "loss": "absolute_error"},
    "huber": {"sizes": (6, 9, 2), "loss": "huber"},
    "quantiles": {"sizes": (6, 9, 3), "loss": Quantile((0.1, 0.5, 0.9)), "targets": 1},
    "quantiles of two": {"sizes": (6, 9, 4), "loss": Quantile((0.2, 0.8)), "targets": 2},
    "poisson": {"sizes": (6, 9, 2), "loss": "poisson", "batch_norm": True},
    "gamma": {"sizes": (6, 9, 2), "loss": "gamma"},
    "by averages": {"sizes": (6, 9, 8, 3), "batch_norm": True, "ema": 0.5},
}


def trained(
    sizes: tuple[int, ...], ema: float | None = None, targets: int | None = None, **options: Any
) -> MLP:
    """A network after two epochs on noise."""
    net = MLP(sizes, init="glorot_normal", **options)
    rng = np.random.default_rng(7)
    X, y = rng.normal(size=(64, sizes[0])), rng.integers(0, 2, (64, targets or sizes[-1]))
    one_of_several = net.loss == CrossEntropy()
    if net.loss.name == "gamma":
        y += 1  # positive
    net.fit(X, y[:, 0] if one_of_several else y, epochs=2, batch_size=16, ema=ema)
    return net


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest, dtype: str) -> MLP:
    """Each network of the table in each dtype."""
    return trained(**NETWORKS[request.param], dtype=dtype)


@pytest.fixture
def make() -> Callable[..., MLP]:
    """The network of the table with this name, or one of these options."""

    def made(name: str = "classes", **options: Any) -> MLP:
        return trained(**{**NETWORKS[name], **options})

    return made


@pytest.fixture
def ensemble(make: Callable[..., MLP]) -> Ensemble:
    """Three networks, one of them in float64 and of another shape."""
    return Ensemble([make(seed=1), make(seed=2), make(sizes=(6, 5, 4, 3), dtype="float64")])


@pytest.fixture
def X(rng: np.random.Generator) -> Array:
    """Examples (40, 6), some of them far out."""
    X = rng.normal(size=(40, 6))
    X[:5] *= 20
    return X


@pytest.fixture
def close() -> Callable[[Array, Array, float], None]:
    """Assert that outputs are those of a network, to a tolerance or by their dtype."""

    def check(found: Array, expected: Array, tolerance: float | None = None) -> None:
        if tolerance is None:
            tolerance = 1e-5 if expected.dtype == np.float32 else 1e-12
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)

    return check


@pytest.fixture(scope="session")
def tables() -> tuple[Any, Any]:
    """A table of 300 rows of every kind of column, and rows unlike those of the table."""
    pd = pytest.importorskip("pandas")
    rng, m = np.random.default_rng(11), 300
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 90, m).astype(float),
            "income": rng.lognormal(10, 1, m),
            "full": rng.integers(0, 3, m),
            "const or missing": 7.0,
            "city": rng.choice(["Oslo", "Bergen", "Tromsø", 'a "b" \\ ??/ %'], m),
            "member": rng.random(m) < 0.5,
            "label": rng.choice(["x", "y"], m),
            "row": np.arange(m),
            "since": pd.to_datetime("2019-11-30")
            + pd.to_timedelta(rng.integers(0, 100_000_000, m), "s"),
        }
    )
    for name in ("age", "const or missing", "city", "label", "since"):
        table.loc[rng.random(m) < 0.1, name] = None
    new = table.astype({"member": object, "full": float, "row": float})
    new["income"] *= rng.choice([-1.0, 0.01, 1.0, 1e12], m)
    new.loc[::7, "city"] = "Paris"
    new.loc[::9, "full"] = 10**6
    new.loc[1::5, "since"] += pd.Timedelta(days=4000, hours=5)
    new.loc[2::5, "since"] -= pd.Timedelta(days=40_000, seconds=1)
    new.loc[3, :] = None
    return table, new


NUMBERS = ["age", "income", "full"]
TABLE_MODELS: dict[str, dict[str, Any]] = {  # y as a function of a score, columns, options
    "text labels": {"y": lambda v: np.where(v > np.median(v), "hi", "lo ü")},
    "number labels": {
        "y": lambda v: np.digitize(v, np.quantile(v, [0.3, 0.6])) * 5,
        "n_members": 2,
    },
    "boolean labels": {"y": lambda v: v > np.median(v), "encoding": "raw", "n_members": 1},
    "value": {"y": lambda v: 100 * v},
    "value by raw numbers": {"y": lambda v: v, "encoding": "raw"},
    "value by quantiles": {"y": lambda v: v, "encoding": "quantile", "activation": "gelu"},
    "value by waves": {"y": lambda v: v, "encoding": "periodic"},
    "numbers": {"y": lambda v: v, "columns": NUMBERS},
    "one number": {"y": lambda v: v, "columns": ["age"], "hidden_layer_sizes": ()},
    "categories": {"y": lambda v: v > np.median(v), "columns": ["city", "label"]},
    "date": {"y": lambda v: v, "columns": ["since"]},
}


@pytest.fixture(scope="session", params=TABLE_MODELS)
def of_table(request: pytest.FixtureRequest, tables: tuple[Any, Any]) -> tuple[Any, list[Any]]:
    """A fitted model of a table, and its training set and other rows."""
    pytest.importorskip("sklearn")
    from fastmlp.tabular import TabularClassifier, TabularRegressor

    options = dict(TABLE_MODELS[request.param])
    table, new = tables
    score = table["age"].fillna(50) / 20 + np.log(table["income"]) + 2 * (table["city"] == "Oslo")
    y = options.pop("y")(score.to_numpy())
    columns = options.pop("columns", list(table))
    kind = TabularRegressor if y.dtype == np.float64 else TabularClassifier
    options = {"hidden_layer_sizes": (12, 10), "n_members": 3, **options}
    model = kind(random_state=0, epochs=4, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the column "row" is dropped
        model.fit(table[columns], y)
    return model, [table[columns], new[columns]]


@pytest.fixture
def keras(torch: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if importlib.util.find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    found = importlib.import_module("keras")
    yield found
    found.config.set_dtype_policy("float32")
