"""Exported C, compiled and run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from fastmlp import MLP
from fastmlp.export import Quantized, to_c

Array = NDArray[Any]
STRICT = [
    "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wmissing-prototypes",
    "-Wdouble-promotion", "-Wconversion", "-Wshadow",
]  # fmt: skip

# Reads examples from a file, writes h and what predict returns for each to another.  One file is
# compiled in two thirds of the time that two take; test_c_header.py compiles and links two.
MAIN = """\
#include "net.c"
#include <stdio.h>
{declarations}
int main(int argc, char **argv)
{{
    static {real} x[{n_in}], h[{n_out}];
    static {answer} y[{n_answers}];
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[argc - 1], "wb");
    while (fread(x, sizeof x, 1, in) == 1) {{
        net_forward(x, h);
        {call};
        fwrite(h, sizeof h, 1, out);
        fwrite(y, sizeof y, 1, out);
    }}
    fclose(in);
    return fclose(out);
}}
"""


class Output(NamedTuple):
    h: Array  # (m, n_out)
    y: Array  # (m,) or (m, n), as `predict` gives it


@pytest.fixture(scope="session")
def compiler() -> list[str]:
    """The C compiler's command."""
    named = shlex.split(os.environ.get("CC", ""))
    found = named or [name for name in ("cc", "gcc", "clang") if shutil.which(name)][:1]
    if not found or not shutil.which(found[0]):
        pytest.skip("there is no C compiler here")
    return found


@pytest.fixture
def make_network(rng: np.random.Generator) -> Callable[..., MLP]:
    """A regression network with biases, or with these options."""

    def make(sizes: tuple[int, ...], **options: Any) -> MLP:
        net = MLP(sizes, **{"loss": "squared_error", "seed": 3, **options})
        net.set_parameters(net.weights, [rng.normal(size=n) for n in sizes[1:]])
        return net

    return make


@pytest.fixture
def run_c(compiler: list[str], tmp_path: Path) -> Callable[..., Output]:
    """Write a network as C, compile it with warnings as errors, and run it on examples.

    What was compiled last is not compiled again.
    """
    last: list[Any] = []

    def run(
        net: MLP | Quantized, X: Array, flags: Sequence[str] = ("-O1",), **options: Any
    ) -> Output:
        to_c(net, tmp_path / "net.c", **options)
        text = (tmp_path / "net.c").read_text()
        # the calls that the comment at the top of the file describes
        declarations = re.findall(r"^ \* +(\w+ net_\w+\(.*\);)$", text, re.MULTILINE)
        real = "float" if "const float x" in declarations[0] else "double"
        answer, several = re.match(
            r"(?:void|(\w+)) net_predict\([^,]*(?:, (\w+) y)?", declarations[0]
        ).groups()
        n_out = net.sizes[-1]
        n_answers = 1
        if several:  # as the declaration has it
            n_answers = int(re.search(r"y\[(\d+)\]", declarations[0])[1])
        (tmp_path / "main.c").write_text(
            MAIN.format(
                declarations="\n".join(declarations),
                real=real,
                answer=several or answer,
                n_in=net.sizes[0],
                n_out=n_out,
                n_answers=n_answers,
                call="net_predict(x, y)" if several else "y[0] = net_predict(x)",
            )
        )
        program = tmp_path / "program"
        build = [text, (tmp_path / "main.c").read_text(), *flags]
        if build != last:
            done = subprocess.run(
                [*compiler, *STRICT, *flags, tmp_path / "main.c", "-lm", "-o", program],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert (done.returncode, done.stderr) == (0, "")
            last[:] = build
        dtype = np.dtype(np.float32 if real == "float" else np.float64)
        (tmp_path / "x").write_bytes(np.ascontiguousarray(X, dtype).tobytes())
        done = subprocess.run(
            [program, tmp_path / "x", tmp_path / "out"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        y_dtype = np.dtype(np.intc) if (several or answer) == "int" else dtype
        record = np.dtype([("h", dtype, (n_out,)), ("y", y_dtype, (n_answers,))])
        rows = np.fromfile(tmp_path / "out", record)
        assert len(rows) == len(X)
        return Output(rows["h"], rows["y"] if several else rows["y"][:, 0])

    return run
