"""Write models of tables as ONNX models that compute everything from the raw columns.

    numbers, dates (batch, 1) ── encodings ──┐
                                             ├── networks ── mean ── probabilities, label
    categories (batch, 1) ─── one-hot codes ─┘                       or variable

The encodings are those of fastmlp/tabular/columns.py.  They are computed in float64, as there,
and rounded to the networks' float32, or all in float32 on request.  All numbers are encoded at
once, as the columns of one matrix; only quantiles and waves go from column to column, because knots
and parameters differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..support.labels import class_labels, names_of
from ..tabular.classifier import LEAST_PROBABILITY, TabularClassifier
from ..tabular.columns import LARGEST, Category, Number, TableEncoder
from ..tabular.digest import table_digest
from ..tabular.regressor import TabularRegressor
from ..version import __version__
from .inference import Columns, inference_columns
from .onnx_graph import Described, Graph, activate
from .onnx_model import BATCH, add_labels, forward, mean, model_of, task_of, with_prefixes
from .onnx_quantized import add_logits
from .quantization import Quantized
from .table_quantization import QuantizedTable

__all__ = ["table_model"]

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
OUTPUTS = ("label", "probabilities", "variable")
SECONDS_PER_DAY = 86_400.0


def table_model(onnx: Any, given: Any, dtype: np.dtype[Any]) -> Any:
    """Return the ModelProto of a fitted TabularClassifier or TabularRegressor, or QuantizedTable.

    `dtype` is that of numbers and predictions.
    """
    is_quantized = isinstance(given, QuantizedTable)
    model = given.model if is_quantized else given
    encoder: TableEncoder = model.encoder_
    if dtype == FLOAT32:
        require_float32(encoder)
    inputs = input_names(list(encoder.kinds))
    prefix = "/"  # which no column's name begins with
    while any(name.startswith(prefix) for name in inputs.values()):
        prefix += "/"
    graph = Graph(onnx, FLOAT32, prefix)
    outer = graph.in_dtype(dtype)
    h = add_networks(Encoded(graph, outer, encoder, inputs), model)
    own: dict[str, Any] = {
        "task": task_of(isinstance(model, TabularClassifier)),
        "digest": given.digest if is_quantized else table_digest(model),
        "columns": [str(name) for name in encoder.kinds],
        "kinds": list(encoder.kinds.values()),
        "estimator": type(model).__name__,
        "versions": {
            "fastmlp": __version__,
            "numpy": np.__version__,
            "onnx": onnx.__version__,
            "pandas": pd.__version__,
        },
        "quantization": f"8-bit integers; {given.summary()}" if is_quantized else None,
    }
    if isinstance(model, TabularClassifier):
        classes = names_of(model.classes_)
        labels = class_labels(classes, len(classes))
        own["classes"] = [str(one) for one in classes] if labels is None else classes
        described = add_probabilities(outer, model, labels, h)
    else:
        described = add_value(outer, model, h)
    types = {"category": np.dtype(object)}
    proto = graph.finished(
        f"fastmlp_{type(model).__name__}",
        {
            inputs[name]: (types.get(kind, dtype), (BATCH, 1))
            for name, kind in encoder.kinds.items()
        },
        described,
    )
    return model_of(onnx, proto, repr(model), own, model.metadata_)


def add_networks(encoded: Encoded, model: Any) -> str:
    """Add a model's networks, `MLP` or `Quantized`; return the name of their mean outputs."""
    graph, outer = encoded.graph, encoded.outer
    by_encoding = {
        one: encoded.inputs(one) for one in dict.fromkeys(model.encodings_) if one != "periodic"
    }
    outputs = []
    for (net, start), encoding in zip(
        with_prefixes(model.networks_), model.encodings_, strict=True
    ):
        is_quantized = isinstance(net, Quantized)
        columns = net.columns if is_quantized else inference_columns(net)
        a = by_encoding.get(encoding) or encoded.periodic_inputs(columns, start)
        if is_quantized:
            h = activate(graph, net.output_activation, add_logits(graph, net, start, a))
        else:
            h = forward(graph, net, start, a)
        outputs.append(outer.cast(h))
    return mean(outer, outputs)


