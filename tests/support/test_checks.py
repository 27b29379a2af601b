"""Validation: what is let in, as what, and how the rest is turned away."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
import scipy.sparse

from fastmlp.support import checks

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)


# ------------------------------------------------------------------------- plain numbers


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_integers_of_any_kind_are_whole_numbers(value):
    number = checks.whole("n", value)
    assert type(number) is int
    assert number == 3


def test_whole_numbers_begin_at_the_least_one():
    assert checks.whole("n", 1) == 1
    assert checks.whole("n", -2, -2) == -2
    for value, least in [(0, 1), (-3, -2)]:
        with pytest.raises(ValueError, match=f"^n must be at least {least}, got {value}$"):
            checks.whole("n", value, least)
    with pytest.raises(ValueError, match="^n must be at least 1, got 0$"):
        checks.whole("n", 0)


def test_whole_numbers_end_at_the_greatest_one():
    assert checks.whole("n", 2**63 - 1) == 2**63 - 1
    assert checks.whole("n", 2**64, most=math.inf) == 2**64
    with pytest.raises(ValueError, match="^n must be at most 7, got 8$"):
        checks.whole("n", 8, most=7)
    with pytest.raises(ValueError, match="^n must be at most 9223372036854775807, got 92233720368"):
        checks.whole("n", 2**63)
    with pytest.raises(ValueError, match="^n must be at most .*, got int of thousands of digits$"):
        checks.whole("n", 10**5000)


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
def test_flags_are_true_or_false(value):
    assert checks.flag("shuffle", value) is bool(value)


@pytest.mark.parametrize("value", [0, 1, None, "yes", np.array([True])])
def test_other_things_are_not_flags(value):
    with pytest.raises(TypeError, match="^shuffle must be True or False, got "):
        checks.flag("shuffle", value)


@pytest.mark.parametrize("value", [3.0, "3", None, True, np.float64(3), [3]])
def test_other_things_are_not_whole_numbers(value):
    with pytest.raises(TypeError, match="n must be a whole number, got"):
        checks.whole("n", value)


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("[0, 1)", [0, 0.5, np.float32(0.999)], [-0.001, 1, math.inf, math.nan]),
        ("(0, 1]", [0.001, 1], [0, 1.001]),
        ("[-1, 1]", [-1, 0, 1], [-1.001, 1.001]),
        ("(0, inf)", [1e-300, 1e300], [0, math.inf]),
        ("(-inf, inf)", [-1e300, 0], [math.inf, -math.inf, math.nan]),
    ],
)
def test_numbers_lie_in_their_interval(interval, inside, outside):
    for value in inside:
        assert checks.number("x", value, interval) == value
    for value in outside:
        with pytest.raises(ValueError, match="x must be in"):
            checks.number("x", value, interval)


def test_integers_beyond_float64_are_named_as_such():
    with pytest.raises(ValueError, match="x must be in .*, got a number beyond the range of float"):
        checks.number("x", 10**400)


@pytest.mark.parametrize("value", ["0.5", None, True, 1j, [0.5]])
def test_other_things_are_not_numbers(value):
    with pytest.raises(TypeError, match="x must be a number, got"):
        checks.number("x", value)


# ------------------------------------------------------------------------------ examples


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_arrays_that_the_kernels_read_are_not_copied(dtype):
    X = np.ones((4, 3), dtype)
    assert np.shares_memory(checks.rows(X, 3, SINGLE), X)


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
def test_the_shape_and_dtype_of_checked_arrays_are_nobody_elses():
    """Another thread may change those of the user's arrays while the kernels read them."""
    X, y, s, W = np.ones((4, 3)), np.zeros(4, np.int32), np.ones(4), np.ones((3, 4))
    S = scipy.sparse.csr_matrix(X)
    n_stored, result, rate = S.nnz, np.ones(4), np.ones(4)
    given = [X, y, s, W, S.data, S.indices, result, rate]
    data, indices, _ = checks.rows(S, 3, DOUBLE)
    found = [
        checks.rows(X, 3, DOUBLE), checks.labels("y", checks.array("y", y), 4, 2),
        checks.sample_weight(s, 4, DOUBLE), checks.arrays("W", [W], [(3, 4)], DOUBLE)[0],
        data, indices, checks.array("result", result), checks.rates(rate, 4, DOUBLE),
    ]  # fmt: skip
    before = [(one.shape, one.dtype) for one in found]
    assert all(np.shares_memory(one, other) for one, other in zip(found, given, strict=True))
    for one in given:
        one.shape = (1, one.size)
    assert [(one.shape, one.dtype) for one in found] == before
    assert n_stored == data.size


