"""fastmlp export: a model file in another format."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import export

Command = Callable[..., Any]  # see conftest.py


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network of the columns a and b."""
    net = fastmlp.MLP((2, 3, 2), seed=5)
    net.metadata = {"columns": ["a", "b"], "classes": ["no", "yes"]}
    net.save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


def test_writes_what_to_c_writes(fastmlp_command: Command, model: Path, tmp_path: Path) -> None:
    assert fastmlp_command("export", model, tmp_path / "net.c") == (0, "", "")
    export.to_c(fastmlp.load(model), tmp_path / "expected.c", name="net")
    assert (tmp_path / "net.c").read_text() == (tmp_path / "expected.c").read_text()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_can_be_chosen(
    fastmlp_command: Command, model: Path, tmp_path: Path, dtype: str
) -> None:
    assert fastmlp_command("export", model, tmp_path / "net.c", "--dtype", dtype) == (0, "", "")
    export.to_c(fastmlp.load(model), tmp_path / "expected.c", name="net", dtype=dtype)
    assert (tmp_path / "net.c").read_text() == (tmp_path / "expected.c").read_text()
    real = {"float32": "float", "float64": "double"}[dtype]
    assert f"int net_predict(const {real} x[2]);" in (tmp_path / "net.c").read_text()


def test_writes_the_header_and_the_constants_of_to_c(
    fastmlp_command: Command, model: Path, tmp_path: Path
) -> None:
    for folder in ("expected", "found"):
        (tmp_path / folder).mkdir()
    net = fastmlp.load(model)
    export.to_c(net, tmp_path / "expected" / "net.c", header=True, weights_file=True)
    out = tmp_path / "found" / "net.c"
    assert fastmlp_command("export", model, out, "--header", "--weights-file") == (0, "", "")
    found = {one.name: one.read_bytes() for one in (tmp_path / "found").iterdir()}
    expected = {one.name: one.read_bytes() for one in (tmp_path / "expected").iterdir()}
    assert found.keys() == {"net.c", "net.h", "net_weights.h"}
    assert found == expected


@pytest.mark.parametrize(
    ("name", "option", "what"),
    [("net.h", "--header", "header"), ("net_weights.h", "--weights-file", "weights file")],
)
def test_no_input_is_overwritten_by_a_second_file(
    fastmlp_command: Command, model: Path, tmp_path: Path, name: str, option: str, what: str
) -> None:
    model = model.rename(tmp_path / name)
    before = model.read_bytes()
    outcome = fastmlp_command("export", model, tmp_path / "net.c", option)
    assert outcome.code == 2
    assert f"the {what}" in outcome.err
    assert model.read_bytes() == before


@pytest.mark.parametrize("n_rows", [3, 100])
@pytest.mark.parametrize(
    ("integer_only", "ranges"), [(False, "minmax"), (True, "minmax"), (False, "percentile")]
)
def test_quantized_by_the_model_s_columns_of_a_table(
    fastmlp_command: Command,
    model: Path,
    tmp_path: Path,
    n_rows: int,
    integer_only: bool,
    ranges: str,
    rng: np.random.Generator,
) -> None:
    rows = np.round(rng.normal(size=(n_rows, 2)), 3)
    lines = "".join(f"x,{b!r},{a!r}\n" for a, b in rows.tolist())
    (tmp_path / "table.csv").write_text(f"note,b,a\n{lines}")
    options = ["--quantized", "--calibration", tmp_path / "table.csv", "--name", "small"]
    options += ["--integer-only"] * integer_only + ["--ranges", ranges] * (ranges != "minmax")
    code, printed, err = fastmlp_command("export", model, tmp_path / "net.c", *options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rounded = export.quantize(
            fastmlp.load(model), rows, integer_only=integer_only, ranges=ranges
        )
    assert (code, printed) == (0, f"{rounded.summary()}\n")
    few = f"fastmlp export: warning: {n_rows} calibration rows are few"
    assert err.startswith(few) if n_rows < 100 else err == ""
    export.to_c(rounded, tmp_path / "expected.c", name="small")
    assert (tmp_path / "net.c").read_text() == (tmp_path / "expected.c").read_text()


def test_examples_of_a_table_become_the_self_test(
    fastmlp_command: Command, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text("b,a\n1,2\n3,4.5\n")
    arguments = ("export", model, tmp_path / "net.c", "--examples", tmp_path / "table.csv")
    assert fastmlp_command(*arguments) == (0, "", "")
    rows = [[2, 1], [4.5, 3]]
    export.to_c(fastmlp.load(model), tmp_path / "expected.c", name="net", examples=rows)
    assert (tmp_path / "net.c").read_text() == (tmp_path / "expected.c").read_text()
    assert "#ifdef net_TEST" in (tmp_path / "net.c").read_text()


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("model", "the path"),
        ("model", "a link"),
        ("model", "a hard link"),
        ("table", "a link"),
        ("table", "a hard link"),
    ],
)
def test_no_input_is_overwritten(
    fastmlp_command: Command, model: Path, tmp_path: Path, kind: str, given: str
) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n3,4\n")
    source = model if given == "model" else table
    out = tmp_path / "net.c"
    if kind == "the path":
        model.rename(out)
        model = source = out
    elif kind == "a link":
        out.symlink_to(source)
    else:
        out.hardlink_to(source)
    before = source.read_bytes()
    outcome = fastmlp_command("export", model, out, "--quantized", "--calibration", table)
    name = {"model": "MODEL", "table": "TABLE"}[given]
    assert outcome.code == 2
    assert f"is the same file as {name}" in outcome.err
    assert source.read_bytes() == before


