"""Memory maps whose rows are larger than a block."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.data import memory_maps

ROW = 24  # bytes of 6 float32


@pytest.fixture(params=[ROW - 1, ROW // 2, 1, ROW, ROW + 1])
def blocks(request, monkeypatch):
    """Blocks of so many bytes, four of them in a chunk."""
    monkeypatch.setattr(memory_maps, "BLOCK", request.param)
    monkeypatch.setattr(memory_maps, "CHUNK", 4 * request.param)


def test_every_row_is_read_once_in_chunks_of_four(blocks, classes, tmp_path, mapped):
    X, y = classes
    net = MLP((6, 4, 3))
    source = memory_maps.MemoryMap(net.state, mapped(tmp_path / "X.npy", X), y)
    chunks = list(source.chunks())
    np.testing.assert_array_equal(np.concatenate([one.X for one in chunks]), X)
    np.testing.assert_array_equal(np.concatenate([one.y for one in chunks]), y)
    assert [len(one) for one in chunks] == [*[4] * 57, 2]
    shuffled = list(source.chunks(np.random.default_rng(0)))
    rows = np.concatenate([one.X for one in shuffled])
    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(X, axis=0))
    assert not np.array_equal(rows, X)


def test_large_rows_give_the_bits_of_an_array(blocks, classes, tmp_path, mapped):
    X, y = classes
    given = mapped(tmp_path / "X.npy", X)
    whole, read = MLP((6, 4, 3)), MLP((6, 4, 3))
    whole.fit(X, y, epochs=2, batch_size=50, shuffle=False)
    read.fit(given, y, epochs=2, batch_size=50, shuffle=False)
    for one, other in zip(whole.weights, read.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(read.predict(given), whole.predict(X))
