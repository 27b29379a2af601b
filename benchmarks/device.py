"""Flash memory, RAM, stack and instructions of exported C on Cortex-M, beside emlearn's.

    python -m benchmarks.device --emlearn PYTHON

The network is 64-100-10 with ReLU, trained on the digits.  PYTHON is an interpreter with emlearn
and scikit-learn, which writes the same network by emlearn (device_emlearn.py).  Each program
predicts one digit; it is compiled by `arm-none-eabi-gcc -Os` with newlib, and run by
qemu-system-arm, which both have to be installed.

flash          bytes of the program beyond those of a program that predicts nothing
ram            bytes of static variables beyond the same
stack          bytes that the call of predict overwrites
instructions   of the call of predict: qemu counts a nanosecond for each (-icount shift=0), and the
               board's timer is read before and after

Writes benchmarks/results/device.csv and prints it as a table of Markdown.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastmlp
from fastmlp.export import quantize, to_c

from . import ROOT

__all__ = ["BOARDS", "measure", "write_programs"]

RESULTS = ROOT / "benchmarks" / "results" / "device.csv"
TRAINING, SIZES = 1300, (64, 100, 10)
STACK_WORDS = 1024  # that are watched

# PREDICT predicts the digit `x` of the file that is included.
MAIN = """\
#include <stdint.h>
{include}
#define TIMER ((volatile uint32_t *)0xE000E010)
#define WATCHED {words}
static void host(int operation, const void *argument)
{{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}}
static void put(uint32_t n)
{{
    char text[12], *p = text + 11;
    *p = 0;
    *--p = ' ';
    do
        *--p = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    host(0x04, p);
}}
static const {real} digit[64] = {{{x}}};
__attribute__((noinline)) static int predict(const {real} *x) {{ return {call}; }}
__attribute__((noinline)) static void loop(uint32_t n)
{{
    __asm__ volatile(".syntax unified\\n1: subs %0, #1\\n bne 1b" : "+l"(n) : : "cc");
}}
static void start(void)
{{
    const {real} *x = digit;
    uint32_t *top, before, after, loops, i = 0;
    int label;
#ifdef __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xF << 20;
    __asm__ volatile("dsb; isb");
#endif
    TIMER[1] = 0xFFFFFF;
    TIMER[2] = 0;
    TIMER[0] = 5;
    before = TIMER[2];
    loop(500000);
    loops = before - TIMER[2];
    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (i = 1; i <= WATCHED; i++)
        ((volatile uint32_t *)top)[-(int)i] = 0xA5A5A5A5;
    before = TIMER[2];
    __asm__ volatile("" : "+r"(x) : : "memory"); /* nothing moves across these two lines */
    label = predict(x);
    __asm__ volatile("" : "+r"(label) : : "memory");
    after = TIMER[2];
    for (i = WATCHED; i > 0 && ((volatile uint32_t *)top)[-(int)i] == 0xA5A5A5A5; i--) {{
    }}
    put((uint32_t)label);
    put(4 * i);
    put((before - after) & 0xFFFFFF);
    put(loops & 0xFFFFFF);
    host(0x18, (void *)0x20026);
    for (;;) {{
    }}
}}
extern char stack_top[];
__attribute__((section(".vectors"), used)) const void *const vectors[2] = {{stack_top, start}};
"""
LINK = """\
MEMORY {
    flash (rx) : ORIGIN = 0, LENGTH = 256K
    ram (rwx) : ORIGIN = 0x20000000, LENGTH = 16K
}
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > flash
    .data : { *(.data*) } > ram
    .bss (NOLOAD) : { *(.bss*) *(COMMON) } > ram
    stack_top = 0x20004000;
    /DISCARD/ : { *(.ARM.exidx*) }
}
"""


class Board(NamedTuple):
    """A processor, the machine of qemu that has it."""

    flags: tuple[str, ...]
    machine: str


class Program(NamedTuple):
    """A way to predict."""

    include: str
    real: str
    x: np.ndarray[Any, Any]
    call: str


BOARDS = {
    "Cortex-M0": Board(("-mcpu=cortex-m0",), "microbit"),
    "Cortex-M4F": Board(
        ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"), "mps2-an386"
    ),
}


def write_programs(folder: Path, emlearn: str) -> tuple[dict[str, Program], list[str], int]:
    """Write the network in all forms; return the programs, include flags and the digit's label."""
    X, y = fastmlp.datasets.digits()
    X = X.astype(np.float32)
    net = fastmlp.MLP(SIZES, seed=0)
    net.fit(X[:TRAINING], y[:TRAINING], epochs=30)
    forms: dict[str, Any] = {
        "float": net,
        "8 bits": quantize(net, X[:TRAINING]),
        "integers": quantize(net, X[:TRAINING], integer_only=True),
    }
    digit = X[TRAINING : TRAINING + 1]
    programs = {"nothing": Program("", "float", digit[0], "(int)x[0]")}
    for number, (form, one) in enumerate(forms.items()):
        to_c(one, folder / f"f{number}.c", name="net")
        real, x = "float", digit[0]
        if form == "integers":
            real, x = "int8_t", one.input_bytes(digit)[0]
        programs[f"fastmlp, {form}"] = Program(
            f'#include "f{number}.c"', real, x, "net_predict(x)"
        )
    arrays = {f"W{l}": W.T for l, W in enumerate(net.weights, start=1)}
    arrays |= {f"b{l}": b for l, b in enumerate(net.biases, start=1)}
    np.savez(folder / "net.npz", **arrays)  # type: ignore[arg-type]
    script = Path(__file__).with_name("device_emlearn.py")
    command = [emlearn, script, folder / "net.npz", folder / "emlearn.h"]
    version, headers = subprocess.check_output(command, text=True).split(maxsplit=1)
    programs[f"emlearn {version}, float"] = Program(
        '#include "emlearn.h"', "float", digit[0], "(int)net_predict(x, 64)"
    )
    return programs, ["-I", headers.strip()], int(net.predict(digit)[0])


