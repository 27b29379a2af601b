"""Networks divided among the ranks: number i is trained by rank i modulo the number of ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from .communication import Ranks

__all__ = ["RankDivision"]

Value = TypeVar("Value")


class RankDivision:
    """The `Division` of networks among ranks.

    Parameters
    ----------
    ranks : Ranks
        The ranks.
    """

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.n_processes = ranks.size

    def own(self, n: int) -> Sequence[int]:
        """Return the numbers of this rank's networks."""
        return range(self.ranks.rank, n, self.ranks.size)

    def of_first(self, value: Value) -> Value:
        """Return the value of rank 0."""
        found: Value = self.ranks.gather(value if self.ranks.rank == 0 else None)[0]
        return found

    def require_equal(self, value: Any, what: str) -> None:
        """Raise ValueError on every rank if the values of ranks differ."""
        found = self.ranks.gather(value)
        for rank, other in enumerate(found):
            if other != found[0]:
                self.ranks.raise_on_all(
                    ValueError(
                        f"ranks 0 and {rank} have different {what}: every rank must read the same "
                        f"files with the same options and library versions"
                    )
                )

    def exchange(self, trained: Mapping[int, Value], error: Exception | None) -> dict[int, Value]:
        """Return the networks of all ranks; raise an error on every rank if one has met one."""
        self.ranks.agree(error)
        found: dict[int, Value] = {}
        for part in self.ranks.gather(dict(trained)):
            found |= part
        return found
