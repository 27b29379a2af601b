"""Size, latency and accuracy of two trained networks in every form in which they can be used.

    python -m benchmarks.production --networks FOLDER

The networks, which are trained unless FOLDER has them, are 64-100-10, trained on the first 1,300
digits, and 784-512-512-10, trained on MNIST; both have ReLU.  8-bit integers are calibrated on the
first 1,000 training examples.  Everything runs on one thread.  Forms whose package is not installed
(onnxruntime, torch, scikit-learn) or that need gcc are left out and named.

size        bytes of the file; of C those of the compiled functions and constants
one_row     microseconds for the label of one row, median of many calls
per_row     microseconds a row for the labels of 1,000 rows at once; not of C, which takes one row
accuracy    on the test examples, percent
same        test examples whose label is that of the network in Python, percent

Writes benchmarks/results/production.csv, and prints it as tables of Markdown.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastmlp
from fastmlp import MLP, export

from . import ROOT

__all__ = ["Form", "forms", "measure", "tables"]

RESULTS = ROOT / "benchmarks" / "results" / "production.csv"
MNIST = ROOT / "benchmarks" / "mnist"
MANY = 1_000  # rows of a batch
SECONDS = 0.3  # of measurement, for each latency
FLAGS = ("-std=c99", "-O3", "-fPIC")

Array = NDArray[Any]
Predict = Callable[[Array], Array]

# Labels of m rows of the exported function NET_predict, one after the other.
LOOP = """\
#include <stdint.h>
#include "net.c"
void labels(const {real} *x, int m, int *y)
{{
    int i;

    for (i = 0; i < m; i++)
        y[i] = net_predict(x + (long)i * {n_in});
}}
"""


class Case(NamedTuple):
    """A trained network and its data, float32."""

    net: MLP
    X: Array  # for training
    X_test: Array
    y_test: Array


class Form(NamedTuple):
    """A way to use a network."""

    name: str
    size: int
    predict: Predict
    by_row: bool = False  # whether `predict` computes row by row, without overhead for each
    timed: bool = True


class Row(NamedTuple):
    """A row of the table."""

    network: str
    form: str
    size: int
    one_row: str
    per_row: str
    accuracy: float
    same: float


def digits(path: Path) -> Case:
    """Return 64-100-10 after 60 epochs on the digits."""
    X, y = fastmlp.datasets.digits()
    X = X.astype(np.float32)
    if not path.exists():
        net = MLP((64, 100, 10), seed=0)
        net.fit(X[:1300], y[:1300], epochs=60, batch_size=20)
        net.save(path, with_optimizer=True)
    return Case(MLP.load(path), X[:1300], X[1300:], y[1300:])


def mnist(path: Path) -> Case:
    """Return 784-512-512-10 after ten epochs on MNIST, with inputs from 0 to 1."""
    images, y, test_images, y_test = fastmlp.datasets.mnist(MNIST)
    X, X_test = (one.astype(np.float32) / 255 for one in (images, test_images))
    if not path.exists():
        net = MLP((784, 512, 512, 10), dropout=0.2, seed=0)
        rate = fastmlp.schedules.OneCycle(3e-3)
        net.fit(X, y, epochs=10, batch_size=200, optimizer=fastmlp.AdamW(rate))
        net.save(path, with_optimizer=True)
    return Case(MLP.load(path), X, X_test, y_test)


# ---------------------------------------------------------------------------------------- forms


def forms(case: Case, folder: Path) -> Iterator[Form | str]:
    """Yield the forms of a network, or the name of one that cannot be made here."""
    net, rows = case.net, case.X[:1000]
    quantized = export.quantize(net, rows)
    yield from model_files(net, quantized, folder)
    yield from of_package("onnxruntime", "ONNX Runtime", onnx_models, net, rows, folder)
    yield from of_package("torch", "PyTorch", torch_module, net, folder)
    yield from of_package("sklearn", "scikit-learn", sklearn_estimator, net)
    if shutil.which("gcc") is None:
        yield "C"
        return
    yield compiled("C, float", net, folder)
    yield compiled("C, 8 bits", quantized, folder)
    integers = export.quantize(net, rows, integer_only=True)
    yield compiled("C, integers only", integers, folder)


def model_files(net: MLP, quantized: export.Quantized, folder: Path) -> Iterator[Form]:
    """Yield the network in Python, from the files that hold it."""
    path = folder / "net.npz"
    options: dict[str, dict[str, Any]] = {
        "Python": {},
        "Python, compressed file": {"compress": True},
        "Python, float16 file": {"dtype": "float16"},
        "Python, float16 file, compressed": {"dtype": "float16", "compress": True},
        "Python, checkpoint with Adam's state": {"with_optimizer": True},
    }
    for name, one in options.items():
        net.save(path, **one)
        yield Form(name, size_of(path), fastmlp.load(path).predict, timed=not one)
    quantized.save(path)
    loaded = export.Quantized.load(path)
    yield Form("Python, file in 8 bits", size_of(path), loaded.predict, timed=False)


def of_package(
    package: str, name: str, make: Callable[..., Iterable[Form]], *arguments: Any
) -> Iterator[Form | str]:
    """Yield the forms of a package, or the name if it is not installed."""
    try:
        __import__(package)
    except ImportError:
        yield name
        return
    yield from make(*arguments)


def onnx_models(net: MLP, rows: Array, folder: Path) -> Iterator[Form]:
    """Yield ONNX models in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = folder / "net.onnx"
    for name, one in (
        ("ONNX Runtime, float", {}),
        ("ONNX Runtime, 8 bits", {"quantized": True, "calibration": rows}),
    ):
        export.to_onnx(net, path, **one)  # type: ignore[arg-type]
        session = onnxruntime.InferenceSession(path, options)
        yield Form(name, size_of(path), partial(label_of, session))


