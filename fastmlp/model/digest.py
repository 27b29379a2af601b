"""The digest of a model: which network this is, whatever file or program holds it.

Two models have the same digest if they compute the same function in the same dtype: the layers,
activations, loss, encodings and the parameters that predict are equal, bit for bit.  How they were
trained (seed, dropout, optimizer, epochs) and what is noted in their metadata does not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .headers import entry_of
from .spec import NetworkSpec
from .state import Array, ModelState

__all__ = ["model_digest"]


def model_digest(
    networks: ModelState | Iterable[ModelState], description: Mapping[str, Any] | None = None
) -> str:
    """Return the SHA-256 of a network, or of the networks of a model, in hexadecimal.

    Parameters
    ----------
    networks : ModelState, or iterable of ModelState
        The network, or the networks of an ensemble or of a model of a table, in their order.
    description : mapping, optional
        What a model computes outside its networks, such as the encoding of a table's columns, in
        types of JSON.

    Returns
    -------
    str
        64 digits; of one network without a description they do not depend on whether it stands
        alone or in a sequence.
    """
    states = [networks] if isinstance(networks, ModelState) else list(networks)
    digests = [_network_digest(state) for state in states]
    if len(digests) == 1 and description is None:
        return digests[0]
    return _sha256({"networks": digests, "description": description}, [])


def _network_digest(state: ModelState) -> str:
    snapshot = state.snapshot()
    arrays = [one for layer in state.predicting_layers(snapshot) for one in layer]
    for pair in state.statistics(snapshot):
        arrays += pair or ()
    return _sha256(_architecture(state.spec), arrays)


def _architecture(spec: NetworkSpec) -> dict[str, Any]:
    """Return what a network computes, without its parameters, in types of JSON."""
    return {
        "sizes": spec.sizes,
        "activation": [entry_of(one) for one in spec.activation],
        "output_activation": entry_of(spec.output_activation),
        "loss": entry_of(spec.loss),
        "batch_norm": spec.batch_norm,
        "encodings": [entry_of(one) for one in spec.encodings],
        "input_scaling": spec.input_scaling,
        "dtype": spec.dtype.name,
        "uint8_scale": spec.uint8_scale,
    }


def _sha256(description: Mapping[str, Any], arrays: Iterable[Array]) -> str:
    """Return the hash of a description and of arrays, in little-endian order."""
    found = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for one in arrays:
        found.update(np.ascontiguousarray(one, one.dtype.newbyteorder("<")).data)
    return found.hexdigest()
