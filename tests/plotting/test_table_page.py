"""Plots of partial dependence: where the values of a column of each kind are drawn."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

from fastmlp.plotting.table_page import dependence  # noqa: E402


def drawn(values: Any) -> tuple[list[float], str, str]:
    """The places of three values along the axis, the style of their line, and the axis' label."""
    frame = pd.DataFrame({"column": values, "prediction": [1.0, 3.0, 2.0]})
    ax = dependence(frame)
    (line,) = ax.lines
    return [float(x) for x in line.get_xdata()], line.get_linestyle(), ax.get_xlabel()


@pytest.mark.parametrize(
    ("spans", "places", "label"),
    [
        (["1 days", "2 days", "5 days 12:00:00"], [1, 2, 5.5], "column, days"),
        (["-3 hours", "-1 hours", "90 minutes"], [-3, -1, 1.5], "column, hours"),
        (["30 seconds", "1 minutes", "3 minutes"], [0.5, 1, 3], "column, minutes"),
        (["1 seconds", "2 seconds", "4 seconds"], [1, 2, 4], "column, seconds"),
        (["0 seconds", "1 milliseconds", "2 milliseconds"], [0, 0.001, 0.002], "column, seconds"),
    ],
)
def test_time_differences_are_numbers_of_a_unit(
    spans: list[str], places: list[float], label: str
) -> None:
    found, style, axis = drawn(pd.to_timedelta(spans))
    np.testing.assert_allclose(found, places)
    assert (style, axis) == ("-", label)


def test_numbers_are_where_they_are() -> None:
    assert drawn([0.5, 2.0, 8.0]) == ([0.5, 2.0, 8.0], "-", "column")


def test_levels_are_points_side_by_side() -> None:
    assert drawn(["a", "b", "c"]) == ([0, 1, 2], "None", "column")


@pytest.mark.parametrize("ends", [("2024-01-01", "9999-12-31"), ("0001-01-01", "2024-01-01")])
def test_dates_at_the_ends_of_the_calendar_are_drawn(ends: tuple[str, str]) -> None:
    days = pd.Series(np.array(ends, "datetime64[us]"))
    ax = dependence(pd.DataFrame({"until": days, "prediction": [1.0, 2.0]}))
    ax.figure.savefig(io.BytesIO(), format="svg")
    places = days.to_numpy().astype("datetime64[D]").astype(int)
    assert ax.get_xlim()[0] <= places[0] < places[1] <= ax.get_xlim()[1]
