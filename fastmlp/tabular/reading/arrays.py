"""Tables in NPZ archives and in Parquet files, read within the budget of their size."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...model import npz
from ...support.extras import imported
from .layout import refuse_twins

if TYPE_CHECKING:
    import pandas

MOST_CELLS = 1 << 27  # of a Parquet file in any case, and beyond that
MOST_CELLS_RATIO = 200  # times as many as the file has bytes


def npz_frame(data: bytes, name: str) -> pandas.DataFrame:
    """Return the arrays of an NPZ archive as a table.

    An array (m,) is the column of its name; an array X of shape (m, n) has the columns ``X[0]`` to
    ``X[n-1]``. Numbers keep their dtype.
    """
    pandas = imported("pandas", "tabular")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            arrays = {
                info.filename.removesuffix(".npy"): npz.read_member(archive, info)
                for info in archive.infolist()
            }
    except (*npz.DAMAGE, TypeError, SyntaxError) as error:
        raise ValueError(f"{name}: not an NPZ file of plain arrays ({error})") from None
    if getattr(arrays.get("header"), "shape", None) == ():  # as fastmlp/model/npz.py writes it
        raise ValueError(f"{name} is a model file of fastmlp, not a table")
    columns: list[str] = []
    for key, array in arrays.items():
        if array.ndim not in (1, 2):
            raise ValueError(f"{name}: {key!r} has {array.ndim} axes; a table needs 1 or 2")
        if array.dtype.kind not in "biufUSMm":
            raise ValueError(
                f"{name}: {key!r} holds {array.dtype}; a table holds real numbers, text, dates or "
                f"time differences"
            )
        columns += [key] if array.ndim == 1 else [f"{key}[{j}]" for j in range(array.shape[1])]
    rows = {key: len(array) for key, array in arrays.items()}
    if len(set(rows.values())) > 1:
        raise ValueError(f"{name}: the arrays differ in their number of rows: {rows}")
    refuse_twins(columns, name)
    parts = [pandas.DataFrame(_native(array), copy=False) for array in arrays.values()]
    frame: Any = parts[0] if len(parts) == 1 else pandas.concat(parts, axis=1)
    frame.columns = columns
    return frame


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in a dtype that pandas has."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "backslashreplace")
    if array.dtype.kind == "U":
        return array.astype(object)
    if array.dtype.kind in "Mm":
        return array.astype(f"{array.dtype.kind}8[us]")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def parquet_frame(data: bytes, name: str, columns: Sequence[str] | None) -> pandas.DataFrame:
    """Return a Parquet file as a table; with `columns`, only these are decompressed if all exist.

    Decimal numbers become float64. Columns of lists and of records are refused.
    """
    parquet = imported("pyarrow.parquet", "parquet")
    arrow = imported("pyarrow", "parquet")
    try:
        file = parquet.ParquetFile(io.BytesIO(data))
        schema = file.schema_arrow
        n_cells = file.metadata.num_rows * len(schema)
        if n_cells > max(MOST_CELLS, MOST_CELLS_RATIO * len(data)):
            raise ValueError(f"it announces {n_cells:,} cells in {len(data):,} bytes")
        refuse_twins(schema.names, name)
        nested = [one.name for one in schema if arrow.types.is_nested(one.type)]
        if nested:
            raise ValueError(f"the column {nested[0]!r} holds lists or records, not single values")
        known = columns is not None and {*columns} <= {*schema.names}
        table = file.read(columns=list(columns) if known and columns else None)
        frame = in_microseconds(table).to_pandas(ignore_metadata=True)
    except (arrow.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{name} cannot be read as a Parquet file: {error}") from None
    decimals = [one.name for one in schema if arrow.types.is_decimal(one.type)]
    return frame.astype({one: np.float64 for one in decimals if one in frame})


def in_microseconds(table: Any) -> Any:
    """Return a table of PyArrow whose times of day have microseconds, as Python's have."""
    arrow = imported("pyarrow", "parquet")
    schema = table.schema
    for i, one in enumerate(table.schema):
        if one.type == arrow.time64("ns"):
            schema = schema.set(i, one.with_type(arrow.time64("us")))
    return table if schema.equals(table.schema) else table.cast(schema, safe=False)
