"""Plots of a regression's predictions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..losses import Quantile
from ..support import checks
from . import canvas, model_data
from .model_data import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Regression", "predicted_vs_actual", "regression"]

ENOUGH = 5_000  # points of a target; more of them, evenly chosen, would look the same


@dataclass(frozen=True)
class Regression:
    """Actual and predicted values of m examples and t targets."""

    y: NDArray[np.float64]  # (m, t)
    predicted: NDArray[np.float64]  # (m, t)
    name: str  # of the predicted values
    targets: list[str]

    @property
    def rmse(self) -> NDArray[np.float64]:
        """Root mean squared error of each target."""
        return np.asarray(np.sqrt(np.mean((self.predicted - self.y) ** 2, axis=0)))

    @property
    def r2(self) -> NDArray[np.float64]:
        """R² of each target, 1 − Σ(y − p)²/Σ(y − mean)²; NaN if the target is constant."""
        error = np.sum((self.predicted - self.y) ** 2, axis=0)
        total = np.sum((self.y - self.y.mean(axis=0)) ** 2, axis=0)
        return np.where(total > 0, 1 - error / np.where(total > 0, total, 1), np.nan)

    def scores(self) -> list[tuple[str, str, str]]:
        """Return the name, RMSE and R² of each target."""
        return [
            (name, f"{rmse:.4g}", f"{r2:.4f}")
            for name, rmse, r2 in zip(self.targets, self.rmse, self.r2, strict=True)
        ]


def predicted_vs_actual(
    model: Model,
    X: Any,
    y: ArrayLike,
    *,
    target_names: Iterable[object] | None = None,
    ax: Axes | None = None,
) -> Any:
    """Plot the predictions of a regression against the actual values, with RMSE and R².

    Perfect predictions lie on the diagonal.  Of several quantiles, the one nearest the median is
    plotted.

    Parameters
    ----------
    model : MLP, Ensemble or fitted regressor with `predict`
        The model.
    X : array-like or SciPy sparse matrix, (m, n_in)
        Examples, one per row.
    y : array-like, (m,) or (m, n_targets)
        Their actual values.
    target_names : iterable, optional
        A name for each target.  Default: the model's own, or numbers if there are several.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.  Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The points of each target, at most 5,000, over the diagonal.

    See Also
    --------
    confusion : The counterpart for classifiers.

    Examples
    --------
    >>> net = fastmlp.MLP((64, 20, 1), loss="squared_error")
    >>> history = net.fit(X, y)
    >>> ax = fastmlp.plotting.predicted_vs_actual(net, X, y)
    """
    values = regression(model, X, y, target_names)
    ax = canvas.axes(ax, (4.4, 4.4))
    some = np.unique(np.linspace(0, len(values.y) - 1, ENOUGH).astype(np.intp))
    both = np.stack([values.y, values.predicted])
    ends = [both.min(), both.max()]
    ax.plot(ends, ends, color="#999999", linestyle="--", linewidth=1)
    several = len(values.targets) > 1
    for k, (name, rmse, r2) in enumerate(values.scores()):
        ax.scatter(
            values.y[some, k], values.predicted[some, k], s=10, alpha=0.5, linewidths=0,
            color=canvas.COLORS[k % len(canvas.COLORS)],
            marker=canvas.MARKERS[k % len(canvas.MARKERS)],
            label=f"{canvas.shortened(name)}: RMSE {rmse}, R² {r2}",
        )
    target = "" if several else f" {values.targets[0]}".rstrip()
    canvas.literal([
        ax.set_xlabel(f"actual{target}"), ax.set_ylabel(f"predicted{target}{values.name}"),
    ])
    if several:
        canvas.literal(ax.legend(fontsize=7).get_texts())
        title = f"mean R² {values.r2.mean():.4f}"
    else:
        title = f"RMSE {values.scores()[0][1]}, R² {values.scores()[0][2]}"
    ax.set_title(f"{title}, {len(values.y):,} examples", fontsize=9)
    ax.grid(alpha=0.3)
    return ax


def regression(
    model: Model, X: Any, y: ArrayLike, target_names: Iterable[object] | None = None
) -> Regression:
    """Return what a regression predicts for examples, beside their actual values."""
    networks = model_data.networks(model)
    loss = model.loss if networks else None
    if (loss is not None and loss.classification) or hasattr(model, "classes_"):
        raise ValueError("this is for regressions; the model is a classifier")
    if not hasattr(model, "predict"):
        raise TypeError(
            f"expected an MLP, an Ensemble or a fitted regressor with predict, got {model!r}"
        )
    predicted = np.asarray(model.predict(X), np.float64)
    predicted = predicted.reshape(len(predicted), -1)
    name = ""
    if isinstance(loss, Quantile):
        quantiles = np.asarray(loss.quantiles)
        nearest = int(np.argmin(np.abs(quantiles - 0.5)))
        predicted = predicted[:, nearest :: len(quantiles)]
        name = f" (quantile {quantiles[nearest]:g})"
    actual = checks.array("y", y).astype(np.float64)
    actual = actual.reshape(len(actual), -1)
    if actual.shape != predicted.shape:
        raise ValueError(
            f"y has shape {np.shape(y)}; expected a value for each of {predicted.shape[0]} "
            f"examples and {predicted.shape[1]} targets"
        )
    checks.finite("y", actual if np.ndim(y) > 1 else actual[:, 0], actual.dtype)
    return Regression(actual, predicted, name, _target_names(model, target_names, actual.shape[1]))


def _target_names(model: Model, names: Iterable[object] | None, count: int) -> list[str]:
    """Return the names of the targets: as passed, the model's own, or numbers."""
    if names is None:
        own = model.metadata.get("label") if model_data.networks(model) else None
        if isinstance(own, str) and count == 1:
            return [own]
        return [""] if count == 1 else [f"target {k + 1}" for k in range(count)]
    texts = [str(name) for name in checks.items("target_names", names)]
    if len(texts) != count:
        raise ValueError(f"target_names has {len(texts)} entries for {count} targets")
    return texts