def test_bad_input_is_one_line(fastmlp_command: Command, model: Path, tmp_path: Path) -> None:
    (tmp_path / "short.csv").write_text("a\n1\n")
    fastmlp.Ensemble([fastmlp.load(model)]).save(tmp_path / "ensemble.npz")
    out = tmp_path / "net.c"
    cases = [
        (
            (model, tmp_path / "net.cpp"),
            "net.cpp: the ending must be .c or .html or .onnx or .safetensors, or .npz with",
        ),
        (
            (model, tmp_path / "net.npz"),
            "net.npz: the ending must be .c or .html or .onnx or .safetensors, or .npz with",
        ),
        ((model, tmp_path / "net.onnx", "--name", "a"), "--name needs the ending .c"),
        ((model, tmp_path / "net.onnx", "--header"), "--header needs the ending .c"),
        ((model, tmp_path / "net.onnx", "--weights-file"), "--weights-file needs the ending .c"),
        ((model, tmp_path / "net.onnx", "--examples", out), "--examples needs the ending .c"),
        ((model, out, "--examples", tmp_path / "short.csv"), "no column 'b'"),
        ((model, tmp_path / "net.html", "--dtype", "float32"), "--dtype needs the ending .c or"),
        ((model, tmp_path / "net.html"), "a network with 784 inputs and 10 outputs"),
        ((model, out, "--quantized"), "--quantized and --calibration TABLE go together"),
        ((model, out, "--integer-only"), "--integer-only needs --quantized and --calibration"),
        ((model, out, "--ranges", "kl"), "--ranges needs --quantized and --calibration"),
        ((model, out, "--calibration", out), "--quantized and --calibration TABLE go together"),
        (
            (model, out, "--quantized", "--calibration", tmp_path / "short.csv"),
            "no column 'b'",
        ),
        ((model, out, "--name", "1st"), "name must be a C identifier"),
        ((model, tmp_path / "missing" / "net.c"), "there is no folder"),
        ((tmp_path / "missing.npz", out), "missing.npz: No such file or directory"),
        ((tmp_path / "ensemble.npz", out), "is an ensemble"),
    ]
    for arguments, message in cases:
        code, printed, err = fastmlp_command("export", *arguments)
        assert (code, printed) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    assert not out.exists()


def test_a_network_of_digits_becomes_a_page(fastmlp_command: Command, tmp_path: Path) -> None:
    net = fastmlp.MLP((784, 5, 10), seed=2)
    net.save(tmp_path / "digits.npz")
    out, expected = tmp_path / "digits.html", tmp_path / "expected.html"
    assert fastmlp_command("export", tmp_path / "digits.npz", out) == (0, "", "")
    export.to_html(net, expected)
    assert out.read_bytes() == expected.read_bytes()


