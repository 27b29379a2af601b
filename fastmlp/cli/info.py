"""Show what is in a model file, or how fastmlp runs on this machine.

Without MODEL: the version, the instruction set of the kernels in use, and the number of threads.
"""

import argparse
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import fastmlp
from fastmlp import MLP, Ensemble

from .options import positive

EXAMPLES = """\
  fastmlp info
  fastmlp info iris-model.npz
  fastmlp info iris-model.npz --memory --batch-size 1000
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "model", type=Path, nargs="?", metavar="MODEL", help="a file that train or report wrote"
    )
    parser.add_argument(
        "--memory",
        action="store_true",
        help="also show the memory that training MODEL by Adam takes",
    )
    parser.add_argument(
        "--batch-size",
        type=positive,
        default=100,
        metavar="N",
        help="with --memory: rows for each step (default: 100)",
    )


def run(args: argparse.Namespace) -> None:
    """Carry out the command."""
    if args.model is None:
        if args.memory:
            raise ValueError("--memory needs a MODEL")
        print(f"fastmlp          {fastmlp.__version__}")
        print(f"Python, NumPy    {platform.python_version()}, {np.__version__}")
        fastmlp.show_config()
        return
    net = fastmlp.load(args.model)
    for name, value in description(net):
        print(f"{name:<16} {value}")
    if args.memory:
        if isinstance(net, Ensemble):
            raise ValueError(f"--memory is for a network; {args.model} holds several")
        for name, size in memory(net, args.batch_size):
            print(f"{name:<16} {size:,} bytes")


def description(net: MLP | Ensemble) -> Iterator[tuple[str, str]]:
    """Yield what a network or an ensemble is, each thing with its name."""
    if isinstance(net, Ensemble):
        for number, one in enumerate(net.networks, start=1):
            yield f"network {number}", "-".join(map(str, one.sizes))
        yield "loss", net.loss.name
        yield "parameters", f"{net.n_parameters:,} in all"
        yield from notes(net)
        return
    yield "layers", "-".join(map(str, net.sizes))
    yield "activations", ", ".join(f.name for f in (*net.activation, net.output_activation))
    yield "loss", net.loss.name
    yield "parameters", f"{net.n_parameters:,} of {net.dtype}"
    yield "epochs trained", str(net.epochs)
    yield from notes(net)


def notes(net: MLP | Ensemble) -> Iterator[tuple[str, str]]:
    """Yield what metadata says."""
    for name, value in net.metadata.items():
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def memory(net: MLP, batch_size: int) -> Iterator[tuple[str, int]]:
    """Yield the parts of the memory that training by Adam takes beside the data, in bytes."""
    parameters = net.n_parameters * net.dtype.itemsize
    yield "parameters", parameters
    yield "Adam's state", 2 * parameters
    yield "workspace", net._engine.workspace_bytes(batch_size, fastmlp.get_num_threads())
