"""Write a model in a format of other programs.

The ending of OUT is the format: .onnx for ONNX Runtime and others, .safetensors for programs that
read arrays, .c for one self-contained C99 file, whose first lines describe how to call it, .html
for a page to draw digits on (as fastmlp draw writes it). With --quantized an ONNX or C file
computes in 8-bit integers and takes a quarter of the memory; TABLE then has examples of the rows
that the model will predict, and the agreement with the float network on these rows is printed; with
--integer-only in addition, a C file uses no floating point. A model of a table, as fastmlp train
saves it, becomes an .onnx or .c file whose inputs are the raw columns. docs/exports.md lists what
each format contains.
"""

import argparse
import sys
import warnings
from pathlib import Path

from numpy.typing import ArrayLike

from fastmlp import MLP, Ensemble, export

from .models import load_any
from .options import check_outputs, writable
from .predict import inputs
from .tables import add_format_options, format_options

COMPUTING = (".c", ".onnx")  # the endings of programs, for models of tables too

EXAMPLES = """\
  fastmlp export iris-model.npz iris.onnx --dtype float32
  fastmlp export iris-model.npz iris.safetensors
  fastmlp export iris-model.npz iris.c --dtype float32
  fastmlp export iris-model.npz iris.c --quantized --calibration iris.csv
  fastmlp export mnist.npz digits.html
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="a file that train, report or net.save wrote"
    )
    parser.add_argument("out", type=writable, metavar="OUT", help="the file to write")
    form = parser.add_argument_group("for ONNX and C")
    form.add_argument(
        "--dtype",
        choices=("float32", "float64"),
        help="of inputs, outputs and arithmetic (default: the model's dtype)",
    )
    form.add_argument("--quantized", action="store_true", help="compute in 8-bit integers")
    form.add_argument(
        "--calibration",
        type=Path,
        metavar="TABLE",
        help="with --quantized: rows from which the ranges of values are determined",
    )
    only_c = parser.add_argument_group("only for C")
    only_c.add_argument("--name", metavar="NAME", help="name of its functions (default: OUT's)")
    only_c.add_argument(
        "--integer-only",
        action="store_true",
        help="with --quantized: no floating point at all, inputs and outputs are signed bytes",
    )
    add_format_options(parser)


def run(args: argparse.Namespace) -> None:
    """Write the model."""
    write = export.FORMATS.get(args.out.suffix)
    if write is None:
        raise ValueError(f"{args.out}: the ending must be {' or '.join(export.FORMATS)}")
    if args.quantized != (args.calibration is not None):
        raise ValueError("--quantized and --calibration TABLE go together")
    if args.integer_only and not args.quantized:
        raise ValueError("--integer-only needs --quantized and --calibration TABLE")
    options = {key: getattr(args, key) for key in ("name", "dtype") if getattr(args, key)}
    if (options or args.quantized) and args.out.suffix not in COMPUTING:
        raise ValueError(
            f"{args.out}: --name, --dtype and --quantized need the ending {' or '.join(COMPUTING)}"
        )
    if (args.name or args.integer_only) and args.out.suffix != ".c":
        raise ValueError(f"{args.out}: --name and --integer-only need the ending .c")
    check_outputs({"OUT": args.out}, {"MODEL": args.model, "TABLE": args.calibration})
    net = load_any(args.model)
    if not isinstance(net, (MLP, Ensemble)):
        what = f"{args.model} is a model of a table, which is written"
        if args.out.suffix not in COMPUTING:
            raise ValueError(
                f"{args.out}: {what} with the ending {' or '.join(COMPUTING)}; the other formats "
                f"hold single networks"
            )
        if args.quantized:
            raise ValueError(f"{what} in float; leave out --quantized and --calibration")
    try:
        if args.quantized:
            assert isinstance(net, (MLP, Ensemble))
            rows = inputs(net, args.model, args.calibration, format_options(args))
            quantized = quantize(net, rows, args.integer_only)
            write(quantized, args.out, **options)
        else:
            write(net, args.out, **options)
    except (ImportError, TypeError) as error:  # a missing package; an ensemble
        raise ValueError(str(error)) from None


def quantize(
    net: MLP | Ensemble, calibration: ArrayLike, integer_only: bool
) -> export.Quantized:
    """Return the 8-bit network, and print its agreement and the warnings about it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        quantized = export.quantize(
            net,  # type: ignore[arg-type]  # checked there
            calibration,
            integer_only=integer_only,
        )
    print(quantized.summary())
    for warning in caught:
        print(f"fastmlp export: warning: {warning.message}", file=sys.stderr)
    return quantized
