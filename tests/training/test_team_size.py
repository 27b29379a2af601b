"""A training whose number of threads changes from slice to slice has the bits of one thread."""

from collections.abc import Iterator
from itertools import cycle

import numpy as np
import pytest

from fastmlp import MLP, Adam
from fastmlp.support import threads
from fastmlp.training import loop


def parameters(epochs: int, batch_size: int, **options: object) -> list[bytes]:
    """All parameters after a training on a regression of 120 rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 21)).astype(np.float32)
    net = MLP((21, 130, 67, 3), loss="squared_error", seed=1, **options)  # type: ignore[arg-type]
    net.fit(X, X[:, :3], epochs=epochs, batch_size=batch_size, optimizer=Adam(0.01))
    return [array.tobytes() for array in (*net.weights, *net.biases, net.forward(X))]


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the teams; each slice, of a single batch where it can be, has another one."""
    taken: list[int] = []
    turns: Iterator[int] = cycle([4, 3, 1, 2])

    def size(team: threads.AdaptiveTeam, n_threads: int) -> int:
        taken.append(next(turns))
        return taken[-1]

    monkeypatch.setattr(threads.AdaptiveTeam, "size", size)
    monkeypatch.setattr(loop, "SLICE", 0.0)
    return taken


@pytest.mark.parametrize("epochs", [2, 12], ids=["some epochs", "many short epochs"])
@pytest.mark.parametrize("batch_size", [37, 120])
@pytest.mark.parametrize(
    "options", [{}, {"batch_norm": True}, {"dropout": 0.5, "activation": "tanh"}], ids=str
)
def test_any_sequence_of_team_sizes(
    sizes: list[int], epochs: int, batch_size: int, options: dict[str, object]
) -> None:
    changing = parameters(epochs, batch_size, **options)
    assert len(set(sizes)) > 1
    sizes.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads.AdaptiveTeam, "size", lambda team, n_threads: 1)
        assert parameters(epochs, batch_size, **options) == changing
    assert not sizes
