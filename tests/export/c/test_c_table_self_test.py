"""The self-test of the exported C of a model of a table."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp.export import quantize_table, to_c
from fastmlp.export.c_self_test import MARGIN

from .boards import CORTEX_M0, CORTEX_M4F, Cortex, run_on_cortex
from .conftest import STRICT

pd = pytest.importorskip("pandas")
tabular = pytest.importorskip("fastmlp.tabular")

Run = Callable[..., int]
ENCODINGS = ["raw", "piecewise_linear", "quantile", "periodic"]


@pytest.fixture(scope="module")
def table() -> Any:
    """Numbers, dates and categories, with missing cells and texts that C must escape."""
    rng = np.random.default_rng(4)
    table = pd.DataFrame(
        {
            "income": np.exp(rng.normal(10, 1, 200)),
            "since": pd.Timestamp("2020-02-28")
            + pd.to_timedelta(rng.integers(0, 10**8, 200), unit="s"),
            "ward": rng.choice(['n"orth', "søuth\\", "west N_ROWS NET_x"], 200),
            "new": rng.choice(["no", "yes"], 200),
            "code": rng.choice(["02139", "10001", "94016"], 200),
        }
    )
    table.loc[:20, "income"] = np.nan
    table.loc[10:30, ["since", "ward"]] = None
    return table


@pytest.fixture(scope="module")
def models(table: Any) -> Callable[..., Any]:
    """A small model of either kind, in float or in 8 bits."""

    def fitted(kind: str, encoding: str, in_8_bits: bool) -> Any:
        y = (table["ward"] == "søuth\\") + np.nan_to_num(np.log(table["income"]), nan=9)
        if kind == "TabularClassifier":
            y = np.where(y > 10.5, "a", np.where(y > 10, "b", "c"))
        model = getattr(tabular, kind)(
            None, "fast", encoding=encoding, hidden_layer_sizes=(16,), epochs=5, random_state=0
        ).fit(table, y)
        return quantize_table(model, table) if in_8_bits else model

    return fitted


@pytest.fixture
def run(compiler: list[str], tmp_path: Path) -> Run:
    """Compile the self-test with strict warnings and return its exit status."""

    def run(flags: Sequence[str] = ()) -> int:
        program = tmp_path / "program"
        build = [*compiler, *STRICT, *flags, "-Dnet_TEST", "net.c", "-lm", "-o", program]
        subprocess.run(build, cwd=tmp_path, check=True)
        return subprocess.run([program], check=False).returncode

    return run


@pytest.mark.parametrize("in_8_bits", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("kind", ["TabularClassifier", "TabularRegressor"])
def test_the_exit_status_is_0_and_after_a_change_1(
    table: Any, models: Any, run: Run, tmp_path: Path, kind: str, encoding: str, in_8_bits: bool
) -> None:
    model = models(kind, encoding, in_8_bits)
    rows = table.iloc[5:35].copy()
    rows.loc[7, "ward"] = "a new one"
    to_c(model, tmp_path / "net.c", examples=rows, header=True, weights_file=in_8_bits)
    assert run() == 0
    text = (tmp_path / "net.c").read_text()
    expected = re.search(r"net_test_(?:p|values)\[\d+\] = \{\n(-?[\d.]+)", text)
    by = 0.01 if kind == "TabularClassifier" else 0.01 * np.std(model.predict(table))
    changed = repr(float(float(expected[1]) + by))
    (tmp_path / "net.c").write_text(text[: expected.start(1)] + changed + text[expected.end(1) :])
    assert run() == 1


def test_a_wrong_class_and_a_wrong_row_are_found(
    table: Any, models: Any, run: Run, tmp_path: Path
) -> None:
    to_c(models("TabularClassifier", "raw", False), tmp_path / "net.c", examples=table[40:44])
    text = (tmp_path / "net.c").read_text()
    label = re.search(r"net_test_classes\[\d+\] = \{\n(\d+)", text)
    row = re.search(r"net_test_rows\[4\] = \{\n    \{([\d.]+)", text)
    for found, value in ((label, int(label[1]) + 1), (row, 2 * float(row[1]))):
        (tmp_path / "net.c").write_text(text[: found.start(1)] + str(value) + text[found.end(1) :])
        assert run() == 1


@pytest.mark.parametrize("in_8_bits", [False, True])
@pytest.mark.parametrize("kind", ["TabularClassifier", "TabularRegressor"])
def test_networks_without_rounding_errors_have_a_margin_in_the_target_s_unit(
    table: Any, tmp_path: Path, kind: str, in_8_bits: bool
) -> None:
    y = np.arange(200) % 4 * 1000.0
    if kind == "TabularClassifier":
        y = y > 0
    model = getattr(tabular, kind)(None, "fast", n_members=1, epochs=1, random_state=0)
    net = model.fit(table, y).networks_[0]
    net.set_parameters([0 * W for W in net.weights], [0 * b for b in net.biases])
    model = quantize_table(model, table) if in_8_bits else model
    to_c(model, tmp_path / "net.c", examples=table[:20])
    scale = 1.0 if kind == "TabularClassifier" else y.std()
    (tolerance,) = re.findall(r"<= ([\d.e-]+)\);", (tmp_path / "net.c").read_text())
    assert float(tolerance) == pytest.approx(MARGIN * 2.0**-23 * scale, rel=0.01)


def test_rows_have_dates_from_the_first_year_to_the_last(
    table: Any, models: Any, run: Run, tmp_path: Path
) -> None:
    rows = table[40:44].copy()
    rows["since"] = ["0001-01-01", "1969-12-31 23:59:59", "2262-04-12", "9999-12-31"]
    to_c(models("TabularRegressor", "raw", False), tmp_path / "net.c", examples=rows)
    assert run() == 0


def test_without_the_macro_the_code_is_that_without_examples(
    table: Any, models: Any, compiler: list[str], tmp_path: Path
) -> None:
    model, objects = models("TabularRegressor", "raw", True), []
    for examples in (None, table[:5]):
        to_c(model, tmp_path / "net.c", examples=examples)
        build = [*compiler, "-std=c99", "-Os", "-c", "net.c", "-o", "net.o"]
        subprocess.run(build, cwd=tmp_path, check=True)
        objects.append((tmp_path / "net.o").read_bytes())
    assert objects[0] == objects[1]


@pytest.mark.parametrize("board", [CORTEX_M0, CORTEX_M4F], ids=["M0", "M4F"])
@pytest.mark.parametrize("in_8_bits", [False, True])
def test_boards_predict_what_python_predicts(
    table: Any, models: Any, tmp_path: Path, board: Cortex, in_8_bits: bool
) -> None:
    model = models("TabularClassifier", "piecewise_linear", in_8_bits)
    to_c(model, tmp_path / "net.c", examples=table[8:13])
    assert run_on_cortex(board, tmp_path, ["net.c"], []) == "the same"


def test_rows_that_do_not_fit_are_refused(table: Any, models: Any, tmp_path: Path) -> None:
    model = models("TabularClassifier", "raw", False)
    zero = table[:2].assign(ward=["a\0b", "west"])
    cases = [
        (table[:0], "examples: Found array with 0 sample"),
        (table[["income"]], "examples: The feature names should match"),
        (table[:2].assign(income=["x", "y"]), "examples: column 'income'"),
        (zero, "examples: column 'ward' has a text with a zero byte"),
    ]
    for rows, message in cases:
        with pytest.raises(ValueError, match=message):
            to_c(model, tmp_path / "net.c", examples=rows)
    assert list(tmp_path.iterdir()) == []
