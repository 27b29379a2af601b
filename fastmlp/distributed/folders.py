"""A folder of Parquet files, of which every rank reads a part."""

from __future__ import annotations

from typing import Any

from ..data.parquet import ParquetFolder, checksum
from .communication import Ranks

__all__ = ["own_part"]


def own_part(ranks: Ranks, name: str, data: Any, *, may_be_empty: bool = False) -> Any:
    """Return this rank's part of a `ParquetFolder` that all ranks pass; other data as they are.

    Raises
    ------
    ValueError
        On every rank, if the ranks see different files or, unless a part may be empty, if there are
        fewer row groups than ranks.
    """
    folder = data if isinstance(data, ParquetFolder) else None
    found = ranks.gather(None if folder is None else checksum(folder))
    for rank, other in enumerate(found):
        if other != found[0]:
            ranks.raise_on_all(
                ValueError(
                    f"{name} of ranks 0 and {rank} are different folders or columns: every rank "
                    f"passes the same ParquetFolder, and fit gives each rank a part of it. The "
                    f"folder must be on a disk that all machines share, and complete"
                )
            )
    if folder is None:
        return data
    if folder.n_row_groups < ranks.size and not may_be_empty:
        ranks.raise_on_all(
            ValueError(
                f"{folder.path} has {folder.n_row_groups} row groups for {ranks.size} ranks, each "
                f"of which needs at least one: write more files, or smaller row groups "
                f"(row_group_size of pyarrow.parquet.write_table)"
            )
        )
    return folder.part(ranks.rank, ranks.size)
