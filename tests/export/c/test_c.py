"""fastmlp.export.to_c: the compiled file computes what the network does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp import MLP, activations, losses, reference
from fastmlp.export import c_parts, quantize, to_c

Array = NDArray[Any]
RunC = Callable[..., Any]  # see conftest.py

OUTPUTS = [name for name in activations.TABLE if name != "softmax"]
HIDDEN = [name for name in OUTPUTS if name != "exponential"]  # which would overflow through layers
SIZES = [(1, 1), (3, 2), (17, 5), (2, 1, 3), (9, 16, 1), (7, 33, 6, 2), (5, 3, 1, 8, 4)]
STEEPEST = {"selu": 1.7581, "silu": 1.0999, "gelu": 1.129}  # max |f'| where that is not 1
SANITIZERS = [
    "-O1",
    "-g",
    "-fsanitize=address,undefined,float-cast-overflow",
    "-fno-sanitize-recover=all",
]


def allowed(net: MLP, X: Array) -> Array:
    """What h may differ by: the stated bound of each sum, carried through the layers."""
    u = np.finfo(net.dtype).eps / 2
    a, error = X.astype(np.float64), np.zeros(X.shape)
    functions = (*net.activation, net.output_activation)
    for W, b, f in zip(*net.folded, functions, strict=True):
        sums = np.abs(a) @ np.abs(W.T) + np.abs(b)
        error = (4 + 2 * np.sqrt(W.shape[1])) * u * sums + error @ np.abs(W.T)
        z = a @ W.T.astype(np.float64) + b
        a = reference.ACTIVATIONS[f.name](z, f.parameter)[0]
        if f.name == "softmax":
            below = z.max(axis=1, keepdims=True) - z
            worst = error.max(axis=1, keepdims=True)
            return a * (np.expm1(2 * worst) + (24 + z.shape[1] + 4 * below) * u)
        if f.name == "exponential":
            error = a * (np.expm1(error) + (24 + 4 * np.abs(z)) * u)
            continue
        # both functions: a few units in the last place; Φ inherits the rounding of z²
        units = 24 + (2 * z**2 if f.name == "gelu" else 0)
        error = max(STEEPEST.get(f.name, 1), abs(f.parameter)) * error + units * u * np.abs(a)
    return error + np.finfo(net.dtype).tiny


def drawn(sizes: tuple[int, ...], rng: np.random.Generator, **options: Any) -> MLP:
    """A regression network with biases."""
    net = MLP(sizes, **{"loss": "squared_error", "seed": 3, **options})
    net.set_parameters(net.weights, [rng.normal(size=n) for n in sizes[1:]])
    return net


def assert_close(found: Array, net: MLP, X: Array) -> None:
    difference = np.abs(found.astype(np.float64) - net.forward(X))
    assert (difference <= allowed(net, X)).all()


# ----------------------------------------------------------------------------- the same numbers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OUTPUTS)
def test_every_activation_in_hidden_and_output_layers(
    run_c: RunC, rng: np.random.Generator, name: str, dtype: str
) -> None:
    hidden = name if name in HIDDEN else "tanh"
    net = drawn((6, 11, 8, 3), rng, activation=hidden, output_activation=name, dtype=dtype)
    X = 3 * rng.normal(size=(60, 6)).astype(dtype)
    assert_close(run_c(net, X).h, net, X)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_any_depth_and_odd_sizes(
    run_c: RunC, rng: np.random.Generator, sizes: tuple[int, ...]
) -> None:
    net = drawn(sizes, rng, activation="tanh")
    X = rng.normal(size=(40, sizes[0])).astype(np.float32)
    assert_close(run_c(net, X).h, net, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_softmax_and_a_class_in_each_group(
    run_c: RunC, rng: np.random.Generator, dtype: str
) -> None:
    loss = losses.CrossEntropy((3, 2, 5))
    net = drawn((6, 9, 10), rng, loss=loss, dtype=dtype)
    X = 3 * rng.normal(size=(60, 6)).astype(dtype)
    found = run_c(net, X)
    np.testing.assert_allclose(found.h, net.forward(X), rtol=200 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(found.y, net.predict(X))
    twin = quantize(net, X)
    found = run_c(twin, X)
    np.testing.assert_array_equal(found.h, twin.forward(X))
    np.testing.assert_array_equal(found.y, twin.predict(X))
    for first, end in net.output_activation.spans:
        np.testing.assert_allclose(found.h[:, first:end].sum(axis=1), 1, rtol=1e-6)


def test_each_layer_its_own_activation(run_c: RunC, rng: np.random.Generator) -> None:
    mix = [
        activations.LeakyReLU(0.2),
        activations.ELU(1.7),
        activations.LeakyReLU(-0.5),
        "gelu",
        activations.LeakyReLU(0.2),
    ]
    net = drawn((4, 9, 8, 7, 6, 5, 3), rng, activation=mix, dtype="float64")
    X = rng.normal(size=(50, 4))
    assert_close(run_c(net, X).h, net, X)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bound_of_long_sums_holds(run_c: RunC, rng: np.random.Generator, dtype: str) -> None:
    net = drawn((1500, 40), rng, dtype=dtype)
    X = rng.normal(size=(50, 1500)).astype(dtype)
    assert_close(run_c(net, X).h, net, X)
    # terms of one sign, whose rounding errors are the largest
    net.set_parameters([np.abs(net.weights[0])], [np.abs(net.biases[0])])
    assert_close(run_c(net, np.abs(X)).h, net, np.abs(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_read_back_bit_for_bit(
    run_c: RunC, rng: np.random.Generator, dtype: type[Any]
) -> None:
    info = np.finfo(dtype)
    W = rng.normal(size=(30, 9)).astype(dtype) * np.logspace(-30, 30, 30, dtype=dtype)[:, None]
    W[0, :6] = info.max, info.min, info.tiny, info.smallest_subnormal, -0.0, 1
    net = MLP((9, 30), loss="squared_error", dtype=dtype, init=([W], [np.zeros(30)]))
    np.testing.assert_array_equal(run_c(net, np.eye(9, dtype=dtype)).h, W.T)


def test_batch_norm_is_folded_in(
    run_c: RunC, classes: tuple[Array, Array], rng: np.random.Generator
) -> None:
    X, y = classes
    net = MLP((6, 13, 9, 3), batch_norm=[True, False], dropout=0.2)
    net.fit(X, y, epochs=5, batch_size=23)
    assert_close(run_c(net, X).h, net, X)


def test_averaged_parameters_are_taken_where_the_network_predicts_by_them(
    run_c: RunC, classes: tuple[Array, Array]
) -> None:
    X, y = classes
    net = MLP((6, 13, 3))
    net.fit(X, y, epochs=3, ema=0.9)
    averaged = run_c(net, X)
    assert_close(averaged.h, net, X)
    net.use_average = False
    assert_close(run_c(net, X).h, net, X)
    assert np.abs(averaged.h - net.forward(X)).max() > 1e-3


# --------------------------------------------------------------------------------- the answers


@pytest.mark.parametrize(
    ("loss", "output", "n_out"),
    [
        ("cross_entropy", None, 2),
        ("cross_entropy", None, 7),
        ("binary_cross_entropy", None, 1),
        ("binary_cross_entropy", None, 4),
        ("squared_error", "identity", 1),
        ("squared_error", "sigmoid", 3),
        ("huber", None, 1),
        ("absolute_error", None, 2),
        ("poisson", None, 1),
        ("gamma", None, 3),
        ("quantile", None, 6),
        (losses.Quantile((0.5,)), None, 1),
        (losses.Quantile((0.1, 0.2, 0.7, 0.9)), "softplus", 4),
        ((lambda h, y: (h - y) ** 2, lambda h, y: 2 * (h - y)), None, 2),
    ],
)
@pytest.mark.parametrize("quantized", [False, True])
def test_predicts_what_the_loss_says(
    run_c: RunC,
    rng: np.random.Generator,
    loss: Any,
    output: str | None,
    n_out: int,
    quantized: bool,
) -> None:
    net = drawn((5, 12, n_out), rng, loss=loss, output_activation=output)
    X = rng.normal(size=(100, 5)).astype(np.float32)
    expected = quantize(net, X) if quantized else net
    found = run_c(expected, X)
    np.testing.assert_array_equal(found.y, net.loss.predict(found.h))
    if net.loss.classification or quantized:
        np.testing.assert_array_equal(found.y, expected.predict(X))


def test_what_is_not_finite_has_a_defined_answer(run_c: RunC, rng: np.random.Generator) -> None:
    net = drawn((3, 8, 4), rng, loss="cross_entropy", activation="gelu")
    X = rng.normal(size=(7, 3)).astype(np.float32)
    calibration = X.copy()
    X[1, 0], X[2, 1], X[3, 2], X[4, 0], X[5] = np.nan, np.inf, -np.inf, 3e38, np.nan
    found = run_c(net, X)
    assert np.isfinite(found.h[[0, 6]]).all()
    assert np.isnan(found.h[[1, 5]]).all()
    assert ((0 <= found.y) & (found.y < 4)).all()

    rounded = quantize(net, calibration)
    found = run_c(rounded, X)
    low, high = calibration.min() - 1, calibration.max() + 1  # beyond the range: cut off there
    seen = np.nan_to_num(X, nan=low, posinf=high, neginf=low)
    np.testing.assert_array_equal(found.h, rounded.forward(seen))


# ------------------------------------------------------------------------------ 8-bit integers


@pytest.mark.parametrize("name", OUTPUTS)
def test_quantized_c_has_the_bits_of_its_twin(
    run_c: RunC, rng: np.random.Generator, name: str
) -> None:
    hidden = name if name in HIDDEN else "tanh"
    net = drawn((6, 21, 10, 4), rng, activation=hidden, output_activation=name)
    X = rng.normal(size=(300, 6)).astype(np.float32)
    twin = quantize(net, X[:100])  # others are partly out of range
    np.testing.assert_array_equal(run_c(twin, X).h, twin.forward(X))


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_quantized_c_has_the_bits_of_its_twin_at_any_depth(
    run_c: RunC, rng: np.random.Generator, sizes: tuple[int, ...]
) -> None:
    net = drawn(sizes, rng, activation="silu", dtype="float64")
    X = rng.normal(size=(50, sizes[0])).astype(np.float32)
    twin = quantize(net, X)
    np.testing.assert_array_equal(run_c(twin, X, ["-O3"]).h, twin.forward(X))


def test_quantized_in_one_call_is_the_same_file(tmp_path: Path, rng: np.random.Generator) -> None:
    net = drawn((3, 4, 2), rng)
    X = rng.normal(size=(20, 3))
    to_c(net, tmp_path / "one.c", name="net", quantized=True, calibration=X)
    to_c(quantize(net, X), tmp_path / "two.c", name="net")
    assert (tmp_path / "one.c").read_text() == (tmp_path / "two.c").read_text()


def test_quantized_takes_a_quarter_of_the_memory(tmp_path: Path, rng: np.random.Generator) -> None:
    net = drawn((100, 200, 10), rng)
    sizes = []
    for one in (net, quantize(net, rng.normal(size=(20, 100)))):
        to_c(one, tmp_path / "net.c")
        said = re.search(r"([\d,]+) bytes of constants", (tmp_path / "net.c").read_text())[1]
        sizes.append(int(said.replace(",", "")))
    assert sizes[0] == 4 * net.n_parameters
    assert sizes[1] == (net.n_parameters - 210) + 2 * 4 * 210  # bias and multiplier of each unit


# ------------------------------------------------------------------------------------ the file


@pytest.mark.parametrize("quantized", [False, True])
def test_sanitizers_find_nothing(
    compiler: list[str], run_c: RunC, tmp_path: Path, rng: np.random.Generator, quantized: bool
) -> None:
    probe = tmp_path / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    build = [*compiler, *SANITIZERS, probe, "-o", tmp_path / "probe"]
    if subprocess.run(build, capture_output=True, check=False).returncode != 0:
        pytest.skip("this compiler has no sanitizers")
    net = drawn((5, 7, 6, 3), rng, activation=["gelu", "relu"], loss="cross_entropy")
    X = rng.normal(size=(60, 5)).astype(np.float32)
    one = quantize(net, X) if quantized else net
    X[10:20] *= 1e30
    X[20, 2], X[21, 3], X[22, 0] = np.nan, np.inf, -np.inf
    assert len(run_c(one, X, SANITIZERS).h) == 60


@pytest.mark.parametrize("quantized", [False, True])
def test_little_stands_beside_the_numbers(
    tmp_path: Path, rng: np.random.Generator, quantized: bool
) -> None:
    net = drawn((9, *[8] * len(HIDDEN), 5), rng, activation=HIDDEN, loss="cross_entropy")
    X = rng.normal(size=(20, 9))
    to_c(quantize(net, X) if quantized else net, tmp_path / "net.c")
    lines = (tmp_path / "net.c").read_text().splitlines()
    assert sum(not re.match(r"-?\d", line) for line in lines) <= 200
    text = "\n".join(lines)
    assert re.findall("#include <(.*)>", text) == ["math.h", "stdint.h"][: 1 + quantized]
    assert not re.search(r"\w*alloc\b|^static (?!const).*;$", text, re.MULTILINE)


def test_two_networks_in_one_program(
    compiler: list[str], tmp_path: Path, rng: np.random.Generator
) -> None:
    a = drawn((2, 3, 2), rng, activation="tanh")
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
        ("ziffern_ä.c", "ziffern__"),
        ("plain", "plain"),
    ],
)
def test_functions_are_named_after_the_file(tmp_path: Path, file: str, name: str) -> None:
    to_c(MLP((2, 2)), tmp_path / file)
    assert f"int {name}_predict(const float x[2]);" in (tmp_path / file).read_text("utf-8")


def test_no_name_of_a_class_breaks_the_comment(run_c: RunC, rng: np.random.Generator) -> None:
    net = drawn((2, 4), rng, loss="cross_entropy")
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
    assert "2 inputs: area, rooms;" in text
    assert "the most probable class: 0 flat, 1 house" in text
    net = MLP((2, 5), loss=losses.CrossEntropy((2, 3)))
    net.metadata = {"classes": [["flat", "house"], ["low", "fair", "high"]]}
    to_c(net, tmp_path / "net.c")
    text = " ".join((tmp_path / "net.c").read_text().replace(" *", " ").split())
    assert "counted from 0 in it: 0 flat, 1 house; 0 low, 1 fair, 2 high layers" in text
    assert "void net_predict(const float x[2], int y[2]);" in text


def test_a_file_is_whole_or_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError("no space left on device")

    (tmp_path / "net.c").write_text("before")
    monkeypatch.setattr(c_parts, "named", full)
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
        ({"calibration": np.zeros((3, 2))}, ValueError, "goes with quantized=True"),
        (
            {"quantized": True, "calibration": np.zeros((3, 4))},
            ValueError,
            "calibration: X has 4 columns; this network has 2 inputs",
        ),
    ],
)
def test_what_cannot_be_written_is_told(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        to_c(MLP((2, 2)), tmp_path / "net.c", **options)
    assert list(tmp_path.iterdir()) == []


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
