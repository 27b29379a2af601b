"""Boards without an operating system, for exported C with its self-test."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

# Says by semihosting whether the self-test, named self_test, returned 0.
CORTEX = """\
int self_test(void);
static void host(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}
static void start(void)
{
#ifdef __ARM_FP
    *(volatile unsigned *)0xE000ED88 |= 0xF << 20; /* the floating-point unit */
    __asm__ volatile("dsb; isb");
#endif
    host(0x04, self_test() ? "wrong" : "the same");
    host(0x18, (void *)0x20026);
    for (;;) {
    }
}
extern char stack_top[];
__attribute__((section(".vectors"), used)) const void *const vectors[2] = {stack_top, start};
"""
LINK = """\
MEMORY {
    flash (rx) : ORIGIN = 0, LENGTH = 256K
    ram (rwx) : ORIGIN = 0x20000000, LENGTH = 16K
}
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > flash
    .data : { *(.data*) *(.bss*) *(COMMON) } > ram
    stack_top = 0x20004000;
    /DISCARD/ : { *(.ARM.exidx*) }
}
"""
# Says the same by the serial port, and then sleeps for ever, which ends simavr.
AVR = """\
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
int self_test(void);
int main(void)
{
    const char *text = self_test() ? "wrong\\n" : "the same\\n";

    UCSR0B = _BV(TXEN0);
    while (*text) {
        while (!(UCSR0A & _BV(UDRE0))) {
        }
        UDR0 = *text++;
    }
    cli();
    sleep_mode();
    return 0;
}
"""


class Cortex(NamedTuple):
    """A processor, and a machine of qemu that has it."""

    flags: tuple[str, ...]
    machine: str


CORTEX_M0 = Cortex(("-mcpu=cortex-m0",), "microbit")
CORTEX_M4F = Cortex(
    ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"), "mps2-an386"
)


def require(program: str, what: str) -> None:
    """Skip the test, and say what was not done, where a program is not installed."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed: {what}")


def run_on_cortex(board: Cortex, folder: Path, files: list[str], flags: list[str]) -> str:
    """Compile files of a folder, the first of which has a self-test, and return what it says."""
    require("arm-none-eabi-gcc", f"nothing was compiled for {board.flags[0]}")
    require("qemu-system-arm", f"nothing was run on an emulated {board.machine}")
    (folder / "board.c").write_text(CORTEX)
    (folder / "board.ld").write_text(LINK)
    arm = ["arm-none-eabi-gcc", *board.flags, "-mthumb", "-std=gnu99", "-Os", *flags]
    objects = []
    for file in [*files, "board.c"]:
        objects.append(f"{Path(file).name}.o")
        own = ["-Dnet_TEST", "-Dmain=self_test"] if file == files[0] else []
        subprocess.run([*arm, *own, "-c", file, "-o", objects[-1]], cwd=folder, check=True)
    link = ["-T", "board.ld", "-nostartfiles", "--specs=nosys.specs", "-lm", "-o", "elf"]
    linked = [*arm, *objects, *link, "-Wl,--no-warn-rwx-segments"]
    done = subprocess.run(linked, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    emulator = ["qemu-system-arm", "-M", board.machine, "-display", "none", "-monitor", "none",
                "-serial", "none", "-semihosting", "-kernel", "elf"]  # fmt: skip
    done = subprocess.run(
        emulator, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr
