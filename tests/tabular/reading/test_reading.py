"""Reading of a table: what is asked of it is checked, and warnings name the line of the call."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastmlp.tabular.reading import read_table, require_column


def names(n: int) -> list[str]:
    return [f"column {i}" for i in range(n)]


@pytest.mark.parametrize(
    ("n", "end"),
    [(2, "'column 0', 'column 1'"), (8, "'column 7'"), (9, "'column 7', …")],
)
def test_up_to_eight_columns_are_named_where_one_is_missing(n: int, end: str) -> None:
    with pytest.raises(ValueError, match=rf"t.csv: no column 'q'; there are .*{end}$"):
        require_column("q", names(n), "t.csv")


def test_a_similar_name_is_proposed() -> None:
    with pytest.raises(ValueError, match="no column 'colum 1'; did you mean 'column 1'"):
        require_column("colum 1", names(3), "t.csv")
    require_column("column 1", names(3), "t.csv")


def test_names_that_look_alike_are_shown_by_their_characters() -> None:
    with pytest.raises(ValueError, match=r"did you mean 'cafe\u0301', .* 'cafe\\u0301'\?$"):
        require_column("caf\u00e9", ["cafe\u0301", "tea"], "t.csv")


def test_a_warning_of_an_encoding_names_the_line_of_the_call(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,b\nä,1\n".encode("latin-1"))
    with pytest.warns(UserWarning, match="line 2: the byte 0xe4 is not UTF-8.*cp1252") as found:
        read_table(tmp_path / "t.csv")
    assert found[0].filename == __file__


def test_a_warning_of_commas_names_the_line_of_the_call(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1,500;x\n2,250;y\n")
    with pytest.warns(UserWarning, match="commas in the numbers of column 'a'") as found:
        read_table(tmp_path / "t.csv")
    assert found[0].filename == __file__
