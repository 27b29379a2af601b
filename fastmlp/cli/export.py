"""Write a model for use elsewhere.

The ending of OUT says what it becomes: .onnx for ONNX Runtime and others; .safetensors for all that
read arrays; .c, one self-contained C99 file whose head tells how to call it. With --quantized that
computes in 8-bit integers, in a quarter of the memory; TABLE then has rows such as the model will
see.
"""

import argparse
from pathlib import Path
from typing import Any

import fastmlp
from fastmlp import export

from .options import writable
from .predict import inputs

EXAMPLES = """\
  fastmlp export iris-model.npz iris.onnx
  fastmlp export iris-model.npz iris.c
  fastmlp export iris-model.npz iris.c --quantized --calibration iris.csv
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="a file that train, report or net.save wrote"
    )
    parser.add_argument("out", type=writable, metavar="OUT", help="the file to write")
    parser.add_argument("--name", metavar="NAME", help="of C functions (default: OUT's)")
    parser.add_argument("--quantized", action="store_true", help="C computes in 8-bit integers")
    parser.add_argument(
        "--calibration", type=Path, metavar="TABLE", help="with --quantized: rows to set ranges by"
    )


def run(args: argparse.Namespace) -> None:
    """Carry out the command."""
    write = export.FORMATS.get(args.out.suffix)
    if write is None:
        raise ValueError(f"{args.out}: the ending must be {' or '.join(export.FORMATS)}")
    if args.quantized != (args.calibration is not None):
        raise ValueError("--quantized and --calibration TABLE go together")
    if args.out.suffix != ".c" and (args.quantized or args.name is not None):
        raise ValueError("--name and --quantized are for C alone")
    net = fastmlp.load(args.model)
    if args.out.suffix == ".c" and isinstance(net, fastmlp.Ensemble):
        raise ValueError(f"{args.model} holds several networks, which cannot be written as one")
    options: dict[str, Any] = {}
    if args.out.suffix == ".c":
        rows = inputs(net, args.model, args.calibration) if args.quantized else None
        options = {"name": args.name, "quantized": args.quantized, "calibration": rows}
    try:
        write(net, args.out, **options)
    except ImportError as error:  # with what to install
        raise ValueError(str(error)) from None
