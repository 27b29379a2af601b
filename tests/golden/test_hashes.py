"""Trainings leave the bits that hashes.txt records, on every build with fused multiply-adds."""

import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from fastmlp import kernels

FOLDER = Path(__file__).parent
# x86-64's baseline has no fused multiply-add; AArch64's has one
FUSED = [
    isa
    for isa in kernels.isas()
    if isa != "baseline" or platform.machine().lower() in ("aarch64", "arm64")
]


def hashes(text: str) -> dict[str, str]:
    """The hash of each training by its name."""
    return dict(line.rsplit(": ", 1) for line in text.splitlines())


RECORDED = hashes((FOLDER / "hashes.txt").read_text())


@cache
def computed(isa: str) -> dict[str, str]:
    """What the trainings leave on an instruction set, in a process of its own."""
    run = subprocess.run(
        [sys.executable, FOLDER / "trainings.py"],
        env={**os.environ, "FASTMLP_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return hashes(run.stdout)


@pytest.mark.parametrize("isa", FUSED)
def test_the_same_trainings_are_made_and_recorded(isa: str) -> None:
    assert list(computed(isa)) == list(RECORDED)


@pytest.mark.parametrize("isa", FUSED)
def test_a_training_leaves_the_recorded_bits(isa: str) -> None:
    others = [name for name in RECORDED if computed(isa).get(name) != RECORDED[name]]
    assert others == [], (
        f"{', '.join(others)} leave other bits on {isa} than recorded. If results should change, "
        f"say so in CHANGELOG.md and record them by `python tests/golden/trainings.py --write`; if "
        f"only NumPy's version has changed, its release notes should tell why."
    )
