"""What the exports read of a network: its layers for inference, and its metadata."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import steps
from ..activations import Activation
from ..encodings import Encoding
from ..ensemble import Ensemble
from ..model import columns
from ..model.state import Array
from ..network import MLP
from ..support import checks
from ..support.text import shown

__all__ = [
    "Columns",
    "InferenceLayer",
    "inference_columns",
    "inference_layers",
    "is_table_model",
    "layers_after_encodings",
    "members",
    "metadata_of",
    "require_mlp",
    "require_plain_input",
    "table_networks",
]


class InferenceLayer(NamedTuple):
    """A layer a(l+1) = f(W a(l) + b) as it predicts, batch norm folded in."""

    weight: Array  # (n_out, n_in)
    bias: Array  # (n_out,)
    activation: Activation


def inference_layers(net: MLP) -> list[InferenceLayer]:
    """Return the layers of the inference network, with averaged parameters if it uses them."""
    return layers_after_encodings(require_plain_input(net))


def layers_after_encodings(net: MLP) -> list[InferenceLayer]:
    """Return the same of a network whose columns may have encodings, from their outputs on."""
    functions = (*net.activation, net.output_activation)
    return [InferenceLayer(*layer) for layer in zip(*net.folded, functions, strict=True)]


@dataclass(frozen=True, eq=False)
class Columns:
    """The encodings of a network's columns as it predicts: a(1) = s ∘ e(x)."""

    encodings: tuple[Encoding, ...]  # of each column; empty: a(1) = x
    parameters: list[dict[str, Array]]  # of each column, by name
    scale: Array | None  # s

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.encodings:
            return x
        a = steps.encode(x, self.encodings, self.parameters, self.scale)
        return a.astype(np.float32, copy=False)


def inference_columns(net: MLP) -> Columns:
    """Return the encodings of a network's columns, with averaged parameters if it uses them."""
    spec = net.state.spec
    arrays = [one for of in net.state.predicting_layers()[spec.n_layers :] for one in of]
    scale = arrays[-1] if net.input_scaling else None
    return Columns(net.encodings, columns.by_column(net.encodings, arrays), scale)


def require_plain_input(net: MLP) -> MLP:
    """Return the network; ValueError if its columns have encodings, which exports do not hold."""
    if net.encodings:
        kinds = ", ".join(sorted({one.name for one in net.encodings}))
        raise ValueError(
            f"the network's columns have encodings ({kinds}), which this export cannot hold; save "
            f"it by net.save"
        )
    return net


def members(net: object) -> tuple[MLP, ...]:
    """Return the networks of an ensemble, or the network itself as the only one."""
    if isinstance(net, Ensemble):
        return net.networks
    return (require_mlp(net),)


def is_table_model(model: object) -> bool:
    """Return whether this is a TabularClassifier or TabularRegressor, without importing them."""
    module = sys.modules.get("fastmlp.tabular.base")  # where there is an instance, it is imported
    return module is not None and isinstance(model, module.BaseTabular)


def table_networks(model: Any) -> list[MLP]:
    """Return the networks of a model of a table; ValueError if it is not fitted, or many models."""
    if not hasattr(model, "networks_"):
        raise ValueError(f"this {type(model).__name__} is not fitted: call its fit first")
    if model.by_value_ is not None:
        raise ValueError(
            f"this {type(model).__name__} has a model for each value of {model.per!r} (per), and "
            f"an export holds one model: export those of model.by_value_.models one by one, or "
            f"model.by_value_.shared"
        )
    networks: list[MLP] = model.networks_
    return networks


def require_mlp(net: object) -> MLP:
    """Return the network; TypeError for anything else, such as an ensemble."""
    if isinstance(net, Ensemble):
        raise TypeError(f"net must be an MLP, got {net!r}; export its networks one by one")
    if is_table_model(net):
        raise TypeError(
            f"net must be an MLP, got {shown(net)}; to_onnx, to_c and quantize_table take models "
            f"of tables"
        )
    if not isinstance(net, MLP):
        raise checks.no_network("net", net)
    return net


def metadata_of(net: Any) -> Mapping[str, Any]:
    """Return a network's metadata; of an ensemble its own and what all its networks agree on."""
    own = net.metadata
    if not isinstance(own, Mapping):
        raise TypeError(f"net.metadata must be a dict, got {own!r}")
    if not isinstance(net, Ensemble):
        return own
    first, *others = map(metadata_of, net.networks)
    shared = {
        name: value
        for name, value in first.items()
        if all(name in other and other[name] == value for other in others)
    }
    return {**shared, **own}
