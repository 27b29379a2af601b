"""Data and networks that several test files share."""

from __future__ import annotations

import copy
import gc
import importlib
import importlib.util
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Idle threads of OpenMP sleep rather than take the processors from the tests that run beside them.
# Set before the kernels are loaded, which start these threads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Those of OpenBLAS, by which NumPy and SciPy multiply, do not sleep: for the small matrices of the
# tests one is enough.  Set before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp import kernels
from fastmlp.data import memory_maps
from fastmlp.kernels.calls import Batches, Progress, TrainingOptions
from fastmlp.model import files
from fastmlp.support import threads

# Python processes that tests start import the fastmlp under test, not the folder they start in.
os.environ["PYTHONSAFEPATH"] = "1"
os.environ["PYTHONPATH"] = str(Path(fastmlp.__file__).parents[1])
# A shell that starts the tests in the background has Ctrl-C ignored in them and their processes.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

Array = NDArray[Any]
OPENMP_THREADS = kernels.omp_threads()


# The many objects of a collection stay: looking for garbage among them takes a quarter of its time.
gc.disable()


def pytest_collection_finish() -> None:
    """Where a test file imports PyTorch: what its import sets, as the fixture `torch` does."""
    gc.enable()
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(OPENMP_THREADS)


@pytest.fixture(autouse=True)
def figures_closed() -> Iterator[None]:
    """No test sees figures that pyplot keeps open of another."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2024)


@pytest.fixture
def own_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test passes to `set_num_threads` is in force in this test alone."""
    for name in ("_chosen", "_omp_before"):
        monkeypatch.setattr(threads, name, getattr(threads, name))


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder with MNIST's files, which a source distribution leaves out."""
    folder = Path(__file__).parents[1] / "benchmarks" / "mnist"
    if not any(folder.glob("*-ubyte.gz")):
        pytest.skip("the files of MNIST are in the repository only, in benchmarks/mnist")
    return folder


@pytest.fixture(scope="session")
def fused_isas() -> list[str]:
    """Builds that agree bit for bit, by instruction set: x86-64's baseline does not fuse."""
    isas = kernels.isas()
    return [isa for isa in isas if isa != "baseline"] or isas


@pytest.fixture
def classes(rng: np.random.Generator) -> tuple[Array, Array]:
    """X (230, 6) and labels of three classes that a small network can learn."""
    y = rng.integers(0, 3, 230)
    centers = np.array([[2, 0, 0, 1, 0, 0], [0, 2, 0, 0, 1, 0], [0, 0, 2, 0, 0, 1]])
    return (centers[y] + 0.4 * rng.normal(size=(230, 6))).astype(np.float32), y


@pytest.fixture
def curve(rng: np.random.Generator) -> tuple[Array, Array]:
    """X (150, 2) and one value for each row."""
    X = rng.uniform(-1, 1, (150, 2))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] ** 2


@pytest.fixture
def net() -> fastmlp.MLP:
    """A classifier for `classes`."""
    return fastmlp.MLP((6, 16, 3), seed=1)


@pytest.fixture
def state() -> Callable[[fastmlp.MLP], list[bytes]]:
    """All that a network is, its history and what it took to get there included."""

    def found(net: fastmlp.MLP) -> list[bytes]:
        header, arrays = files.pack(net.state, net.metadata, with_optimizer=True)
        return [repr(header).encode(), *(one.tobytes() for one in arrays.values()),
                repr(net.history.cost).encode(), repr(net.history.learning_rate).encode()]

    return found


@pytest.fixture
def train() -> Callable[..., Progress]:
    """Train a compiled engine on rows of its data, in their order, with one call.

    `rates` is the learning rate, or one for each batch; `options` are those of `TrainingOptions`.
    """

    def train(
        engine: Any,
        data: Any,
        order: Array,
        batch_size: int,
        rates: float | Array,
        *,
        first: int = 0,
        epoch: int = 0,
        threads: int = 1,
        seconds: float = 60.0,
        **options: Any,
    ) -> Progress:
        all_rates = np.full(-(-len(order) // batch_size), rates, np.float64)
        batches = Batches(np.asarray(order, np.int64), batch_size, all_rates, epoch)
        return engine.train(
            data, batches, TrainingOptions(**options), Progress(first), threads, seconds
        )

    return train


@pytest.fixture
def mapped() -> Callable[..., np.memmap]:
    """An array as a file mapped into memory."""

    def written(path: Path, array: Array, mode: str = "r") -> np.memmap:
        np.save(path, array)
        return np.load(path, mmap_mode=mode)

    return written


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps are read in chunks of 80 rows of 6 float32, in blocks of 10."""
    monkeypatch.setattr(memory_maps, "BLOCK", 240)
    monkeypatch.setattr(memory_maps, "CHUNK", 1920)


@pytest.fixture
def blocks() -> Callable[[Path, str], list[str]]:
    """The code blocks of a Markdown file in one language."""

    def found(path: Path, language: str) -> list[str]:
        text = path.read_text(encoding="utf-8")
        return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)

    return found


@pytest.fixture
def encrypted() -> Callable[[bytes], bytes]:
    """A ZIP archive whose directory says of every member that it needs a password."""

    def encrypted(archive: bytes) -> bytes:
        changed = bytearray(archive)
        place = 0
        while (place := archive.find(b"PK\x01\x02", place) + 1) > 0:
            changed[place + 7] |= 1  # the flags of an entry begin at its ninth byte
        return bytes(changed)

    return encrypted


@pytest.fixture(scope="session")
def digits_net() -> fastmlp.MLP:
    """A classifier trained on the first 1,500 digits."""
    X, y = fastmlp.datasets.digits()
    net = fastmlp.MLP((64, 100, 10))
    net.fit(X[:1500], y[:1500], epochs=20, batch_size=50)
    return net


@pytest.fixture
def torch() -> Iterator[Any]:
    """PyTorch on one thread, whose threads otherwise wait for each other most of the time.

    Its import sets OpenMP's number of threads, which is also the limit of fastmlp's, to that of
    MKL, and `torch.set_num_threads` to its own.  Afterwards the number is what it was.
    """
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(OPENMP_THREADS)


@pytest.fixture
def example_names(digits_net: fastmlp.MLP) -> Callable[[], dict[str, Any]]:
    """What examples in docstrings and in docs/ may use: fresh each time."""

    def names() -> dict[str, Any]:
        X, y = fastmlp.datasets.digits()
        parts = {"X_train": X[:1500], "y_train": y[:1500], "X_test": X[1500:], "y_test": y[1500:]}
        net = copy.deepcopy(digits_net)
        return {"fastmlp": fastmlp, "np": np, "X": X, "y": y, "net": net, **parts}

    return names
