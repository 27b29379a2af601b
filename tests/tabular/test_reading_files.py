"""Tables in compressed files, in NPZ archives and in Parquet files, within the budget of each."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pandas = pytest.importorskip("pandas")

from fastmlp.tabular.reading import read_table  # noqa: E402


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def alone(content: bytes) -> bytes:
    return zipped(("folder/t.csv", content), ("__MACOSX/t.csv", b"x"))


@pytest.fixture
def file(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes a file whose name says nothing about its contents."""

    def written(content: bytes) -> Path:
        path = tmp_path / "table"
        path.write_bytes(content)
        return path

    return written


COMPRESSED = pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, alone]
)


@COMPRESSED
def test_compressed_text_is_recognized(
    file: Callable[[bytes], Path], compress: Callable[[bytes], bytes]
) -> None:
    assert read_table(file(compress(b"a,b\n1,2\n"))).to_numpy().tolist() == [[1, 2]]


@COMPRESSED
def test_a_small_file_cannot_hold_a_large_table(
    file: Callable[[bytes], Path],
    compress: Callable[[bytes], bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fastmlp.tabular.reading_files.MOST_INFLATED", 1 << 20)
    path = file(compress(b"a\n" + b"1" * (2 << 20)))
    with pytest.raises(ValueError, match="it is compressed more than 200 times"):
        read_table(path)


@COMPRESSED
def test_a_damaged_file_is_refused(
    file: Callable[[bytes], Path], compress: Callable[[bytes], bytes]
) -> None:
    whole = compress(bytes(range(32, 127)) * 50)
    with pytest.raises(ValueError, match="cannot be"):
        read_table(file(whole[: len(whole) // 2]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(("a.csv", b"a\n1\n"), ("b.csv", b"a\n1\n")), "it has 2 files; a table is one file"),
        (zipped(), "it has 0 files"),
        (zipped(("[Content_Types].xml", b""), ("xl/a.xml", b"")), "it is a workbook; save its"),
        (b"PK\x03\x04 cut short", "cannot be read as a ZIP archive"),
    ],
)
def test_other_archives_are_refused(
    file: Callable[[bytes], Path], content: bytes, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_table(file(content))


def npz(folder: Path, **arrays: object) -> Path:
    path = folder / "table.npz"
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


def test_arrays_are_columns(tmp_path: Path) -> None:
    frame = read_table(
        npz(tmp_path, X=[[1.5, 2], [3, 4], [5, 6]], age=[7, 8, 9], y=["p", "q", "p"])
    )
    assert list(frame.columns) == ["X[0]", "X[1]", "age", "y"]
    assert frame.to_numpy().tolist() == [[1.5, 2, 7, "p"], [3, 4, 8, "q"], [5, 6, 9, "p"]]
    assert frame.index.name == "row"
    assert frame.index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", ["u1", "i2", "f2", "<f4", ">f4", ">i8", "g", "?", "<M8[D]"])
def test_arrays_of_any_dtype_keep_their_values(tmp_path: Path, dtype: str) -> None:
    values = np.array([0, 1, 1]).astype(dtype)
    frame = read_table(npz(tmp_path, a=values))
    np.testing.assert_array_equal(frame["a"].to_numpy().astype(dtype), values)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": [[1.0, 2.0]], "y": [0, 1]}, "differ in their number of rows"),
        ({"X": np.zeros((0, 2)), "y": []}, "the table is empty"),
        ({"X": np.zeros((2, 2, 2)), "y": [0, 1]}, "'X' has 3 axes"),
        ({"X": np.array([[None, 1]], object), "y": [0]}, "not an NPZ file of plain arrays"),
        ({"X": np.array([1j])}, "'X' holds complex128; a table holds real numbers, text or dates"),
        ({"X": [[1, 2]], "X[1]": [3]}, r"several columns are named 'X\[1\]'"),
    ],
)
def test_a_bad_array_is_named(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_table(npz(tmp_path, **arrays))


def announced(folder: Path, shape: tuple[int, ...], dtype: str, content: bytes) -> Path:
    """An NPZ file of one array X, whose header announces what its content need not be."""
    member = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)
    path = folder / "table.npz"
    path.write_bytes(zipped(("X.npy", member.getvalue() + content)))
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
        read_table(path)
    assert "allow_pickle" not in str(caught.value)


def test_an_array_may_be_compressed_well(tmp_path: Path) -> None:
    path = announced(tmp_path, (1 << 20, 2), "|u1", bytes(2 << 20))
    assert read_table(path, columns=["X[1]"]).to_numpy().sum() == 0


def test_parquet_files_keep_their_dtypes(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    from decimal import Decimal

    frame = pandas.DataFrame(
        {"a": [1, 2], "b": ["x", None], "c": [0.5, np.nan], "d": [Decimal("1.5"), None],
         "e": pandas.to_datetime(["2024-01-05", "2024-02-01"])},
        index=[5, 7],
    )  # fmt: skip
    frame.to_parquet(tmp_path / "t")
    found = read_table(tmp_path / "t", columns=["a", "b", "c", "d", "e"])
    assert found["a"].tolist() == [1, 2]
    assert found["b"].isna().tolist() == [False, True]
    assert found["d"].dtype == np.float64
    assert found["d"].tolist()[0] == 1.5
    assert found["e"].dtype.kind == "M"
    assert found.index.tolist() == [0, 1]
    with pytest.raises(ValueError, match="no column 'A'"):
        read_table(tmp_path / "t", columns=["A"])
    arrow.parquet.write_table(arrow.table({"x": [[1], [2]]}), tmp_path / "t")
    with pytest.raises(ValueError, match="the column 'x' holds lists or records"):
        read_table(tmp_path / "t")


def test_a_parquet_file_cannot_announce_more_cells_than_its_size_allows(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    table = arrow.table({"x": arrow.nulls(1 << 20)})
    many = arrow.concat_tables([table] * 160)
    pyarrow.parquet.write_table(many, tmp_path / "t")
    with pytest.raises(ValueError, match="it announces 167,772,160 cells"):
        read_table(tmp_path / "t")
    (tmp_path / "t").write_bytes(b"PAR1 cut short")
    with pytest.raises(ValueError, match="cannot be read as a Parquet file"):
        read_table(tmp_path / "t")
