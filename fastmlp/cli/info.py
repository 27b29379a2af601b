"""Show the contents of a model file, or how fastmlp runs on this machine.

Without MODEL: the version, the instruction set of the kernels in use, and the number of threads.
"""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import fastmlp
from fastmlp import MLP, Ensemble, describe
from fastmlp.export import Quantized, QuantizedTable
from fastmlp.support.text import printable

from .models import load_any
from .options import positive

EXAMPLES = """\
  fastmlp info
  fastmlp info iris-model.npz
  fastmlp info iris-model.npz --memory --batch-size 1000
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "model",
        type=Path,
        nargs="?",
        metavar="MODEL",
        help="a file that train, report, net.save or export --quantized wrote",
    )
    parser.add_argument(
        "--memory",
        action="store_true",
        help="also show the memory that training MODEL by Adam needs",
    )
    parser.add_argument(
        "--batch-size",
        type=positive,
        default=100,
        metavar="N",
        help="with --memory: rows per step (default: 100)",
    )


def run(args: argparse.Namespace) -> None:
    """Print the description."""
    if args.model is None:
        if args.memory:
            raise ValueError("--memory needs a MODEL")
        show(describe.environment())
        return
    net = load_any(args.model)
    if isinstance(net, (Quantized, QuantizedTable)):
        if args.memory:
            raise ValueError(f"--memory is for a network in floating point; {args.model} has none")
        show(quantized_table(net) if isinstance(net, QuantizedTable) else quantized(net))
        return
    if not isinstance(net, (MLP, Ensemble)):
        from .table_info import about  # needs the extra tabular

        if args.memory:
            raise ValueError(f"--memory is for a network; {args.model} is a model of a table")
        show(about(net, args.model))
        return
    show(describe.model(net))
    if args.memory:
        if isinstance(net, Ensemble):
            raise ValueError(f"--memory is for a network; {args.model} holds several")
        show((name, f"{size:,} bytes") for name, size in memory(net, args.batch_size))


def show(lines: Iterable[tuple[str, str]]) -> None:
    """Print names and values."""
    for name, value in lines:
        print(f"{printable(name):<16} {printable(value)}")


def quantized(net: Quantized) -> Iterator[tuple[str, str]]:
    """Yield names and values that describe a network in 8-bit integers."""
    yield "layers", "-".join(map(str, net.sizes))
    yield "activations", ", ".join(f.name for f in (*net.activation, net.output_activation))
    yield "loss", net.loss.name
    if net.encodings:
        yield "encodings", ", ".join(f"{j} {one.name}" for j, one in enumerate(net.encodings))
    yield "arithmetic", "8-bit integers" + ", without floating point" * net.integer_only
    yield "agreement", net.summary()
    yield "digest", f"{net.digest} (of the float network)"
    yield from describe.notes(net.metadata)


def quantized_table(model: QuantizedTable) -> Iterator[tuple[str, str]]:
    """Yield names and values that describe a model of a table in 8-bit integers."""
    from .table_info import columns, networks  # needs the extra tabular

    estimator = model.model
    yield "estimator", type(estimator).__name__
    if model.is_classifier:
        yield "classes", ", ".join(map(str, estimator.classes_))
    yield from columns(estimator.encoder_)
    yield from networks(estimator)
    yield "arithmetic", "8-bit integers after the encodings of columns"
    yield "agreement", model.summary()
    yield "digest", f"{model.digest} (of the float model)"


def memory(net: MLP, batch_size: int) -> Iterator[tuple[str, int]]:
    """Yield the parts of the memory that training by Adam needs, without the data, in bytes."""
    parameters = net.n_parameters * net.dtype.itemsize
    yield "parameters", parameters
    yield "Adam's state", 2 * parameters
    yield "workspace", net.state.workspace_bytes(batch_size, fastmlp.get_num_threads())
