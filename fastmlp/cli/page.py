"""The page about a model that ``--html`` writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

import fastmlp
from fastmlp import MLP, Ensemble
from fastmlp.history import History
from fastmlp.support.atomic_files import whole_text

from .clock import process_seconds


def write_page(
    path: Path,
    model: MLP | Ensemble,
    X: NDArray[Any],
    y: NDArray[Any],
    history: Sequence[History],
    title: str,
    configuration: dict[str, object],
) -> None:
    """Write the page about a model that this process has just trained."""
    seconds, since = process_seconds()
    text = fastmlp.plotting.page(
        model,
        X,
        y,
        history=history,
        title=title,
        configuration=configuration,
        times={f"since {since}": seconds},
    )
    with whole_text(path) as file:
        file.write(text)
