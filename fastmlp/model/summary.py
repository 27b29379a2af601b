"""A network's layers as a table, in text and in HTML."""

from __future__ import annotations

from html import escape
from itertools import pairwise

from .state import ModelState

__all__ = ["html", "text"]

# the columns of the table; those of OPTIONAL are left out where they are empty in every row
HEADINGS = (
    "layer", "units", "activation", "batch norm", "dropout", "noise", "weight", "parameters",
    "frozen",
)  # fmt: skip
OPTIONAL = ("batch norm", "dropout", "noise", "frozen")
NUMBERS = ("units", "dropout", "noise", "parameters")  # aligned at the right

Row = dict[str, str]


def text(state: ModelState) -> str:
    """Return the table as lines of text."""
    rows = _rows(state)
    headings = _headings(rows)
    lines = []
    for row in [{name: name for name in headings}, *rows]:
        cells = []
        for name in headings:
            width = max(len(name), *(len(one[name]) for one in rows))
            cells.append(row[name].rjust(width) if name in NUMBERS else row[name].ljust(width))
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, _totals(state)])


def html(state: ModelState) -> str:
    """Return the table as HTML, for notebooks."""
    rows = _rows(state)
    headings = _headings(rows)
    head = "".join(_cell("th", name, name) for name in headings)
    body = "".join(
        "<tr>" + "".join(_cell("td", name, row[name]) for name in headings) + "</tr>"
        for row in rows
    )
    return (
        f"<table><caption>MLP: {escape(_totals(state))}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cell(tag: str, heading: str, content: str) -> str:
    side = "right" if heading in NUMBERS else "left"
    return f'<{tag} style="text-align: {side}">{escape(content)}</{tag}>'


def _headings(rows: list[Row]) -> list[str]:
    return [name for name in HEADINGS if name not in OPTIONAL or any(row[name] for row in rows)]


def _rows(state: ModelState) -> list[Row]:
    spec = state.spec
    rows = [{**dict.fromkeys(HEADINGS, ""), "layer": "input", "units": str(spec.sizes[0]),
             "dropout": _number(spec.input_dropout)}]  # fmt: skip
    functions = (*spec.activation, spec.output_activation)
    normalized, dropout, noise = (*spec.batch_norm, False), (*spec.dropout, 0), (*spec.noise, 0)
    if spec.encodings:
        rows.append({**rows[0], "layer": "encoding", "units": str(spec.layer_sizes[0])})
        rows[0]["dropout"] = ""
        if spec.n_encoding_parameters > 0:
            rows[1]["parameters"] = f"{spec.n_encoding_parameters:,}"
            rows[1]["frozen"] = "yes" if state.encoding_frozen else ""
    for l, (n_in, n_out) in enumerate(pairwise(spec.layer_sizes)):
        rows.append(
            {
                "layer": "output" if l == spec.n_layers - 1 else "hidden",
                "units": str(n_out),
                "activation": functions[l].name,
                "batch norm": "yes" if normalized[l] else "",
                "dropout": _number(dropout[l]),
                "noise": _number(noise[l]),
                "weight": f"({n_out}, {n_in})",
                "parameters": f"{_n_parameters(state, l):,}",
                "frozen": "yes" if l in state.frozen else "",
            }
        )
    return rows


def _number(value: float) -> str:
    return f"{value:g}" if value else ""


def _n_parameters(state: ModelState, l: int) -> int:
    """Return the number of weights, biases and scales of layer l."""
    (n_in, n_out), normalized = state.spec.layer_sizes[l : l + 2], (*state.spec.batch_norm, False)
    return (n_in + 1 + normalized[l]) * n_out


def _totals(state: ModelState) -> str:
    spec = state.spec
    text = f"loss {spec.loss.name}, {spec.n_parameters:,} parameters in {spec.dtype}"
    frozen = sum(_n_parameters(state, l) for l in state.frozen)
    frozen += spec.n_encoding_parameters if state.encoding_frozen else 0
    if frozen == 0:
        return text
    return f"{text}, {spec.n_parameters - frozen:,} of them trained"
