"""What the ranks send one another, and how often: options for slow networks."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, Self

from ..network import MLP
from ..support import checks

__all__ = ["Sharing"]

COMPRESSIONS = (None, "bfloat16")
BATCH_SIZE: int = inspect.signature(MLP.fit).parameters["batch_size"].default


@dataclass(frozen=True)
class Sharing:
    """The checked options of `fit` that MLP.fit does not have."""

    accumulate: int = 1  # batches of each update
    local_steps: int = 1  # updates between two averages of the parameters
    compression: str | None = None  # of the gradients that are sent

    @classmethod
    def checked(cls, accumulate: object, local_steps: object, compression: object) -> Self:
        """Return the options, each checked.

        Raises
        ------
        TypeError, ValueError
            If a number is not a whole number of at least 1, if there is no such compression, or if
            parameters instead of gradients are to be compressed.
        """
        found = cls(
            checks.whole("accumulate", accumulate),
            checks.whole("local_steps", local_steps),
            compression,  # type: ignore[arg-type]
        )
        if compression not in COMPRESSIONS:
            raise ValueError(f"compression must be None or 'bfloat16', got {compression!r}")
        if compression is not None and found.local_steps > 1:
            raise ValueError(
                f"compression is of gradients, but with local_steps={found.local_steps} the ranks "
                f"send parameters, which would lose digits at every average: give one of the two"
            )
        return found

    def enlarged(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return options of MLP.fit with as many times the batch size as batches make an update."""
        batch_size = checks.whole("batch_size", options.get("batch_size", BATCH_SIZE))
        return {**options, "batch_size": self.accumulate * batch_size}
