"""The integer-only C has the bytes of fastmlp.export.IntegerOnly, and no floating point."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp import MLP, activations, datasets, losses
from fastmlp.export import IntegerOnly, quantize, to_c
from fastmlp.export.integers import FixedPoint

from .conftest import STRICT

Array = NDArray[Any]
MakeNetwork = Callable[..., MLP]  # see conftest.py

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)

OUTPUTS = [name for name in activations.TABLE if name != "softmax"]
SIZES = [(1, 1), (3, 2), (17, 5), (2, 1, 3), (9, 16, 1), (7, 33, 6, 2), (5, 3, 1, 8, 4)]
MAIN = """\
#include <stdio.h>
#include "net.c"
int main(int argc, char **argv)
{{
    static float x[{n_in}];
    static int8_t q[{n_in}], h[{n_out}];
    static {answer} y[{n_answers}];
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[argc - 1], "wb");
    while (fread(x, sizeof x, 1, in) == 1) {{
        net_quantize(x, q);
        net_forward(q, h);
        {call};
        fwrite(q, sizeof q, 1, out);
        fwrite(h, sizeof h, 1, out);
        fwrite(y, sizeof y, 1, out);
    }}
    fclose(in);
    return fclose(out);
}}
"""


@pytest.fixture
def run_bytes(compiler: list[str], tmp_path: Path) -> Callable[..., Any]:
    """Write a network as integer-only C, compile it with strict warnings, and run it on reals."""

    def run(net: IntegerOnly, X: Array, flags: tuple[str, ...] = ("-O1",)) -> Any:
        to_c(net, tmp_path / "net.c")
        text = (tmp_path / "net.c").read_text()
        several = re.search(r"^void net_predict\(.*, (\w+) y\[(\d+)\]\);", text, re.MULTILINE)
        single = re.search(r"^(\w+) net_predict\(const int8_t x\[\d+\]\);", text, re.MULTILINE)
        answer, n_answers = several.groups() if several else (single[1], 1)
        main = MAIN.format(
            n_in=net.n_in, n_out=net.n_out, answer=answer, n_answers=n_answers,
            call="net_predict(q, y)" if several else "y[0] = net_predict(q)",
        )  # fmt: skip
        (tmp_path / "main.c").write_text(main)
        program = tmp_path / "program"
        build = [*compiler, *STRICT, *flags, "-Dnet_FLOAT", tmp_path / "main.c", "-lm"]
        done = subprocess.run(
            [*build, "-o", program], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        (tmp_path / "x").write_bytes(np.ascontiguousarray(X, np.float32).tobytes())
        subprocess.run([program, tmp_path / "x", tmp_path / "out"], check=True)
        y_dtype = np.dtype(np.intc if answer == "int" else np.int8)
        record = np.dtype(
            [
                ("q", np.int8, (net.n_in,)),
                ("h", np.int8, (net.n_out,)),
                ("y", y_dtype, (int(n_answers),)),
            ]
        )
        rows = np.fromfile(tmp_path / "out", record)
        assert len(rows) == len(X)
        return rows

    return run


def assert_same_bytes(rows: Any, twin: IntegerOnly, X: Array) -> None:
    np.testing.assert_array_equal(rows["q"], twin.input_bytes(X))
    np.testing.assert_array_equal(rows["h"], twin.output_bytes(X))


@pytest.mark.parametrize("name", OUTPUTS)
def test_integer_only_c_has_the_bytes_of_its_twin(
    make_network: MakeNetwork, run_bytes: Callable[..., Any], rng: np.random.Generator, name: str
) -> None:
    hidden = "tanh" if name == "exponential" else name  # which would overflow through layers
    net = make_network((6, 21, 10, 4), activation=hidden, output_activation=name)
    X = rng.normal(size=(300, 6)).astype(np.float32)
    twin = quantize(net, X[:100], integer_only=True)  # others are partly out of range
    assert_same_bytes(run_bytes(twin, X), twin, X)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_integer_only_c_has_the_bytes_of_its_twin_at_any_depth(
    make_network: MakeNetwork,
    run_bytes: Callable[..., Any],
    rng: np.random.Generator,
    sizes: tuple[int, ...],
) -> None:
    net = make_network(sizes, activation="silu", dtype="float64")
    X = rng.normal(size=(50, sizes[0])).astype(np.float32)
    X[0, 0], X[1, 0] = 1e30, -1e30
    twin = quantize(net, X[2:], integer_only=True)
    assert_same_bytes(run_bytes(twin, X, ("-O3",)), twin, X)


@pytest.mark.parametrize(
    ("loss", "n_out"),
    [
        ("cross_entropy", 7),
        (losses.CrossEntropy((3, 2, 5)), 10),
        ("binary_cross_entropy", 1),
        ("binary_cross_entropy", 4),
    ],
)
def test_predicts_the_labels_of_its_twin(
    make_network: MakeNetwork,
    run_bytes: Callable[..., Any],
    rng: np.random.Generator,
    loss: Any,
    n_out: int,
) -> None:
    net = make_network((5, 12, n_out), loss=loss)
    X = rng.normal(size=(300, 5)).astype(np.float32)
    twin = quantize(net, X, integer_only=True)
    rows = run_bytes(twin, X)
    assert_same_bytes(rows, twin, X)
    expected = twin.predict(X)
    np.testing.assert_array_equal(rows["y"], expected.reshape(len(X), -1))
    assert np.mean(expected == net.predict(X)) > 0.95
    assert twin.agreement == np.mean(expected == net.predict(X))


@pytest.mark.parametrize(("loss", "n_out"), [("squared_error", 1), ("huber", 3), ("quantile", 6)])
def test_predicts_the_values_that_forward_returns(
    make_network: MakeNetwork,
    run_bytes: Callable[..., Any],
    rng: np.random.Generator,
    loss: str,
    n_out: int,
) -> None:
    net = make_network((5, 12, n_out), loss=loss)
    X = rng.normal(size=(200, 5)).astype(np.float32)
    twin = quantize(net, X, integer_only=True)
    values = twin.output_step * (run_bytes(twin, X)["y"] - float(twin.output_zero))
    np.testing.assert_allclose(values, twin.predict(X).reshape(len(X), -1), rtol=1e-6)
    # a byte of the output is at best half a step off
    span = np.ptp(net.forward(X))
    assert np.abs(values - net.predict(X).reshape(len(X), -1)).max() < 0.05 * span


def test_columns_have_steps_of_their_own(
    run_bytes: Callable[..., Any], rng: np.random.Generator
) -> None:
    deviation, mean = 10.0 ** np.arange(-3, 4), np.array([0, 0, 5, 0, 2000, -1e5, 1e6])
    X = (rng.normal(size=(300, 7)) * deviation + mean).astype(np.float32)
    net = MLP((7, 12, 3), dtype="float64")
    W, *others = net.weights
    net.set_parameters([W / deviation, *others], [-(W / deviation) @ mean, np.zeros(3)])
    twin = quantize(net, X[:200], integer_only=True)
    assert twin.input_scaling.inverse.shape == (7,)
    assert_same_bytes(run_bytes(twin, X), twin, X)
    assert twin.agreement > 0.95


def test_multiplications_are_rounded_to_nearest(rng: np.random.Generator) -> None:
    multiplier = np.append(2.0 ** rng.uniform(-40, 8, 200), [1.0, 0.5, 1 - 2.0**-40, 2.0**-70])
    total = rng.integers(-(2**31) + 1, 2**31, multiplier.size)
    total = (total / np.maximum(1, multiplier)).astype(np.int64)
    for one, s, p in zip(multiplier, total, FixedPoint.of(multiplier)(total), strict=True):
        exact = Fraction(float(one)) * int(s)
        assert abs(p - exact) <= Fraction(1, 2) + abs(exact) / 2**31


def test_a_file_without_floating_point(
    make_network: MakeNetwork, compiler: list[str], tmp_path: Path, rng: np.random.Generator
) -> None:
    net = make_network((9, 16, 8, 5), activation=["gelu", "relu"], loss="cross_entropy")
    to_c(net, tmp_path / "net.c", quantized=True, calibration=rng.normal(size=(200, 9)),
         integer_only=True)  # fmt: skip
    text = (tmp_path / "net.c").read_text()
    code = text[text.index("*/") : text.index("#ifdef net_FLOAT")]
    assert re.findall("#include <(.*)>", code) == ["stdint.h"]
    assert not re.search(r"\b(float|double)\b|\d\.\d", code)
    build = [*compiler, *STRICT, "-O2", "-c", tmp_path / "net.c", "-o", tmp_path / "net.o"]
    subprocess.run(build, check=True)
    if shutil.which("nm"):
        names = subprocess.check_output(["nm", "-u", tmp_path / "net.o"], text=True)
        assert not names.split()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"integer_only": True}, "integer_only=True needs quantized=True and calibration"),
        (
            {"integer_only": 1, "quantized": True, "calibration": np.zeros((3, 2))},
            "integer_only must be True or False",
        ),
    ],
)
def test_integer_only_needs_calibration(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        to_c(MLP((2, 2)), tmp_path / "net.c", **options)
    assert list(tmp_path.iterdir()) == []


def test_digits_lose_no_accuracy_without_floating_point() -> None:
    X, y = datasets.digits()
    net = MLP((64, 40, 10), seed=0)
    net.fit(X[:1300], y[:1300], epochs=30)
    integers = quantize(net, X[:1300], integer_only=True)
    correct = [np.mean(one.predict(X[1300:]) == y[1300:]) for one in (net, integers)]
    assert abs(correct[1] - correct[0]) <= 0.004  # two of 497 images
    # a byte of z is at most half a step off, and probabilities follow
    assert np.abs(integers.forward(X[1300:]) - net.forward(X[1300:])).max() < 0.1


def test_sums_of_signed_bytes_have_32_bits() -> None:
    n_in = 66_200  # 255 Σ|w| < 2³¹ ≤ 256 Σ|w|
    net = MLP((n_in, 1), loss="squared_error", init=([np.ones((1, n_in))], [[0.0]]))
    X = np.zeros((2, n_in), np.float32)
    X[0] = 1
    quantize(net, X)
    with pytest.raises(ValueError, match="layer 1 has 66,200 inputs, too many.*without integer_on"):
        quantize(net, X, integer_only=True).signed_biases()


def test_factors_are_below_two_to_the_30() -> None:
    """The last one is as large as it may be; the next is rounded up to 2^30."""
    largest = 2.0**30 * (1 - 2.0**-31)
    one = FixedPoint.of(np.array([largest]))
    assert (one.factor[0], one.shift[0]) == (2**31 - 1, 1)
    np.testing.assert_array_equal(one(np.array([1])), [2**30])  # 2³⁰ − ½, rounded up
    for beyond in (2.0**30 * (1 - 2.0**-33), 2.0**30, 2.0**80):
        with pytest.raises(ValueError, match="two layers differ by a factor of more than 2"):
            FixedPoint.of(np.array([1.0, beyond]))


def test_sums_of_signed_bytes_that_exceed_32_bits_are_refused(tmp_path: Path) -> None:
    """Sums of bytes from 0 may be as large as 255·127·n, those of signed bytes 256·127·n."""
    for n in (66_052, 66_053):
        net = MLP((n, 2), init=([np.ones((2, n))], [np.zeros(2)]))
        twin = quantize(net, np.linspace(0, 1, 2)[:, None] * np.ones((1, n)), integer_only=True)
        if n == 66_052:
            assert len(twin.signed_biases()) == 1
            continue
        with pytest.raises(ValueError, match="layer 1 has 66,053 inputs, too many for sums of 32"):
            to_c(twin, tmp_path / "net.c")
    assert list(tmp_path.iterdir()) == []
