"""Write a model for use elsewhere: as C.

The ending of OUT says what it becomes: .c, one self-contained C99 file whose head tells how to call
it. With --quantized it computes in 8-bit integers, in a quarter of the memory; TABLE then has rows
such as the model will see.
"""

import argparse
from pathlib import Path

import fastmlp
from fastmlp import export

from .options import writable
from .predict import inputs

EXAMPLES = """\
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
    parser.add_argument("--quantized", action="store_true", help="compute in 8-bit integers")
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
    net = fastmlp.load(args.model)
    if isinstance(net, fastmlp.Ensemble):
        raise ValueError(f"{args.model} holds several networks, which cannot be written as one")
    rows = inputs(net, args.model, args.calibration) if args.quantized else None
    write(net, args.out, name=args.name, quantized=args.quantized, calibration=rows)
