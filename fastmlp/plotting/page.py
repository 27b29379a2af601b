"""One HTML page about a trained model, which contains all that it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import describe
from ..ensemble import Ensemble
from ..history import History, recorded
from ..losses import Custom
from ..network import MLP
from . import model_data, svg
from .classification import calibration, confusion, confusion_size
from .curves import activations, history
from .grids import errors, weights
from .html_parts import columns, document, pairs, section
from .model_data import Predictions
from .regression import Regression, predicted_vs_actual, regression

__all__ = ["classification_sections", "on_axes", "page", "regression_sections"]

Model = MLP | Ensemble
Shape = tuple[int, int]

WIDTH = 3.6  # inches, of a figure: on a phone its text has nearly the size that it is drawn with
ENOUGH = 2_000  # examples for the distribution of activations
FEW_CLASSES = 12  # whose confusion matrix is legible in a figure of WIDTH
MOST_LISTED = 30  # rows of a table of mistakes or confusions
MOST_IMAGES = 30
IMAGES_A_ROW = 5


def page(
    model: MLP | Ensemble,
    X: Any,
    y: ArrayLike,
    *,
    history: History | Sequence[History] | None = None,
    title: str = "A trained network",
    configuration: Mapping[str, object] | None = None,
    times: Mapping[str, float] | None = None,
    class_names: Iterable[object] | None = None,
    column_names: Iterable[object] | None = None,
    row_numbers: Iterable[object] | None = None,
    shape: Sequence[int] | None = None,
) -> str:
    """Return an HTML page about a model: scores, plots, mistakes, and how it was trained.

    The page is a single file without references to others.  It follows the reader's choice of a
    light or dark theme and is legible at the width of a phone.

    Parameters
    ----------
    model : MLP or Ensemble
        A trained model.
    X, y : array-like
        Examples and targets to evaluate it on, as in `MLP.cost`, which it has not been trained on.
        For classification y (m,) are labels.
    history : History or list of History, optional
        The history of its training.  Default: that of the model's latest fit, if it has one.
    title : str, default "A trained network"
        The heading of the page.
    configuration : mapping from str, optional
        Names and values to show, such as the settings of the training.
    times : mapping from str to float, optional
        Durations in seconds to show in addition to that of the epochs.
    class_names : iterable, optional
        A name for each class.  Default: the model's own, or numbers.
    column_names : iterable, optional
        A name for each input.  Default: the model's own, or numbers.
    row_numbers : iterable, (m,), optional
        What the tables of mistakes call each example, such as its row in a file.  Default: its
        index in X, from 0.
    shape : (int, int), optional
        Height and width of examples that are images.  Default: square images, if the number of
        inputs is a square of at least 5 × 5.

    Returns
    -------
    str
        The page.

    See Also
    --------
    history, confusion, errors, calibration, predicted_vs_actual, weights, activations : Its plots.

    Examples
    --------
    >>> page = fastmlp.plotting.page(net, X[1500:], y[1500:])
    >>> page[:15]
    '<!DOCTYPE html>'
    """
    if not model_data.networks(model):
        raise TypeError(f"model must be an MLP or an Ensemble, got {model!r}")
    sides = model_data.image_shape(model.n_in, shape)
    names = model_data.column_names(model, model.n_in, column_names)
    histories = None if history is None else model_data.histories(history)
    if histories is None and all(net.history.epochs for net in model_data.networks(model)):
        histories = model_data.histories(model)

    predictions = fitted = None
    if model.loss.single_label(model.n_out):
        predictions = model_data.predictions(model, X, y, class_names)
        summary = {
            "accuracy": f"{100 * predictions.accuracy:.2f} %",
            "wrong": f"{len(predictions.wrong):,} of {len(predictions.y):,}",
        }
    elif model.loss.classification:
        summary = {"accuracy of all labels": f"{100 * _accuracy(model, X, y):.2f} %"}
    else:
        fitted = _regression(model, X, y)
        summary = _scores(fitted)
    if not model.loss.single_label(model.n_out):
        summary |= {f"cost J ({model.loss.name})": f"{_cost(model, X, y):.4g}"}
    seconds = dict(times or {})
    if histories:
        seconds = {"all epochs": sum(sum(one.seconds) for one in histories), **seconds}
        summary |= {"training": f"{seconds['all epochs']:.3g} s"}
    summary["parameters"] = f"{model.n_parameters:,}"

    rows = _row_numbers(row_numbers, X)
    sections = []
    with svg.page_style():
        if histories:
            sections.append(_training(histories))
        if predictions is not None:
            sections += classification_sections(model, X, y, predictions, rows, sides)
        if fitted is not None:
            sections += regression_sections(model, X, y, fitted, rows)
        sections += [_weights(model, X, names, sides), _activations(model, X)]
    sections += [
        section("Network", pairs(describe.model(model))),
        section("Configuration", pairs((configuration or {}).items())),
        section("Times", pairs((name, f"{value:.4g} s") for name, value in seconds.items())),
        section("Environment", pairs(describe.environment())),
        *_epochs(histories or []),
    ]
    return document(title, summary, sections)


def _row_numbers(given: Iterable[object] | None, X: Any) -> list[str]:
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    numbers = [str(one) for one in (range(n_rows) if given is None else given)]
    if len(numbers) != n_rows:
        raise ValueError(f"row_numbers has {len(numbers)} entries for {n_rows} examples")
    return numbers


# ------------------------------------------------------------------------------------------ scores


def _cost(model: Model, X: Any, y: ArrayLike) -> float:
    """Return J without λ; of an ensemble, the mean over its networks."""
    return float(np.mean([net.cost(X, y) for net in model_data.networks(model)]))


def _accuracy(model: Model, X: Any, y: ArrayLike) -> float:
    """Return the fraction of labels that are predicted correctly."""
    h = model.forward(X)
    targets = model.loss.targets(y, len(h), model.n_out, h.dtype)
    return float(np.mean(model.loss.correct(h, targets)))


def _regression(model: Model, X: Any, y: ArrayLike) -> Regression | None:
    """Return predicted and actual values; None where a custom loss takes other targets."""
    if isinstance(model.loss, Custom) and np.size(y) != np.size(model.predict(X)):
        return None
    return regression(model, X, y)


def _scores(fitted: Regression | None) -> dict[str, str]:
    if fitted is None:
        return {}
    if len(fitted.targets) > 1:
        return {"mean R²": f"{fitted.r2.mean():.4f}"}
    ((_, rmse, r2),) = fitted.scores()
    return {"RMSE": rmse, "R²": r2}


# ------------------------------------------------------------------------------------------- plots


def _training(histories: list[History]) -> str:
    def draw(figure: Any) -> None:
        history(histories, figure=figure)
        figure.set_size_inches(WIDTH, 1.3 + 1.1 * len(figure.axes))

    reasons = dict.fromkeys(one.stopped_by for one in histories)
    early = [reason for reason in reasons if reason not in ("", "epochs")]
    return section(
        "Training",
        svg.inline("training", "Cost and score of each epoch", draw, (WIDTH, 3.5)),
        f"Ended early by {', '.join(early)}." if early else "",
    )


def on_axes(draw: Callable[..., object], *args: Any, **options: Any) -> Callable[[Any], object]:
    """Return a function that draws a plot on the only Axes of a figure."""
    return lambda figure: draw(*args, ax=figure.add_subplot(), **options)


def classification_sections(
    model: Model, X: Any, y: ArrayLike, predictions: Predictions, rows: list[str],
    sides: Shape | None,
) -> list[str]:
    """Return the sections about a classifier's predictions."""
    names = predictions.names
    few = len(names) <= FEW_CLASSES
    draw = on_axes(confusion, model, X, y, class_names=names)
    size = (WIDTH, 3.2) if few else confusion_size(names)
    matrix = svg.inline("confusion", "Confusion matrix", draw, size)
    sections = [section("Confusion matrix", matrix, style="" if few else "whole")]
    if not few and len(predictions.wrong):
        sections.append(section("Most frequent confusions", _confusions(predictions)))
    if len(predictions.wrong) and sides is not None:
        shown = min(len(predictions.wrong), MOST_IMAGES)
        tile = WIDTH / IMAGES_A_ROW
        size = (WIDTH, 0.5 + 1.3 * tile * -(-shown // IMAGES_A_ROW) * sides[0] / sides[1])
        draw = on_axes(
            errors, model, X, y, class_names=names, shape=sides, most=shown, columns=IMAGES_A_ROW
        )
        images = svg.inline("mistakes", "Misclassified examples", draw, size)
        sections.append(section("Mistakes", f'<div class="ink">{images}</div>'))
    elif len(predictions.wrong):
        sections.append(section("Mistakes", _mistakes(predictions, rows)))
    draw = on_axes(calibration, model, X, y)
    title = "Accuracy against predicted probability"
    plot = svg.inline("calibration", title, draw, (WIDTH, 3.3))
    return [*sections, section("Calibration", plot)]


def regression_sections(
    model: Model, X: Any, y: ArrayLike, fitted: Regression, rows: list[str]
) -> list[str]:
    """Return the sections about a regression's predictions."""
    draw = on_axes(predicted_vs_actual, model, X, y)
    plot = svg.inline("predicted", "Predicted against actual values", draw, (WIDTH, WIDTH))
    sections = [section("Predicted against actual values", plot)]
    if len(fitted.targets) > 1:
        table = columns(("target", "RMSE", "R²"), fitted.scores())
        return [*sections, section("Scores of the targets", table)]
    difference = (fitted.predicted - fitted.y)[:, 0]
    largest = np.argsort(-np.abs(difference), kind="stable")[:MOST_LISTED]
    table = columns(
        ("row", "actual", "predicted", "difference"),
        [
            (rows[k], f"{fitted.y[k, 0]:.6g}", f"{fitted.predicted[k, 0]:.6g}",
             f"{difference[k]:+.4g}")
            for k in largest
        ],
    )  # fmt: skip
    return [*sections, section("Largest errors", table)]


def _weights(model: Model, X: Any, names: list[str] | None, sides: Shape | None) -> str:
    scales, note = None, ""
    if sides is None:
        height = 3.0 if names is None else 3.8
        if not hasattr(X, "tocsr"):
            values = np.asarray(X)
            factor = model.uint8_scale if values.dtype == np.uint8 else 1.0
            scales = factor * values.std(axis=0, dtype=np.float64)
            note = "Weights of each column, multiplied by its standard deviation."
    else:
        units = min(sum(net.sizes[1] for net in model_data.networks(model)), 40)
        height = 0.4 + 2.8 / 8 * -(-units // 8) * sides[0] / sides[1]
    draw = on_axes(weights, model, shape=sides, column_names=names, column_scales=scales)
    plot = svg.inline("weights", "Weights of the first layer", draw, (WIDTH, height))
    return section("Weights", plot, note)


def _activations(model: Model, X: Any) -> str:
    """Return the section about a model's first network: all would be too small on a phone."""
    some = X.tocsr()[:ENOUGH] if hasattr(X, "tocsr") else X[:ENOUGH]
    first, *others = model_data.networks(model)
    plot = svg.inline(
        "activations", "Distribution of each layer's activations",
        lambda figure: activations(first, some, figure=figure),
        (WIDTH, 0.4 + 1.35 * (len(first.sizes) - 1)),
    )
    note = f"Of the first of {1 + len(others)} networks." if others else ""
    return section("Activations", plot, note)


# ------------------------------------------------------------------------------------------ tables


def _mistakes(predictions: Predictions, rows: list[str]) -> str:
    """Return a table of the misclassified examples with the highest probability."""
    assert predictions.confidence is not None  # networks predict probabilities
    names, confidence = predictions.names, predictions.confidence
    return columns(
        ("row", "true class", "predicted as", "probability"),
        [
            (rows[k], names[predictions.y[k]], names[predictions.predicted[k]],
             f"{100 * confidence[k]:.1f} %")
            for k in predictions.most_confident_errors[:MOST_LISTED]
        ],
    )  # fmt: skip


def _confusions(predictions: Predictions) -> str:
    """Return a table of the classes that are confused most often."""
    return columns(
        ("true class", "predicted as", "times"),
        [
            (true, predicted, f"{count:,}")
            for true, predicted, count in predictions.confusions()[:MOST_LISTED]
        ],
    )


def _epochs(histories: list[History]) -> Iterator[str]:
    """Yield a table for each history; a learning rate that does not vary has no column."""
    for number, one in enumerate(histories, start=1):
        figures = recorded(one, "learning_rate", "seconds")
        if len(set(one.learning_rate)) == 1:
            del figures["learning_rate"]
        rows = (
            (str(epoch), *(f"{value:.6g}" for value in values))
            for epoch, values in enumerate(zip(*figures.values(), strict=True), start=1)
        )
        names = ("epoch", *(name.replace("_", " ") for name in figures))
        title = f"Epochs of network {number}" if len(histories) > 1 else "Epochs"
        yield section(title, columns(names, rows))
