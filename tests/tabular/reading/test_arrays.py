"""Tables in NPZ archives and in Parquet files, within the budget of each."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas
import pytest

import fastmlp
from fastmlp.tabular.reading import read_table
from fastmlp.tabular.reading.arrays import parquet_frame


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


@pytest.mark.parametrize(
    "dtype", ["u1", "i2", "f2", "<f4", ">f4", ">i8", "g", "?", "<M8[D]", "<m8[h]", "S3"]
)
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
        ({"X": np.array([1j])}, "'X' holds complex128; a table holds real numbers, text, "),
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


def test_a_model_file_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    fastmlp.MLP((2, 2)).save(path)
    with pytest.raises(ValueError, match=r"net\.npz is a model file of fastmlp, not a table"):
        read_table(path)


def test_bytes_are_text_in_utf_8(tmp_path: Path) -> None:
    frame = read_table(npz(tmp_path, a=np.array([b"Oslo", "Tromsø".encode(), b"\xff"])))
    assert frame["a"].tolist() == ["Oslo", "Tromsø", "\\xff"]


def test_only_the_columns_that_are_wanted_are_decompressed(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"a": [1], "b": [2], "c": [3]}).to_parquet(tmp_path / "t")
    data = (tmp_path / "t").read_bytes()
    for columns, found in ((["c", "a"], ["c", "a"]), (None, ["a", "b", "c"])):
        assert list(parquet_frame(data, "t", columns).columns) == found
    assert list(parquet_frame(data, "t", ["a", "q"]).columns) == ["a", "b", "c"]


def test_a_large_parquet_file_may_have_200_cells_in_a_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"a": np.random.default_rng(0).normal(size=5000)}).to_parquet(tmp_path / "t")
    monkeypatch.setattr("fastmlp.tabular.reading.arrays.MOST_CELLS", 4999)
    assert len(read_table(tmp_path / "t")) == 5000