def measure(folder: Path, program: Program, board: Board, flags: list[str]) -> dict[str, int]:
    """Return the bytes of a program, and what it says of itself on the emulated board."""
    x = ", ".join(map(str, program.x.tolist()))
    (folder / "main.c").write_text(
        MAIN.format(
            include=program.include, real=program.real, x=x, call=program.call, words=STACK_WORDS
        )
    )
    (folder / "board.ld").write_text(LINK)
    build = ["arm-none-eabi-gcc", *board.flags, "-mthumb", "-std=gnu99", "-Os", *flags, "main.c"]
    build += ["-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections", "-T", "board.ld"]
    build += ["-Wl,--no-warn-rwx-segments", "-nostartfiles", "--specs=nosys.specs", "-lm"]
    subprocess.run([*build, "-o", "elf"], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    sizes = subprocess.check_output(["arm-none-eabi-size", "elf"], cwd=folder, text=True)
    text, data, bss = map(int, sizes.splitlines()[1].split()[:3])
    emulator = ["qemu-system-arm", "-M", board.machine, "-display", "none", "-monitor", "none"]
    emulator += ["-serial", "none", "-semihosting", "-icount", "shift=0", "-kernel", "elf"]
    done = subprocess.run(
        emulator, cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    label, stack, ticks, loops = map(int, (done.stdout + done.stderr).split())
    return {
        "flash": text + data,
        "ram": data + bss,
        "stack": stack,
        "instructions": round(ticks * 1_000_000 / loops),
        "label": label,
    }


def main() -> None:
    """Measure, write the results and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--emlearn", required=True, metavar="PYTHON")
    emlearn = parser.parse_args().emlearn
    rows: list[dict[str, str | int]] = []
    with tempfile.TemporaryDirectory() as name:
        programs, flags, label = write_programs(Path(name), emlearn)
        for cpu, board in BOARDS.items():
            nothing = measure(Path(name), programs["nothing"], board, flags)
            for form, program in programs.items():
                if form == "nothing":
                    continue
                found = measure(Path(name), program, board, flags)
                if found.pop("label") != label:
                    raise ValueError(f"{form} on {cpu} predicts another label than Python")
                found |= {key: found[key] - nothing[key] for key in ("flash", "ram")}
                rows.append({"processor": cpu, "form": form, **found})
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print("| " + " | ".join(rows[0]) + " |\n" + "|---" * len(rows[0]) + "|")
    for row in rows:
        cells = [f"{one:,}" if isinstance(one, int) else one for one in row.values()]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