@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.bool_, np.int8, ">f4", np.longdouble])
def test_other_numbers_become_those_of_the_network(dtype):
    found = checks.rows(np.ones((4, 3), dtype), 3, DOUBLE)
    assert (found.dtype, found.flags.c_contiguous) == (DOUBLE, True)
    assert (found == 1).all()


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros(3), ValueError, r"\(3,\).*for one example give X.reshape\(1, -1\)"),
        (np.zeros((2, 3, 1)), ValueError, r"\(2, 3, 1\).*give X.reshape\(len\(X\), -1\)"),
        (np.zeros((2, 2, 2)), ValueError, r"expected \(m, 3\), one example a row$"),
        (1.0, ValueError, r"X has shape \(\)"),
        (np.zeros((2, 4)), ValueError, "X has 4 columns; this network has 3 inputs"),
        (np.zeros((0, 3)), ValueError, "X is empty; expected at least one example"),
        ([], ValueError, r"X has shape \(0,\)"),
        ([[1, 2, 3], [1, 2]], ValueError, "X is ragged"),
        (
            np.zeros((2, 3), object),
            TypeError,
            r"object; expected numbers. Convert them: np.asarray\(X",
        ),
        ([[1, 2, None]], TypeError, r"X has dtype object.*missing values \(None\): fill them in"),
        (np.array([[1, "{x}", 2]], object), TypeError, "has text, such as '{x}'. Digits become"),
        (np.array([[1, Decimal(1)]], object), TypeError, "entries of type Decimal. Convert them"),
        (np.array([[1, 2, 3], None], object)[:1], TypeError, r"list. Put them .*np.stack\(X\)"),
        ([["a", "b", "c"]], TypeError, "X has dtype <U1; expected real numbers.*fastmlp.tabular"),
        (np.zeros((2, 3), complex), TypeError, "X has dtype complex128; .*X.real"),
        (
            np.zeros((2, 3), "M8[s]"),
            TypeError,
            r"X has dtype datetime64.*Dates .* \(X - X.min\(\)\)",
        ),
        (np.zeros((2, 3), "m8[s]"), TypeError, "Time differences become numbers by X / np.timede"),
        (np.zeros(2, [("a", float)]), TypeError, "Records become rows by .*unstructured"),
        (np.ma.zeros((2, 3)), TypeError, "X is a masked array"),
        (None, TypeError, "X must be an array of numbers, got None"),
        ("data.csv", TypeError, "X must be an array of numbers, got 'data.csv'"),
        ({"a": 1}, TypeError, "X must be an array of numbers, got {'a': 1}"),
    ],
)
def test_wrong_examples_are_explained(X, error, message):
    with pytest.raises(error, match=message):
        checks.rows(X, 3, SINGLE)


TABLE = {"a": [1.0, 2.5], "b": [True, False], "c": [1, 2]}


@pytest.mark.parametrize("dtypes", ["numpy", "nullable", "arrow"])
def test_numbers_and_booleans_of_a_table_are_numbers(dtypes):
    table = pytest.importorskip("pandas").DataFrame(TABLE)
    if dtypes == "nullable":
        table = table.convert_dtypes()
    if dtypes == "arrow":
        pytest.importorskip("pyarrow")
        table = table.convert_dtypes(dtype_backend="pyarrow")
    assert np.asarray(table).dtype == object  # what NumPy makes of it
    np.testing.assert_array_equal(checks.rows(table, 3, DOUBLE), [[1, 1, 1], [2.5, 0, 2]])


def test_missing_value_of_a_table_is_named_with_its_place():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"a": [1.0, 2.0], "b": pd.array([True, None], "boolean")})
    with pytest.raises(ValueError, match=r"X\[1, 1\] is nan; fill in"):
        checks.rows(table, 2, SINGLE)


def test_columns_of_a_table_that_are_not_numbers_are_named():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({**TABLE, "kind": ["x", "y"], "day": pd.Timestamp("2024-01-01")})
    message = (
        r"2 of 5 columns hold others: 'kind' \((str|object)\), 'day' \(datetime64.*fastmlp.tabular"
    )
    with pytest.raises(TypeError, match=message):
        checks.rows(table, 5, SINGLE)


