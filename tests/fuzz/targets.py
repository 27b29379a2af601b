"""What the fuzzer calls: for each kind of file its reader, and a few valid files."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastmlp
from fastmlp import encodings

EXPORTS = Path(__file__).parents[1] / "export"  # with files that Keras wrote
GOLDEN = Path(__file__).parents[1] / "golden" / "models"  # with files of earlier formats
QUANTIZED = sorted(GOLDEN.glob("*-quantized*.npz"))


class Target(NamedTuple):
    """One kind of file."""

    name: str
    suffix: str
    needs: tuple[str, ...]  # packages
    seeds: Callable[[Path], list[bytes]]
    read: Callable[[Path, bytes], Any]

    def prepare(self) -> None:
        """Import what is needed, before memory is limited."""
        for one in self.needs:
            __import__(one)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def from_path(read: Callable[[Path], Any]) -> Callable[[Path, bytes], Any]:
    return lambda path, data: read(written(path, data))


def idx_seeds(folder: Path) -> list[bytes]:
    images = struct.pack(">BBBBIII", 0, 0, 8, 3, 4, 3, 2) + bytes(range(24))
    reals = struct.pack(">BBBBI", 0, 0, 13, 1, 5) + np.arange(5, dtype=">f4").tobytes()
    return [images, reals, gzip.compress(images, mtime=0)]


def networks() -> list[Any]:
    """Trained networks of different kinds."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 4)), rng.integers(3, size=20)
    plain = fastmlp.MLP((4, 5, 3), batch_norm=True, dropout=0.1)
    plain.fit(X, y, epochs=1, ema=0.9)
    plain.freeze(0)
    columns = [encodings.OneHot(3), encodings.Embedding(3, 2), encodings.Periodic(2, 2),
               encodings.PiecewiseLinear([0.0, 1.0])]
    table = fastmlp.MLP((4, 3), encodings=columns, input_scaling=True, dtype="float64")
    table.fit(abs(X).round() % 3, y, epochs=1, optimizer="rmsprop")
    return [plain, table, fastmlp.Ensemble([fastmlp.MLP((4, 2, 3), seed=i) for i in range(2)])]


def model_seeds(folder: Path) -> list[bytes]:
    paths = sorted(path for path in GOLDEN.glob("*.npz") if path not in QUANTIZED)
    found = [path.read_bytes() for path in paths]
    for net in networks():
        net.save(folder / "seed.npz", with_optimizer=True)
        found.append((folder / "seed.npz").read_bytes())
    return found


def read_model(path: Path) -> None:
    net = fastmlp.load(path)
    one = net.networks[0] if isinstance(net, fastmlp.Ensemble) else net
    one.summary()
    assert net.forward(np.zeros((2, one.n_in))).shape == (2, one.n_out)


def quantized_seeds(folder: Path) -> list[bytes]:
    net = next(iter(networks()))
    X = np.random.default_rng(0).normal(size=(200, net.n_in))
    fastmlp.export.quantize(net, X, integer_only=True).save(folder / "seed.npz")
    return [*(path.read_bytes() for path in QUANTIZED), (folder / "seed.npz").read_bytes()]


def read_quantized(path: Path) -> None:
    net = fastmlp.export.Quantized.load(path)
    net.summary()
    assert len(net.predict(np.zeros((2, net.n_in)))) == 2


def table_model_seeds(folder: Path, in_8_bits: bool = False) -> list[bytes]:
    import pandas

    from fastmlp.tabular import TabularClassifier, TabularRegressor

    rng = np.random.default_rng(0)
    X = pandas.DataFrame({"a": rng.normal(size=60), "b": list("xyz") * 20})
    found = []
    for kind, y in ((TabularClassifier, ["p", "q"] * 30), (TabularRegressor, X["a"] ** 2)):
        model = kind(n_members=1, hidden_layer_sizes=(8,), epochs=2, random_state=0)
        model.fit(X, y)
        saved = fastmlp.export.quantize_table(model, X) if in_8_bits else model
        saved.save(folder / "seed.npz")
        found.append((folder / "seed.npz").read_bytes())
    return found


def read_table_model(path: Path) -> None:
    from fastmlp import tabular

    predict_rows(tabular.load(path))


def predict_rows(model: Any) -> None:
    import pandas

    model.predict(pandas.DataFrame({"a": [0.0, np.nan], "b": ["x", "new"]}))


def read_quantized_table(path: Path) -> None:
    model = fastmlp.export.QuantizedTable.load(path)
    model.summary()
    predict_rows(model)


IDENTITY = {"recipe": {"epochs": 2}, "seed": 0}


def checkpoint_seeds(folder: Path) -> list[bytes]:
    net = networks()[0]
    history = {name: [0.5] for name in ("cost", "validation_cost", "validation_accuracy",
                                        "learning_rate", "seconds")}
    net.metadata["checkpoint"] = {"identity": IDENTITY, "history": history, "seconds": 1.0}
    net.save(folder / "seed.npz", with_optimizer=True)
    return [(folder / "seed.npz").read_bytes()]


def read_checkpoint(path: Path) -> None:
    from fastmlp.recipes import checkpoints

    checkpoints.resume(path, IDENTITY)


def safetensors_seeds(folder: Path) -> list[bytes]:
    from fastmlp import export

    found = []
    for net in networks():
        export.to_safetensors(net, folder / "seed.safetensors")
        found.append((folder / "seed.safetensors").read_bytes())
    return found


