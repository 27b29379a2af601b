"""In a notebook every plot and every history is shown once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp

Array = NDArray[Any]

SETUP = f"""
import sys
sys.path.insert(0, {str(Path(fastmlp.__file__).parents[1])!r})  # ipykernel drops PYTHONPATH
import fastmlp
X, y = fastmlp.datasets.digits()
net = fastmlp.MLP((64, 10))
"""
CELLS = {
    "net.fit(X, y, epochs=3, validation_data=0.2)": ["text/html"],
    "fastmlp.plotting.history(net)": ["image/png"],
    "figure = fastmlp.plotting.history(net)": ["image/png"],
    "figure": ["image/png"],  # of an earlier cell
    "fastmlp.plotting.confusion(net, X, y)": ["image/png"],
    "fastmlp.plotting.errors(net, X, y, most=4)": ["image/png"],
    "fastmlp.plotting.confusion(net, X, y).figure": ["image/png"],
    "net": ["text/html"],
    "h = net.fit(X, y, epochs=30, verbose=True)": ["text/html"],
}


def test_each_cell_shows_one_thing() -> None:
    """As a kernel executes it; a plot alone in a process's first cell included."""
    nbformat = pytest.importorskip("nbformat.v4")
    pytest.importorskip("ipykernel")
    nbclient = pytest.importorskip("nbclient")
    sources = [SETUP, *CELLS]
    notebook = nbformat.new_notebook(cells=[nbformat.new_code_cell(one) for one in sources])
    nbclient.NotebookClient(notebook, timeout=120).execute()
    for cell in notebook.cells[1:]:
        kinds = [
            next(kind for kind in ("image/png", "text/html", "text/plain") if kind in output.data)
            for output in cell.outputs
        ]
        assert kinds == CELLS[cell.source], cell.source
    assert "30/30" in notebook.cells[-1].outputs[0].data["text/html"]


@pytest.fixture
def plots(
    trained: fastmlp.MLP, classes: tuple[Array, Array]
) -> dict[str, Callable[[], Any]]:
    return {
        "figure": lambda: fastmlp.plotting.history(trained),
        "axes": lambda: fastmlp.plotting.confusion(trained, *classes),
    }


def test_outside_of_notebooks_plots_are_shown_as_usual(
    plots: dict[str, Callable[[], Any]], n_figures: Callable[[], int]
) -> None:
    for plot in plots.values():
        with pytest.raises(NotImplementedError):  # by which IPython goes on to its default
            plot()._ipython_display_()
    assert n_figures() == 2


def test_a_figure_that_is_shown_as_a_value_is_not_shown_again(
    plots: dict[str, Callable[[], Any]], n_figures: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import matplotlib

    figure = plots["figure"]()
    monkeypatch.setattr(matplotlib, "get_backend", lambda: "inline")
    with pytest.raises(NotImplementedError):
        figure._ipython_display_()
    assert n_figures() == 0


def test_axes_that_were_passed_stay_as_they_are(
    trained: fastmlp.MLP, classes: tuple[Array, Array]
) -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    fastmlp.plotting.confusion(trained, *classes, ax=ax)
    assert not hasattr(ax, "_ipython_display_")


def test_a_plot_can_be_pickled(plots: dict[str, Callable[[], Any]]) -> None:
    import pickle

    for plot in plots.values():
        same = pickle.loads(pickle.dumps(plot()))
        assert np.array_equal(same.get_window_extent(), plot().get_window_extent())
