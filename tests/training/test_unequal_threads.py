"""Threads that have unequal shares of the work leave the bits of one thread."""

from typing import Any

import numpy as np
import pytest

from fastmlp import MLP, Adam
from fastmlp.model.state import ModelState
from fastmlp.support import threads
from fastmlp.training import loop

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "batch norm": ({"batch_norm": True}, {}),
    "batch norm, whole batch": ({"batch_norm": True, "activation": "tanh"}, {"batch_size": 120}),
    "dropout": ({"dropout": 0.5, "input_dropout": 0.2}, {}),
    "noise": ({"noise": 0.1}, {}),
    "clipped gradients": ({}, {"clip_norm": 0.1}),
    "limited weights, averaged": ({}, {"max_norm": 0.5, "ema": 0.9}),
    "few outputs": ({"sizes": (21, 260, 3)}, {}),
    "one layer": ({"sizes": (21, 3)}, {}),
}


def parameters(network: dict[str, Any], fit: dict[str, Any]) -> list[bytes]:
    """All parameters after a training on a regression of 120 rows."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 21)).astype(np.float32)
    net = MLP(**{"sizes": (21, 130, 67, 3), "loss": "squared_error", "seed": 1, **network})
    net.fit(X, X[:, :3], **{"epochs": 4, "batch_size": 37, "optimizer": Adam(0.01), **fit})
    return [array.tobytes() for array in (*net.weights, *net.biases, net.forward(X))]


@pytest.mark.parametrize("n_threads", [2, 3, 5])
@pytest.mark.parametrize("case", CASES)
def test_other_shares_in_each_batch(
    monkeypatch: pytest.MonkeyPatch, case: str, n_threads: int
) -> None:
    rng = np.random.default_rng(3)
    train = ModelState.train
    taken = []

    def train_unequally(state: ModelState, *args: Any) -> Any:
        space = state._engine.training
        if space is not None and len(space.shares) > 1:
            space.shares = rng.dirichlet(np.ones(len(space.shares)))
            taken.append(len(space.shares))
        return train(state, *args)

    monkeypatch.setattr(loop, "SLICE", 0.0)
    monkeypatch.setattr(threads.AdaptiveTeam, "size", lambda team, n: 1)
    alone = parameters(*CASES[case])
    monkeypatch.setattr(threads.AdaptiveTeam, "size", lambda team, n: n_threads)
    monkeypatch.setattr(ModelState, "train", train_unequally)
    assert parameters(*CASES[case]) == alone
    assert set(taken) == {n_threads}
