"""The style sheet, the sections and the tables of an HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

__all__ = ["columns", "document", "pairs", "section"]

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
svg { display: block; width: 100%; max-width: 32rem; height: auto }
svg image { image-rendering: pixelated }
table { border-collapse: collapse; width: 100%; font-size: .9rem;
  font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0 }
tbody tr { border-top: 1px solid var(--line) }
tbody th { font-weight: normal; color: var(--soft); width: 38% }
.scroll { overflow-x: auto; max-height: 24rem }
.scroll th, .scroll td { overflow-wrap: normal; width: auto }
.whole { grid-column: 1 / -1; overflow-x: auto }
.whole svg { width: max(100%, 64rem); max-width: none }
@media (max-width: 30rem) {
  table { font-size: .8rem }
  th, td { padding-right: .4rem }
}
"""


def document(title: str, figures: Mapping[str, str], sections: Iterable[str]) -> str:
    """Return a page of these sections, below a heading and its main figures."""
    definitions = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in figures.items()
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<dl class="figures">{definitions}</dl>\n<main>\n'
        f"{''.join(sections)}</main>\n</body>\n</html>\n"
    )


def section(title: str, body: str, note: str = "", style: str = "") -> str:
    """Return a section of the page, or nothing if it has no body."""
    if not body:
        return ""
    about = f"<p>{escape(note)}</p>" if note else ""
    attributes = f' class="{style}"' if style else ""
    return f"<section{attributes}>\n<h2>{escape(title)}</h2>\n{about}{body}\n</section>\n"


def pairs(rows: Iterable[tuple[str, object]]) -> str:
    """Return a table of names and values."""
    lines = [
        f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in rows
    ]
    return f"<table><tbody>\n{chr(10).join(lines)}\n</tbody></table>" if lines else ""


def columns(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a line of headings, in a box that scrolls."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )
