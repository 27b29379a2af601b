"""Formulas as MathML, which browsers render without scripts, images or a network connection."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from math_core import LatexToMathML
from sphinx.application import Sphinx
from sphinx.errors import SphinxError

convert = LatexToMathML().convert_with_local_state


def formula(node: nodes.Element, displayed: bool) -> str:
    try:
        return convert(node.astext(), displaystyle=displayed)
    except Exception as error:
        raise SphinxError(f"a formula of {node.source}: {error}: {node.astext()}") from None


def visit_math(writer: Any, node: nodes.math) -> None:
    writer.body.append(formula(node, displayed=False))
    raise nodes.SkipNode


def visit_displaymath(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="formula">{formula(node, displayed=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer(
        "mathml", inline_renderers=(visit_math, None), block_renderers=(visit_displaymath, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
