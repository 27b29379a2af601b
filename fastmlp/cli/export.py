"""Write a model in a format of other programs.

The ending of OUT is the format: .onnx for ONNX Runtime and others, .safetensors for programs that
read arrays, .c for one self-contained C99 file, whose first lines describe how to call it, .html
for a page to draw digits on (as fastmlp draw writes it), and with --quantized also .npz for a model
file in 8-bit integers, from which .c and .onnx are written later. With --header the first lines of
the C file and the declarations are a header beside it, such as net.h, and with --weights-file the
constants are a file of their own, such as net_weights.h. With --examples it also has a self-test:
gcc -Dnet_TEST net.c -lm is a program that compares some rows with Python's.

With --quantized an ONNX or C file computes in 8-bit integers and takes a quarter of the memory;
TABLE then has examples of the rows that the model will predict, and the agreement with the float
network on these rows is printed; with --integer-only in addition, a C file uses no floating point.
A model of a table, as fastmlp train saves it, becomes an .onnx or .c file whose inputs are the raw
columns, whose encodings are computed in floating point. docs/exports.md lists what each format
contains.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastmlp import MLP, Ensemble, export
from fastmlp.export.c_source import Layout

from .models import load_any
from .options import check_outputs, writable
from .predict import inputs
from .tables import add_format_options, format_options

PROGRAMS = (".c", ".onnx")  # the endings of what computes, for models of tables too
OF_ENSEMBLES = (".onnx", ".safetensors")
IN_INTEGERS = (*PROGRAMS, ".npz")
OPTIONS: dict[tuple[str, ...], tuple[str, ...]] = {  # by the endings that they are for
    PROGRAMS: ("dtype",),
    IN_INTEGERS: ("quantized", "ranges"),
    (".c", ".npz"): ("integer_only",),
    (".c",): ("name", "header", "weights_file", "examples"),
}

EXAMPLES = """\
  fastmlp export iris-model.npz iris.onnx --dtype float32
  fastmlp export iris-model.npz iris.c --header
  fastmlp export iris-model.npz iris.c --quantized --calibration iris.csv
  fastmlp export mnist.npz mnist.safetensors
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
    form.add_argument(
        "--ranges",
        choices=("minmax", "percentile", "kl"),
        help="with --quantized: how the ranges of hidden layers come from these rows, the whole "
        "(default), clipped at a percentile, or by KL divergence",
    )
    only_c = parser.add_argument_group("only for C")
    only_c.add_argument("--name", metavar="NAME", help="name of its functions (default: OUT's)")
    only_c.add_argument(
        "--header", action="store_true", help="write a header beside OUT, for C and C++"
    )
    only_c.add_argument(
        "--weights-file",
        action="store_true",
        help="write the constants to a file beside OUT, which includes it",
    )
    only_c.add_argument(
        "--integer-only",
        action="store_true",
        help="with --quantized: no floating point at all, inputs and outputs are signed bytes",
    )
    only_c.add_argument(
        "--examples",
        type=Path,
        metavar="TABLE",
        help="a few rows for a self-test: OUT is a program where NAME_TEST is defined",
    )
    add_format_options(parser)


def run(args: argparse.Namespace) -> None:
    """Write the model."""
    write = export.FORMATS.get(args.out.suffix)
    if write is None and not (args.quantized and args.out.suffix == ".npz"):
        formats = " or ".join(export.FORMATS)
        raise ValueError(f"{args.out}: the ending must be {formats}, or .npz with --quantized")
    if args.quantized != (args.calibration is not None):
        raise ValueError("--quantized and --calibration TABLE go together")
    for name in ("integer_only", "ranges"):
        if getattr(args, name) and not args.quantized:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} needs --quantized and --calibration TABLE")
    for endings, names in OPTIONS.items():
        given = [f"--{name.replace('_', '-')}" for name in names if getattr(args, name)]
        if given and args.out.suffix not in endings:
            needed = " or ".join(endings)
            raise ValueError(f"{args.out}: {' and '.join(given)} needs the ending {needed}")
    layout = Layout(args.out, args.header, args.weights_file)
    outputs = {"OUT": args.out, "the header": layout.header, "the weights file": layout.weights}
    tables = {"TABLE": args.calibration, "the table of --examples": args.examples}
    check_outputs(outputs, {"MODEL": args.model, **tables})
    model = load_any(args.model)
    check_form(model, args)
    chosen = ("name", "dtype", "header", "weights_file")
    options = {name: getattr(args, name) for name in chosen if getattr(args, name)}
    try:
        if args.examples:
            with rows_of(model, args, args.examples) as rows:
                options["examples"] = rows
        written: Any = quantized(model, args) if args.quantized else model
        if write is None:
            written.save(args.out)
        else:
            write(written, args.out, **options)
    except (ImportError, TypeError) as error:  # a missing package; an ensemble
        raise ValueError(str(error)) from None


