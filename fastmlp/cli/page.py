"""The page about a model that ``--html`` writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

import fastmlp
from fastmlp import MLP, Ensemble
from fastmlp.history import History

from .clock import process_seconds
from .predict import whole_file


def write_page(
    path: Path,
    model: MLP | Ensemble,
    X: NDArray[Any],
    y: NDArray[Any],
    history: Sequence[History],
    title: str,
    configuration: dict[str, object],
    row_numbers: Sequence[object] | None = None,
) -> None:
    """Write the page about a model that this process has just trained.

    `row_numbers` are those of the examples in the user's file.
    """
    seconds, since = process_seconds()
    text = fastmlp.plotting.page(
        model,
        X,
        y,
        history=history,
        title=title,
        configuration=configuration,
        times={f"since {since}": seconds},
        row_numbers=row_numbers,
    )
    with whole_file(path) as file:
        file.write(text)
