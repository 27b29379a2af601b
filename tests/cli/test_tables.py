"""Tables: errors name the place in the file, and no file takes more memory than it should."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastmlp.cli.tables import open_table


def csv(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "a,b,label\n1,2,x\n3,4,y\n",
        '"a","b","label"\n"1","2","x"\n"3","4","y"\n',
        "\ufeffa,b,label\r\n1,2,x\r\n3,4,y\r\n",
        "a, b, label\n1, 2, x\n3, 4, y",
        "\n\na,b,label\n\n1,2,x\n\n3,4,y\n\n",
    ],
    ids=["plain", "quoted", "byte-order mark", "spaces", "blank lines"],
)
def test_columns_are_read_by_name_in_the_requested_order(tmp_path: Path, text: str) -> None:
    numbers, labels = open_table(csv(tmp_path, text)).read(["b", "a"], "label")
    np.testing.assert_array_equal(numbers, [[2.0, 1.0], [4.0, 3.0]])
    np.testing.assert_array_equal(labels, ["x", "y"])


def test_tabs_separate_the_cells_of_tsv(tmp_path: Path) -> None:
    numbers, _ = open_table(csv(tmp_path, "a\tb,c\n1\t2\n", "table.tsv")).read(["b,c", "a"])
    np.testing.assert_array_equal(numbers, [[2.0, 1.0]])


def test_commas_and_line_ends_in_quotes_belong_to_the_cell(tmp_path: Path) -> None:
    table = open_table(csv(tmp_path, 'note,a,label\n"x, ""y""\nz",1,"k, l"\n-,2,m\n'))
    numbers, labels = table.read(["a"], "label")
    np.testing.assert_array_equal(numbers, [[1.0], [2.0]])
    np.testing.assert_array_equal(labels, ["k, l", "m"])


def test_numbers_keep_their_precision(tmp_path: Path, rng: np.random.Generator) -> None:
    values = rng.normal(size=200) * 10.0 ** rng.integers(-30, 30, 200)
    table = open_table(csv(tmp_path, "a\n" + "\n".join(map(repr, values.tolist()))))
    np.testing.assert_allclose(table.read(["a"])[0][:, 0], values, rtol=1e-15)


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        (["3", "-1", "20"], np.array([3, -1, 20])),
        (["01", "1", "2"], np.array(["01", "1", "2"])),
        (["1", "2.0", "3"], np.array(["1", "2.0", "3"])),
        (["yes", "NA", "nan"], np.array(["yes", "NA", "nan"])),
        (["9" * 30, "1", "2"], np.array(["9" * 30, "1", "2"])),
    ],
    ids=["integers", "leading zero", "a fraction", "words", "beyond 64 bits"],
)
def test_labels_are_integers_only_where_all_are_written_so(
    tmp_path: Path, cells: list[str], labels: np.ndarray
) -> None:
    text = "a,label\n" + "".join(f"0,{cell}\n" for cell in cells)
    found = open_table(csv(tmp_path, text)).read(["a"], "label")[1]
    np.testing.assert_array_equal(found, labels)
    assert found.dtype == (np.int64 if labels.dtype.kind == "i" else object)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1,2,x\n3,red,y\n", "line 3, column 'b': 'red' is not a number"),
        ("1,2,x\n3,,y\n", "line 3, column 'b': the cell is empty"),
        ("1,2,x\n  ,4,y\n", "line 3, column 'a': the cell is empty"),
        ("1,NaN,x\n3,4,y\n", "line 2, column 'b': NaN is not a finite number"),
        ("1,2,x\n\n-inf,4,y\n", "line 4, column 'a': -inf is not a finite number"),
        ("1,2,x\n3,4\n", "line 3: 2 cells, but the header has 3"),
        ("1,2,x\n3,4,y,z\n", "line 3: 4 cells, but the header has 3"),
        ("1,2,x,0\n3,4,y,0\n", "line 2: 4 cells, but the header has 3"),
        ("1,2\n3,4\n", "line 2: 2 cells, but the header has 3"),
        ("1,2,x\n3,4,\n", "line 3, column 'label': the cell is empty"),
        ("1,2,x\n1_000,4,y\n", "line 3, column 'a': '1_000' is not a number"),
        ("1,2,x\n3,True,y\n", "line 3, column 'b': 'True' is not a number"),
        ('1,2,x\n3,"1\n2",y\n', r"line 4, column 'b': '1\\n2' is not a number"),
        ("1,2,x\n3,1e999,y\n", "line 3, column 'b': 1e999 is not a finite number"),
        ("1,2,x\n3,4 5,y\n", "line 3, column 'b': '4 5' is not a number"),
        (f"1,2,x\n3,{'z' * 999},y\n", f"line 3, column 'b': '{'z' * 50}…' is not a number"),
        ('1,2,x\n3,4,"y\n', "line 3: a quote is opened and not closed"),
        ('1,2,x\n3,"4,y\n5,6,z\n', "line 3: a quote is opened and not closed"),
        (f"1,2,x\n3,4,{'y' * 131_073}\n", r"line 3: field larger than field limit \(131072\)"),
        ("1,2,x\n" * 9_000 + "3,4,\n", "line 9002, column 'label': the cell is empty"),
        ("1,2,x\n" * 9_000 + "3\n", "line 9002: 1 cells, but the header has 3"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, rows: str, message: str) -> None:
    table = open_table(csv(tmp_path, "a,b,label\n" + rows))
    with pytest.raises(ValueError, match=rf"table\.csv, {message}$"):
        table.read(["a", "b"], "label")


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1\u00a0", 1), ("\u0661", 1), (" +2.5e-3 ", 0.0025), ("-0", 0), (".5", 0.5)],
)
def test_a_number_is_what_python_takes_for_one(tmp_path: Path, cell: str, number: float) -> None:
    numbers, _ = open_table(csv(tmp_path, f"a,b\n7,7\n{cell},8\n")).read(["a"])
    np.testing.assert_array_equal(numbers, [[7.0], [number]])


def test_a_name_may_have_a_line_end(tmp_path: Path) -> None:
    table = open_table(csv(tmp_path, '"size\n(cm)",b\n1,2\n3,4\n'))
    assert table.names == ("size\n(cm)", "b")
    numbers, _ = table.read(["size\n(cm)", "b"])
    np.testing.assert_array_equal(numbers, [[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(table.row_numbers(), [3, 4])


def test_one_long_label_does_not_make_all_others_long(tmp_path: Path) -> None:
    """An array of NumPy's text would have 20,001 × 130,000 × 4 bytes: 10 GB."""
    text = "a,label\n" + "1,b\n" * 20_000 + "1," + "c" * 130_000 + "\n"
    table = open_table(csv(tmp_path, text))
    tracemalloc.start()
    labels = table.read(["a"], "label")[1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    assert labels.tolist() == ["b"] * 20_000 + ["c" * 130_000]


def test_a_bad_cell_in_an_unused_column_does_not_matter(tmp_path: Path) -> None:
    numbers, _ = open_table(csv(tmp_path, "a,b\n1,red\n2,\n")).read(["a"])
    np.testing.assert_array_equal(numbers, [[1.0], [2.0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the table is empty"),
        ("\n\n", "the table is empty"),
        ("a,b\n", "the table is empty"),
        ("a,b,a\n1,2,3\n", "two columns are named 'a'"),
    ],
)
def test_a_table_needs_rows_and_a_name_for_each_column(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        open_table(csv(tmp_path, text))


def test_an_unknown_column_brings_the_nearest_known_one(tmp_path: Path) -> None:
    table = open_table(csv(tmp_path, "length,width\n1,2\n"))
    with pytest.raises(ValueError, match="no column 'lenght'; did you mean 'length'"):
        table.read(["lenght"])
    with pytest.raises(ValueError, match="no column 'x'; there are 'length', 'width'"):
        table.read(["width"], "x")


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("a,label\n1,grün\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"table\.csv, line 2: 'utf-8' codec .* as UTF-8"):
        open_table(path).read(["a"], "label")


def test_the_ending_tells_the_kind_of_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a table is a \.csv, \.tsv or \.npz file"):
        open_table(csv(tmp_path, "a\n1\n", "table.xls"))


def npz(folder: Path, **arrays: object) -> Path:
    path = folder / "table.npz"
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


def test_arrays_are_columns(tmp_path: Path) -> None:
    table = open_table(
        npz(tmp_path, X=[[1.5, 2], [3, 4], [5, 6]], age=[7, 8, 9], y=["p", "q", "p"])
    )
    assert table.names == ("X[0]", "X[1]", "age", "y")
    numbers, labels = table.read(["age", "X[0]"], "y")
    np.testing.assert_array_equal(numbers, [[7, 1.5], [8, 3], [9, 5]])
    np.testing.assert_array_equal(labels, ["p", "q", "p"])


def test_one_array_alone_keeps_its_dtype(tmp_path: Path) -> None:
    X = np.arange(6, dtype=np.uint8).reshape(3, 2)
    numbers, labels = open_table(npz(tmp_path, X=X, y=np.array([1, 0, 1], np.uint8))).read(
        ["X[0]", "X[1]"], "y"
    )
    assert numbers.dtype == np.uint8
    np.testing.assert_array_equal(numbers, X)
    assert labels.dtype == np.int64


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": [[1.0, np.nan]], "y": [0]}, r"row 0 \(counted from 0\), column 'X\[1\]': nan"),
        ({"X": [["a", "b"]], "y": [0]}, r"column 'X\[0\]' holds <U1"),
        ({"X": [[1.0, 2.0]], "y": [0.5]}, "class labels are integers or strings"),
        ({"X": [[1.0, 2.0]], "y": [0, 1]}, "differ in their number of rows"),
        ({"X": np.zeros((0, 2)), "y": []}, "the table is empty"),
        ({"X": np.zeros((2, 2, 2)), "y": [0, 1]}, "'X' has 3 axes"),
        ({"X": np.array([[None, 1]], object), "y": [0]}, "not an NPZ file of plain arrays"),
    ],
)
def test_a_bad_array_is_named(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    path = npz(tmp_path, **arrays)
    with pytest.raises(ValueError, match=message):
        open_table(path).read(["X[0]", "X[1]"], "y")


def announced(folder: Path, shape: tuple[int, ...], dtype: str, content: bytes) -> Path:
    """An NPZ file of one array X, whose header announces what its content need not be."""
    member = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)
    path = folder / "table.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", member.getvalue() + content)
    return path


@pytest.mark.parametrize(
    ("shape", "dtype", "content", "message"),
    [
        ((2**40,), "<f4", b"", r"'X' is float32 of shape \(1099511627776,\), which takes 4,398,"),
        ((2**62, 2**62), "<f8", b"", "which takes"),
        ((2,), "<U100000000", b"abcd", "which takes 800,000,"),
        ((-1,), "<f4", b"", "which takes"),
        ((2,), "<f4", b"1234567", "which takes 136 bytes, but has 135"),
        ((2,), "<f4", b"123456789", "which takes 136 bytes, but has 137"),
        ((100 << 20,), "|u1", bytes(100 << 20), "compressed more than 200 times"),
        ((2,), "|O", b"", "holds pickled objects"),
    ],
)
def test_an_array_is_no_larger_than_its_file(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, content: bytes, message: str
) -> None:
    path = announced(tmp_path, shape, dtype, content)
    with pytest.raises(ValueError, match=message) as caught:
        open_table(path)
    assert "allow_pickle" not in str(caught.value)


def test_an_array_may_be_compressed_well(tmp_path: Path) -> None:
    path = announced(tmp_path, (1 << 20, 2), "|u1", bytes(2 << 20))
    assert open_table(path).read(["X[1]"])[0].sum() == 0


def test_labels_beyond_int64_stay_what_they_are(tmp_path: Path) -> None:
    y = np.array([2**64 - 1, 1, 2**64 - 1], np.uint64)
    labels = open_table(npz(tmp_path, a=np.ones(3), y=y)).read(["a"], "y")[1]
    assert labels.tolist() == y.tolist()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"a,b\n1,2\n"])
def test_what_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not an NPZ file of plain arrays"):
        open_table(path)
