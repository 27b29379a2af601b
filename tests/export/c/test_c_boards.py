"""Exported C on microcontrollers: compiled for them and run on emulated ones.

CMSIS_NN names a checkout of Arm's library for one more test.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastmlp import MLP
from fastmlp.export import quantize, to_c

from .boards import AVR, CORTEX_M0, CORTEX_M4F, require, run_on_cortex
from .conftest import STRICT

MakeNetwork = Callable[..., MLP]  # see conftest.py

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* calibration rows are few", "ignore:the 8-bit network differs"
)

FORMS: dict[str, dict[str, Any]] = {
    "float": {"dtype": "float32"},
    "double": {"dtype": "float64"},
    "8 bits": {"quantized": True},
    "integers": {"quantized": True, "integer_only": True},
}
CORTEXES = {"cortex-m0": CORTEX_M0, "cortex-m4f": CORTEX_M4F}
LIBRARY = """\
/* CMSIS-NN's function as its documentation has it, and how often it was called */
#include <stdint.h>
static int calls;
static int arm_nn_vec_mat_mult_t_s8(const int8_t *lhs, const int8_t *rhs,
        const int32_t *kernel_sum, const int32_t *bias, int8_t *dst, const int32_t lhs_offset,
        const int32_t dst_offset, const int32_t dst_multiplier, const int32_t dst_shift,
        const int32_t rhs_cols, const int32_t rhs_rows, const int32_t activation_min,
        const int32_t activation_max, const int32_t address_offset, const int32_t rhs_offset)
{
    int64_t i, j, shift = 31 - dst_shift;
    for (j = 0; j < rhs_rows; j++) {
        int64_t sum = bias[j] + 0 * kernel_sum[j];
        for (i = 0; i < rhs_cols; i++)
            sum += (rhs[j * rhs_cols + i] + rhs_offset) * (lhs[i] + lhs_offset);
        sum = ((((sum * dst_multiplier) >> (shift - 1)) + 1) >> 1) + dst_offset;
        sum = sum < activation_min ? activation_min : sum > activation_max ? activation_max : sum;
        dst[j * address_offset] = (int8_t)sum;
        calls++;
    }
    return 0;
}
"""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cpu", CORTEXES)
def test_the_self_test_passes_on_an_emulated_cortex(
    make_network: MakeNetwork, tmp_path: Path, rng: np.random.Generator, cpu: str, form: str
) -> None:
    net = make_network((20, 16, 9, 5), activation=["gelu", "relu"], loss="cross_entropy")
    options = FORMS[form] | (
        {"calibration": rng.normal(size=(200, 20))} if form in ("8 bits", "integers") else {}
    )
    to_c(net, tmp_path / "net.c", examples=2 * rng.normal(size=(12, 20)), **options)
    assert run_on_cortex(CORTEXES[cpu], tmp_path, ["net.c"], []) == "the same"
    text = (tmp_path / "net.c").read_text()
    (tmp_path / "net.c").write_text(re.sub(r"(net_test_labels\[12\] = {\n)\d", r"\g<1>7", text))
    assert run_on_cortex(CORTEXES[cpu], tmp_path, ["net.c"], []) == "wrong"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cpu", CORTEXES)
def test_code_takes_about_a_kilobyte_as_the_comment_states(
    make_network: MakeNetwork, tmp_path: Path, rng: np.random.Generator, cpu: str, form: str
) -> None:
    require("arm-none-eabi-gcc", f"nothing was compiled for {cpu}")
    mix = ["selu", "mish", "softplus", "gelu"]
    net = make_network((64, 300, 40, 30, 20, 12), activation=mix, loss="cross_entropy")
    options = FORMS[form] | (
        {"calibration": rng.normal(size=(200, 64))} if "quantized" in FORMS[form] else {}
    )
    to_c(net, tmp_path / "net.c", **options)
    build = ["arm-none-eabi-gcc", *CORTEXES[cpu].flags, "-mthumb", "-std=c99", "-Os", "-c"]
    subprocess.run([*build, tmp_path / "net.c", "-o", tmp_path / "net.o"], check=True)
    size = subprocess.check_output(["arm-none-eabi-size", tmp_path / "net.o"], text=True)
    text, data, bss = map(int, size.splitlines()[1].split()[:3])
    assert data + bss == 0
    comment = " ".join((tmp_path / "net.c").read_text().replace("\n *", " ").split())
    constants = re.search(r"flash ([\d,]+) bytes of constants and about 1 kB of code", comment)
    assert 500 < text - int(constants[1].replace(",", "")) < 1200


@pytest.mark.parametrize("cpu", CORTEXES)
def test_microcontrollers_need_no_floating_point(
    make_network: MakeNetwork, tmp_path: Path, rng: np.random.Generator, cpu: str
) -> None:
    require("arm-none-eabi-gcc", f"nothing was compiled for {cpu}")
    net = make_network((64, 100, 10), loss="cross_entropy")
    to_c(quantize(net, rng.normal(size=(200, 64)), integer_only=True), tmp_path / "net.c")
    build = ["arm-none-eabi-gcc", *CORTEXES[cpu].flags, "-mthumb", *STRICT, "-Os", "-c"]
    subprocess.run([*build, tmp_path / "net.c", "-o", tmp_path / "net.o"], check=True)
    names = subprocess.check_output(["arm-none-eabi-nm", "-u", tmp_path / "net.o"], text=True)
    # multiplication and shifts of 64 bits
    assert set(names.split()) <= {"U", "__aeabi_lmul", "__aeabi_lasr", "__aeabi_llsl"}
    size = subprocess.check_output(["arm-none-eabi-size", tmp_path / "net.o"], text=True)
    text, data, bss = map(int, size.splitlines()[1].split()[:3])
    assert text + data + bss < 10_000


@pytest.mark.parametrize("form", ["float", "8 bits", "integers"])
@pytest.mark.parametrize("weights_file", [False, True])
def test_avr_reads_constants_from_flash_memory(
    make_network: MakeNetwork, tmp_path: Path, rng: np.random.Generator, form: str,
    weights_file: bool,
) -> None:  # fmt: skip
    require("avr-gcc", "nothing was compiled for AVR")
    require("simavr", "nothing was run on an emulated ATmega328P")
    net = make_network((20, 40, 9, 5), activation=["tanh", "relu"], loss="cross_entropy")
    options = FORMS[form] | (
        {"calibration": rng.normal(size=(200, 20))} if form != "float" else {}
    )
    examples = 2 * rng.normal(size=(12, 20))
    to_c(net, tmp_path / "net.c", examples=examples, weights_file=weights_file, **options)
    (tmp_path / "main.c").write_text(AVR)
    avr = ["avr-gcc", "-mmcu=atmega328p", "-std=gnu99", "-Wall", "-Wextra", "-Werror", "-Os"]
    test = ["-Dnet_TEST", "-Dmain=self_test"]
    for command in (
        [*avr, *test, "-c", "net.c", "-o", "net.o"],
        [*avr, "main.c", "net.o", "-lm", "-o", "elf"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    size = subprocess.check_output(["avr-size", "net.o"], cwd=tmp_path, text=True)
    _, data, bss = map(int, size.splitlines()[1].split()[:3])
    assert data + bss == 0  # nothing is copied to RAM
    emulator = ["simavr", "-m", "atmega328p", "-f", "16000000", "elf"]
    done = subprocess.run(
        emulator, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert "the same" in done.stdout + done.stderr


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_hidden_units_without_a_table_are_calls_of_cmsis_nn(
    make_network: MakeNetwork, compiler: list[str], tmp_path: Path, rng: np.random.Generator,
    activation: str,
) -> None:  # fmt: skip
    net = make_network((20, 16, 9, 5), activation=[activation, "relu"], loss="cross_entropy")
    twin = quantize(net, rng.normal(size=(200, 20)), integer_only=True)
    to_c(twin, tmp_path / "net.c", examples=2 * rng.normal(size=(30, 20)))
    (tmp_path / "arm_nnsupportfunctions.h").write_text(LIBRARY)
    (tmp_path / "main.c").write_text(
        '#define main self_test\n#include "net.c"\n#undef main\n#include <stdio.h>\n'
        'int main(void) { printf("%d ", self_test()); printf("%d", calls); return 0; }\n'
    )
    build = [*compiler, "-std=c99", "-I.", "-Dnet_TEST", "-Dnet_CMSIS_NN", "main.c", "-o", "a"]
    subprocess.run(build, cwd=tmp_path, check=True)
    n_calls = 9 if activation == "gelu" else 25  # a row; forward and predict
    assert subprocess.check_output([tmp_path / "a"], text=True) == f"0 {2 * 30 * n_calls}"


def test_cmsis_nn_gives_the_bytes_of_the_twin(
    make_network: MakeNetwork, tmp_path: Path, rng: np.random.Generator
) -> None:
    if "CMSIS_NN" not in os.environ:
        pytest.skip("CMSIS_NN names no checkout of CMSIS-NN: the library itself was not called")
    library = Path(os.environ["CMSIS_NN"])
    net = make_network((61, 50, 33, 10), loss="cross_entropy")
    twin = quantize(net, rng.normal(size=(300, 61)), integer_only=True)
    to_c(twin, tmp_path / "net.c", examples=2 * rng.normal(size=(40, 61)))
    source = library / "Source" / "NNSupportFunctions" / "arm_nn_vec_mat_mult_t_s8.c"
    flags = ["-I", str(library / "Include"), "-Dnet_CMSIS_NN", "-DCMSIS_NN_USE_SINGLE_ROUNDING"]
    said = run_on_cortex(CORTEX_M4F, tmp_path, ["net.c", str(source)], flags)
    assert said == "the same"
