"""How a product is divided among threads: evenly, and by whole columns where these are even."""

import numpy as np
import pytest

WHOLE = 1 << 16
SHAPES = [(96, 28, 300), (96, 784, 300), (200, 8, 64), (48, 300, 512), (60, 5, 10)]


def parts(build, m, n_in, n_out, n_parts, shares=None):
    """Which elements (m, n_out) of a product each part computes."""
    a, W, b = (np.ones(s, build.dtype) for s in ((m, n_in), (n_out, n_in), (n_out,)))
    starts = None if shares is None else np.array(shares, np.intc)
    return [
        build.operations.forward(a, W, b, "dense", t, n_parts, starts) != 0 for t in range(n_parts)
    ]


@pytest.mark.parametrize("n_parts", [2, 3, 4, 7])
def test_parts_are_even(build, n_parts):
    """But for a tile of 4 rows and a panel of 64 columns, and a sixth where sums are short."""
    for m, n_in, n_out in SHAPES:
        sizes = [int(part.sum()) for part in parts(build, m, n_in, n_out, n_parts)]
        even = m * n_out / n_parts
        unit = 24 * min(64, n_out) + m * 16  # a block of rows, and the padding of the last vector
        assert sum(sizes) == m * n_out
        assert max(abs(size - even) for size in sizes) <= even / 6 + unit, (m, n_in, n_out, sizes)


@pytest.mark.parametrize("n_parts", [2, 4])
@pytest.mark.parametrize("n_in", [8, 784])
def test_whole_columns_where_panels_can_be_divided_evenly(build, n_in, n_parts):
    for t, part in enumerate(parts(build, 100, n_in, 512, n_parts)):
        assert (part == part[0]).all()
        columns = np.flatnonzero(part[0])
        assert (columns[0], columns[-1]) == (512 * t // n_parts, 512 * (t + 1) // n_parts - 1)


def test_shares_at_the_edges_of_panels_are_whole_columns(build):
    first, second = parts(build, 100, 784, 512, 2, (0, WHOLE // 4, WHOLE))
    assert first[:, :128].all() and not first[:, 128:].any()
    assert (first != second).all()


@pytest.mark.parametrize("share", [0.3, 0.45, 0.62])
def test_shares_of_long_sums_are_met(build, share):
    """Within a block of rows of one panel: sums of 784 terms are too long to round to panels."""
    first, second = parts(build, 96, 784, 300, 2, (0, round(share * WHOLE), WHOLE))
    assert (first != second).all()
    assert first.sum() / first.size == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("n_out", [336, 304, 400])
def test_short_sums_are_rounded_to_the_nearest_panel_and_long_ones_are_not(build, n_out):
    first, second = parts(build, 100, 8, n_out, 2)
    assert (first == first[0]).all() and (second == second[0]).all()
    edges = np.flatnonzero(np.diff(first[0]))
    assert len(edges) == 1 and abs((edges[0] + 1) / n_out - 0.5) <= 1 / 12
    first, second = parts(build, 100, 784, n_out, 2)
    assert abs(first.mean() - 0.5) < 0.02
