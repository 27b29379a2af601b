"""fastmlp export: what a network cannot become, in the words of the command's options."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import export

Command = Callable[..., Any]  # see conftest.py


@pytest.mark.parametrize(
    ("kind", "name", "options", "message"),
    [
        ("integers", "out.onnx", (), "the ending .c; for the ending .onnx .* without --integer-o"),
        ("integers", "out.c", ("--dtype", "float64"), "8-bit integers, got dtype 'float64'; leave"),
        ("encodings", "out.c", ("--quantized", "--integer-only"), "leave out --integer-only"),
        ("ensemble", "out.c", (), "is an ensemble, .* ending .onnx or .safetensors"),
        ("ensemble", "out.onnx", ("--quantized",), "is an ensemble, .* without --quantized"),
    ],
)
def test_what_a_network_cannot_become_is_told_by_options(
    fastmlp_command: Command,
    tmp_path: Path,
    kind: str,
    name: str,
    options: tuple[str, ...],
    message: str,
) -> None:
    net = fastmlp.MLP((2, 3, 2), seed=5)
    table = tmp_path / "t.csv"
    table.write_text("a,b\n" + "1,2\n3,4\n" * 60)
    given: Any = fastmlp.Ensemble([net, fastmlp.MLP((2, 3, 2))])
    if kind == "integers":
        given = export.quantize(net, np.ones((100, 2)), integer_only=True)
    elif kind == "encodings":
        numeric = fastmlp.encodings.Numeric()
        given = fastmlp.MLP((2, 3, 2), encodings=[numeric, fastmlp.encodings.OneHot(4)])
    given.save(file := tmp_path / "given.npz")
    calibration = ("--calibration", table) if "--quantized" in options else ()
    code, out, err = fastmlp_command("export", file, tmp_path / name, *options, *calibration)
    assert (code, out) == (2, "")
    assert re.search(message, err)
    assert "integer_only" not in err