@pytest.mark.parametrize("dtype", ["boolean", "Int64", "bool"])
def test_column_of_any_dtype_of_numbers_is_read(dtype):
    column = pytest.importorskip("pandas").Series([1, 0, 1], dtype=dtype)
    np.testing.assert_array_equal(checks.array("y", column), [1, 0, 1])


def test_column_of_names_is_explained():
    column = pytest.importorskip("pandas").Series(["setosa", "virginica"])
    with pytest.raises(TypeError, match=r"'setosa'. Names of classes .* np.unique\(y"):
        checks.array("y", column)


@pytest.mark.parametrize("error", [RuntimeError, TypeError])
def test_what_cannot_become_an_array_is_named_with_the_reason(error):
    class Tensor:
        def __array__(self, dtype=None, copy=None):
            raise error("it requires grad: use tensor.detach()")

    with pytest.raises(TypeError, match=r"^y cannot become .*use tensor\.detach\(\); give y as a"):
        checks.array("y", Tensor())


def test_a_dtype_of_another_package_is_to_be_converted_and_a_record_to_be_unpacked():
    with pytest.raises(TypeError, match=r"X has dtype .*V2.*; .* np.asarray\(X, dtype=np.float32"):
        checks.array("X", np.zeros((2, 3), "V2"))
    with pytest.raises(TypeError, match="Records become rows"):
        checks.array("X", np.zeros(2, [("a", float)]))


def test_text_in_place_of_labels_is_explained_by_names_of_classes_and_other_text_is_not():
    texts = np.array(["a", "b"])
    with pytest.raises(TypeError, match=r"Names of classes .* np.unique\(y, return_inverse"):
        checks.array("y", texts)
    with pytest.raises(TypeError, match=r"real numbers. Digits become .*\(sample_weight, dtype"):
        checks.array("sample_weight", texts)


@pytest.mark.parametrize("name", ["weights[0]", "edges"])
def test_numbers_that_belong_to_no_example_are_not_to_be_left_out_with_it(name):
    with pytest.raises(ValueError) as caught:
        checks.finite(name, np.array([1.0, np.nan]), DOUBLE)
    assert str(caught.value) == f"{name} must be finite, but {name}[1] is nan"


def test_arrays_of_parameters_that_lie_across_are_to_be_transposed():
    with pytest.raises(ValueError, match=r"shape \(3, 2\); expected \(2, 3\); give weights\[0\].T"):
        checks.arrays("weights", [np.zeros((3, 2))], [(2, 3)], DOUBLE)
    with pytest.raises(ValueError, match=r"\(4, 2\); expected \(2, 3\)$"):
        checks.arrays("weights", [np.zeros((4, 2))], [(2, 3)], DOUBLE)


@pytest.mark.parametrize("given, got", [([np.zeros((2, 3))] * 3, "3"), (np.zeros((5, 3)), "ndarr")])
def test_a_list_of_arrays_of_another_length_is_named(given, got):
    with pytest.raises(ValueError, match=f"must be a list of 1 arrays, .*, got {got}"):
        checks.arrays("weights", given, [(2, 3)], DOUBLE)


def test_column_of_one_input_is_explained():
    with pytest.raises(ValueError, match=r"give X.reshape\(-1, 1\)"):
        checks.rows(np.zeros(5), 1, SINGLE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (500, 123), (999, 699)])
def test_first_number_that_is_not_finite_is_named(dtype, value, place):
    X = np.zeros((1000, 700), dtype)
    X[-1, -1] = value
    X[place] = value
    with pytest.raises(ValueError, match=rf"X\[{place[0]}, {place[1]}\] is {value}; fill in"):
        checks.rows(X, 700, SINGLE)


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [1, 7, 64, 99])
def test_each_number_of_a_row_must_be_finite(dtype, value, n):
    X = np.full((1, n), -np.finfo(dtype).max, dtype)
    assert np.shares_memory(checks.rows(X, n, dtype), X)
    for j in range(n):
        wrong = X.copy()
        wrong[0, j] = value
        with pytest.raises(ValueError, match=rf"X\[0, {j}\] is {value}; fill in"):
            checks.rows(wrong, n, dtype)