def require_float32(encoder: TableEncoder) -> None:
    """Raise ValueError if the columns of a table cannot be encoded in float32."""
    for name, kind in encoder.kinds.items():
        if kind == "date":
            raise ValueError(
                f"column {name!r} is a date, and float32 cannot hold its seconds since 1970; dtype "
                f"must be 'float64', the default"
            )
    for one in encoder.numbers:
        for values in (one.edges, one.knots):
            if (np.diff(np.array(values, FLOAT32)) <= 0).any():
                raise ValueError(
                    f"column {one.source!r} has values that are equal in float32 but not in "
                    f"float64; dtype must be 'float64', the default"
                )


def input_names(columns: Sequence[Any]) -> dict[Any, str]:
    """Return the name of each column's input: its own, if no output or other column has it."""
    names: dict[Any, str] = {}
    taken = {*OUTPUTS, ""}
    for column in sorted(columns, key=lambda one: str(one) in taken):
        name = str(column)
        while name in taken:
            name += "_"
        names[column] = name
        taken.add(name)
    return names


def add_probabilities(outer: Graph, model: TabularClassifier, labels: Any, h: str) -> Described:
    """Add the probabilities p^(1/T) / Σ p^(1/T) and the labels of a classification."""
    logarithm = outer.add("Log", outer.add("Clip", h, LEAST_PROBABILITY))
    z = outer.add("Div", logarithm, model.temperature_)
    outer.add("Softmax", z, axis=1, output="probabilities")
    chosen = outer.add("ArgMax", "probabilities", axis=1, keepdims=0)
    label_type = add_labels(outer, labels, chosen)
    shape = (BATCH, len(model.classes_))
    return {"label": (label_type, (BATCH,)), "probabilities": (outer.dtype, shape)}


def add_value(outer: Graph, model: TabularRegressor, h: str) -> Described:
    """Add the value in the target's unit, within the range of the training set."""
    value = outer.add("Add", outer.add("Mul", h, model.target_deviation_), model.target_mean_)
    outer.add("Clip", value, *model.target_range_, output="variable")
    return {"variable": (outer.dtype, (BATCH, 1))}


