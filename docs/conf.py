"""The documentation's site: ``sphinx-build -W -b html docs docs/_build/html``.

It needs ``pip install '.[docs]'`` and no network connection.
"""

import inspect
import sys
from pathlib import Path

import fastmlp

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "fastmlp"
author = "The fastmlp developers"
version = release = fastmlp.__version__

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "promises",
    "repository",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]

# Markdown
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]
myst_heading_anchors = 3

# the reference, from the docstrings
autosummary_generate = True
autosummary_ignore_module_all = False
modules = [name for name in fastmlp.__all__ if inspect.ismodule(getattr(fastmlp, name))]
autosummary_context = {"modules": [*modules, "sklearn", "tabular"]}
autodoc_typehints = "none"  # the docstrings contain types and shapes
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# the gallery, from docs/examples/*.py, each of which is run
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "furo"
html_title = f"fastmlp {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_math_renderer = "mathml"


def setup(app):
    """Exclude members that estimators inherit from scikit-learn from the reference."""
    app.connect(
        "autodoc-skip-member",
        lambda app, what, name, member, skip, options: (
            True if (getattr(member, "__module__", None) or "").startswith("sklearn.") else None
        ),
    )
