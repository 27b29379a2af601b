"""The dense product of the forward pass, the hidden delta and the weight gradient.

On small whole numbers no order of summing rounds, so the kernels must equal NumPy's integers
exactly, at every number of rows and columns that a panel, a vector or a tile can leave over.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

COLUMNS = (*range(1, 130), 191, 192, 193, 255, 256, 257, 321)  # 64 are the widest panel's
ROWS = range(1, 14)  # 10 are the tallest tile's
SUMS = (127, 128, 129, 255, 256, 257, 511, 513, 1025)  # about one block and several

# product: (kernel, NumPy), each of a (m, n_in), delta (m, n_out), W (n_out, n_in), b (n_out,)
PRODUCTS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "forward": (
        lambda kernels, a, delta, W, b: kernels.forward(a, W, b),
        lambda a, delta, W, b: a @ W.T + b,
    ),
    "hidden_delta": (
        lambda kernels, a, delta, W, b: kernels.hidden_delta(delta, W),
        lambda a, delta, W, b: delta @ W,
    ),
    "weight_gradient": (
        lambda kernels, a, delta, W, b: kernels.weight_gradient(a, delta),
        lambda a, delta, W, b: delta.T @ a,
    ),
    "bias_gradient": (
        lambda kernels, a, delta, W, b: kernels.bias_gradient(delta),
        lambda a, delta, W, b: delta.sum(axis=0),
    ),
}


@pytest.fixture
def wrong(build, whole):
    """Find the sizes (m, n_in, n_out) at which a product differs from NumPy's."""

    def wrong(product: str, sizes: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        kernel, numpy = PRODUCTS[product]
        found = []
        for m, n_in, n_out in sizes:
            numbers = whole(m, n_in), whole(m, n_out), whole(n_out, n_in), whole(n_out)
            result = kernel(build.operations, *(x.astype(build.dtype) for x in numbers))
            if result.dtype != build.dtype or not np.array_equal(result, numpy(*numbers)):
                found.append((m, n_in, n_out))
        return found

    return wrong


@pytest.fixture(params=[True, False], ids=["halves-fast", "halves-slow"])
def halves(build, request):
    """Either way of computing one and a half vectors, whichever this processor prefers."""
    before = build.operations.set_halves_fast(request.param)
    yield
    build.operations.set_halves_fast(before)


@pytest.mark.parametrize("product", PRODUCTS)
def test_one_and_a_half_vectors(wrong, halves, product):
    for m in ROWS:
        assert wrong(product, ((m, 3, n) for n in range(9, 25))) == [], m
        assert wrong(product, ((m, n, 70) for n in range(65, 73))) == [], m


@pytest.mark.parametrize("product", PRODUCTS)
def test_exact_at_every_number_of_columns(wrong, product):
    for m in ROWS:
        assert wrong(product, ((m, 3, n) for n in COLUMNS)) == [], m
        assert wrong(product, ((m, n, 3) for n in COLUMNS)) == [], m


@pytest.mark.parametrize("product", PRODUCTS)
def test_exact_where_the_sum_is_cut_into_blocks(wrong, product):
    for n in SUMS:
        assert wrong(product, [(n, 7, 70), (7, n, 70), (7, 70, n), (11, n, 5), (11, 5, n)]) == [], n


@pytest.mark.parametrize("product", PRODUCTS)
def test_one_example_of_one_number(wrong, product):
    assert wrong(product, [(1, 1, 1)]) == []


@pytest.mark.parametrize("product", PRODUCTS)
def test_no_example_sums_to_nothing(wrong, product):
    assert wrong(product, [(0, n_in, n_out) for n_in in (1, 70) for n_out in (1, 70)]) == []


@pytest.mark.parametrize("size", [(5, 3, 70), (33, 300, 65), (300, 65, 130)])
@pytest.mark.parametrize("product", list(PRODUCTS))
def test_rounding_stays_within_the_bound_of_any_order_of_summing(build, sparse, product, size):
    """|error| ≤ n ε Σ |x||P| for a sum of n products (Higham 2002, eq. 3.5)."""
    kernel, numpy = PRODUCTS[product]
    m, n_in, n_out = size
    numbers = sparse(m, n_in), sparse(m, n_out), sparse(n_out, n_in), sparse(n_out)
    exact = numpy(*(x.astype(np.longdouble) for x in numbers))
    magnitude = numpy(*(np.abs(x.astype(np.longdouble)) for x in numbers))
    error = np.abs(kernel(build.operations, *numbers) - exact)
    assert (error <= (max(size) + 1) * build.eps * magnitude).all()


@pytest.mark.parametrize("m", [1, 2, 5, 13, 100])
def test_every_element_belongs_to_exactly_one_part(operations, sparse, build, m):
    """What the threads compute: their parts cover the product once, with the bits of the whole."""
    for n_parts in (1, 2, 3, 4, 5, 64):
        for n_out in (1, 10, 63, 64, 65, 100, 130, 200, 257):
            a, W, b = abs(sparse(m, 20)), abs(sparse(n_out, 20)), abs(sparse(n_out)) + 1
            parts = [operations.forward(a, W, b, False, part, n_parts) for part in range(n_parts)]
            assert (np.count_nonzero(parts, axis=0) == 1).all(), (n_parts, n_out)
            whole = operations.forward(a, W, b)
            assert np.sum(parts, axis=0).tobytes() == whole.tobytes(), (n_parts, n_out)


def test_operands_are_left_as_they_are(operations, sparse):
    for product, (kernel, _) in PRODUCTS.items():
        numbers = sparse(9, 20), sparse(9, 30), sparse(30, 20), sparse(30)
        before = [x.copy() for x in numbers]
        for x in numbers:
            x.flags.writeable = False
        kernel(operations, *numbers)
        assert all(np.array_equal(x, y) for x, y in zip(numbers, before, strict=True)), product


@pytest.mark.parametrize("product", ["forward", "hidden_delta", "weight_gradient"])
def test_other_layouts_and_dtypes_are_refused_not_misread(build, sparse, product):
    kernel, _ = PRODUCTS[product]
    numbers = sparse(8, 8), sparse(8, 8), sparse(8, 8), sparse(8)
    other = "float32" if build.dtype == "float64" else "float64"
    for change in (np.asfortranarray, lambda x: sparse(8, 16)[:, ::2], lambda x: x.astype(other)):
        changed = [change(x) if x.ndim == 2 else x for x in numbers]
        with pytest.raises(ValueError):
            kernel(build.operations, *changed)
