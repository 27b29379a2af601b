"""The values of a table in text: pandas reads them, and what it takes for text is looked at again.

bytes → text in UTF-8 → layout → numbers, booleans, text
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...support.extras import imported
from ...support.user_warnings import warn_user
from .files import as_utf8
from .layout import SHOWN, WHITESPACE, Layout, layout, may_hold_codes, text_stream
from .matrix import listed
from .numbers import (
    COMMA,
    MISSING,
    MOST_DIGITS,
    POINT,
    THOUSANDS,
    Notation,
    TextColumn,
)

if TYPE_CHECKING:
    import pandas


def text_frame(
    data: bytes,
    name: str,
    separator: str | None,
    encoding: str | None,
    decimal: str | None,
    thousands: str | None,
    columns: Sequence[str] | None,
    used: Collection[str] | Callable[[Sequence[str]], Collection[str]] | None,
    levels: Mapping[str, Collection[str] | None],
    label: str | None,
    likely_decimal: str | None,
) -> pandas.DataFrame:
    """Return a table in text, with at least the `columns` if all exist; see `read_columns`."""
    found = layout(as_utf8(data, encoding, name), separator, name)
    chosen = known = {*found.names}
    one_suffices = decimal is not None or found.separator == ","  # no column speaks for others
    if columns is not None and one_suffices and known.issuperset(columns):
        chosen = {*columns}
    told = {*found.names} if used is None else {*(used(found.names) if callable(used) else used)}
    positions = [j for j, one in enumerate(found.names) if one in chosen]
    names = [found.names[j] for j in positions]
    frame, texts = _values(found, positions, decimal or ".", name)
    given = decimal
    if decimal is None and found.separator != ",":
        verdicts = {names[j]: text.has_decimal_comma() for j, text in texts.items()}
        points = []
        if likely_decimal == "," or True in verdicts.values():
            points = [names[j] for j in _with_decimal_points(found, frame, positions)]
        decimal = _recognized_decimal(
            verdicts, points, found.separator, told, likely_decimal, name
        )
        if decimal == ",":
            frame, texts = _values(found, positions, decimal, name)
    notation = Notation(decimal or ".", THOUSANDS if thousands is None else thousands)
    series = dict(frame.items()) if texts else {}
    suspects: list[tuple[int, int]] = []
    n_suspects = 0
    for j, text in texts.items():
        series[j], rows = text.converted(notation)
        if names[j] not in told:
            continue
        suspects += [(row, j) for row in rows[:SHOWN].tolist()]
        n_suspects += len(rows)
    if texts:
        frame = imported("pandas", "tabular").DataFrame(series, copy=False)
    frame.columns = names
    _report_header([one for one in names if one in told], name)
    frame = _with_levels(frame, found, levels)
    _report_label(frame, found, label, name)
    codes = [
        (int(text.rows([text.code])[0]), j)
        for j, text in texts.items()
        if text.code and names[j] in told
    ]
    _report(
        frame, sorted(suspects), n_suspects, name, "not numbers",
        "Correct these cells, or write NA for missing values",
    )  # fmt: skip
    _report(
        frame, codes, len(codes), name, "codes",
        "If the cells of a column are quantities, write them with a decimal point, such as 12.0",
        more="more columns",
    )  # fmt: skip
    if columns is None and "" in names and frame[""].isna().all():
        frame = frame.drop(columns="")  # the rows end in a separator
    if given is not None or decimal == ",":
        frame.attrs["decimal"] = decimal
    frame.attrs["signs"] = {
        names[j]: text.sign
        for j, text in texts.items()
        if text.sign and series[j].dtype.kind in "if"
    }
    return frame


def _report(
    frame: pandas.DataFrame,
    cells: Sequence[tuple[int, int]],
    total: int,
    name: str,
    why: str,
    advice: str,
    more: str = "more",
) -> None:
    """Warn of columns that are read as text because of some of their cells, if there are any."""
    if cells:
        n = len({j for _, j in cells})
        warn_user(
            f"{name}: {'a column is' if n == 1 else f'{n} columns are'} read as text because of "
            f"cells that are {why}: {listed(frame, cells, total, more)}. {advice}",
        )


def _values(
    found: Layout, positions: Sequence[int], decimal: str, name: str
) -> tuple[pandas.DataFrame, dict[int, TextColumn]]:
    """Return the columns at some positions, numbered from 0, and those of them that are text."""
    pandas = imported("pandas", "tabular")
    try:
        frame = _cells(found, positions, None, decimal)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())}") from None
    if len(frame) != len(found.lines):
        raise ValueError(
            f"{name}: pandas finds {len(frame):,} rows and csv {len(found.lines):,}; put cells "
            f"that contain quotes, separators or line ends in double quotes"
        )
    numbers = frame.select_dtypes("number")
    if not may_hold_codes(found.data, found.separator):
        numbers = numbers.loc[:, (numbers.max() >= 10**MOST_DIGITS).to_numpy(bool)]
    whole = numbers.columns[((numbers % 1 == 0) | numbers.isna()).all()]
    if len(whole):
        cells = _cells(found, whole.tolist(), str, decimal)
        codes = {j: cells[j] for j in cells if TextColumn(cells[j]).code}
        frame = pandas.DataFrame({**dict(frame.items()), **codes}, copy=False)
    frame.index = pandas.Index(found.lines, name="line")
    frame.columns = range(len(positions))
    return frame, {j: TextColumn(one) for j, one in frame.items() if one.dtype.kind == "O"}


def _cells(
    found: Layout,
    positions: Sequence[int],
    dtype: Any,
    decimal: str = ".",
    missing: Collection[str] = MISSING,
) -> pandas.DataFrame:
    """Return what pandas makes of the columns at some positions, which are their names."""
    stream = text_stream(found.data)
    for _ in range(found.header_lines):
        stream.readline()
    frame: pandas.DataFrame = imported("pandas", "tabular").read_csv(
        stream,
        sep=r"\s+" if found.separator == WHITESPACE else found.separator,
        header=None,
        names=range(len(found.names)),
        usecols=positions,
        dtype=dtype,
        index_col=False,
        na_values=sorted(missing),
        keep_default_na=False,
        skipinitialspace=True,
        decimal=decimal,
        low_memory=False,
    )
    return frame


def _with_levels(
    frame: pandas.DataFrame, found: Layout, levels: Mapping[str, Collection[str] | None]
) -> pandas.DataFrame:
    """Return a table in which the cells that are written like levels of their columns are text."""
    positions = {name: position for position, name in enumerate(found.names)}
    chosen = {
        positions[name]: name
        for name, known in levels.items()
        if name in frame
        and (known is None or frame[name].dtype.kind != "O" or not MISSING.isdisjoint(known))
    }
    if not chosen:
        return frame
    written = _cells(found, [*chosen], str, missing=())
    replaced = {}
    for position, name in chosen.items():
        cells = written[position].str.strip().set_axis(frame.index)
        known = levels[name]
        if known is None:
            replaced[name] = cells
        elif (are_levels := cells.isin([*known])).any():
            replaced[name] = frame[name].astype(object).where(~are_levels, cells)
    return frame.assign(**replaced)


def _report_header(names: Sequence[str], name: str) -> None:
    """Warn if names of columns are fractions, as in a file without a header."""
    fractions = [one for one in names if (POINT.number(one) or 0) % 1]
    if fractions:
        warn_user(
            f"{name}: the first line is taken for the names of the columns, such as "
            f"{fractions[0]!r}. If it is a row, write a line of names above it",
        )


def _report_label(
    frame: pandas.DataFrame, found: Layout, label: str | None, name: str
) -> None:
    """Warn if the label is text and in some rows a name of missing values, such as None."""
    if label not in frame or frame[label].dtype.kind != "O" or not frame[label].hasnans:
        return
    position = found.names.index(label)
    written = _cells(found, [position], str, missing=())[position].str.strip()
    counts = written[(written != "") & frame[label].isna().to_numpy()].value_counts()
    if len(counts):
        shown = ", ".join(f"{word!r} in {n:,}" for word, n in [*counts.items()][:SHOWN])
        warn_user(
            f"{name}: the label {label!r} is {shown} of {len(frame):,} rows, which counts as "
            f"missing. If it is a class, write it otherwise, such as 'no {label}'",
        )


def _with_decimal_points(
    found: Layout, frame: pandas.DataFrame, positions: Sequence[int]
) -> list[int]:
    """Return the columns of numbers with points that cannot be read with a decimal comma."""
    floats = {positions[j]: j for j in frame if frame[j].dtype.kind == "f"}
    written = _cells(found, [*floats], str)
    return [
        j
        for position, j in floats.items()
        if None in map(COMMA.number, written[position].dropna().str.strip().unique())
    ]


def _recognized_decimal(
    verdicts: Mapping[str, bool | None],
    points: Sequence[str],
    separator: str,
    told: Collection[str],
    likely: str | None,
    name: str,
) -> str:
    """Return the decimal separator that the columns of text speak for.

    `verdicts` tells of each whether it has a decimal comma, `points` are columns of numbers with
    decimal points.  Where all columns allow both it is the likely one.  A guess is reported if
    there is a column among those `told` to which it matters.
    """
    commas = [column for column, verdict in verdicts.items() if verdict]
    if commas and points:
        decimal = "." if len(points) > len(commas) else ","
        if not {*commas, *points}.isdisjoint(told):
            warn_user(
                f"{name}: numbers of column {commas[0]!r} have decimal commas, those of column "
                f"{points[0]!r} points; the file is read with decimal {decimal!r}, and the others "
                f"as text. Write all alike, or give the option decimal",
            )
        return decimal
    if commas:
        return ","
    if likely is not None and not (likely == "," and points):
        return likely
    unclear = [column for column, verdict in verdicts.items() if verdict is None]
    if not unclear:
        return "."
    decimal, meaning = (",", "decimal") if separator == ";" else (".", "thousands")
    reported = [column for column in unclear if column in told]
    if reported:
        warn_user(
            f"{name}: the commas in the numbers of column {reported[0]!r} are read as {meaning} "
            f"separators; if they are not, give the option decimal as "
            f"{'.,'.replace(decimal, '')!r}",
        )
    return decimal
