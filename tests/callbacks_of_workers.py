"""Callbacks that processes of their own import: see test_many_executors.py."""

from fastmlp import Callback


class TwoArguments(Exception):
    """Cannot be unpickled: its `args` are one text."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class Raises(Callback):
    """Raises an error after the first epoch."""

    def __init__(self, error):
        self.error = error

    def on_epoch_end(self, net, history):
        raise self.error


class RaisesTwoArguments(Callback):
    """Raises what cannot be unpickled."""

    def on_epoch_end(self, net, history):
        raise TwoArguments(1, 2)


class RaisesLocal(Callback):
    """Raises an error of a class that cannot be pickled."""

    def on_epoch_end(self, net, history):
        class Local(Exception):
            pass

        raise Local("text")


class Freezes(Callback):
    """Freezes a layer after the first epoch."""

    def on_epoch_end(self, net, history):
        net.freeze(0)


class Notes(Callback):
    """Writes into the metadata and an attribute of the network."""

    def on_epoch_end(self, net, history):
        net.metadata["best"] = history.epochs
        net.note = "trained"