def label_of(session: Any, X: Array) -> Array:
    """Return the output "label" of an ONNX model."""
    label: Array = session.run(["label"], {"X": X})[0]
    return label


def torch_module(net: MLP, folder: Path) -> Iterator[Form]:
    """Yield the module of PyTorch, whose state is saved."""
    import torch

    torch.set_num_threads(1)
    module = export.to_torch(net)
    torch.save(module.state_dict(), folder / "net.pt")

    def predict(X: Array) -> Array:
        with torch.inference_mode():
            found: Array = module(torch.from_numpy(X)).argmax(dim=1).numpy()
        return found

    yield Form("PyTorch", size_of(folder / "net.pt"), predict)


def sklearn_estimator(net: MLP) -> Iterator[Form]:
    """Yield scikit-learn's estimator, pickled as its users do."""
    import pickle

    estimator = export.to_sklearn(net)
    yield Form("scikit-learn", len(pickle.dumps(estimator)), estimator.predict)


def compiled(name: str, net: MLP | export.Quantized, folder: Path) -> Form:
    """Return the compiled C of a network."""
    export.to_c(net, folder / "net.c")
    as_bytes = isinstance(net, export.IntegerOnly)
    real = "int8_t" if as_bytes else "float"
    (folder / "loop.c").write_text(LOOP.format(real=real, n_in=net.n_in))
    stem = name.replace(", ", "_").replace(" ", "_")
    library = folder / f"{stem}.so"
    for arguments in (("-c", "net.c", "-o", "net.o"), ("-shared", "loop.c", "-o", library, "-lm")):
        subprocess.run(["gcc", *FLAGS, *arguments], cwd=folder, check=True)
    sizes = subprocess.check_output(["size", "net.o"], cwd=folder, text=True).splitlines()[1]
    labels = ctypes.CDLL(str(library)).labels

    def predict(X: Array) -> Array:
        inputs = net.input_bytes(X) if isinstance(net, export.IntegerOnly) else X
        y = np.empty(len(X), np.int32)
        labels(pointer(np.ascontiguousarray(inputs)), len(X), pointer(y))
        return y

    return Form(name, sum(map(int, sizes.split()[:3])), predict, by_row=True)


def pointer(array: Array) -> ctypes.c_void_p:
    """Return the address of an array."""
    return ctypes.c_void_p(array.ctypes.data)


def size_of(path: Path) -> int:
    """Return the size of a file."""
    return path.stat().st_size


# ---------------------------------------------------------------------------------- measurement


def seconds(call: Callable[[], object]) -> float:
    """Return the median time of a call."""
    call()
    times: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def measure(network: str, case: Case, form: Form) -> Row:
    """Return what a form of a network needs and how well it predicts."""
    X, one_row, per_row = case.X_test, "", ""
    if form.timed and form.by_row:
        one_row = f"{1e6 * seconds(lambda: form.predict(X[:MANY])) / MANY:.2f}"
    elif form.timed:
        one_row = f"{1e6 * seconds(lambda: form.predict(X[:1])):.2f}"
        per_row = f"{1e6 * seconds(lambda: form.predict(X[:MANY])) / MANY:.2f}"
    labels = form.predict(X)
    accuracy, same = (
        round(100 * float(np.mean(labels == of)), 2) for of in (case.y_test, case.net.predict(X))
    )
    return Row(network, form.name, form.size, one_row, per_row, accuracy, same)


def tables(rows: Iterable[Row]) -> str:
    """Return a table for each network, in Markdown."""
    found: dict[str, list[str]] = {}
    for row in rows:
        lines = found.setdefault(row.network, [])
        cells = (row.form, f"{row.size:,}", row.one_row, row.per_row, f"{row.accuracy:.2f} %")
        lines.append(f"| {' | '.join(cells)} | {row.same:.2f} % |")
    head = "| form | bytes | one row, µs | of 1,000 rows, µs a row | accuracy | same labels |"
    rule = "|---|---|---|---|---|---|"
    return "\n\n".join(
        "\n".join([f"{network}:", "", head, rule, *lines]) for network, lines in found.items()
    )


def main() -> None:
    """Measure, write the results and print them."""
    parser = argparse.ArgumentParser(description="Trained networks in every form.")
    parser.add_argument("--networks", type=Path, required=True, metavar="FOLDER")
    folder = parser.parse_args().networks
    folder.mkdir(exist_ok=True)
    fastmlp.set_num_threads(1)
    cases = {
        "64-100-10": digits(folder / "digits.npz"),
        "784-512-512-10": mnist(folder / "mnist.npz"),
    }
    rows = []
    for network, case in cases.items():
        with tempfile.TemporaryDirectory() as scratch:
            for form in forms(case, Path(scratch)):
                if isinstance(form, str):
                    print(f"left out: {form}, which is not installed", file=sys.stderr)
                    continue
                rows.append(measure(network, case, form))
    with RESULTS.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(Row._fields)
        table.writerows(rows)
    print(tables(rows))


if __name__ == "__main__":
    main()