class Encoded:
    """The columns of a table in a graph: numbers (batch, n), and codes of categories.

    Parameters
    ----------
    graph, outer : Graph
        The graph, to compute in the networks' float32 and in the dtype of numbers and predictions.
    encoder : TableEncoder
        How columns become inputs of networks.
    inputs : mapping of str to str
        The name of the graph's input for each column.
    """

    def __init__(
        self, graph: Graph, outer: Graph, encoder: TableEncoder, inputs: Mapping[str, str]
    ) -> None:
        self.graph, self.outer, self.numbers = graph, outer, encoder.numbers
        columns: dict[tuple[str, str], str] = {}  # the values, by column and part
        for name, kind in encoder.kinds.items():
            if kind == "number":
                columns[name, ""] = inputs[name]
            elif kind == "date":
                origin = pd.Timestamp(encoder.origins[name]).timestamp()  # a UTC time
                for part, value in date_parts(outer, inputs[name], origin).items():
                    columns[name, part] = value
        self.columns = [columns[one.source, one.part] for one in self.numbers]
        self.one_hot = []
        for i, one in enumerate(encoder.categories):
            if one.part:  # numbers of months and weekdays
                values = columns[one.source, one.part]
                levels = outer.constant(np.array([one.levels], outer.dtype), f"levels_{i}")
            else:
                values = level_codes(graph, one, inputs[one.source])
                levels = graph.constant(np.arange(len(one.levels))[None], f"levels_{i}")
            self.one_hot.append(add_one_hot(graph, values, levels, len(one.levels)))
        if self.numbers:
            self.x = joined(outer, self.columns)
            self.missing = outer.add("IsNaN", self.x)

    def inputs(self, encoding: str) -> str:
        """Add the inputs of networks by an encoding of numbers and return their name."""
        blocks = [self._number_inputs(encoding)] if self.numbers else []
        return joined(self.graph, [*blocks, *self.one_hot])

    def _number_inputs(self, encoding: str) -> str:
        """Add the encodings of all numbers, in the order of TableEncoder.inputs."""
        outer, n = self.outer, len(self.numbers)
        with_missing = [i for i, one in enumerate(self.numbers) if one.missing]
        blocks = [self._quantiles() if encoding == "quantile" else self._scaled()]
        column = [*range(n), *with_missing]  # the number that each input comes from
        if with_missing:
            indices = outer.constant(np.array(with_missing), "columns_with_missing")
            missing = outer.add("Gather", self.missing, indices, axis=1)
            blocks.append(outer.cast(missing))
        if encoding == "piecewise_linear":
            of_bins = [i for i, one in enumerate(self.numbers) for _ in one.edges[1:]]
            if of_bins:
                blocks.append(self._bins(of_bins))
            column += of_bins
        values = joined(outer, blocks)
        if len(blocks) > 1:  # from blocks of one kind to blocks of one number
            order = self.graph.constant(np.argsort(column, kind="stable"), f"order_{encoding}")
            values = outer.add("Gather", values, order, axis=1)
        return self.graph.cast(values)

    def _row(self, name: str, values: Sequence[float]) -> str:
        return self.outer.constant(np.array([values], self.outer.dtype), name)

    def periodic_inputs(self, of: Columns, prefix: str) -> str:
        """Add the inputs of a network whose numbers are quantiles and learned waves of these."""
        graph, pieces, place = self.graph, [], 0  # place: the column of the network's X
        quantiles = self.graph.cast(self._quantiles()) if self.numbers else ""
        for i, one in enumerate(self.numbers):
            q = graph.columns(quantiles, i, i + 1) if len(self.numbers) > 1 else quantiles
            w, b, V, c = [
                graph.constant(np.asarray(values, np.float32), f"{prefix}{name}_{place}")
                for name, values in waves_of(of.parameters[place]).items()
            ]
            waves = graph.add("Cos", graph.add("Add", graph.add("Mul", q, w), b))
            pieces += [q, graph.add("Gemm", waves, V, c, transB=1)]  # V cos(2π w q + b) + c
            place += 1
            if one.missing:
                missing = graph.columns(self.missing, i, i + 1)
                pieces.append(graph.cast(missing))
                place += 1
        return joined(graph, [*pieces, *self.one_hot])

    def _z(self) -> str:
        """(x − median)·factor; 0 where x is missing."""
        outer = self.outer
        medians = self._row("medians", [one.median for one in self.numbers])
        factors = self._row("factors", [one.factor for one in self.numbers])
        z = outer.add("Mul", outer.add("Sub", self.x, medians), factors)
        return outer.add("Clip", outer.add("Where", self.missing, 0.0, z), -LARGEST, LARGEST)

    def _scaled(self) -> str:
        """z / √(1 + (z/3)²)."""
        outer, z = self.outer, self._z()
        third = outer.add("Div", z, 3.0)
        root = outer.add("Sqrt", outer.add("Add", outer.add("Mul", third, third), 1.0))
        return outer.add("Div", z, root)

    def _bins(self, of_bins: Sequence[int]) -> str:
        """Where z lies in each bin, 0 at its lower edge or below, 1 at its upper or above."""
        outer = self.outer
        first = self._row("first_edges", [(*one.edges, 0.0)[0] for one in self.numbers])
        low = self._row("lower_edges", [e for one in self.numbers for e in one.edges[:-1]])
        high = self._row("upper_edges", [e for one in self.numbers for e in one.edges[1:]])
        z = outer.add("Where", self.missing, first, self._z())
        z = outer.add("Gather", z, outer.constant(np.array(of_bins), "columns_of_bins"), axis=1)
        inside = outer.add("Div", outer.add("Sub", z, low), outer.add("Sub", high, low))
        return outer.add("Clip", inside, 0.0, 1.0)

    def _quantiles(self) -> str:
        """Φ⁻¹ of the share of the training set below x; 0 where x is missing."""
        scores = [
            interpolated(self.outer, x, one, f"quantiles_{i}")
            for i, (x, one) in enumerate(zip(self.columns, self.numbers, strict=True))
        ]
        return self.outer.add("Where", self.missing, 0.0, joined(self.outer, scores))


def waves_of(own: Mapping[str, Any]) -> dict[str, Any]:
    """Return 2π w, b, V and c of the parameters of a periodic encoding."""
    return {
        "angles": 2 * np.pi * np.asarray(own["frequencies"], np.float64),
        "phases": own["phases"],
        "waves": own["weight"],
        "offsets": own["bias"],
    }


