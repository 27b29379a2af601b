"""What kinds of networks for tables may have in place of the default: see tables_kinds.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from sklearn.model_selection import train_test_split

from fastmlp.encodings import Encoding, Numeric, OneHot, Periodic, PiecewiseLinear
from fastmlp.tabular.classifier import best_temperature, tempered
from fastmlp.tabular.columns import Codes, TableEncoder
from fastmlp.tabular.folds import validation_rows
from fastmlp.tabular.metrics import CLASSIFICATION, REGRESSION
from fastmlp.tabular.plan import TURNS, VALIDATION_FRACTION

Array = NDArray[Any]
Inputs = tuple[Array, Array, list[Encoding]]  # of training and test rows, and what they are
Targets = tuple[Array, str, int, Callable[[Array], Array]]  # loss, outputs, and how they are read


@dataclass(frozen=True)
class Data:
    """The rows of a table that a repetition trains on, and those that test."""

    encoder: TableEncoder
    codes: tuple[Codes, Codes]
    y: tuple[Array, Array]  # classes, or standardized values
    classes: bool
    n_rows: int  # of the benchmark's training set
    validation: tuple[Array, ...]  # rows, of each network

    def inputs(self, encoding: str) -> Inputs:
        """Return the inputs by one of the encodings of numbers."""
        train, test = (self.encoder.inputs(one, encoding) for one in self.codes)
        return train, test, self.encoder.encodings(encoding)

    def loss(self, outputs: Array, rows: Array) -> float:
        """Return what chooses the epoch."""
        y = self.y[0][rows]
        if not self.classes:
            known = np.clip(outputs, self.y[0].min(), self.y[0].max())
            return REGRESSION["rmse"].measure(y, known, None)
        p = np.column_stack([1 - outputs, outputs])
        return CLASSIFICATION["log_loss"].measure(
            y, tempered(p, best_temperature(p, y, None)), None
        )


@cache
def data(name: str, repetition: int) -> Data:
    """Return the data of a repetition."""
    from benchmarks import table_data

    whole = table_data.read(name)
    X, y, _, _ = table_data.split(whole, seed=0)
    X = X.astype(dict.fromkeys(whole.categories, "category"))
    train, test = train_test_split(
        np.arange(len(y)),
        test_size=0.25,
        random_state=1000 + repetition,
        stratify=y if whole.classification else None,
    )
    encoder = TableEncoder.learn(X.iloc[train])
    if not whole.classification:
        y = (y - y[train].mean()) / y[train].std()
    rng = np.random.RandomState(repetition)
    return Data(
        encoder,
        (encoder.read(X.iloc[train]), encoder.read(X.iloc[test])),
        (y[train], y[test]),
        whole.classification,
        len(y),
        validation_rows(12, VALIDATION_FRACTION, rng, y[train], stratify=whole.classification),
    )


def waves(**options: Any) -> Callable[[Data, str, int], Inputs]:
    """Return inputs with other waves."""

    def inputs(data: Data, encoding: str, network: int) -> Inputs:
        train, test, found = data.inputs(encoding)
        new = Periodic(**{"sigma": 0.3, **options})
        return train, test, [new if isinstance(one, Periodic) else one for one in found]

    return inputs


def waves_of_scaled(data: Data, encoding: str, network: int) -> Inputs:
    """Return waves of the scaled numbers in place of their quantiles."""
    train, test, found = data.inputs("raw")
    _, _, places = data.inputs("periodic")
    wide = Periodic(n_frequencies=32, n_out=8, sigma=0.3)
    new = [wide if isinstance(b, Periodic) else a for a, b in zip(found, places, strict=True)]
    return train, test, new


def edges(n_bins: int | None) -> Callable[[Data, str, int], Inputs]:
    """Return inputs with other bins of equal counts; None: 8 to 32 bins at random quantiles."""

    def inputs(data: Data, encoding: str, network: int) -> Inputs:
        train, test, found = data.inputs(encoding)
        rng = np.random.RandomState(500 + network)
        for j, one in enumerate(found):
            if isinstance(one, PiecewiseLinear):
                shares = np.linspace(0, 1, (n_bins or 0) + 1)
                if n_bins is None:
                    shares = np.r_[0, np.sort(rng.uniform(size=rng.randint(7, 32))), 1]
                new = increasing(np.quantile(train[:, j], shares))
                found[j] = PiecewiseLinear(new) if len(new) > 1 else one
        return train, test, found

    return inputs


def increasing(values: Array) -> Array:
    """Return values in float32 that increase by more than 1e-5."""
    values = np.unique(values.astype(np.float32))
    return values[np.r_[True, np.diff(values) > 1e-5]]


def more_numbers(columns: Callable[..., Array], encode: bool) -> Callable[..., Inputs]:
    """Return inputs with linear combinations of the quantiles, encoded or as they are."""

    def inputs(data: Data, encoding: str, network: int) -> Inputs:
        train, test, found = data.inputs(encoding)
        q, q_test, kinds = data.inputs("quantile")
        numbers = [j for j, one in enumerate(kinds) if not isinstance(one, OneHot)]
        W = columns(q[:, numbers].astype(float), np.random.RandomState(900 + network))
        new = [(one[:, numbers] - q[:, numbers].mean(axis=0)) @ W for one in (q, q_test)]
        added: list[Encoding] = [Numeric()] * W.shape[1]
        if not encode:
            new = [z / np.hypot(1, z / 3) for z in new]
        elif encoding == "periodic":
            added = [Periodic(sigma=0.3)] * W.shape[1]
        else:
            added = [
                PiecewiseLinear(increasing(np.quantile(z, np.linspace(0, 1, 17)))) for z in new[0].T
            ]
            new[1] = np.clip(new[1], new[0].min(axis=0), new[0].max(axis=0))
        return np.hstack([train, new[0]]), np.hstack([test, new[1]]), [*found, *added]

    return inputs


def components(q: Array, rng: np.random.RandomState) -> Array:
    """Return the factors of the principal components, each with variance 1."""
    variances, directions = np.linalg.eigh(np.cov(q.T, bias=True).reshape(q.shape[1], -1))
    known = variances > 1e-6
    return directions[:, known] / np.sqrt(variances[known] + 1e-3)


def sums_of_two(q: Array, rng: np.random.RandomState) -> Array:
    """Return the factors of ten sums or differences of two columns, with variance about 1."""
    W = np.zeros((q.shape[1], 10))
    for j in range(10):
        pair = rng.choice(len(W), 2, replace=False)
        W[pair, j] = rng.choice([-1, 1], 2)
    return W / ((q @ W).std(axis=0) + 1e-6)


def intervals(n: int) -> Callable[[Data], Targets]:
    """Return intervals of y as classes, softened by a normal distribution of two widths."""

    def targets(data: Data) -> Targets:
        y = data.y[0]
        inner = np.linspace(*np.quantile(y, [0.001, 0.999]), n - 1)
        below = ndtr((inner - y[:, None]) / (2 * (inner[1] - inner[0])))
        p = np.diff(np.pad(below, ((0, 0), (1, 0))), axis=1, append=1.0)
        centres = np.r_[inner[0], (inner[1:] + inner[:-1]) / 2, inner[-1]]
        for k, rows in ((0, y < inner[0]), (-1, y > inner[-1])):  # means right beyond both ends
            if rows.any():
                rest = p[rows] @ centres - p[rows, k] * centres[k]
                centres[k] = np.mean(y[rows] - rest) / p[rows, k].mean()
        return p.astype(np.float32), "cross_entropy", n, lambda outputs: outputs @ centres

    return targets


def with_code(data: Data) -> Targets:
    """Return y and, as further targets of a network, its piecewise-linear code."""
    y = data.y[0]
    b = np.unique(np.quantile(y, np.linspace(0, 1, 17)))
    code = np.clip((y[:, None] - b[:-1]) / np.diff(b), 0, 1)
    code = (code - code.mean(axis=0)) / np.maximum(code.std(axis=0), 0.05)
    both = np.column_stack([y, np.sqrt(0.5 / code.shape[1]) * code])
    return both.astype(np.float32), "squared_error", both.shape[1], lambda outputs: outputs[:, 0]


def mixup(X: Array, y: Array, found: Sequence[Encoding], rng: Any) -> tuple[Array, Array]:
    """Return each row mixed with another (Zhang et al. 2018); a category is that of one of them."""
    other = rng.permutation(len(X))
    share = rng.beta(0.3, 0.3, len(X))
    share = np.maximum(share, 1 - share)[:, None].astype(np.float32)
    mixed = share * X + (1 - share) * X[other]
    category = np.array([isinstance(one, OneHot) for one in found])
    own = rng.uniform(size=(len(X), category.sum())) < share
    mixed[:, category] = np.where(own, X[:, category], X[other][:, category])
    y = y if y.ndim == 2 else np.eye(2)[y]
    return mixed, share * y + (1 - share) * y[other]


def swapped(X: Array, y: Array, found: Sequence[Encoding], rng: Any) -> tuple[Array, Array]:
    """Return rows of whose cells 10 % come from other rows."""
    X = X.copy()
    j = 0
    while j < X.shape[1]:
        end = j + 1  # a number and its bins change together
        while end < len(found) and isinstance(found[end], PiecewiseLinear):
            end += 1
        rows = np.flatnonzero(rng.uniform(size=len(X)) < 0.1)
        X[rows, j:end] = X[rng.randint(len(X), size=len(rows)), j:end]
        j = end
    return X, y


def default_targets(data: Data) -> Targets:
    """Return the targets of the default's networks."""
    y = data.y[0]
    if data.classes:
        return y, "cross_entropy", 2, lambda outputs: outputs[:, 1]
    return y[:, None], "squared_error", 1, lambda outputs: outputs[:, 0]