def check_form(model: Any, args: argparse.Namespace) -> None:
    """Raise ValueError if OUT or an option is not for this kind of model."""
    in_8_bits = isinstance(model, (export.Quantized, export.QuantizedTable))
    if in_8_bits and args.quantized:
        raise ValueError(f"{args.model} is in 8-bit integers already; leave out --quantized")
    if in_8_bits and args.out.suffix not in PROGRAMS:
        raise ValueError(
            f"{args.out}: {args.model} is in 8-bit integers, which are written with the ending "
            f"{' or '.join(PROGRAMS)}"
        )
    if isinstance(model, export.IntegerOnly) and args.out.suffix != ".c":
        raise ValueError(
            f"{args.out}: {args.model} is in integers only, which are written with the ending .c; "
            f"for the ending .onnx quantize the network without --integer-only"
        )
    if isinstance(model, Ensemble) and (args.quantized or args.out.suffix not in OF_ENSEMBLES):
        raise ValueError(
            f"{args.out}: {args.model} is an ensemble, which is written with the ending "
            f"{' or '.join(OF_ENSEMBLES)} and without --quantized"
        )
    if args.integer_only and getattr(model, "encodings", ()):
        raise ValueError(
            f"{args.model} has encodings of columns, which are computed in floating point; leave "
            f"out --integer-only"
        )
    if not of_table(model):
        return
    if args.out.suffix not in (IN_INTEGERS if args.quantized else PROGRAMS):
        raise ValueError(
            f"{args.out}: {args.model} is a model of a table, which is written with the ending "
            f"{' or '.join(PROGRAMS)}; the other formats hold single networks"
        )
    if not in_8_bits and model.by_value_ is not None:
        raise ValueError(
            f"{args.model} has a model for each value of {model.per!r}, and {args.out} holds one "
            f"model: train it without --per, for one value on a table of its rows"
        )
    if args.integer_only:
        raise ValueError(
            f"{args.model} is a model of a table, whose columns are encoded in floating point; "
            f"leave out --integer-only"
        )


def of_table(model: Any) -> bool:
    """Return whether this is a model of a table, in floating point or in 8-bit integers."""
    return not isinstance(model, (MLP, Ensemble, export.Quantized))


@contextmanager
def rows_of(model: Any, args: argparse.Namespace, path: Path) -> Iterator[Any]:
    """Give the rows of a table as a model takes them; errors within about these name the file."""
    if not of_table(model):
        yield inputs(model, args.model, path, format_options(args))
        return
    from .model_tables import as_input, features_of, open_for

    estimator = model.model if isinstance(model, export.QuantizedTable) else model
    table = open_for(estimator, args, path)
    X = features_of(table, estimator)
    with as_input(table):
        yield X


def quantized(model: Any, args: argparse.Namespace) -> export.Quantized | export.QuantizedTable:
    """Return the 8-bit model, and print its agreement."""
    ranges = args.ranges or "minmax"
    found: export.Quantized | export.QuantizedTable
    with rows_of(model, args, args.calibration) as rows:
        if of_table(model):
            found = export.quantize_table(model, rows, ranges=ranges)
        else:
            found = export.quantize(model, rows, integer_only=args.integer_only, ranges=ranges)
    print(found.summary())
    return found
