"""A fit that fails leaves the estimator as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..network import MLP

__all__ = ["restored_on_error"]


class NetworkBackup:
    """All that training changes in a network.

    Parameters
    ----------
    net : MLP
        The network, which is about to be trained.
    """

    def __init__(self, net: MLP) -> None:
        self.net = net
        self.state = net.state.backup()
        self.history, self.metadata = net.history, dict(net.metadata)

    def restore(self) -> None:
        """Undo the training."""
        net = self.net
        net.state.restore_backup(self.state)
        net.history, net.metadata = self.history, self.metadata


@contextmanager
def restored_on_error(estimator: Any, continues: bool) -> Iterator[None]:
    """Return a context that gives an estimator its attributes back if a call of fit fails.

    Parameters
    ----------
    estimator : estimator
        The estimator whose fit is called.
    continues : bool
        Whether the fit goes on with the estimator's network, if there is one, instead of a new one.
    """
    attributes = dict(estimator.__dict__)
    net = attributes.get("network_") if continues else None
    backup = None if net is None else NetworkBackup(net)
    try:
        yield
    except BaseException:
        estimator.__dict__.clear()
        estimator.__dict__.update(attributes)
        if backup is not None:
            backup.restore()
        raise
