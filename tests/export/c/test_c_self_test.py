"""The self-test of exported C says whether the examples have the outputs of Python."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import MLP, encodings, losses
from fastmlp.export import quantize, to_c

from .conftest import STRICT

MakeNetwork = Callable[..., MLP]  # see conftest.py
Run = Callable[..., int]

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)

FORMS: dict[str, dict[str, Any]] = {
    "float": {"dtype": "float32"},
    "double": {"dtype": "float64"},
    "8 bits": {"quantized": True},
    "integers": {"quantized": True, "integer_only": True},
}
LOSSES = [
    ("cross_entropy", 4),
    (losses.CrossEntropy((2, 3)), 5),
    ("binary_cross_entropy", 1),
    ("binary_cross_entropy", 3),
    ("squared_error", 1),
    ("quantile", 6),
]
ROWS = np.random.default_rng(8).normal(size=(60, 5))


def options_of(form: str) -> dict[str, Any]:
    return FORMS[form] | ({"calibration": ROWS} if "quantized" in FORMS[form] else {})


@pytest.fixture
def run(compiler: list[str], tmp_path: Path) -> Run:
    """Compile a file's self-test with strict warnings and return its exit status."""

    def run(file: str = "net.c", flags: Sequence[str] = ()) -> int:
        program = tmp_path / "program"
        strict = [one for one in STRICT if one != "-Wmissing-prototypes" or not flags]
        build = [*compiler, *strict, *flags, "-Dnet_TEST", tmp_path / file, "-lm", "-o", program]
        subprocess.run(build, check=True)
        return subprocess.run([program], check=False).returncode

    return run


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("loss", "n_out"), LOSSES, ids=str)
def test_the_exit_status_is_0_and_after_a_change_1(
    make_network: MakeNetwork, run: Run, tmp_path: Path, form: str, loss: Any, n_out: int
) -> None:
    net = make_network((5, 9, n_out), activation="tanh", loss=loss)
    to_c(net, tmp_path / "net.c", examples=ROWS[:4], **options_of(form))
    assert run() == 0
    text = (tmp_path / "net.c").read_text()
    b2 = re.search(r"net_b2\[\d+\] = \{\n(-?[\d.]+)", text)
    value = float(b2[1]) * 1.01 + 0.01
    changed = str(round(value) + 60_000 if "." not in b2[1] else value)
    (tmp_path / "net.c").write_text(text[: b2.start(1)] + changed + text[b2.end(1) :])
    assert run() == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("loss", "n_out"), LOSSES[:4], ids=str)
def test_a_wrong_label_is_found(
    make_network: MakeNetwork, run: Run, tmp_path: Path, form: str, loss: Any, n_out: int
) -> None:
    net = make_network((5, 9, n_out), loss=loss)
    to_c(net, tmp_path / "net.c", examples=ROWS[:4], **options_of(form))
    text = (tmp_path / "net.c").read_text()
    label = re.search(r"net_test_labels\[\d+\] = \{\n(\d+)", text)
    text = text[: label.start(1)] + str(int(label[1]) + 1) + text[label.end(1) :]
    (tmp_path / "net.c").write_text(text)
    assert run() == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("own", ["float32", "float64"])
def test_deep_networks_with_encodings_pass_within_rounding(
    make_network: MakeNetwork, run: Run, tmp_path: Path, rng: np.random.Generator, dtype: str,
    own: str,
) -> None:  # fmt: skip
    columns = [
        encodings.OneHot(3),
        encodings.PiecewiseLinear((-1, 0, 0.5, 2)),
        encodings.Periodic(4, 3, 1.0),
        encodings.Embedding(5, 2),
        encodings.Numeric(),
    ]
    net = MLP(
        (5, 40, 40, 40, 40, 3), activation="gelu", encodings=columns, input_scaling=True,
        dtype=own, seed=2,
    )  # fmt: skip
    X = rng.normal(size=(30, 5))
    X[:, 0], X[:, 3] = rng.integers(-1, 3, 30), rng.integers(-1, 5, 30)
    net.fit(X, rng.integers(0, 3, 30), epochs=3, batch_size=5)
    to_c(net, tmp_path / "net.c", examples=X, dtype=dtype)
    assert run(flags=("-O2",)) == 0
    to_c(net, tmp_path / "net.c", examples=X, quantized=True, calibration=X)
    assert run(flags=("-O2", "-ffast-math")) == 0


def test_images_of_bytes_are_scaled(make_network: MakeNetwork, run: Run, tmp_path: Path) -> None:
    X = np.random.default_rng(0).integers(0, 256, (20, 5)).astype(np.uint8)
    net = make_network((5, 9, 4), loss="cross_entropy", uint8_scale=1 / 255)
    for options in (
        {},
        {"quantized": True, "calibration": X},
        {"quantized": True, "calibration": X, "integer_only": True},
    ):
        to_c(net, tmp_path / "net.c", examples=X, **options)
        assert run() == 0


def test_a_quantized_network_takes_examples(
    make_network: MakeNetwork, run: Run, tmp_path: Path
) -> None:
    net = make_network((5, 9, 4), loss="cross_entropy")
    for integer_only in (False, True):
        twin = quantize(net, ROWS, integer_only=integer_only)
        to_c(twin, tmp_path / "net.c", examples=ROWS[:3], header=True, weights_file=True)
        assert run() == 0


def test_main_can_have_another_name(make_network: MakeNetwork, run: Run, tmp_path: Path) -> None:
    to_c(make_network((5, 2)), tmp_path / "net.c", examples=ROWS[:3])
    (tmp_path / "main.c").write_text(
        '#define main self_test\n#include "net.c"\n#undef main\n'
        "int main(void) { return self_test() + 7; }\n"
    )
    assert run("main.c", flags=("-O1",)) == 7


def test_without_the_macro_the_code_is_that_without_examples(
    make_network: MakeNetwork, compiler: list[str], tmp_path: Path
) -> None:
    net = make_network((5, 9, 4), loss="cross_entropy")
    objects = []
    for examples in (None, ROWS[:5]):
        to_c(net, tmp_path / "net.c", examples=examples)
        build = [*compiler, "-std=c99", "-Os", "-c", "net.c", "-o", "net.o"]
        subprocess.run(build, cwd=tmp_path, check=True)
        objects.append((tmp_path / "net.o").read_bytes())
    assert objects[0] == objects[1]


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        (np.zeros((2, 4)), "examples: X has 4 columns; this network has 5 inputs"),
        (np.zeros((0, 5)), "examples: X is empty"),
        (np.full((1, 5), np.nan), "examples: X"),
        (np.full((1, 5), 1e39), "examples: X.*too large for a float32"),
        ([["a"] * 5], "examples: X has dtype"),
    ],
)
@pytest.mark.parametrize("form", ["float", "8 bits", "integers"])
def test_examples_that_do_not_fit_are_refused(
    make_network: MakeNetwork, tmp_path: Path, form: str, examples: Any, message: str
) -> None:
    net = make_network((5, 9, 4), dtype="float64")
    with pytest.raises((TypeError, ValueError), match=message):
        to_c(net, tmp_path / "net.c", examples=examples, **options_of(form))
    assert list(tmp_path.iterdir()) == []