def joined(graph: Graph, columns: Sequence[str]) -> str:
    """Add matrices side by side and return the name of the whole."""
    return columns[0] if len(columns) == 1 else graph.add("Concat", *columns, axis=1)


def level_codes(graph: Graph, category: Category, texts: str) -> str:
    """Add the codes of texts; −1 for those that are missing or not known."""
    return graph.add(
        "LabelEncoder",
        texts,
        domain="ai.onnx.ml",
        keys_strings=list(category.levels),
        values_int64s=list(range(len(category.levels))),
        default_int64=-1,
    )


def add_one_hot(graph: Graph, values: str, levels: str, n_levels: int) -> str:
    """Add 1 in the column of each level, or ±1 in one column for two levels."""
    hits = graph.cast(graph.add("Equal", values, levels))
    if n_levels != 2:
        return hits
    signs = graph.constant(np.array([[1], [-1]], graph.dtype), "signs")
    return graph.add("MatMul", hits, signs)


def interpolated(outer: Graph, x: str, number: Number, name: str) -> str:
    """Add the linear interpolation of a number's scores between its knots, constant beyond."""
    knots, scores = np.array(number.knots, outer.dtype), np.array(number.scores, outer.dtype)
    if len(knots) == 1:
        knots, scores = np.append(knots, knots + 1), np.repeat(scores, 2)
    slopes = np.diff(scores) / np.diff(knots)
    x = outer.add("Clip", x, float(knots[0]), float(knots[-1]))
    starts = outer.constant(knots[None, :-1], f"{name}_knots")
    below = outer.cast(outer.add("LessOrEqual", starts, x), np.dtype(np.int64))
    count = outer.add("ReduceSum", below, outer.constant(np.array([1]), "columns"), keepdims=1)
    place = outer.add("Sub", count, outer.constant(np.array(1), "one"))  # −1 for NaN: the last
    at = [
        outer.add("Gather", outer.constant(values, f"{name}_{what}"), place)
        for what, values in (("start", knots[:-1]), ("slope", slopes), ("score", scores[:-1]))
    ]
    return outer.add("Add", outer.add("Mul", outer.add("Sub", x, at[0]), at[1]), at[2])


def date_parts(outer: Graph, seconds: str, origin: float) -> dict[str, str]:
    """Add the parts of dates, by the names of DATE_PARTS, from seconds since 1970.

    Years and months come from the days by Hinnant's algorithm (2013, "chrono-compatible low-level
    date algorithms", civil_from_days), in which years begin in March; all divisions are floored.
    """

    def computed(operator: str) -> Any:
        return lambda *values: outer.add(operator, *values)

    add, subtract, multiply = computed("Add"), computed("Sub"), computed("Mul")

    def whole(value: str, divisor: float) -> str:
        return outer.add("Floor", outer.add("Div", value, divisor))

    day = whole(seconds, SECONDS_PER_DAY)  # since 1970-01-01, a Thursday
    of_day = outer.add("Floor", subtract(seconds, multiply(day, SECONDS_PER_DAY)))
    from_monday = add(day, 3.0)
    shifted = add(day, 719_468.0)  # since 0000-03-01
    era = whole(shifted, 146_097.0)  # of 400 years
    of_era = subtract(shifted, multiply(era, 146_097.0))
    leaps = subtract(whole(of_era, 1460.0), whole(of_era, 36_524.0))
    leaps = add(leaps, whole(of_era, 146_096.0))
    year = whole(subtract(of_era, leaps), 365.0)
    before = subtract(add(multiply(year, 365.0), whole(year, 4.0)), whole(year, 100.0))
    of_year = subtract(of_era, before)
    month = whole(add(multiply(of_year, 5.0), 2.0), 153.0)  # 0: March
    first = whole(add(multiply(month, 153.0), 2.0), 5.0)
    next_year = whole(month, 10.0)  # 1 in January and February
    return {
        "days": outer.add("Div", subtract(seconds, origin), SECONDS_PER_DAY),
        "year": add(add(year, multiply(era, 400.0)), next_year),
        "month": subtract(add(month, 3.0), multiply(next_year, 12.0)),
        "weekday": subtract(from_monday, multiply(whole(from_monday, 7.0), 7.0)),
        "day": add(subtract(of_year, first), 1.0),
        "hour": outer.add("Div", of_day, 3600.0),
    }
