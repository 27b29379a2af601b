"""What must be the same on every rank, apart from the examples."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

from ..model.state import ModelState
from ..training import FitConfig
from .communication import Ranks
from .sharing import Sharing

__all__ = ["checksum", "require_equal"]

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def checksum(state: ModelState) -> int:
    """Return a checksum of parameters and averages."""
    return zlib.crc32(state.snapshot().tobytes())


def optimizer_checksum(state: ModelState) -> int:
    """Return a checksum of the optimizer's state."""
    found = 0
    if state.optimizer is not None:
        for layers in state.optimizer_state():
            for array in (one for layer in layers for one in layer):
                found = zlib.crc32(array.tobytes(), found)
    return found


def require_equal(
    ranks: Ranks, state: ModelState, config: FitConfig, sharing: Sharing, validates: bool
) -> None:
    """Refuse ranks that would not train the same network in the same way.

    What the ranks ask of one another afterwards depends on these arguments: a rank with others
    would wait for ever.
    """
    own = {
        "sizes or options of the network": ADDRESS.sub("", repr(state.spec)),
        "parameters of the network": checksum(state),
        "state of the optimizer": (state.optimizer, state.steps, optimizer_checksum(state)),
        "number of epochs so far": state.epochs,
        "frozen layers": (sorted(state.frozen), state.encoding_frozen),
        "options of fit": ADDRESS.sub("", repr(replace(config, n_threads=None))),
        "accumulate, local_steps or compression": sharing,
        "presence of validation_data": validates,
    }
    found = ranks.gather(own)
    for name, value in found[0].items():
        for rank, other in enumerate(found):
            if other[name] != value:
                ranks.raise_on_all(
                    ValueError(
                        f"ranks 0 and {rank} differ in the {name}: every rank must pass an "
                        f"equal network and equal options. Make the network with the same "
                        f"arguments and seed on every rank, or load the same file"
                    )
                )