def read_safetensors(path: Path) -> None:
    from fastmlp import export

    export.from_safetensors(path)


def read_keras(path: Path) -> None:
    from fastmlp import export

    export.from_keras(path)


def read_keras_weights(path: Path) -> None:
    from fastmlp import export

    like = fastmlp.MLP((64, 12, 10, 10), activation="gelu", batch_norm=True)
    export.from_keras(path, like=like)


RECIPE = b"""
name = "small"
description = "two epochs"
[network]
hidden = [8]
activation = "relu"
dropout = 0.1
[training]
epochs = 2
batch_size = 50
optimizer = { name = "adamw", learning_rate = 0.005, beta_2 = 0.98 }
schedule = "one_cycle"
label_smoothing = 0.05
[augment]
rotation = 10
"""
STUDY = b"""
[study]
data = "digits"
seeds = 2
[base]
epochs = 2
hidden = [8]
[factors]
dropout = [0.0, 0.2]
activation = ["relu", "tanh"]
"""
SPACE = b"""
learning_rate = { low = 0.001, high = 0.1, log = true }
activation = ["relu", "tanh"]
dropout = { low = 0.0, high = 0.5 }
depth = { low = 1, high = 3 }
width = { low = 4, high = 16, log = true }
"""


def read_recipe(path: Path) -> None:
    from fastmlp import recipes

    recipes.read(path)


def read_study(path: Path) -> None:
    from fastmlp.ablation import study

    study.read(path)


def read_space(path: Path) -> None:
    from fastmlp.search.space import Space

    Space.of(Space.read(path))


CSV = [b"a,b,c\n1,2.5,x\n3,NaN,y\n-4,1e5,\n", b"a;b\r\n1,5;2\r\n2.000,5;3\r\n", b"a\tb\n1\t2\n",
       b'name,"x, y"\n"q ""r""",1\nz,2\n', "größe|wert\n1|ä\n".encode("cp1252")]
SEPARATORS = [None, None, ",", ";", "whitespace", "|"]


def read_csv(path: Path, data: bytes) -> None:
    """The last byte chooses the options, unless it ends a line."""
    from fastmlp.tabular.reading import read_table

    choice = 0 if data[-1:] in (b"", b"\n") else data[-1]
    read_table(
        written(path, data),
        separator=SEPARATORS[choice % 6],
        encoding=[None, None, "utf-16", "latin-1"][choice // 6 % 4],
        decimal=[None, None, ","][choice // 24 % 3],
        thousands=[None, None, "."][choice // 72 % 3],
    )


def parquet_seeds(folder: Path) -> list[bytes]:
    import pyarrow
    from pyarrow import parquet

    found = []
    for compression in ("none", "snappy"):
        stream = io.BytesIO()
        table = pyarrow.table({"a": [1.5, None, 3.0], "b": ["x", "y", "x"], "c": [1, 2, 3]})
        parquet.write_table(table, stream, compression=compression)
        found.append(stream.getvalue())
    return found


def read_parquet(path: Path) -> None:
    from fastmlp.tabular.reading import read_table

    read_table(path)


def journal_seeds(folder: Path) -> list[bytes]:
    from fastmlp import ablation

    net = {"hidden": [4], "epochs": 1}
    study = {
        "study": {"data": "digits", "seeds": 1}, "base": net, "factors": {"dropout": [0.0, 0.1]}
    }
    ablation.run(study, folder / "study")
    return [next((folder / "study").glob("*.jsonl")).read_bytes()]


def read_journal(path: Path) -> None:
    from fastmlp.ablation.journal import Journal

    with Journal(path) as journal:
        for one in journal.runs.values():
            json.dumps(one.to_json())


TARGETS = {
    one.name: one
    for one in (
        Target("idx", ".idx", ("gzip",), idx_seeds,
               from_path(lambda path: fastmlp.datasets.read_idx(path))),
        Target("model", ".npz", (), model_seeds, from_path(read_model)),
        Target("quantized", ".npz", (), quantized_seeds, from_path(read_quantized)),
        Target("table_model", ".npz", ("pandas", "sklearn"), table_model_seeds,
               from_path(read_table_model)),
        Target("quantized_table", ".npz", ("pandas", "sklearn"),
               lambda folder: table_model_seeds(folder, in_8_bits=True),
               from_path(read_quantized_table)),
        Target("checkpoint", ".npz", (), checkpoint_seeds, from_path(read_checkpoint)),
        Target("safetensors", ".safetensors", ("safetensors",), safetensors_seeds,
               from_path(read_safetensors)),
        Target("keras", ".keras", ("h5py",),
               lambda folder: [(EXPORTS / "digits.keras").read_bytes()], from_path(read_keras)),
        Target("keras_weights", ".weights.h5", ("h5py",),
               lambda folder: [(EXPORTS / "digits.weights.h5").read_bytes()],
               from_path(read_keras_weights)),
        Target("recipe", ".toml", (), lambda folder: [RECIPE], from_path(read_recipe)),
        Target("study", ".toml", (), lambda folder: [STUDY], from_path(read_study)),
        Target("space", ".toml", ("optuna",), lambda folder: [SPACE], from_path(read_space)),
        Target("csv", ".csv", ("pandas",), lambda folder: CSV, read_csv),
        Target("parquet", ".parquet", ("pandas", "pyarrow.parquet"), parquet_seeds,
               from_path(read_parquet)),
        Target("journal", ".jsonl", (), journal_seeds, from_path(read_journal)),
    )
}  # fmt: skip
