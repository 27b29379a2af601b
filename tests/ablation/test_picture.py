"""The plot of a study: rows of variants, and what is beyond its limits."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure  # noqa: E402

from fastmlp.ablation import picture  # noqa: E402
from fastmlp.ablation.images import ACCURACY  # noqa: E402
from fastmlp.ablation.journal import Run  # noqa: E402
from fastmlp.ablation.study import parse  # noqa: E402
from fastmlp.ablation.summary import summarize  # noqa: E402

DATA = {"name": "digits"}
SUBJECT: Any = SimpleNamespace(description=DATA, about="few", metric=ACCURACY)
ACCURACIES = {
    "tanh": [0.51, 0.52], "relu": [0.49, 0.48], "silu": [0.02, 0.03], "mish": [0.98, 0.99],
    "sigmoid": [None, None], "gelu": [0.50, 0.49],
}  # fmt: skip


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    found: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: found.append(figure))
    return found


def test_differences_far_beyond_the_others_are_written_at_the_edge(
    given: dict[str, Any], figures: list[Figure], tmp_path: Path
) -> None:
    """Each variant has one row: a dot for each seed, an arrow, or the word diverged."""
    given["study"]["seeds"] = 2
    given["base"]["activation"] = "elu"
    given["factors"] = {"activation": list(ACCURACIES)}
    study = parse(given)
    runs = [
        Run(DATA, variant.settings.to_json(), seed, accuracy, None, None, 2, seed, 2.0, None)
        for variant, row in zip(study.variants, [[0.5, 0.5], *ACCURACIES.values()], strict=True)
        for seed, accuracy in enumerate(row)
    ]
    results = summarize(study, SUBJECT, {run.key: run for run in runs})
    picture.draw(results, tmp_path / "accuracy.png")
    (axes,) = figures[0].axes
    low, high = axes.get_xlim()
    notes = {one.get_text().strip(): (one.xy, one.get_ha()) for one in axes.texts}
    assert notes == {
        "← -47.5": ((low, 2), "left"),
        "48.5 →": ((high, 3), "right"),
        "diverged": ((0, 4), "left"),
    }
    assert -25 < low < -2 < 2 < high < 25
    dots = [line.get_ydata() for line in axes.lines if line.get_marker() == "o"]
    assert [list(one) for one in dots] == [[0, 0], [1, 1], [5, 5]]
