"""Links in Markdown that is also read on a code host: convert them from repository to site.

A page of docs/ may include another file, ``{include} ../CHANGELOG.md``; relative links in that file
are resolved from its own folder.  A link to a file leads to the page that includes the file, if
there is one, and otherwise to a copy of the file.  A link to docs/examples leads to the gallery,
and a link to any other folder is replaced by its text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

INCLUDE = re.compile(r"^```\{include\} (\S+)\n```$", re.MULTILINE)
LINK = re.compile(r"\[([^\]]*)\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def remember_pages(app: Sphinx) -> None:
    app.config.page_of = {
        (page.parent / path).resolve(): page
        for page in Path(app.srcdir).glob("*.md")
        for path in INCLUDE.findall(page.read_text(encoding="utf-8"))
    }
    gallery = app.config.sphinx_gallery_conf
    examples = Path(app.srcdir, gallery["examples_dirs"]).resolve()
    app.config.page_of[examples] = Path(app.srcdir, gallery["gallery_dirs"], "index.rst")


def convert_links(app: Sphinx, docname: str, content: list[str]) -> None:
    page = Path(app.env.doc2path(docname))
    if page.suffix != ".md":
        return

    def converted(text: str, folder: Path) -> str:
        def convert(link: re.Match[str]) -> str:
            target = (folder / link[2]).resolve()
            if not target.exists():
                return link[0]  # not a link, or a broken one, which Sphinx reports
            target = app.config.page_of.get(target, target)
            if target.is_dir():
                return link[1]
            return f"[{link[1]}]({os.path.relpath(target, page.parent)}{link[3] or ''})"

        return LINK.sub(convert, text)

    def included(line: re.Match[str]) -> str:
        file = page.parent / line[1]
        app.env.note_dependency(file)
        return converted(file.read_text(encoding="utf-8"), file.parent)

    content[0] = INCLUDE.sub(included, converted(content[0], page.parent))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", remember_pages)
    app.connect("source-read", convert_links)
    app.add_config_value("page_of", {}, "")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
