"""Examples as float32, float64, uint8 and CSR: one matrix, one result, down to the bit."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from fastmlp.kernels.calls import TrainingOptions

SCALE = 1 / 255
CSR = tuple[Any, Any, Any]


def csr(X: np.ndarray, explicit_zeros: bool = False) -> CSR:
    """(data, indices, indptr) of a dense matrix, without SciPy."""
    stored = np.ones_like(X, bool) if explicit_zeros else X != 0
    rows, columns = np.nonzero(stored)
    counts = np.bincount(rows, minlength=len(X))
    return (
        X[rows, columns].copy(),
        columns.astype(np.int32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


@pytest.fixture
def pixels(rng) -> Callable[..., Any]:
    """Bytes of which the fraction `density` is not zero."""

    def pixels(m: int, n: int, density: float = 0.3) -> np.ndarray:
        return (rng.integers(1, 256, (m, n)) * (rng.random((m, n)) < density)).astype(np.uint8)

    return pixels


@pytest.fixture
def forward(build, engine):
    """Output activations of a network whose hidden layer is wide enough for sparse rows."""

    def forward(X: Any, n_in: int, n_hidden: int = 70, use_sparse: bool = True) -> np.ndarray:
        made = engine((n_in, n_hidden, 3), "tanh")
        made.use_sparse = use_sparse
        return made.forward(build.engine.Data(made, X), 1)

    return forward


def test_every_form_of_a_matrix_gives_the_same_bits(build, forward, pixels):
    """At every row length that a vector can leave over; a byte is its value times the scale."""
    for n_in in (*range(1, 35), 63, 64, 65, 127, 129, 300):
        X = pixels(5, n_in)
        real = X.astype(build.dtype) * np.dtype(build.dtype).type(SCALE)
        expected = forward(real, n_in, use_sparse=False)
        forms: dict[str, Any] = {
            "the dtype of the build": real,
            "uint8": X,
            "CSR": csr(real),
            "CSR with zeros stored": csr(real, explicit_zeros=True),
            "CSR of uint8": csr(X),
        }
        if build.dtype == "float32":
            forms["float64"] = real.astype(np.float64)
        for name, form in forms.items():
            assert forward(form, n_in).tobytes() == expected.tobytes(), (n_in, name)
        assert forward(X, n_in, use_sparse=False).tobytes() == expected.tobytes(), n_in


@pytest.mark.parametrize("n_hidden", [1, 16, 64, 65, 130])
def test_sparse_input_meets_layers_of_any_width(build, forward, pixels, n_hidden):
    X = pixels(20, 50).astype(build.dtype)
    dense = forward(X, 50, n_hidden, use_sparse=False)
    assert forward(csr(X), 50, n_hidden).tobytes() == dense.tobytes()


@pytest.mark.parametrize("given", ["float32", "float64"])
def test_the_other_real_dtype_is_rounded_to_the_builds(build, forward, sparse, given):
    X = sparse(7, 40).astype(given)
    expected = forward(X.astype(build.dtype), 40)
    assert forward(X, 40).tobytes() == expected.tobytes()


@pytest.mark.parametrize("density", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("use_sparse", [True, False])
def test_lists_are_taken_or_not_and_no_bit_shows_it(build, forward, sparse, density, use_sparse):
    X = sparse(30, 200, density=density)
    expected = forward(X, 200, use_sparse=False)
    assert forward(X, 200, use_sparse=use_sparse).tobytes() == expected.tobytes()
    assert forward(csr(X), 200, use_sparse=use_sparse).tobytes() == expected.tobytes()


@pytest.mark.parametrize("n_in", [64, 191, 784])
def test_rows_of_bytes_have_any_number_of_zeros(build, forward, pixels, n_in):
    """A processor may take 64 bytes at once, of which none or all can be zero."""
    for density in (0.0, 0.02, 0.6, 1.0):
        X = pixels(9, n_in, density)
        real = X.astype(build.dtype) * np.dtype(build.dtype).type(SCALE)
        expected = forward(real, n_in, use_sparse=False)
        assert forward(X, n_in).tobytes() == expected.tobytes(), density


def test_rows_without_a_number_and_a_matrix_without_one(build, forward, sparse):
    X = sparse(9, 40, density=0.3)
    X[[0, 4, 8]] = 0
    assert forward(csr(X), 40).tobytes() == forward(X, 40).tobytes()
    nothing = np.zeros((9, 40), build.dtype)
    assert forward(csr(nothing), 40).tobytes() == forward(nothing, 40).tobytes()


@pytest.mark.parametrize("form", [np.asarray, csr], ids=["dense", "CSR"])
def test_no_row_gives_no_output(build, forward, form):
    assert forward(form(np.zeros((0, 40), build.dtype)), 40).shape == (0, 3)


def test_the_scale_of_uint8_is_the_networks_own(build, engine, pixels):
    X = pixels(6, 30)
    for scale in (1.0, 1 / 16, 0.3):
        made = engine((30, 70, 2), uint8_scale=scale)
        real = X.astype(build.dtype) * np.dtype(build.dtype).type(scale)
        bytes_, reals = build.engine.Data(made, X), build.engine.Data(made, real)
        assert made.forward(bytes_, 1).tobytes() == made.forward(reals, 1).tobytes()


@pytest.mark.parametrize("form", ["float32", "float64", "uint8", "CSR"])
@pytest.mark.parametrize("threads", [1, 3])
def test_rows_are_taken_in_the_given_order(build, engine, pixels, form, threads, train):
    """Training on rows in an order is training on the rows so ordered."""
    X = pixels(60, 50)
    y = X[:, :2].astype(build.dtype) / 255
    order = np.random.default_rng(3).permutation(60)[:47]

    def data(made: Any, rows: np.ndarray) -> Any:
        values = X[rows] if form == "uint8" else X[rows].astype(build.dtype)
        values = values.astype(form) if form.startswith("float") else values
        return build.engine.Data(made, csr(values) if form == "CSR" else values, y[rows])

    by_order, ordered = engine((50, 70, 2)), engine((50, 70, 2))
    train(by_order, data(by_order, np.arange(60)), order, 10, 0.01, threads=threads)
    train(ordered, data(ordered, order), np.arange(47), 10, 0.01, threads=threads)
    assert by_order.snapshot().tobytes() == ordered.snapshot().tobytes()


def test_a_row_may_be_taken_more_than_once_or_never(build, engine, sparse, train):
    X, y = sparse(5, 4), sparse(5, 2)
    order = np.array([3, 3, 0, 3])
    by_order, repeated = engine((4, 6, 2)), engine((4, 6, 2))
    train(by_order, build.engine.Data(by_order, X, y), order, 2, 0.01)
    data = build.engine.Data(repeated, X[order], y[order])
    train(repeated, data, np.arange(4), 2, 0.01)
    assert by_order.snapshot().tobytes() == repeated.snapshot().tobytes()


def test_labels_are_one_hot_targets(build, engine, sparse, rng):
    X, labels = sparse(30, 8), rng.integers(0, 5, 30).astype(np.int32)
    one_hot = np.eye(5, dtype=build.dtype)[labels]
    made = engine((8, 9, 5), output="softmax", loss="cross_entropy")
    by_label, by_row = (build.engine.Data(made, X, y) for y in (labels, one_hot))
    assert made.evaluate(by_label, 1)[:2] == made.evaluate(by_row, 1)[:2]
    of_label, of_row = (made.gradients(data, TrainingOptions(), 1) for data in (by_label, by_row))
    assert of_label[0][:4] == of_row[0][:4]
    for x, y in zip(of_label[1], of_row[1], strict=True):
        assert x[0].tobytes() == y[0].tobytes() and x[1].tobytes() == y[1].tobytes()


@pytest.mark.parametrize("density", [0.0, 0.25, 1.0])
def test_density_is_measured(build, engine, sparse, density):
    made = engine((50, 3))
    assert build.engine.Data(made, sparse(200, 50, density=density)).density == pytest.approx(
        density, abs=0.02
    )


def test_arrays_are_read_where_they_lie_and_kept(build, engine, sparse):
    """No copy: what changes in them changes the result; and the engine keeps them alive."""
    X = sparse(10, 6)
    made = engine((6, 3))
    data = build.engine.Data(made, X)
    X[:] = 1
    expected = made.forward(build.engine.Data(made, np.ones_like(X)), 1)
    assert made.forward(data, 1).tobytes() == expected.tobytes()
    del X
    _ = [np.full((10, 6), 7, build.dtype) for _ in range(100)]  # would take the place of X
    assert made.forward(data, 1).tobytes() == expected.tobytes()


def test_read_only_arrays_are_read(build, engine, sparse):
    X, y, s = sparse(10, 6), sparse(10, 3), abs(sparse(10))
    made = engine((6, 3))
    expected = made.evaluate(build.engine.Data(made, X, y, s), 1)[:2]
    for array in (X, y, s):
        array.flags.writeable = False
    assert made.evaluate(build.engine.Data(made, X, y, s), 1)[:2] == expected


@pytest.mark.parametrize(
    "layout",
    [np.asfortranarray, lambda X: np.repeat(X, 2, axis=1)[:, ::2], lambda X: X[::-1][::-1]],
    ids=["Fortran order", "every other column", "reversed twice"],
)
@pytest.mark.parametrize("target", [False, True], ids=["X", "y"])
def test_other_layouts_are_refused_or_read_right_never_misread(
    build, engine, sparse, layout, target
):
    X, y = sparse(300, 40), sparse(300, 3)
    made = engine((40, 3))
    expected = made.evaluate(build.engine.Data(made, X, y), 1)[:2]
    try:
        given = (X, layout(y)) if target else (layout(X), y)
        data = build.engine.Data(made, *given)
    except ValueError:
        return
    _ = [np.full_like(X, 7) for _ in range(20)]  # would take the place of a copy set free
    assert made.evaluate(data, 1)[:2] == expected


@pytest.mark.parametrize("form", ["float32", "float64", "uint8", "rows without a number"])
def test_packed_rows_train_to_the_same_bits(build, engine, pixels, train, form):
    for n_in, threads in product((33, 64, 129), (1, 2)):
        X = pixels(60, n_in, 0.04)  # bytes with more than one number in 16 are not packed
        if form != "uint8":
            X = (X * np.float32(SCALE)).astype("float32" if form[0] == "r" else form)
        if form == "rows without a number":
            X[::3] = 0
        y = np.ones((60, 2), build.dtype)
        found = []
        for packs in (False, True):
            made = engine((n_in, 70, 2))
            data = build.engine.Data(made, X, y)
            if packs:
                made.pack(data, threads)
                X[:] = 7  # the packed rows are a copy
            train(made, data, np.arange(60)[::-1].copy(), 25, 0.01, threads=threads)
            found.append(made.snapshot().tobytes())
        assert found[0] == found[1], (n_in, threads)


@pytest.mark.parametrize("n_in", [33, 64, 130, 784])
def test_bytes_train_to_the_same_bits_as_their_numbers(build, engine, pixels, train, n_in):
    """In batches of any size, and after the engine has read numbers or sparse bytes before."""
    for n_hidden, threads in product((64, 65, 100, 130), (1, 2, 3)):
        X = pixels(60, n_in, 0.2)
        y = np.ones((60, 2), build.dtype)
        found = []
        for forms in ("numbers", "numbers"), ("bytes", "bytes"), ("numbers", "bytes"):
            made = engine((n_in, n_hidden, 2), "relu")
            for form, batch_size in zip(forms, (25, 60), strict=True):
                numbers = X.astype(build.dtype) * np.dtype(build.dtype).type(SCALE)
                data = build.engine.Data(made, X if form == "bytes" else numbers, y)
                train(made, data, np.arange(60)[::-1].copy(), batch_size, 0.01, threads=threads)
            found.append(made.snapshot().tobytes())
        assert found[1:] == [found[0]] * 2, (n_hidden, threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_bytes_with_many_numbers_are_not_packed(build, engine, pixels, train, threads):
    """They are read where they lie, in every batch."""
    X = pixels(60, 64, 0.2)
    y = np.ones((60, 2), build.dtype)
    made, read = engine((64, 70, 2)), engine((64, 70, 2))
    data = build.engine.Data(made, X, y)
    made.pack(data, threads)
    X[:] = X[::-1].copy()
    train(made, data, np.arange(60), 25, 0.01, threads=threads)
    train(read, build.engine.Data(read, X.copy(), y), np.arange(60), 25, 0.01, threads=threads)
    assert made.snapshot().tobytes() == read.snapshot().tobytes()


@pytest.mark.parametrize("n_in", [1, 33, 64, 130])
def test_unchecked_rows_are_checked_before_they_train(build, engine, sparse, train, n_in):
    """The batch updates nothing; rows that are not read are not checked."""
    for value, density in product((np.nan, np.inf, -np.inf), (0.1, 1.0)):
        X = sparse(60, n_in, density=density)
        X[41, n_in // 2] = value
        y = np.ones((60, 2), build.dtype)
        made = engine((n_in, 70, 2))
        data = build.engine.Data(made, X, y)
        assert not data.unchecked, (value, density)
        data.unchecked = True
        train(made, data, np.arange(40), 20, 0.01)
        before = made.snapshot().tobytes()
        with pytest.raises(ValueError, match="X holds numbers that are not finite"):
            train(made, data, np.arange(40, 60), 20, 0.01)
        assert made.snapshot().tobytes() == before, (value, density)
