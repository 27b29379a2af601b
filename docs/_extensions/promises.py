"""The page of promises: each row of its tables names the tests that keep it, and they exist.

A row's last cell lists tests as `tests/file.py` or `tests/file.py::test_name`.  A row without a
test, or with one that does not exist, is a warning, which `sphinx-build -W` makes an error.
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

PAGE = "reliability"
logger = logging.getLogger(__name__)


def exists(project: Path, test: str) -> bool:
    """Return whether the project has a test file, and the function in it, if one is named."""
    name, _, function = test.partition("::")
    file = project / name
    if not (name.startswith("tests/") and file.is_file()):
        return False
    defined = re.compile(rf"^(async )?def {re.escape(function)}\(", re.MULTILINE)
    return not function or bool(defined.search(file.read_text(encoding="utf-8")))


def check_promises(app: Sphinx, doctree: nodes.document) -> None:
    if app.env.docname != PAGE:
        return
    project = Path(app.srcdir).parent
    for body in doctree.findall(nodes.tbody):
        for row in body.findall(nodes.row):
            promise, tests = row.children[0].astext(), list(row.children[-1].findall(nodes.literal))
            if not tests:
                logger.warning("no test is named for: %s", promise, location=row)
            for test in tests:
                if not exists(project, test.astext()):
                    logger.warning("no such test: %s", test.astext(), location=row)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-read", check_promises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
