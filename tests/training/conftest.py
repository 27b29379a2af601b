"""Callbacks that several test files use."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from fastmlp import Callback


class Recorder(Callback):
    """Notes every call, and may stop after some epochs."""

    def __init__(self, stop_after: float = math.inf) -> None:
        self.calls: list[str] = []
        self.stop_after = stop_after

    def on_fit_begin(self, net, history):
        self.calls.append("begin")

    def on_epoch_end(self, net, history):
        self.calls.append(f"epoch {history.epochs}")
        return history.epochs >= self.stop_after

    def on_fit_end(self, net, history):
        self.calls.append(f"end: {history.stopped_by}")


class Doing(Callback):
    """Does something at the end of each epoch."""

    def __init__(self, action) -> None:
        self.action = action

    def on_epoch_end(self, net, history):
        self.action()


@pytest.fixture
def recorder() -> Callable[..., Recorder]:
    """Makes callbacks that note every call."""
    return Recorder


@pytest.fixture
def doing() -> Callable[..., Doing]:
    """Makes callbacks that do something at the end of each epoch."""
    return Doing
