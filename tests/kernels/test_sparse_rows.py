"""Products that skip zeros have the bits of the dense one, at every size and density.

On whole numbers it is compared with NumPy too, so that both cannot be wrong in the same way.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

EDGES = (191, 192, 193, 255, 256, 257, 321)
COLUMNS = {  # by density: every number at one, those around whole vectors and panels at the others
    0.3: (*range(1, 130), *EDGES),
    **dict.fromkeys((0.0, 0.05, 0.7, 1.0), (*range(1, 36), *range(61, 69), 127, 128, 129, *EDGES)),
}
Kernel = Callable[..., Any]

# each of a (m, n_in), delta (m, n_out), W (n_out, n_in), b (n_out,); zeros of a or δ are skipped
PRODUCTS: dict[str, Kernel] = {
    "forward": lambda k, a, delta, W, b, way="dense": k.forward(a, W, b, way),
    "hidden_delta": lambda k, a, delta, W, b, way="dense": k.hidden_delta(delta, W, way),
    "weight_gradient": lambda k, a, delta, W, b, way="dense": k.weight_gradient(a, delta, way),
}


def for_way(way: str, a: np.ndarray) -> np.ndarray:
    """a itself; for "bytes" whole numbers from 0 to 255, with zeros where a has them."""
    return np.minimum(np.ceil(100 * np.abs(a)), 255).astype(a.dtype) if way == "bytes" else a


@pytest.fixture(params=["sparse", "skipping"])
def way_of_numbers(request) -> str:
    """From sparse rows, or from dense rows whose zeros are skipped."""
    return request.param


@pytest.fixture(params=["sparse", "skipping", "bytes"])
def way(request) -> str:
    """Those, or dense rows of bytes whose zeros are skipped."""
    return request.param


@pytest.fixture
def differing(operations, sparse, way):
    """Find the sizes (m, n_in, n_out) at which a product gives other bits than the dense tile."""

    def differing(
        product: str, density: float, sizes: Iterable[tuple[int, int, int]]
    ) -> list[tuple[int, int, int]]:
        kernel, result = PRODUCTS[product], []
        sizes = list(sizes)
        _, all_in, all_out = np.max(sizes, axis=0)
        all_W, all_b = sparse(all_out, all_in), sparse(all_out)
        for m, n_in, n_out in sizes:
            a, delta = sparse(m, n_in, density=density), sparse(m, n_out, density=density)
            W, b = all_W[:n_out, :n_in].copy(), all_b[:n_out].copy()
            numbers = for_way(way, a), delta, W, b
            dense = kernel(operations, *numbers)
            if kernel(operations, *numbers, way=way).tobytes() != dense.tobytes():
                result.append((m, n_in, n_out))
        return result

    return differing


@pytest.mark.parametrize("product", PRODUCTS)
def test_same_bits_as_the_tile_at_every_number_of_columns(differing, product):
    for density, columns in COLUMNS.items():
        assert differing(product, density, ((7, 33, n) for n in columns)) == [], density
        assert differing(product, density, ((7, n, 33) for n in columns)) == [], density


@pytest.mark.parametrize("product", PRODUCTS)
def test_same_bits_as_the_tile_at_every_number_of_rows(differing, product):
    for m in range(1, 14):
        assert differing(product, 0.4, ((m, n, n) for n in (1, 31, 64, 65, 129, 257))) == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_same_bits_as_the_tile_where_the_sum_is_cut_into_blocks(differing, product):
    for n in (127, 129, 255, 257, 511, 513, 1025):
        assert differing(product, 0.4, [(n, 70, 130), (7, n, 130), (7, 130, n)]) == []


@pytest.mark.parametrize("m", [1, 5, 13, 100])
def test_parts_are_the_same_for_every_way(operations, sparse, way, m):
    for n_out in (10, 64, 65, 100, 128, 130, 192, 200, 257):
        a, W, b = for_way(way, sparse(m, 50, density=0.4)), sparse(n_out, 50), sparse(n_out)
        for n_parts, part in ((n, part) for n in (2, 3, 5) for part in range(n)):
            dense, skipping = (
                operations.forward(a, W, b, w, part, n_parts) for w in ("dense", way)
            )
            assert skipping.tobytes() == dense.tobytes(), (n_out, n_parts, part)


@pytest.mark.parametrize("m", [1, 4, 12])
def test_exact_on_whole_numbers(operations, build, whole, way, m):
    for n in (1, 16, 63, 65, 130, 257):
        a, delta = (whole(m, n) * (whole(m, n) > 1) for _ in range(2))
        a, W, b = for_way(way, a), whole(n, n), whole(n)
        numbers = [x.astype(build.dtype) for x in (a, delta, W, b)]
        for kernel, exact in zip(
            PRODUCTS.values(), (a @ W.T + b, delta @ W, delta.T @ a), strict=True
        ):
            assert np.array_equal(kernel(operations, *numbers, way=way), exact), n


def test_every_pattern_of_zeros_in_a_vector(operations, build, way):
    """Half a vector of 16 numbers has all 256 patterns, the other half their reverses."""
    patterns = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    a = np.hstack([patterns, ~patterns[::-1] & 1]) * np.arange(1, 17)
    identity, b = np.eye(16), np.zeros(16)
    numbers = [x.astype(build.dtype) for x in (a, identity, b)]
    assert np.array_equal(operations.forward(*numbers, way=way), a)


def test_empty_rows_and_columns_among_full_ones(operations, sparse, way):
    a, delta = sparse(20, 70), sparse(20, 130)
    a[::3] = 0
    a[:, ::5] = 0
    delta[1::3] = 0
    numbers = for_way(way, a), delta, sparse(130, 70), sparse(130)
    for kernel in PRODUCTS.values():
        dense = kernel(operations, *numbers)
        assert kernel(operations, *numbers, way=way).tobytes() == dense.tobytes()


def test_negative_zero_is_a_zero(operations, sparse, way_of_numbers):
    a = sparse(20, 70, density=0.5)
    delta = sparse(20, 130, density=0.5)
    numbers = np.where(a == 0, -a, a), np.where(delta == 0, -delta, delta)
    rest = sparse(130, 70), sparse(130)
    for kernel in PRODUCTS.values():
        signed = kernel(operations, *numbers, *rest, way=way_of_numbers)
        assert signed.tobytes() == kernel(operations, a, delta, *rest).tobytes()


@pytest.mark.parametrize("n", [1, 63, 130])
def test_no_sum_is_negative_zero(operations, build, way, n):
    """−0 begins each sum, and a zero times a negative weight is −0: all ways store +0."""
    a, W, b = np.zeros((3, 5)), -np.ones((n, 5)), np.full(n, -0.0)
    numbers = [x.astype(build.dtype) for x in (a, W, b)]
    for one in ("dense", way):
        z = operations.forward(*numbers, way=one)
        assert not np.signbit(z).any(), one


@pytest.mark.parametrize("product", PRODUCTS)
def test_no_other_value_is_taken_for_a_zero(operations, sparse, way_of_numbers, product):
    """NaN equals nothing, and 1e-40 is denormal in float32: sparse rows contain both."""
    a, delta = sparse(9, 70, density=0.4), sparse(9, 130, density=0.4)
    operand = delta if product == "hidden_delta" else a
    numbers = a, delta, sparse(130, 70), sparse(130)
    for value in (np.nan, np.inf, -np.inf, 1e-40):
        operand[4, 20] = value
        dense = PRODUCTS[product](operations, *numbers)
        from_sparse = PRODUCTS[product](operations, *numbers, way=way_of_numbers)
        assert np.array_equal(from_sparse, dense, equal_nan=True), value


def test_a_zero_times_a_non_finite_weight_counts_as_zero(operations, sparse, way):
    a, W, b = for_way(way, sparse(9, 70, density=0.4)), sparse(130, 70), sparse(130)
    a[:, 30] = 0
    finite = operations.forward(a, W, b, way=way)
    W[:, 30] = np.inf
    assert operations.forward(a, W, b, way=way).tobytes() == finite.tobytes()
