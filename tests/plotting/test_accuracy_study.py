"""docs/studies/accuracy.py draws what the model cards say."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.datasets.mnist import MNIST

pytest.importorskip("matplotlib")

SCRIPT = Path(__file__).parents[2] / "docs" / "studies" / "accuracy.py"


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module."""
    spec = spec_from_file_location("accuracy_study", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where dataclasses look
    spec.loader.exec_module(module)
    return module


def card(folder: Path, recipe: str, seed: int, accuracy: float, seconds: float) -> Path:
    path = folder / f"{recipe}-{seed}.card.json"
    path.write_text(json.dumps({
        "recipe": {"name": recipe}, "seed": seed, "accuracy": accuracy,
        "seconds": {"training": seconds}, "images": {"these are": "test images"},
    }))
    return path


@pytest.fixture
def cards(tmp_path: Path) -> list[Path]:
    return [
        card(tmp_path, "slow", 0, 0.9943, 80.0),
        card(tmp_path, "slow", 1, 0.9947, 90.0),
        card(tmp_path, "swift", 0, 0.982, 0.5),
    ]


def test_each_recipe_stands_at_its_means(study: Any, cards: list[Path]) -> None:
    ax = study.time_to_accuracy(study.read(cards)).axes[0]
    points = [one.lines[0].get_xydata()[0] for one in ax.containers]
    np.testing.assert_allclose(points, [[0.5, 1.8], [85, 0.55]])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["swift: 98.20 %, 0.5 s (1)", "slow: 99.45 %, 85 s (2)"]
    (low,), (high,) = (caps.get_ydata() for caps in ax.containers[1].lines[1][2:])
    assert high - low == pytest.approx(2 * np.std([0.57, 0.53], ddof=1))
    assert len(ax.texts) == len(study.ANCHORS)


def test_cards_that_do_not_belong_are_refused(study: Any, cards: list[Path]) -> None:
    with pytest.raises(SystemExit, match="another card of slow with seed 0"):
        study.read([*cards, cards[0]])
    held_out = json.loads(cards[0].read_text())
    held_out["images"]["these are"] = "training images held out"
    cards[0].write_text(json.dumps(held_out))
    with pytest.raises(SystemExit, match="not on test images"):
        study.read(cards)


def test_names_that_would_touch_are_moved_apart(study: Any) -> None:
    assert study.apart([0.0, 1.0, 9.0], 4.0) == [-1.5, 2.5, 9.0]
    assert study.apart([0.0, 2.0, 2.5], 2.0) == [-0.5, 1.5, 3.5]
    assert study.apart([0.0, 5.0], 2.0) == [0.0, 5.0]


def test_the_first_column_is_the_original(study: Any) -> None:
    X = np.repeat(np.arange(10, dtype=np.uint8)[:, None] * 20, 784, axis=1)
    X[:, :200] = 0
    y = np.arange(10)
    pictures = study.distortions("record", MNIST(X, y, X, y)).axes[0].images[0].get_array()
    rows = pictures.reshape(10, -1, pictures.shape[1])
    first = rows[:, :, : pictures.shape[1] // 13]
    original = first[~first.mask].data.reshape(10, 784)
    np.testing.assert_allclose(original, X / 255)
    assert pictures.max() <= 1  # the distorted ones too


def test_mistakes_of_all_networks_are_counted_among_those_of_the_ensemble(study: Any) -> None:
    X = np.eye(3, dtype=np.float32)
    y = np.array([0, 0, 0])
    networks = []
    for logits in ([[0, 0, 1], [0, 1, 1]], [[0, 5, 0], [0, 0, 1]]):  # by class, then by example
        net = fastmlp.MLP((3, 2))
        net.set_parameters([np.array(logits)], [np.zeros(2)])
        networks.append(net)
    assert [list(net.predict(X)) for net in networks] == [[0, 1, 0], [0, 0, 1]]
    ensemble = fastmlp.Ensemble(networks)
    assert list(ensemble.predict(X)) == [0, 0, 1]
    assert study.misclassified(ensemble, X, y) == (1, 0)
    assert study.misclassified(networks[0], X, y) == (1, 1)
    networks[0].set_parameters([np.array([[0, 0, 0], [1, 1, 1]])], [np.zeros(2)])
    assert study.misclassified(fastmlp.Ensemble(networks), X, y)[1] == 1