# ----------------------------------------------------------------------------------- kinds

SCREEN = ("magic", "phoneme", "credit", "ames", "chicago")
REGRESSIONS = ("diamonds", "ames", "abalone", "nlswork", "chicago")


@dataclass(frozen=True)
class Kind:
    """What one kind of network has in place of the default."""

    plan: dict[str, Any] = field(default_factory=dict)  # fields of NetworkPlan
    net: dict[str, Any] = field(default_factory=dict)  # options of MLP
    fit: dict[str, Any] = field(default_factory=dict)  # options of fit
    all_rows: bool = False  # trained on all rows, to the last epoch
    inputs: Callable[[Data, str, int], Inputs] | None = None
    targets: Callable[[Data], Targets] | None = None
    epoch: Callable[..., tuple[Array, Array]] | None = None  # rows and targets of an epoch
    encodings: tuple[str, ...] = TURNS
    tables: tuple[str, ...] = SCREEN
    repetitions: int = 1


ALL = ("magic", "phoneme", "credit", *REGRESSIONS)
SMOOTH = ("magic", "phoneme", "diamonds")
REPEATED = (*SMOOTH, "ames", "chicago")
PERIODIC, LINEAR = TURNS[1:], TURNS[:1]
KINDS = {
    "default": Kind(tables=ALL, repetitions=2),
    "batches half as large": Kind(plan={"batch_size": 128}),
    "256 units": Kind(plan={"hidden": (256, 256, 256)}, encodings=LINEAR, tables=SMOOTH),
    "192 epochs": Kind(
        plan={"epochs": 192}, encodings=LINEAR, tables=("phoneme", "diamonds", "ames")
    ),
    "all rows, 24 epochs": Kind(plan={"epochs": 24}, all_rows=True, tables=ALL),
    "all rows, 96 epochs": Kind(all_rows=True, tables=("phoneme", "diamonds", "ames", "chicago")),
    "learned factors of the inputs": Kind(
        net={"input_scaling": True}, fit={"scaling_rate_multiplier": 6.0}
    ),
    "mixup": Kind(epoch=mixup),
    "10 % of the cells from other rows": Kind(epoch=swapped),
    "batch norm": Kind(net={"batch_norm": True}, tables=("magic", "phoneme", "ames", "chicago")),
    "noise 0.2 before activations": Kind(net={"noise": 0.2}, tables=("magic", "phoneme", "ames")),
    "dropout 0.1 of the inputs": Kind(
        net={"input_dropout": 0.1},
        encodings=LINEAR,
        tables=("magic", "phoneme", "ames", "chicago"),
    ),
    "8 to 32 bins at random": Kind(inputs=edges(None), encodings=LINEAR),
    "32 bins": Kind(inputs=edges(32), encodings=LINEAR, tables=SMOOTH),
    "8 sums of 16 waves": Kind(
        inputs=waves(n_out=8), encodings=PERIODIC, tables=REPEATED, repetitions=2
    ),
    "8 sums of 32 waves": Kind(
        inputs=waves(n_frequencies=32, n_out=8),
        encodings=PERIODIC,
        tables=REPEATED,
        repetitions=2,
    ),
    "8 sums of 32 waves, half as fast": Kind(
        inputs=waves(n_frequencies=32, n_out=8, sigma=0.15),
        encodings=PERIODIC,
        tables=REPEATED,
    ),
    "8 sums of 32 waves, twice as fast": Kind(
        inputs=waves(n_frequencies=32, n_out=8, sigma=0.6), encodings=PERIODIC, tables=SMOOTH
    ),
    "waves three times as fast": Kind(inputs=waves(sigma=1.0), encodings=PERIODIC),
    "8 sums of 32 waves of scaled numbers": Kind(
        inputs=waves_of_scaled, encodings=PERIODIC, tables=SMOOTH
    ),
    "principal components as well": Kind(
        inputs=more_numbers(components, encode=False), tables=REPEATED
    ),
    "sums of two columns as well": Kind(
        inputs=more_numbers(sums_of_two, encode=True), tables=SMOOTH
    ),
    "100 intervals as classes": Kind(targets=intervals(100), tables=REGRESSIONS),
    "code of y as further targets": Kind(
        targets=with_code, tables=("diamonds", "ames", "nlswork", "chicago")
    ),
}
