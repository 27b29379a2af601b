"""Write a model for use elsewhere.

The ending of OUT says what it becomes: .onnx for ONNX Runtime and others, .safetensors for all that
read arrays, .c for one self-contained C99 file, whose head tells how to call it. With --quantized
that computes in 8-bit integers, in a quarter of the memory; TABLE then has rows such as the model
will see. docs/exports.md tells what each keeps.
"""

import argparse
from pathlib import Path

import fastmlp
from fastmlp import export

from .options import writable
from .predict import inputs

EXAMPLES = """\
  fastmlp export iris-model.npz iris.onnx
  fastmlp export iris-model.npz iris.safetensors
  fastmlp export iris-model.npz iris.c --quantized --calibration iris.csv
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="a file that train, report or net.save wrote"
    )
    parser.add_argument("out", type=writable, metavar="OUT", help="the file to write")
    only_c = parser.add_argument_group("for C alone")
    only_c.add_argument("--name", metavar="NAME", help="of its functions (default: OUT's)")
    only_c.add_argument("--quantized", action="store_true", help="compute in 8-bit integers")
    only_c.add_argument(
        "--calibration", type=Path, metavar="TABLE", help="with --quantized: rows to set ranges by"
    )


def run(args: argparse.Namespace) -> None:
    """Carry out the command."""
    write = export.FORMATS.get(args.out.suffix)
    if write is None:
        raise ValueError(f"{args.out}: the ending must be {' or '.join(export.FORMATS)}")
    if args.quantized != (args.calibration is not None):
        raise ValueError("--quantized and --calibration TABLE go together")
    options = {key: getattr(args, key) for key in ("name", "quantized") if getattr(args, key)}
    if options and args.out.suffix != ".c":
        raise ValueError(f"{args.out}: --name and --quantized are for an ending of .c")
    net = fastmlp.load(args.model)
    if args.quantized:
        options["calibration"] = inputs(net, args.model, args.calibration)
    try:
        write(net, args.out, **options)
    except (ImportError, TypeError) as error:  # with what to install; not of an ensemble
        raise ValueError(str(error)) from None
