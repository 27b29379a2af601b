"""One HTML page about a trained model, with all that it takes inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import describe
from ..ensemble import Ensemble
from ..history import History
from ..network import MLP
from . import reading, svg
from .curves import activations, calibration, history
from .maps import confusion
from .sheets import errors, weights

__all__ = ["page"]

Array = NDArray[Any]
Rows = Iterable[tuple[str, object]]

ENOUGH = 2_000  # examples whose activations are drawn: any more look the same
# of a history, for each epoch
FIGURES = ("cost", "validation_cost", "validation_accuracy", "learning_rate", "seconds")
MOST_LISTED = 30  # mistakes in a table, where examples are no pictures
STYLE = """
:root { color-scheme: light dark; --line: #d4d4d4; --soft: #666; --ground: #fff; --ink: #1b1b1b }
@media (prefers-color-scheme: dark) {
  :root { --line: #444; --soft: #aaa; --ground: #16181b; --ink: #e8e8e8 }
  .ink image { filter: invert(1) }
  svg [style*="stroke: #0072b2"] { stroke: #56b4e9 !important }
  svg [style*="fill: #0072b2"] { fill: #56b4e9 !important }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 68rem; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 16px/1.45 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: .5rem 0 }
h2 { font-size: 1.1rem; margin: 0 0 .5rem }
p { margin: .3rem 0 .8rem; color: var(--soft) }
.figures { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 0 0 1.5rem; padding: 0 }
.figures div { display: flex; flex-direction: column-reverse }
.figures dt { color: var(--soft); font-size: .85rem }
.figures dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums }
main { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr));
  gap: 1.5rem 2.5rem; align-items: start }
section { min-width: 0; border-top: 1px solid var(--line); padding-top: .8rem }
svg { display: block; width: 100%; height: auto }
svg image { image-rendering: pixelated }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0 }
tbody tr { border-top: 1px solid var(--line) }
tbody th { font-weight: normal; color: var(--soft); width: 38% }
.scroll { overflow-x: auto; max-height: 24rem }
.scroll th, .scroll td { overflow-wrap: normal; width: auto }
"""


def page(
    model: MLP | Ensemble,
    X: Any,
    y: ArrayLike,
    *,
    history: History | Sequence[History] | None = None,
    title: str = "A trained network",
    configuration: Mapping[str, object] | None = None,
    times: Mapping[str, float] | None = None,
    class_names: Sequence[object] | None = None,
    shape: Sequence[int] | None = None,
) -> str:
    """Return an HTML page about a model: figures, pictures, and how it came to be.

    The page is one file without references to others.  It follows the reader's choice of light
    or dark and is legible at the width of a phone.

    Parameters
    ----------
    model : MLP or Ensemble
        Trained.
    X, y : as in `MLP.cost`
        Examples to judge it by, which it has not been trained on; for classification y (m,) has
        labels.
    history : History or list of History, optional
        Of its training.  Default: what the model knows of its latest fit, which may be nothing.
    title : str, default "A trained network"
        The page's heading.
    configuration : mapping from str, optional
        How it was trained: names and values to show.
    times : mapping from str to float, optional
        Seconds to show beside those of the epochs.
    class_names : sequence, optional
        One for each class.  Default: the model's own, or numbers.
    shape : (int, int), optional
        Height and width of examples that are pictures.  Default: the square that the number of
        inputs is, from 5 × 5 on.

    Returns
    -------
    str
        HTML.  For regression, and for several labels an example, without the pictures of classes.

    Examples
    --------
    >>> page = fastmlp.plotting.page(net, X[1500:], y[1500:])
    >>> page[:15]
    '<!DOCTYPE html>'
    """
    if not reading.networks(model):
        raise TypeError(f"model must be an MLP or an Ensemble, got {model!r}")
    sides = reading.side_lengths(model.n_in, shape)
    found = None if history is None else reading.histories(history)
    if found is None and all(net.history.epochs for net in reading.networks(model)):
        found = reading.histories(model)
    if _of_one_class(model):
        answers = reading.answers(model, X, y, class_names)
        summary = {
            "accuracy": f"{100 * (1 - len(answers.wrong) / len(answers.y)):.2f} %",
            "wrong": f"{len(answers.wrong):,} of {len(answers.y):,}",
        }
    else:
        answers, summary = None, {f"cost J ({model.loss.name})": f"{_cost(model, X, y):.4g}"}
    seconds = dict(times or {})
    if found:
        seconds = {"of all epochs": sum(sum(one.seconds) for one in found), **seconds}
        summary |= {"training": f"{seconds['of all epochs']:.3g} s"}
    summary["parameters"] = f"{model.n_parameters:,}"

    with svg.page_style():
        sections = [
            *([_curves(found)] if found else []),
            *([] if answers is None else _of_classes(model, X, y, answers, sides)),
            _section("Weights", _weights(model, sides)),
            _activations(model, X),
        ]
    sections += [
        _section("Network", _table(describe.model(model))),
        _section("Configuration", _table((configuration or {}).items())),
        _section("Times", _table((name, f"{value:.4g} s") for name, value in seconds.items())),
        _section("Environment", _table(describe.environment())),
        *_epochs(found or []),
    ]
    figures = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in summary.items()
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<dl class="figures">{figures}</dl>\n<main>\n'
        f"{''.join(sections)}</main>\n</body>\n</html>\n"
    )


def _of_one_class(model: MLP | Ensemble) -> bool:
    """Whether the model says one class for each example."""
    return model.loss.single_label(model.n_out)


def _cost(model: MLP | Ensemble, X: Any, y: ArrayLike) -> float:
    """J without λ; of an ensemble, the mean of its networks'."""
    return float(np.mean([net.cost(X, y) for net in reading.networks(model)]))


# -------------------------------------------------------------------------------------- pictures


def _curves(found: list[History]) -> str:
    height = 2.4 + 1.1 * bool(found[0].validation_accuracy) + 1.1 * bool(found[0].learning_rate)
    drawn = svg.inline(
        "training", "Figures of each epoch", lambda figure: history(found, figure=figure),
        (5, height),
    )
    ends = dict.fromkeys(one.stopped_by for one in found if one.stopped_by not in ("", "epochs"))
    return _section("Training", drawn, f"Ended early by {', '.join(ends)}." if ends else "")


def _of_classes(
    model: MLP | Ensemble, X: Any, y: ArrayLike, answers: reading.Answers,
    sides: tuple[int, int] | None,
) -> list[str]:
    """What there is to see of a classifier's answers."""
    names = answers.names

    def on_axes(draw: Callable[..., object], **options: Any) -> Callable[[Any], object]:
        return lambda figure: draw(model, X, y, ax=figure.add_subplot(), **options)

    sections = [
        _section(
            "Confusion matrix",
            svg.inline("confusion", "Confusion matrix", on_axes(confusion, class_names=names),
                       (5, 4.4)),
        )
    ]
    if len(answers.wrong) and sides is not None:
        shown = min(len(answers.wrong), 40)
        size = (5, 0.4 + 5 / 8 * 1.25 * -(-shown // 8) * sides[0] / sides[1])
        draw = on_axes(errors, class_names=names, shape=sides, most=shown)
        sheet = svg.inline("mistakes", "Examples that were read wrong", draw, size)
        sections.append(_section("Mistakes", f'<div class="ink">{sheet}</div>'))
    elif len(answers.wrong):
        sections.append(_section("Mistakes", _mistakes(answers)))
    sections.append(
        _section(
            "Calibration",
            svg.inline("calibration", "How often it is right against how sure it is",
                       on_axes(calibration), (5, 3.8)),
        )
    )
    return sections


def _weights(model: MLP | Ensemble, sides: tuple[int, int] | None) -> str:
    units = min(sum(net.sizes[1] for net in reading.networks(model)), 40)
    height = 3.2 if sides is None else 0.4 + 4 / 8 * -(-units // 8) * sides[0] / sides[1]
    return svg.inline(
        "weights", "Weights of the first layer",
        lambda figure: weights(model, shape=sides, ax=figure.add_subplot()), (5, height),
    )


def _activations(model: MLP | Ensemble, X: Any) -> str:
    """Of a model's first network: those of several would be too small to read on a phone."""
    some = X.tocsr()[:ENOUGH] if hasattr(X, "tocsr") else X[:ENOUGH]
    first, *others = reading.networks(model)
    drawn = svg.inline(
        "activations", "Distribution of each layer's activations",
        lambda figure: activations(first, some, figure=figure),
        (5, 0.4 + 1.35 * (len(first.sizes) - 1)),
    )
    note = f"Of the first of {1 + len(others)} networks." if others else ""
    return _section("Activations", drawn, note)


# ---------------------------------------------------------------------------------------- tables


def _section(title: str, body: str, note: str = "") -> str:
    """A part of the page; nothing where there is nothing to show."""
    if not body:
        return ""
    about = f"<p>{escape(note)}</p>" if note else ""
    return f"<section>\n<h2>{escape(title)}</h2>\n{about}{body}\n</section>\n"


def _table(rows: Rows) -> str:
    """Names and values."""
    lines = [
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in rows
    ]
    return f"<table><tbody>\n{chr(10).join(lines)}\n</tbody></table>" if lines else ""


def _columns(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a line of headings, in a box of its own to scroll in."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _mistakes(answers: reading.Answers) -> str:
    """The surest mistakes, by the examples' numbers."""
    assert answers.confidence is not None  # a network's answers have it
    sure = answers.confidence
    wrong = answers.wrong[np.argsort(-sure[answers.wrong], kind="stable")][:MOST_LISTED]
    return _columns(
        ("example", "true class", "read as", "probability"),
        [
            (f"{k:,}", answers.names[answers.y[k]], answers.names[answers.predicted[k]],
             f"{100 * sure[k]:.1f} %")
            for k in wrong
        ],
    )


def _epochs(found: list[History]) -> Iterator[str]:
    """Each history in figures."""
    for number, one in enumerate(found, start=1):
        columns = {name: getattr(one, name) for name in FIGURES if getattr(one, name)}
        rows = (
            (str(epoch), *(f"{value:.6g}" for value in values))
            for epoch, values in enumerate(zip(*columns.values(), strict=True), start=1)
        )
        names = ("epoch", *(name.replace("_", " ") for name in columns))
        title = f"Epochs of network {number}" if len(found) > 1 else "Epochs"
        yield _section(title, _columns(names, rows))