def test_number_beyond_the_range_of_the_network_is_named():
    X = np.zeros((2, 3))
    X[1, 2] = 1e300
    with pytest.raises(ValueError, match=r"X\[1, 2\] is 1e\+300, too large for a float32 network"):
        checks.rows(X, 3, SINGLE)
    assert np.shares_memory(checks.rows(X, 3, DOUBLE), X)


def test_the_greatest_numbers_of_a_network_are_taken():
    greatest = float(np.finfo(np.float32).max)
    X = np.array([[-greatest, greatest], [0, 1]])
    np.testing.assert_array_equal(checks.rows(X, 2, SINGLE), X)


@pytest.mark.parametrize(("value", "of"), [(SINGLE, SINGLE), (DOUBLE, DOUBLE), (DOUBLE, SINGLE)])
def test_only_float32_for_float64_is_converted_for_its_subnormal_numbers(value, of):
    X = np.array([[1e-40, 1.0], [np.finfo(value).smallest_subnormal, 2.0]], value)
    assert np.shares_memory(checks.rows(X, 2, of), X)


# -------------------------------------------------------------------------------- sparse


def test_sparse_rows_are_what_the_kernels_read(rng):
    X = scipy.sparse.coo_array(rng.normal(size=(20, 9)) * (rng.random((20, 9)) < 0.3))
    data, indices, pointers = checks.rows(X, 9, SINGLE)
    assert (data.dtype, indices.dtype, pointers.dtype) == (np.float64, np.int32, np.int64)
    again = scipy.sparse.csr_array((data, indices, pointers), shape=(20, 9))
    assert (again != X.tocsr()).nnz == 0
    assert checks.n_rows((data, indices, pointers)) == 20


def test_sparse_matrix_of_zeros_is_taken():
    assert checks.n_rows(checks.rows(scipy.sparse.csr_array((5, 3)), 3, SINGLE)) == 5


def test_sparse_number_that_is_not_finite_is_named_by_row_and_column():
    X = np.zeros((4, 5))
    X[0, 1], X[2, 3] = 1, np.nan
    with pytest.raises(ValueError, match=r"X\[2, 3\] is nan"):
        checks.rows(scipy.sparse.csr_array(X), 5, SINGLE)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("indices", [0, 9]),
        ("indices", [-1, 2]),
        ("indices", [0]),
        ("indptr", [0, 1, 3]),
        ("indptr", [1, 1, 2]),
        ("indptr", [0, 2, 1]),
        ("indptr", [0, 2]),
        ("data", [1.0]),
    ],
)
def test_sparse_matrix_that_points_outside_is_refused(name, value):
    class Broken:
        shape = (2, 3)
        has_canonical_format = True
        data = np.ones(2)
        indices = np.array([0, 2])
        indptr = np.array([0, 1, 2])

        def tocsr(self):
            return self

    X = Broken()
    assert checks.n_rows(checks.rows(X, 3, SINGLE)) == 2
    setattr(X, name, np.array(value))
    with pytest.raises(ValueError, match="X is a damaged sparse matrix"):
        checks.rows(X, 3, SINGLE)


@pytest.mark.parametrize("shape", [(0, 3), (4, 2)])
def test_sparse_matrix_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"X is empty|X has 2 columns"):
        checks.rows(scipy.sparse.csr_array(shape), 3, SINGLE)


def test_sparse_targets_are_refused():
    with pytest.raises(TypeError, match=r"y is sparse; give y.toarray\(\)"):
        checks.array("y", scipy.sparse.csr_array((2, 3)))


# ------------------------------------------------------------------------------- weights


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "sample_weight has 2 entries for 3 examples"),
        ([[1], [2], [3]], r"sample_weight has shape \(3, 1\); expected \(3,\)"),
        ([1, -2, 3], r"must be ≥ 0, but sample_weight\[1\] is -2"),
        ([1, np.nan, 3], r"must be finite, but sample_weight\[1\] is nan"),
        ([0, 0, 0], "sample_weight is zero for every example"),
        ([0, 1e-36, 2e-36], "goes up to 2e-36, too small for the products of a float32 network"),
        ([1e36, 1, 1], "goes up to 1e[+]36, too large .*; divide all weights by their mean"),
    ],
)
def test_wrong_sample_weights_are_explained(value, message):
    with pytest.raises(ValueError, match=message):
        checks.sample_weight(value, 3, SINGLE)
