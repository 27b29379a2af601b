"""Write a model for use elsewhere.

The ending of OUT says what it becomes: .onnx for ONNX Runtime and others, .safetensors for all that
read arrays. docs/exports.md tells what each keeps.
"""

import argparse
from pathlib import Path

import fastmlp
from fastmlp import export

from .options import writable

EXAMPLES = """\
  fastmlp export iris-model.npz iris.onnx
  fastmlp export iris-model.npz iris.safetensors
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="a file that train, report or net.save wrote"
    )
    parser.add_argument("out", type=writable, metavar="OUT", help="the file to write")


def run(args: argparse.Namespace) -> None:
    """Carry out the command."""
    write = export.FORMATS.get(args.out.suffix)
    if write is None:
        raise ValueError(f"{args.out}: the ending must be {' or '.join(export.FORMATS)}")
    net = fastmlp.load(args.model)
    try:
        write(net, args.out)
    except (ImportError, TypeError) as error:  # with what to install; not of an ensemble
        raise ValueError(str(error)) from None
