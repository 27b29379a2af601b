"""A network's layers as a table, in text and in HTML."""

from __future__ import annotations

from html import escape
from itertools import pairwise

from .state import ModelState

__all__ = ["html", "text"]

HEADINGS = ("layer", "units", "activation", "weight", "parameters")
RIGHT = ("units", "parameters")  # columns of numbers


def text(state: ModelState) -> str:
    """Return the table in lines of text."""
    rows = [HEADINGS, *_rows(state)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADINGS))]
    lines = [
        "  ".join(
            cell.rjust(width) if heading in RIGHT else cell.ljust(width)
            for cell, width, heading in zip(row, widths, HEADINGS, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, _totals(state)])


def html(state: ModelState) -> str:
    """Return the table as HTML, for notebooks."""
    head = "".join(f"<th>{one}</th>" for one in HEADINGS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in _rows(state)
    )
    return (
        f"<table><caption>MLP: {escape(_totals(state))}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _rows(state: ModelState) -> list[tuple[str, ...]]:
    spec = state.spec
    rows: list[tuple[str, ...]] = [("input", str(spec.sizes[0]), "", "", "")]
    functions = (*spec.activation, spec.output_activation)
    normalized = (*spec.batch_norm, False)
    for l, (n_in, n_out) in enumerate(pairwise(spec.sizes)):
        name = "output" if l == spec.n_layers - 1 else "hidden"
        details = [functions[l].name]
        if normalized[l]:
            details.insert(0, "batch norm")
        if l in state.frozen:
            details.append("frozen")
        count = (n_in + 1 + normalized[l]) * n_out
        rows.append((name, str(n_out), ", ".join(details), f"({n_out}, {n_in})", f"{count:,}"))
    return rows


def _totals(state: ModelState) -> str:
    spec = state.spec
    return f"loss {spec.loss.name}, {spec.n_parameters:,} parameters in {spec.dtype}"
