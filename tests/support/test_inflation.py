"""The most that a compressed file may hold."""

from __future__ import annotations

from fastmlp.support.inflation import most_inflated


def test_small_files_may_hold_64_mib_and_large_ones_a_multiple():
    assert most_inflated(0) == most_inflated(1000) == 64 << 20
    assert most_inflated(1 << 20) == 200 << 20
    assert most_inflated(10 << 20, 20) == 200 << 20
