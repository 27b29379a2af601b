"""Training on a folder of Parquet files."""

from __future__ import annotations

import copy
import pickle
import sys
import tracemalloc

import numpy as np
import pytest

import fastmlp
from fastmlp.data import parquet

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

N_ROWS, N_GROUP = 230, 20


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 3))
    return X, (X[:, 0] > 0).astype(np.int64), rng.uniform(0.5, 2, N_ROWS)


@pytest.fixture
def folder(arrays, tmp_path):
    """Three files, one of them in a subfolder, with several row groups each."""
    path = tmp_path / "rows"
    (path / "later").mkdir(parents=True)
    X, y, weight = arrays
    table = pa.table({"y": y, "a": X[:, 0], "b": X[:, 1], "w": weight, "c": X[:, 2]})
    for name, first, end in (("0", 0, 90), ("1", 90, 95), ("later/2", 95, N_ROWS)):
        pq.write_table(table[first:end], path / f"{name}.parquet", row_group_size=N_GROUP)
    (path / "_metadata.parquet").write_text("not read")
    (path / "notes.txt").write_text("not read")
    return path


def network(**options):
    return fastmlp.MLP((3, 8, 2), dtype="float64", **options)


def same_parameters(one, other):
    return one.snapshot().tobytes() == other.snapshot().tobytes()


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of 33 rows of three float64."""
    monkeypatch.setattr(parquet, "CHUNK", 33 * 3 * 8)


@pytest.mark.usefixtures("small_chunks")
def test_training_in_order_gives_the_bits_of_one_array(folder, arrays):
    X, y, weight = arrays
    nets = [network(), network()]
    rows = fastmlp.ParquetFolder(folder, label="y", weight="w")
    nets[0].fit(X, y, sample_weight=weight, shuffle=False, batch_size=32, epochs=3)
    history = nets[1].fit(rows, shuffle=False, batch_size=32, epochs=3, validation_data=rows)
    assert same_parameters(*nets)
    assert history.validation_cost[-1] == pytest.approx(nets[0].cost(X, y, sample_weight=weight))


@pytest.mark.usefixtures("small_chunks")
def test_shuffled_chunks_have_every_row_once_and_mix_row_groups(folder, arrays):
    rows = fastmlp.ParquetFolder(folder, label="y")
    chunks = list(rows.chunks(np.random.default_rng(1)))
    X = np.concatenate([chunk[0] for chunk in chunks])
    assert sorted(X[:, 0]) == sorted(arrays[0][:, 0])
    place = {value: k for k, value in enumerate(arrays[0][:, 0])}
    first = {place[value] // N_GROUP for value in chunks[0][0][:, 0]}
    assert len(first) > 3
    assert max(len(chunk[0]) for chunk in chunks) <= 33


@pytest.mark.usefixtures("small_chunks")
def test_epochs_have_different_orders_and_fits_of_one_seed_the_same(folder):
    rows = fastmlp.ParquetFolder(folder, label="y", weight="w")
    nets = [network(seed=4), network(seed=4), network(seed=4)]
    nets[0].fit(rows, epochs=2)
    nets[1].fit(rows, epochs=2)
    nets[2].fit(rows, epochs=1, shuffle=False)
    nets[2].fit(rows, epochs=1)
    assert same_parameters(*nets[:2])
    assert not same_parameters(*nets[1:])


def test_schedules_know_the_number_of_rows(folder, arrays):
    rate = fastmlp.schedules.OneCycle(0.01)
    nets = [network(), network()]
    options = {"optimizer": fastmlp.Adam(rate), "shuffle": False, "epochs": 2}
    nets[0].fit(*arrays[:2], **options)
    nets[1].fit(fastmlp.ParquetFolder(folder, label="y", columns=["a", "b", "c"]), **options)
    assert same_parameters(*nets)


def test_columns_are_those_named_in_their_order(folder, arrays):
    rows = fastmlp.ParquetFolder(folder / "0.parquet", label=["a", "w"], columns=["c", "b"])
    (X, y), *_ = rows
    np.testing.assert_array_equal(X, arrays[0][:90, [2, 1]])
    np.testing.assert_array_equal(y, np.column_stack([arrays[0][:90, 0], arrays[2][:90]]))
    assert (rows.columns, rows.n_features, len(rows)) == (("c", "b"), 2, 90)
    assert repr(rows).endswith("0.parquet': 90 rows, 2 features)")


@pytest.mark.parametrize(
    ("types", "dtype"),
    [
        ((pa.uint8(), pa.bool_()), np.uint8),
        ((pa.uint8(), pa.int8()), np.float32),
        ((pa.float16(), pa.uint8()), np.float32),
        ((pa.float32(), pa.int16()), np.float32),
        ((pa.float32(), pa.int32()), np.float64),
    ],
    ids=str,
)
def test_dtype_of_X_holds_all_columns(tmp_path, types, dtype):
    values = np.array([1, 0, 1])
    columns = [pa.array(values.astype(kind.to_pandas_dtype())) for kind in types]
    table = pa.table([*columns, values], names=["a", "b", "y"])
    pq.write_table(table, tmp_path / "rows.parquet")
    ((X, _),) = fastmlp.ParquetFolder(tmp_path, label="y")
    assert X.dtype == dtype
    np.testing.assert_array_equal(X, np.column_stack([values, values]))


def test_vectors_become_columns(tmp_path):
    values = np.arange(12, dtype=np.uint8)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(values), 4)
    table = pa.table({"pixels": vectors, "y": [0, 1, 2]})
    pq.write_table(table, tmp_path / "rows.parquet")
    rows = fastmlp.ParquetFolder(tmp_path, label="y")
    ((X, y),) = rows
    np.testing.assert_array_equal(X, values.reshape(3, 4))
    assert X.dtype == np.uint8 and rows.n_features == 4
    net = fastmlp.MLP((4, 3))
    net.fit(rows, epochs=1)


@pytest.mark.parametrize("n_parts", [1, 2, 3, 5, 13])
def test_parts_have_every_row_once_and_about_equally_many(folder, n_parts):
    rows = fastmlp.ParquetFolder(folder, label="y")
    parts = [rows.part(k, n_parts) for k in range(n_parts)]
    X = np.concatenate([chunk[0] for part in parts for chunk in part])
    np.testing.assert_array_equal(X, np.concatenate([chunk[0] for chunk in rows]))
    assert all(abs(len(part) - N_ROWS / n_parts) <= N_GROUP for part in parts)
    assert all(part.files for part in parts)
    assert rows.n_row_groups == sum(part.n_row_groups for part in parts) == 5 + 1 + 7


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_folder_can_be_sent_to_other_processes(folder, copied):
    nets = [network(), network()]
    rows = fastmlp.ParquetFolder(folder, label="y", weight="w")
    nets[0].fit(rows, epochs=1)
    nets[1].fit(copied(rows), epochs=1)
    assert same_parameters(*nets)


@pytest.mark.parametrize("rows", [slice(0, 10), slice(0, 89)], ids=["groups", "rows"])
def test_a_file_that_changes_after_it_was_opened_is_named(folder, arrays, rows):
    X, y, weight = arrays
    found = fastmlp.ParquetFolder(folder, label="y", weight="w")
    table = pa.table({"y": y, "a": X[:, 0], "b": X[:, 1], "w": weight, "c": X[:, 2]})
    pq.write_table(table[rows], folder / "0.parquet", row_group_size=N_GROUP)
    with pytest.raises(ValueError, match="0.parquet: .* the file has been changed; make the Parq"):
        network().fit(found, epochs=1)


def test_with_too_few_row_groups_the_last_parts_are_empty(folder):
    rows = fastmlp.ParquetFolder(folder / "1.parquet", label="y")
    assert [len(rows.part(k, 3)) for k in range(3)] == [5, 0, 0]
    with pytest.raises(ValueError, match="has no row"):
        fastmlp.MLP((4, 2)).fit(rows.part(2, 3))


@pytest.mark.parametrize(
    ("number", "n_parts", "message"),
    [
        (2, 2, "number must be below n_parts, 2, got 2"),
        (-1, 2, "number must be at least 0, got -1"),
        (0, 0, "n_parts must be at least 1, got 0"),
        (0.5, 2, "number must be a whole number, got 0.5"),
    ],
)
def test_a_part_that_does_not_exist_is_an_error(folder, number, n_parts, message):
    rows = fastmlp.ParquetFolder(folder, label="y")
    with pytest.raises((TypeError, ValueError), match=message):
        rows.part(number, n_parts)


def test_memory_is_that_of_a_few_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "CHUNK", 1 << 20)
    n = 40_000  # of 32 float64: 10 MB
    columns = {f"x{k}": np.random.default_rng(k).normal(size=n) for k in range(32)}
    y = np.zeros(n, np.int64)
    pq.write_table(pa.table(columns | {"y": y}), tmp_path / "rows.parquet", row_group_size=5_000)
    rows = fastmlp.ParquetFolder(tmp_path, label="y")
    net = fastmlp.MLP((32, 2), dtype="float64")
    net.fit(rows, epochs=1)
    tracemalloc.start()
    net.fit(rows, epochs=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 << 20


def write(path, **columns):
    pq.write_table(pa.table(columns), path)


X0, Y0 = np.array([1.0, 2.0, 3.0]), np.array([0, 1, 0])


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ([{"a": X0, "y": Y0}], {"label": "z"}, "no column 'z'. The columns: a, y"),
        (
            [{f"a{k}": X0 for k in range(10)}],
            {"label": "z"},
            "no column 'z'. The columns: a0, a1, a2, a3, a4, a5, a6, a7, and 2 more",
        ),
        ([{"a": X0, "Label": Y0}], {"label": "label"}, "did you mean 'Label'"),
        ([{"a": X0, "y": Y0}], {"columns": ["b"]}, "0.parquet: there is no column 'b'"),
        ([{"a": X0, "y": Y0}], {"columns": ["a", "y"]}, "'y' is in columns and is also a label"),
        ([{"a": X0, "y": Y0}], {"columns": ["a", "a"]}, "'a' is given more than once"),
        ([{"y": Y0}], {}, "no column is left for X"),
        ([{"a": X0, "y": Y0}], {"label": []}, "label is empty"),
        ([{"a": ["x", "y", "z"], "y": Y0}], {}, "'a' is of the type string.*fastmlp.tabular"),
        ([{"a": [[1.0], [2.0], [3.0]], "y": Y0}], {}, "'a' is of the type list.*of a fixed size"),
        ([{"a": X0, "y": ["x", "y", "x"]}], {}, "'y' is of the type string.*encode it"),
        ([{"a": X0, "y": Y0}, {"a": X0}], {}, "1.parquet: column 'y' is missing, which .*0.parq"),
        (
            [{"a": X0, "y": Y0}, {"a": X0.astype("float32"), "y": Y0}],
            {},
            "1.parquet: column 'a' is of the type float, in .*0.parquet of double",
        ),
        ([{"a": X0[:0], "y": Y0[:0]}], {}, "the files have no row"),
        ([], {}, "rows has no file"),
    ],
)
def test_what_is_wrong_with_the_files_is_told_before_training(tmp_path, files, options, message):
    path = tmp_path / "rows"
    path.mkdir()
    for k, columns in enumerate(files):
        write(path / f"{k}.parquet", **columns)
    with pytest.raises(ValueError, match=message):
        fastmlp.ParquetFolder(path, **{"label": "y"} | options)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1.0, None, 3.0], "y": Y0}, "0.parquet: column 'a' is empty in row 1;"),
        ({"a": [1.0, 2.0, np.nan], "y": Y0}, "0.parquet: column 'a' is nan in row 2;"),
        ({"a": [np.inf, 2.0, 3.0], "y": Y0}, "0.parquet: column 'a' is inf in row 0;"),
        ({"a": X0, "y": [0, 1, None]}, "0.parquet: column 'y' is empty in row 2;"),
        ({"a": X0, "y": [0, 1, 7]}, "rows: y .*7"),
    ],
)
def test_a_bad_entry_is_named_when_it_is_read(tmp_path, columns, message):
    (tmp_path / "rows").mkdir()
    write(tmp_path / "rows" / "0.parquet", **columns)
    rows = fastmlp.ParquetFolder(tmp_path / "rows", label="y")
    with pytest.raises(ValueError, match=message):
        fastmlp.MLP((1, 2)).fit(rows, epochs=1)


@pytest.mark.parametrize(
    ("vectors", "what"),
    [
        ([[1.0, 2.0], [3.0, 4.0], [5.0, None]], "empty in row 2"),
        ([[1.0, 2.0], None, [5.0, None]], "empty in row 1"),
        ([[1.0, 2.0], [3.0, 4.0], [np.inf, 5.0]], "inf in row 2"),
    ],
)
def test_a_bad_entry_of_a_vector_is_named_by_its_row(tmp_path, vectors, what):
    write(tmp_path / "0.parquet", a=pa.array(vectors, pa.list_(pa.float32(), 2)), y=Y0)
    rows = fastmlp.ParquetFolder(tmp_path, label="y")
    with pytest.raises(ValueError, match=f"0.parquet: column 'a' is {what};"):
        fastmlp.MLP((2, 2)).fit(rows, epochs=1)


def test_labels_and_weights_are_no_vectors(tmp_path):
    pairs = pa.array([[0, 1], [1, 0], [1, 1]], pa.list_(pa.int64(), 2))
    write(tmp_path / "0.parquet", a=X0, y=Y0, pairs=pairs)
    for options in ({"label": "pairs"}, {"label": "y", "weight": "pairs"}):
        with pytest.raises(ValueError, match="column 'pairs' has vectors; labels and weights are"):
            fastmlp.ParquetFolder(tmp_path, columns=["a"], **options)


def test_a_file_that_is_not_parquet_is_named(tmp_path):
    (tmp_path / "x.parquet").write_text("a,y\n1,0\n")
    with pytest.raises(ValueError, match=r"x\.parquet: .*Parquet"):
        fastmlp.ParquetFolder(tmp_path, label="y")


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: there is no such folder"):
        fastmlp.ParquetFolder(tmp_path / "nowhere", label="y")


def test_the_network_must_take_as_many_features(folder):
    rows = fastmlp.ParquetFolder(folder, label="y")
    with pytest.raises(ValueError, match=r"has 4 features, and the network takes 3"):
        network().fit(rows)


def test_targets_are_columns_not_arguments(folder, arrays):
    rows = fastmlp.ParquetFolder(folder, label="y", weight="w")
    with pytest.raises(TypeError, match="are columns of its files"):
        network().fit(rows, arrays[1])


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_a_path_alone_is_told_what_to_pass(folder, kind):
    with pytest.raises(TypeError, match=r"got the path .*rows'; .*fastmlp\.ParquetFolder"):
        network().fit(kind(folder))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": None}, "label must be a sequence, got None"),
        ({"label": "y", "columns": 3}, "columns must be a sequence, got 3"),
        ({"label": ["y", 3]}, r"label\[1\] must be the name of a column, a text, got 3"),
        ({"label": "y", "weight": 3}, "weight must be the name of a column, a text, got 3"),
        ({"label": "y", "columns": "a"}, r"columns must be a list of names .*: write \['a'\]"),
    ],
)
def test_names_of_columns_are_checked(folder, options, message):
    with pytest.raises(TypeError, match=message):
        fastmlp.ParquetFolder(folder, **options)


def test_a_fraction_cannot_be_set_aside(folder):
    rows = fastmlp.ParquetFolder(folder, label="y", weight="w")
    with pytest.raises(ValueError, match="a pair .X, y. or a ParquetFolder"):
        network().fit(rows, validation_data=0.1)


def test_without_pyarrow_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r'pip install "fastmlp\[parquet\]"'):
        fastmlp.ParquetFolder(tmp_path, label="y")
