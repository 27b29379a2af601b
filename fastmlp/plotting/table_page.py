"""One HTML page about a fitted estimator of tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import describe
from . import canvas, model_data, svg
from .html_parts import columns, document, pairs, section
from .page import classification_sections, on_axes, regression_sections
from .regression import regression

__all__ = ["dependence", "importances", "table_page"]

WIDTH = 4.5  # inches of a figure
MOST_BARS = 20
MOST_LINES = 6  # classes whose probabilities a plot shows
MOST_TICKS = 8
UNITS = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}  # of time differences
DAYS = (-719_162, 2_932_896)  # from 1970 to the first and the last day that Matplotlib has

SHUFFLED = "How much worse the metric becomes when the cells of a column are shuffled."

Frame = Any  # a DataFrame of pandas


def table_page(
    model: Any,
    X: Frame,
    y: ArrayLike,
    *,
    title: str,
    scores: tuple[Sequence[str], Iterable[Sequence[str]]],
    importances: Frame,
    dependence: Sequence[Frame],
    configuration: Mapping[str, object],
) -> str:
    """Return an HTML page about a model of a table: scores, plots and settings.

    Parameters
    ----------
    model : TabularClassifier or TabularRegressor
        The fitted model.
    X, y : DataFrame (m, n) and array-like (m,)
        Rows to evaluate it on, with their labels or values.  The index of X is what the tables of
        mistakes call the rows.
    title : str
        The heading of the page.
    scores : (sequence of str, iterable of sequences of str)
        The headings and the rows of the table of scores.
    importances : DataFrame
        What `feature_importances` returned.
    dependence : sequence of DataFrame
        What `partial_dependence` returned for some columns.
    configuration : mapping from str
        Names and values to show.

    Returns
    -------
    str
        The page, a single file without references to others.
    """
    heads, rows = scores
    rows = list(rows)
    numbers = [str(number) for number in X.index]
    sections = [section("Scores", columns(heads, rows))]
    with svg.page_style():
        if hasattr(model, "classes_"):
            predictions = model_data.predictions(model, X, y)
            sections += classification_sections(model, X, y, predictions, numbers, None)
        else:
            sections += regression_sections(model, X, y, regression(model, X, y), numbers)
        draw = on_axes(_bars, importances)
        height = 0.6 + 0.22 * min(len(importances), MOST_BARS)
        plot = svg.inline("importances", "Importances of the columns", draw, (WIDTH, height))
        sections.append(section("Importances", plot, SHUFFLED))
        for number, curve in enumerate(dependence, start=1):
            name = str(curve.columns[0])
            draw = on_axes(_curve, curve)
            plot = svg.inline(f"dependence{number}", f"Dependence on {name}", draw, (WIDTH, 2.8))
            sections.append(section(f"Partial dependence on {name}", plot))
    sections += [
        section("Configuration", pairs(configuration.items())),
        section("Environment", pairs(describe.environment())),
    ]
    return document(title, {row[0]: row[1] for row in rows}, sections)


def importances(frame: Frame, *, ax: Any = None) -> Any:
    """Plot importances of columns with their standard deviations over the repeats.

    Parameters
    ----------
    frame : DataFrame
        What `feature_importances` returned; the first 20 rows are plotted.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.  Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A bar for each column, the most important at the top.
    """
    shown = frame.head(MOST_BARS)
    ax = canvas.axes(ax, (WIDTH, 0.6 + 0.22 * len(shown)))
    places = np.arange(len(shown))
    ax.barh(
        places, shown["importance"], xerr=shown["deviation"], color=canvas.COLORS[0],
        error_kw={"ecolor": "#999999", "elinewidth": 1},
    )
    labels = [canvas.shortened(str(name)) for name in shown["column"]]
    ax.set_yticks(places, labels)
    canvas.literal(ax.get_yticklabels())
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xlabel("importance")
    ax.grid(axis="x", alpha=0.3)
    return ax


def dependence(frame: Frame, *, ax: Any = None) -> Any:
    """Plot the mean prediction as a function of a column.

    Parameters
    ----------
    frame : DataFrame
        What `partial_dependence` returned.  Of several classes at most six are plotted.
    ax : matplotlib.axes.Axes, optional
        Axes to draw on.  Default: those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        A line for each output, or points where the column is a category.  Time differences are in
        days, hours, minutes or seconds.
    """
    ax = canvas.axes(ax, (WIDTH, 2.8))
    values, outputs = frame.iloc[:, 0], list(frame.columns[1:])
    label = canvas.shortened(str(frame.columns[0]))
    if values.dtype.kind == "m":
        values, unit = _in_units(values)
        label += f", {unit}"
    first = 1 if len(outputs) == 2 else 0  # of two probabilities one says all
    ordered = values.dtype.kind in "iufM"
    places = values.to_numpy() if ordered else np.arange(len(values))
    for k, name in enumerate(outputs[first : first + MOST_LINES]):
        ax.plot(
            places, frame.iloc[:, 1 + first + k], color=canvas.COLORS[k % len(canvas.COLORS)],
            linestyle="-" if ordered else "", marker="o", markersize=3,
            label=canvas.shortened(str(name)),
        )
    if values.dtype.kind == "M":
        ax.set_xlim(*np.clip(ax.get_xlim(), *DAYS))
        ax.tick_params(axis="x", rotation=30)
    elif not ordered:
        step = -(-len(values) // MOST_TICKS)
        labels = [canvas.shortened(str(one), 12) for one in values[::step]]
        ax.set_xticks(places[::step], labels, rotation=30, ha="right")
        canvas.literal(ax.get_xticklabels())
    canvas.literal([ax.set_xlabel(label)])
    ax.set_ylabel("probability" if len(outputs) > 1 else "prediction")
    if len(outputs) > 1:
        canvas.literal(ax.legend(fontsize=7).get_texts())
    ax.grid(alpha=0.3)
    return ax


def _in_units(spans: Any) -> tuple[Any, str]:
    """Return time differences as numbers of the largest unit that fits in the longest of them."""
    seconds = spans.dt.total_seconds()
    longest = seconds.abs().max()
    unit = next((name for name, size in UNITS.items() if size <= longest), "seconds")
    return seconds / UNITS[unit], unit


_bars, _curve = importances, dependence  # `table_page` has arguments of these names
