"""C files of models of tables: from a row of the raw columns to what the model predicts."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp.encodings import PiecewiseLinear
from fastmlp.export import to_c

pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

from fastmlp.tabular import TabularClassifier, TabularRegressor, load  # noqa: E402

Array = NDArray[Any]
RunTable = Callable[..., Any]

STRICT = [
    "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wdouble-promotion", "-Wconversion", "-Wshadow",
]  # fmt: skip
SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
TOLERANCE = 2e-6  # relative to a probability, or to the target's standard deviation

MAIN = """\
#include <stdio.h>
#include "model.c"
static const model_row rows[] = {{
{rows}
}};
int main(void)
{{
    size_t i, j;
    for (i = 0; i < {m}; i++) {{
{statements}
        printf("\\n");
    }}
    return 0;
}}
"""
CLASSES = """\
        float p[{n}];
        model_predict_proba(&rows[i], p);
        printf("%d", model_predict(&rows[i]));
        for (j = 0; j < {n}; j++)
            printf(" %.9g", (double)p[j]);
"""
VALUE = """\
        for (j = 0; j < 1; j++)
            printf("%.17g", model_predict(&rows[i]));
"""


def cell(value: Any, kind: str) -> str:
    """A cell as C has it, by rules of its own."""
    if kind == "category":
        if value is None or value is pd.NaT or value != value:
            return "NULL"
        return '"' + "".join(f"\\{byte:03o}" for byte in str(value).encode()) + '"'
    if pd.isna(value):
        return "(double)NAN"
    if kind == "date":
        value = (pd.Timestamp(value) - pd.Timestamp("1970-01-01")) / pd.Timedelta(seconds=1)
    return repr(float(value))


@pytest.fixture
def run_table(compiler: list[str], tmp_path: Path) -> RunTable:
    """Write a model as C, compile it with warnings as errors, and return what rows give."""

    def run(
        model: Any, table: Any, command: Sequence[str] = (), flags: Sequence[str] = ("-O1",)
    ) -> Array:
        to_c(model, tmp_path / "model.c")
        kinds = model.encoder_.kinds
        rows = ",\n".join(
            "{" + ", ".join(cell(row[name], kind) for name, kind in kinds.items()) + "}"
            for row in table.to_dict("records")
        )
        of_classes = isinstance(model, TabularClassifier)
        statements = CLASSES.format(n=len(model.classes_)) if of_classes else VALUE
        main = MAIN.format(rows=rows, m=len(table), statements=statements)
        (tmp_path / "main.c").write_text(main)
        command = command or [*compiler, "-std=c99", "-Wmissing-prototypes"]
        done = subprocess.run(
            [*command, *STRICT, *flags, tmp_path / "main.c", "-lm", "-o", tmp_path / "program"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        done = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return np.array([line.split() for line in done.stdout.splitlines()], float)

    return run


def assert_predicts(found: Array, model: Any, table: Any) -> None:
    """Assert that these outputs of C are those of the model."""
    if isinstance(model, TabularClassifier):
        p = model.predict_proba(table)
        np.testing.assert_allclose(found[:, 1:], p, rtol=TOLERANCE)
        clear = np.ptp(np.sort(p)[:, -2:], axis=1) > TOLERANCE
        labels = model.classes_[found[:, 0].astype(int)]
        np.testing.assert_array_equal(labels[clear], model.predict(table)[clear])
        return
    scale = model.target_deviation_
    np.testing.assert_allclose(
        found[:, 0] / scale, model.predict(table) / scale, rtol=0, atol=TOLERANCE
    )


def test_c_predicts_what_the_model_predicts(of_table: Any, run_table: RunTable) -> None:
    model, some = of_table
    for table in some:
        assert_predicts(run_table(model, table), model, table)


def small(kind: Any, table: Any, y: Any, **options: Any) -> Any:
    """A model of one small network that has seen numbers as they are."""
    options = {"n_members": 1, "hidden_layer_sizes": (6,), "encoding": "raw", **options}
    return kind(epochs=2, random_state=0, **options).fit(table, y)


@pytest.mark.parametrize("of_table", ["text labels", "value"], indirect=True)
@pytest.mark.parametrize("standard", ["c++11", "c++20"])
def test_the_file_is_c_plus_plus_too(of_table: Any, run_table: RunTable, standard: str) -> None:
    if shutil.which("g++") is None:
        pytest.skip("there is no g++ here")
    model, (table, _) = of_table
    found = run_table(model, table, ["g++", "-x", "c++", f"-std={standard}"])
    assert_predicts(found, model, table)


@pytest.mark.parametrize("of_table", ["number labels", "value"], indirect=True)
def test_sanitizers_find_nothing(
    of_table: Any, run_table: RunTable, compiler: list[str], tmp_path: Path
) -> None:
    (tmp_path / "probe.c").write_text("int main(void) { return 0; }\n")
    build = [*compiler, *SANITIZERS, tmp_path / "probe.c", "-o", tmp_path / "probe"]
    if subprocess.run(build, capture_output=True, check=False).returncode != 0:
        pytest.skip("this compiler has no sanitizers")
    model, (_, table) = of_table
    assert_predicts(run_table(model, table, flags=SANITIZERS), model, table)


def test_a_model_from_a_file_gives_the_same_text(of_table: Any, tmp_path: Path) -> None:
    model, _ = of_table
    model.save(tmp_path / "model.npz")
    for one, path in ((model, "a.c"), (load(tmp_path / "model.npz"), "b.c")):
        to_c(one, tmp_path / path, name="same")
    first, second = ((tmp_path / name).read_text() for name in ("a.c", "b.c"))
    assert first.replace('"a.c"', '"b.c"') == second


@pytest.mark.parametrize("of_table", ["text labels", "value", "one number"], indirect=True)
def test_the_example_of_the_comment_is_a_program(
    of_table: Any, compiler: list[str], tmp_path: Path
) -> None:
    model, (table, _) = of_table
    to_c(model, tmp_path / "my model.c")
    text = (tmp_path / "my model.c").read_text()
    lines = re.search(r"^ \*     #include <stdio.h>\n.*?^ \*     \}$", text, re.M | re.S)[0]
    (tmp_path / "main.c").write_text(re.sub("^ [*]", "", lines, flags=re.M) + "\n")
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(
        [*compiler, *flags, tmp_path / "main.c", "-lm", "-o", tmp_path / "program"], check=True
    )
    printed = subprocess.check_output([tmp_path / "program"], text=True)
    encoder = model.encoder_
    row = {one.source: one.median for one in encoder.numbers if not one.part}
    row |= {one.source: one.levels[0] for one in encoder.categories if not one.part}
    row |= {name: first[:10] for name, first in encoder.origins.items()}
    expected = model.predict(pd.DataFrame([row]).reindex(columns=table.columns))
    if isinstance(model, TabularClassifier):
        label, p = re.fullmatch(r"(.*) with probability (.*)\n", printed).groups()
        assert label == str(expected[0])
        assert 0.5 < float(p) <= 1
    else:
        np.testing.assert_allclose(float(printed), expected[0], rtol=1e-5)


@pytest.mark.parametrize("n", [12, 13])
def test_the_example_has_the_first_members_of_a_wide_table(tmp_path: Path, n: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, n))
    model = TabularRegressor(quality="fast", epochs=1, random_state=0).fit(X, X[:, 0])
    to_c(model, tmp_path / "model.c")
    comment = (tmp_path / "model.c").read_text().partition("*/")[0]
    assert re.findall(r"row\.(\w+) = ", comment) == [f"x{i}" for i in range(12)]
    assert ("... and all other members" in comment) == (n > 12)


@pytest.mark.parametrize("first", ["1969-12-31", "1582-10-14", "2000-02-28", "2100-02-27"])
def test_parts_of_dates_are_those_of_the_calendar(first: str, run_table: RunTable) -> None:
    """Days around turns of years, of centuries and of 1970, some time in each."""
    moments = pd.date_range(first, periods=800, unit="s") + pd.to_timedelta(
        np.arange(800) * 977 % 86_400, "s"
    )
    table = pd.DataFrame({"when": moments})
    for y in (moments.year % 4, moments.month, moments.day_of_week, moments.day, moments.hour):
        model = small(TabularRegressor, table, np.asarray(y, float))
        assert_predicts(run_table(model, table), model, table)


def test_seconds_of_a_date_are_those_since_1970(compiler: list[str], tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    days = rng.integers(-800_000, 800_000, 500)  # about 220 BC to AD 4160
    days[:6] = -1, 0, 11_016, 11_017, 47_540, 47_541  # around 1970, 2000-02-29 and 2100-02-28
    dates = np.datetime64("1970-01-01", "D") + days
    table = pd.DataFrame({"when": pd.date_range("2020-01-01", periods=40)})
    to_c(small(TabularRegressor, table, np.arange(40.0)), tmp_path / "model.c")
    calls = []
    for i, date in enumerate(dates):
        year = date.astype("datetime64[Y]").astype(int) + 1970
        month = date.astype("datetime64[M]").astype(int) % 12 + 1
        day = (date - date.astype("datetime64[M]")).astype(int) + 1
        call = f"model_seconds({year}, {month}, {day}, {i % 24}, 7, 1.5)"
        calls.append(f'    printf("%.3f\\n", {call});\n')
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "model.c"\nint main(void)\n{\n' + "".join(calls)
        + "    return 0;\n}\n"
    )  # fmt: skip
    subprocess.run(
        [*compiler, "-std=c99", *STRICT, tmp_path / "main.c", "-lm", "-o", tmp_path / "program"],
        check=True,
    )
    found = np.array(subprocess.check_output([tmp_path / "program"]).split(), float)
    np.testing.assert_array_equal(found, days * 86_400 + np.arange(500) % 24 * 3600 + 421.5)


TEXTS = [
    "plain", "plainer", "plai", "ü ß 漢字", 'a "quote"', "back\\slash", "??/ trigraph", "%d %s",
    "*/ int x; /*", "tab\tinside", "new\nline", "x" * 3000, "3", "True",
]  # fmt: skip


def test_levels_are_found_and_others_count_as_missing(run_table: RunTable) -> None:
    table = pd.DataFrame({"text": TEXTS * 8})
    model = small(TabularRegressor, table, np.arange(len(TEXTS) * 8) % len(TEXTS))
    others = ["", None, "plainest", "pla", "PLAIN", "xx", "ü", "  ", "\t"]
    padded = [f" \t{text} \n" for text in TEXTS]
    table = pd.DataFrame({"text": [*TEXTS, *others, *padded]})
    found = run_table(model, table)
    assert_predicts(found, model, table)
    n = len(TEXTS)
    assert len(np.unique(found[:n])) == n
    assert len(np.unique(found[n:-n])) == 1


def test_numbers_and_booleans_that_are_categories_are_texts(run_table: RunTable) -> None:
    table = pd.DataFrame(
        {
            "code": pd.Series([1, 2, 30] * 20).astype("category"),
            "flag": [True, False] * 30,
            "half": pd.Series([0.5, 2.0, 1e-7] * 20).astype("category"),
        }
    )
    model = small(TabularClassifier, table, ["a", "b", "c", "b"] * 15)
    texts = table.astype(object)
    texts["half"] = texts["half"].map({0.5: "0.5", 2.0: "2", 1e-7: "1e-07"})
    assert_predicts(run_table(model, texts), model, table)


@pytest.mark.parametrize("encoding", ["raw", "piecewise_linear", "quantile", "periodic"])
def test_numbers_far_beyond_the_training_set(encoding: str, run_table: RunTable) -> None:
    x = np.random.default_rng(1).normal(size=60) / 1000  # whose scaled values may overflow
    table = pd.DataFrame({"x": x})
    model = small(TabularRegressor, table, 1000 * x, encoding=encoding)
    rows = pd.DataFrame({"x": [1e308, -1e308, 1e200, -1.0, 1.0, 5e-324]})
    assert_predicts(run_table(model, rows), model, rows)


def test_probabilities_that_networks_round_to_zero_are_raised(run_table: RunTable) -> None:
    table = pd.DataFrame({"x": np.random.default_rng(1).normal(size=60)})
    model = small(TabularClassifier, table, table["x"] > 0, hidden_layer_sizes=())
    model.networks_[0].set_parameters([[[1e3], [-1e3]]], [[0.0, 0.0]])
    rows = pd.DataFrame({"x": [-3.0, 3.0]})
    assert 0 < model.predict_proba(rows).min() < 1e-6
    assert_predicts(run_table(model, rows), model, rows)


def test_values_stay_within_the_range_of_the_training_set(run_table: RunTable) -> None:
    table = pd.DataFrame({"x": np.random.default_rng(1).normal(size=60)})
    model = small(TabularRegressor, table, table["x"], hidden_layer_sizes=())
    model.networks_[0].set_parameters([[[1e3]]], [[0.0]])
    rows = pd.DataFrame({"x": [-3.0, 3.0]})
    np.testing.assert_array_equal(run_table(model, rows)[:, 0], model.target_range_)


def test_time_differences_are_seconds(run_table: RunTable) -> None:
    table = pd.DataFrame({"stay": pd.to_timedelta(np.arange(60) % 31 * 7777, "s")})
    model = small(TabularRegressor, table, np.arange(60.0) % 31)
    seconds = pd.DataFrame({"stay": table["stay"].dt.total_seconds()})
    found = run_table(model, seconds)
    assert_predicts(found, model, table)
    assert len(np.unique(found)) == 31


def test_a_level_that_c_cannot_hold_is_never_met(run_table: RunTable) -> None:
    table = pd.DataFrame({"text": ["a\0b", "a", "c"] * 20})
    model = small(TabularRegressor, table, np.arange(60.0) % 3)
    rows = pd.DataFrame({"text": ["a", "c", "", None]})
    assert_predicts(run_table(model, rows), model, rows)


@pytest.mark.parametrize(
    ("columns", "members"),
    [
        (["age", "Age", "AGE"], ["age", "Age", "AGE"]),
        (["int", "class", "NULL", "NAN", "M_PI"], ["int_", "class_", "NULL_", "NAN_", "M_PI_"]),
        (["a b", "a_b", "a-b", "a_b_2"], ["a_b_3", "a_b", "a_b_4", "a_b_2"]),
        (["2nd", "_x", "é", "NET_x", "MAIN_INPUT"],
         ["column_2nd", "x", "column", "NET_x", "MAIN_INPUT"]),
        (["N_OUT", "float", "u", "x", "row"], ["N_OUT", "float_", "u", "x", "row"]),
    ],
)  # fmt: skip
def test_members_are_named_after_the_columns(
    run_table: RunTable, tmp_path: Path, columns: list[str], members: list[str],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    table = pd.DataFrame(rng.normal(size=(60, len(columns))), columns=columns)
    model = small(TabularRegressor, table, table.sum(axis=1))
    assert_predicts(run_table(model, table), model, table)
    text = (tmp_path / "model.c").read_text()
    assert re.findall(r"^    double (\w+);$", text, re.M) == members


def test_columns_of_an_array_and_dropped_columns(run_table: RunTable) -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(90, 2)), np.ones(90), rng.integers(0, 3, 90)])
    with pytest.warns(UserWarning, match="the same value in every row"):
        model = small(TabularClassifier, X, X[:, 0] > 0)
    table = pd.DataFrame(X, columns=[f"x{i}" for i in range(4)])
    assert_predicts(run_table(model, table), model, X)


def test_the_comment_says_what_the_file_holds(tmp_path: Path, tables: Any) -> None:
    table, _ = tables
    columns = ["age", "city", "since"]
    model = TabularClassifier(n_members=3, epochs=1, hidden_layer_sizes=(5,))
    to_c(model.fit(table[columns], np.arange(300) % 3 * 10), tmp_path / "visits.c")
    text = (tmp_path / "visits.c").read_text()
    plain = " ".join(re.sub(r"^ \*", "", text, flags=re.M).split())
    title = f"visits: a TabularClassifier of 3 networks, by fastmlp {fastmlp.__version__}"
    assert plain.startswith(f"/* {title}")
    assert "void visits_predict_proba(const visits_row *row, float p[3]);" in plain
    assert "class: 0 0, 1 10, 2 20; visits_classes has" in plain
    assert "2 with numbers encoded as piecewise_linear: " in plain
    assert "1 with numbers encoded as periodic: " in plain
    assert re.search(r"/\* city, a category: .*Oslo.*\*/\n    const char \*city;", text)
    size = int(re.search(r"([\d,]+) bytes of constants", plain)[1].replace(",", ""))
    assert size > 4 * sum(net.n_parameters for net in model.networks_)
    assert not re.search(r"\w*alloc\b|^static (?!const).*;$", text, re.M)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float64"}, "compute in float32, got dtype 'float64'; leave it out"),
        ({"name": "2nd"}, "name must be a C identifier"),
    ],
)
def test_wrong_options_are_refused(
    tmp_path: Path, rng: np.random.Generator, options: dict[str, Any], message: str
) -> None:
    X = rng.normal(size=(40, 2))
    with pytest.raises(ValueError, match=message):
        to_c(small(TabularRegressor, X, X[:, 0]), tmp_path / "model.c", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_not_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="this TabularRegressor is not fitted: call its fit first"):
        to_c(TabularRegressor(), tmp_path / "model.c")
    assert list(tmp_path.iterdir()) == []


def test_networks_with_other_encodings_are_refused(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    X = rng.normal(size=(40, 2))
    model = small(TabularRegressor, X, X[:, 0])
    model.networks_[0] = fastmlp.MLP((2, 1), encodings=PiecewiseLinear((0, 1)), loss="huber")
    with pytest.raises(ValueError, match="network 1 of the model has encodings that are not"):
        to_c(model, tmp_path / "model.c")
    assert list(tmp_path.iterdir()) == []
