"""The file of measurements and the report of benchmarks.tables."""

import csv

import pytest

from .table_report import markdown, ratio
from .tables import append, measurements

OLD = """\
phoneme,fastmlp-good,0,0.12,0.27,2.0,4323
phoneme,fastmlp-good,1,0.14,0.29,2.0,4323
phoneme,CatBoost,0,0.90,0.90,1.0,4323
phoneme,CatBoost,0,0.10,0.25,1.0,4323
abalone,fastmlp-good,0,0.63,,2.0,3341,0.88
abalone,CatBoost,0,0.70,,1.0,3341
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tables.csv"
    path.write_text(OLD)
    return path


def test_rows_without_header_and_last_columns_are_taken_over(path):
    found = measurements(path)
    assert len(found) == 5
    assert found["phoneme", "CatBoost", 0]["error"] == 0.10  # the last of equal keys
    assert found["abalone", "fastmlp-good", 0]["coverage"] == 0.88
    assert found["abalone", "CatBoost", 0]["logloss"] is None


def test_what_is_appended_is_read(tmp_path):
    path = tmp_path / "new.csv"
    row = {
        "data": "ames", "method": "fastmlp-fast", "seed": 2, "error": 0.3, "logloss": None,
        "cpu_seconds": 1.25, "train_rows": 2344, "coverage": 0.9, "version": "fastmlp 1.0",
        "processor": "A, B",
    }
    append(path, row)
    append(path, {**row, "seed": 3})
    found = measurements(path)
    assert list(found) == [("ames", "fastmlp-fast", 2), ("ames", "fastmlp-fast", 3)]
    assert found["ames", "fastmlp-fast", 2]["processor"] == "A, B"
    assert len(list(csv.reader(path.read_text().splitlines()))) == 3


def test_a_ratio_is_of_medians_over_the_splits_that_both_have(path):
    mean, n_tables = ratio(measurements(path), "fastmlp-good", "CatBoost", "error")
    assert n_tables == 2
    assert mean == pytest.approx((0.12 / 0.10 * 0.63 / 0.70) ** 0.5)


def test_the_report_has_every_method_and_table(path):
    text = markdown(measurements(path), None)
    for part in ("Relative to CatBoost", "fastmlp-good", "phoneme (1–2)", "abalone (1)", "0.880"):
        assert part in text