def test_onnx_by_options(
    fastmlp_command: Command, model: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    pytest.importorskip("onnx")
    rows = np.round(rng.normal(size=(200, 2)), 3)
    lines = "".join(f"{a!r},{b!r}\n" for a, b in rows.tolist())
    table, out, expected = (tmp_path / name for name in ("t.csv", "out.onnx", "expected.onnx"))
    table.write_text(f"a,b\n{lines}")
    net = fastmlp.load(model)
    assert fastmlp_command("export", model, out, "--dtype", "float64") == (0, "", "")
    export.to_onnx(net, expected, dtype="float64")
    assert out.read_bytes() == expected.read_bytes()
    assert fastmlp_command("export", model, out, "--quantized", "--calibration", table).code == 0
    export.to_onnx(net, expected, quantized=True, calibration=rows)
    assert out.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize("integer_only", [False, True])
def test_a_model_file_in_integers_becomes_c_later(
    fastmlp_command: Command,
    model: Path,
    tmp_path: Path,
    rng: np.random.Generator,
    integer_only: bool,
) -> None:
    rows = np.round(rng.normal(size=(200, 2)), 3)
    lines = "".join(f"{a!r},{b!r}\n" for a, b in rows.tolist())
    table, file, out = (tmp_path / name for name in ("t.csv", "net8.npz", "net8.c"))
    table.write_text(f"a,b\n{lines}")
    options = ["--quantized", "--calibration", table, *["--integer-only"] * integer_only]
    assert fastmlp_command("export", model, file, *options).code == 0
    assert fastmlp_command("export", file, out) == (0, "", "")
    quantized = export.quantize(fastmlp.load(model), rows, integer_only=integer_only)
    export.to_c(quantized, tmp_path / "expected.c", name="net8")
    assert out.read_text() == (tmp_path / "expected.c").read_text()
    code, printed, _ = fastmlp_command("info", file)
    assert code == 0
    assert quantized.digest in printed
    assert quantized.summary() in printed
    assert ("without floating point" in printed) == integer_only
    export.to_c(quantized, tmp_path / "expected.c", name="net8", examples=rows)
    assert fastmlp_command("export", file, out, "--examples", table) == (0, "", "")
    assert out.read_text() == (tmp_path / "expected.c").read_text()
    for arguments, message in (
        ((tmp_path / "out.safetensors",), "are written with the ending .c or .onnx"),
        ((out, *options), "is in 8-bit integers already; leave out --quantized"),
    ):
        outcome = fastmlp_command("export", file, *arguments)
        assert outcome.code == 2
        assert message in outcome.err


@pytest.mark.parametrize(
    ("suffix", "package"), [(".onnx", "onnx"), (".safetensors", "safetensors")]
)
def test_the_ending_says_the_format(
    suffix: str, package: str, fastmlp_command: Command, model: Path, tmp_path: Path
) -> None:
    pytest.importorskip(package)
    out, expected = tmp_path / f"out{suffix}", tmp_path / f"expected{suffix}"
    assert fastmlp_command("export", model, out).code == 0
    fastmlp.export.FORMATS[suffix](fastmlp.load(model), expected)
    assert out.read_bytes() == expected.read_bytes()


@pytest.fixture
def table_model(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A model of a table."""
    pytest.importorskip("sklearn")
    tabular = pytest.importorskip("fastmlp.tabular")
    X = rng.normal(size=(40, 2))
    model = tabular.TabularClassifier("log_loss", "fast", epochs=1, random_state=0)
    model.fit(X, X[:, 0] > 0).save(tmp_path / "table.npz")
    return tmp_path / "table.npz"


@pytest.mark.parametrize(("suffix", "package"), [(".onnx", "onnx"), (".c", "numpy")])
def test_a_model_of_a_table_becomes_onnx_or_c(
    suffix: str, package: str, fastmlp_command: Command, table_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip(package)
    (tmp_path / "expected").mkdir()
    out, expected = tmp_path / f"out{suffix}", tmp_path / "expected" / f"out{suffix}"
    assert fastmlp_command("export", table_model, out) == (0, "", "")
    export.FORMATS[suffix](fastmlp.tabular.load(table_model), expected)
    assert out.read_bytes() == expected.read_bytes()


def test_a_model_of_a_table_in_8_bits(
    fastmlp_command: Command, tmp_path: Path, rng: np.random.Generator
) -> None:
    tabular = pytest.importorskip("fastmlp.tabular")
    pd = pytest.importorskip("pandas")
    rows = pd.DataFrame(np.round(rng.normal(size=(150, 2)), 3), columns=["u", "v"])
    model = tabular.TabularClassifier("log_loss", "fast", epochs=4, random_state=0)
    model.fit(rows, rows["u"] > 0).save(tmp_path / "table.npz")
    rows[["v", "u"]].to_csv(tmp_path / "table.csv", index=False)
    options = ["--quantized", "--calibration", tmp_path / "table.csv", "--ranges", "percentile"]
    out, file = tmp_path / "out.c", tmp_path / "table8.npz"
    examples = ["--examples", tmp_path / "table.csv"]
    outcome = fastmlp_command("export", tmp_path / "table.npz", out, *options, *examples)
    twin = export.quantize_table(model, rows, ranges="percentile")
    assert outcome == (0, f"{twin.summary()}\n", "")
    export.to_c(twin, tmp_path / "expected.c", name="out", examples=rows)
    expected = (tmp_path / "expected.c").read_text().replace("expected.c", "out.c")
    assert out.read_text() == expected
    out.unlink()
    assert fastmlp_command("export", tmp_path / "table.npz", file, *options).code == 0
    assert fastmlp_command("export", file, out, *examples) == (0, "", "")
    assert out.read_text() == expected
    outcome = fastmlp_command("export", file, out, *options)
    assert outcome.code == 2
    assert "is in 8-bit integers already; leave out --quantized" in outcome.err
    code, printed, _ = fastmlp_command("info", file)
    assert code == 0
    for text in (twin.digest, twin.summary(), "TabularClassifier", "8-bit integers after the"):
        assert text in printed


@pytest.mark.parametrize("in_8_bits", [False, True])
def test_a_model_of_a_table_in_8_bits_becomes_onnx(
    fastmlp_command: Command, table_model: Path, tmp_path: Path, in_8_bits: bool
) -> None:
    pytest.importorskip("onnx")
    table, file, out = (tmp_path / name for name in ("t.csv", "table8.npz", "out.onnx"))
    rows = np.random.default_rng(0).normal(size=(120, 2)).round(3)
    table.write_text("x0,x1\n" + "".join(f"{a},{b}\n" for a, b in rows))
    options = ["--quantized", "--calibration", table]
    if in_8_bits:
        assert fastmlp_command("export", table_model, file, *options).code == 0
        assert fastmlp_command("export", file, out) == (0, "", "")
    else:
        assert fastmlp_command("export", table_model, out, *options).code == 0
    model = fastmlp.tabular.load(table_model)
    export.to_onnx(model, tmp_path / "expected.onnx", quantized=True, calibration=rows)
    assert out.read_bytes() == (tmp_path / "expected.onnx").read_bytes()


def test_what_a_model_of_a_table_cannot_become_is_one_line(
    fastmlp_command: Command, table_model: Path, tmp_path: Path
) -> None:
    table, short = tmp_path / "table.csv", tmp_path / "short.csv"
    table.write_text("x0,x1\n1,2\n")
    short.write_text("x0\n1\n")
    out = tmp_path / "out.c"
    cases = [
        ((tmp_path / "out.safetensors",), "which is written with the ending .c or .onnx"),
        (
            (out, "--quantized", "--calibration", table, "--integer-only"),
            "whose columns are encoded in floating point; leave out --integer-only",
        ),
        ((out, "--quantized", "--calibration", short), "short.csv: "),
        ((out, "--examples", short), "short.csv: "),
        ((out, "--dtype", "float64"), "compute in float32, got dtype 'float64'"),
    ]
    for arguments, message in cases:
        code, printed, err = fastmlp_command("export", table_model, *arguments)
        assert (code, printed) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    assert not out.exists()


def test_an_ensemble_comes_along(fastmlp_command: Command, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    nets = [fastmlp.MLP((4, 3), seed=seed) for seed in (1, 2)]
    fastmlp.Ensemble(nets).save(tmp_path / "model.npz")
    out = tmp_path / "out.safetensors"
    assert fastmlp_command("export", tmp_path / "model.npz", out).code == 0
    X = np.ones((2, 4))
    back = fastmlp.export.from_safetensors(out)
    np.testing.assert_array_equal(back.forward(X), fastmlp.Ensemble(nets).forward(X))


def test_a_missing_package_is_an_error(
    fastmlp_command: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    outcome = fastmlp_command("export", model, tmp_path / "out.onnx")
    assert outcome.code == 2
    assert 'pip install "fastmlp[onnx]"' in outcome.err
