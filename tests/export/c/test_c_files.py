"""The file that fastmlp.export.to_c writes: its comment, its names, and what is refused."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import MLP, activations, losses
from fastmlp.export import c_templates, quantize, to_c

MakeNetwork = Callable[..., MLP]  # see conftest.py
RunC = Callable[..., Any]

pytestmark = pytest.mark.filterwarnings("ignore:.* calibration rows are few")

HIDDEN = [name for name in activations.TABLE if name not in ("softmax", "exponential")]
SANITIZERS = [
    "-O1",
    "-g",
    "-fsanitize=address,undefined,float-cast-overflow",
    "-fno-sanitize-recover=all",
]


@pytest.mark.parametrize("quantized", [False, True])
def test_sanitizers_find_nothing(
    make_network: MakeNetwork,
    compiler: list[str],
    run_c: RunC,
    tmp_path: Path,
    rng: np.random.Generator,
    quantized: bool,
) -> None:
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    build = [*compiler, *SANITIZERS, probe, "-o", tmp_path / "probe"]
    if subprocess.run(build, capture_output=True, check=False).returncode != 0:
        pytest.skip("this compiler has no sanitizers")
    net = make_network((5, 7, 6, 3), activation=["gelu", "relu"], loss="cross_entropy")
    X = rng.normal(size=(60, 5)).astype(np.float32)
    one = quantize(net, X) if quantized else net
    X[10:20] *= 1e30
    X[20, 2], X[21, 3], X[22, 0] = np.nan, np.inf, -np.inf
    assert len(run_c(one, X, SANITIZERS).h) == 60


@pytest.mark.filterwarnings("ignore:the 8-bit network differs")  # its weights are random
@pytest.mark.parametrize("quantized", [False, True])
def test_little_stands_beside_the_numbers(
    make_network: MakeNetwork, tmp_path: Path, rng: np.random.Generator, quantized: bool
) -> None:
    net = make_network((9, *[8] * len(HIDDEN), 5), activation=HIDDEN, loss="cross_entropy")
    X = rng.normal(size=(20, 9))
    to_c(quantize(net, X) if quantized else net, tmp_path / "net.c")
    lines = (tmp_path / "net.c").read_text().splitlines()
    assert sum(not re.match(r"-?\d", line) for line in lines) <= 200
    text = "\n".join(lines)
    assert re.findall("#include <(.*)>", text) == ["math.h", "stdint.h"][: 1 + quantized]
    assert not re.search(r"\w*alloc\b|^static (?!const).*;$", text, re.MULTILINE)


def test_two_networks_in_one_program(
    make_network: MakeNetwork, compiler: list[str], tmp_path: Path, rng: np.random.Generator
) -> None:
    a = make_network((2, 3, 2), activation="tanh")
    b = quantize(a, rng.normal(size=(9, 2)))
    to_c(a, tmp_path / "first.c")
    to_c(b, tmp_path / "second.c")
    (tmp_path / "main.c").write_text(
        '#include "first.c"\n#include "second.c"\n#include <stdio.h>\n'
        "int main(void)\n{\n    const float x[2] = {1.0f, -1.0f};\n    float h[2];\n"
        '    first_forward(x, h);\n    printf("%.9g %.9g ", h[0], h[1]);\n'
        '    second_forward(x, h);\n    printf("%.9g %.9g", h[0], h[1]);\n    return 0;\n}\n'
    )
    program = tmp_path / "program"
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run([*compiler, *strict, tmp_path / "main.c", "-lm", "-o", program], check=True)
    found = np.array(subprocess.check_output([program]).split(), np.float32)
    X = np.array([[1, -1]], np.float32)
    np.testing.assert_allclose(found[:2], a.forward(X)[0], rtol=1e-5)
    np.testing.assert_array_equal(found[2:], b.forward(X)[0])


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("digits.c", "digits"),
        ("iris-model v2.c", "iris_model_v2"),
        ("7-segments.c", "net_7_segments"),
        ("_.c", "net__"),
        ("d8.c", "d8"),
        ("ziffern_ä.c", "ziffern__"),
        ("plain", "plain"),
    ],
)
def test_functions_are_named_after_the_file(tmp_path: Path, file: str, name: str) -> None:
    to_c(MLP((2, 2)), tmp_path / file)
    assert f"int {name}_predict(const float x[2]);" in (tmp_path / file).read_text("utf-8")


def test_no_name_of_a_class_breaks_the_comment(
    make_network: MakeNetwork, run_c: RunC, rng: np.random.Generator
) -> None:
    net = make_network((2, 4), loss="cross_entropy")
    net.metadata = {
        "columns": ["a */ int", "/* b"], "classes": ["x\n*/", "??/", 3, "größer \\"],
    }  # fmt: skip
    X = rng.normal(size=(5, 2)).astype(np.float32)
    np.testing.assert_array_equal(run_c(net, X).y, net.predict(X))


def test_the_comment_names_columns_and_classes(tmp_path: Path) -> None:
    net = MLP((2, 2))
    net.metadata = {"columns": ["area", "rooms"], "classes": ["flat", "house"]}
    to_c(net, tmp_path / "net.c")
    text = (tmp_path / "net.c").read_text()
    assert "2 inputs: area, rooms\n" in text
    assert "the most probable class: 0 flat, 1 house" in text
    net = MLP((2, 5), loss=losses.CrossEntropy((2, 3)))
    net.metadata = {"classes": [["flat", "house"], ["low", "fair", "high"]]}
    to_c(net, tmp_path / "net.c")
    text = " ".join((tmp_path / "net.c").read_text().replace(" *", " ").split())
    assert "counted from 0 in the group: 0 flat, 1 house; 0 low, 1 fair, 2 high layers" in text
    assert "void net_predict(const float x[2], int y[2]);" in text


@pytest.mark.filterwarnings("ignore:the 8-bit network differs")  # its weights are random
@pytest.mark.parametrize("form", ["float", "8 bits", "integers"])
def test_sizes_and_class_names_are_in_the_code(
    compiler: list[str], tmp_path: Path, form: str
) -> None:
    net = MLP((2, 3))
    net.metadata = {"classes": ["a */", 'größer "', 7]}
    one = net if form == "float" else quantize(
        net, np.eye(2), integer_only=form == "integers"
    )  # fmt: skip
    to_c(one, tmp_path / "net.c")
    (tmp_path / "main.c").write_text(
        '#include "net.c"\n#include <stdio.h>\nint main(void)\n{\n    int j;\n'
        '    printf("%d\\n", net_N_IN);\n    for (j = 0; j < net_N_OUT; j++)\n'
        "        puts(net_classes[j]);\n    return 0;\n}\n"
    )
    program = tmp_path / "program"
    strict = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run([*compiler, *strict, tmp_path / "main.c", "-lm", "-o", program], check=True)
    lines = subprocess.check_output([program]).decode().split("\n")
    assert lines == ["2", "a */", 'größer "', "7", ""]
    assert " 6 multiply-adds" in (tmp_path / "net.c").read_text()


@pytest.mark.parametrize("classes", [
    [], ["a"], ["a", "b"], ["a", "b", "c", "d"], None, "abc", {"a": 1}, [["a", "b"], ["c"], ["d"]],
])  # fmt: skip
def test_classes_that_are_not_a_name_for_each_are_left_out(tmp_path: Path, classes: Any) -> None:
    net = MLP((2, 3))
    net.metadata = {"classes": classes}
    to_c(net, tmp_path / "net.c")
    assert "net_classes[" not in (tmp_path / "net.c").read_text()


def test_the_name_of_a_single_class_is_that_of_both(tmp_path: Path) -> None:
    net = MLP((2, 1), loss="binary_cross_entropy")
    net.metadata = {"classes": ["only"]}
    to_c(net, tmp_path / "net.c")
    assert 'net_classes[2] = {\n"only",\n"only"}' in (tmp_path / "net.c").read_text()


def test_a_file_is_whole_or_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError("no space left on device")

    (tmp_path / "net.c").write_text("before")
    monkeypatch.setattr(c_templates, "with_names", full)
    with pytest.raises(OSError, match="no space"):
        to_c(MLP((2, 2)), tmp_path / "net.c")
    assert [path.name for path in tmp_path.iterdir()] == ["net.c"]
    assert (tmp_path / "net.c").read_text() == "before"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"name": "2nd"}, ValueError, "name must be a C identifier.*got '2nd'"),
        ({"name": "_net"}, ValueError, "name must be a C identifier"),
        ({"name": "a b"}, ValueError, "name must be a C identifier"),
        ({"name": "é"}, ValueError, "name must be a C identifier"),
        ({"name": ""}, ValueError, "name must be a C identifier"),
        ({"name": 3}, TypeError, "name must be a C identifier.*got 3"),
        ({"quantized": 1}, TypeError, "quantized must be True or False"),
        ({"quantized": True}, ValueError, "quantized=True needs calibration"),
        ({"calibration": np.zeros((3, 2))}, ValueError, "needs quantized=True"),
        (
            {"quantized": True, "calibration": np.zeros((3, 4))},
            ValueError,
            "calibration: X has 4 columns; this network has 2 inputs",
        ),
        ({"dtype": "float16"}, ValueError, "dtype must be 'float32' or 'float64', got 'float16'"),
        (
            {"quantized": True, "calibration": np.zeros((3, 2)), "dtype": "float64"},
            ValueError,
            "computes in 8-bit integers, got dtype 'float64'; leave it out",
        ),
    ],
)
def test_wrong_options_are_refused(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        to_c(MLP((2, 2)), tmp_path / "net.c", **options)
    assert list(tmp_path.iterdir()) == []


def test_parameters_beyond_the_dtype_are_refused(tmp_path: Path) -> None:
    net = MLP((2, 2), init=([[[1.0, 2.0], [1e39, 4.0]]], [[0.0, 0.0]]), dtype="float64")
    with pytest.raises(ValueError, match=r"W\(1\)\[1, 0\] is 1e\+39, too large for a float32"):
        to_c(net, tmp_path / "net.c", dtype="float32")
    assert list(tmp_path.iterdir()) == []


def test_the_comment_states_the_scale_of_bytes_with_all_digits(tmp_path: Path) -> None:
    for scale, statement in ((1 / 255, repr(1 / 255)), (1.0, None)):
        to_c(MLP((2, 2), uint8_scale=scale), tmp_path / "net.c")
        text = " ".join((tmp_path / "net.c").read_text().replace(" *", " ").split())
        assert (f"are multiplied by {statement} first" in text) == (statement is not None)


def test_only_single_networks_are_written(tmp_path: Path) -> None:
    net = MLP((2, 2))
    with pytest.raises(TypeError, match="one by one"):
        to_c(fastmlp.Ensemble([net]), tmp_path / "net.c")
    with pytest.raises(TypeError, match="net must be an MLP"):
        to_c("net.npz", tmp_path / "net.c")
    rounded = quantize(net, np.zeros((1, 2)))
    with pytest.raises(ValueError, match="quantized already"):
        to_c(rounded, tmp_path / "net.c", quantized=True, calibration=np.zeros((1, 2)))
    with pytest.raises(FileNotFoundError):
        to_c(net, tmp_path / "missing" / "net.c")
