"""Sums over the ranks, with computation meanwhile and without, compressed and exact."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from fastmlp.distributed.sharing import Sharing
from fastmlp.distributed.sums import MOST_UNDER_WAY, GradientSum

PROGRAM = Path(__file__).with_name("sums_of_ranks.py")


@pytest.mark.parametrize("n_ranks", [1, 2, 3])
def test_sums_are_right_in_every_way_of_adding(run_ranks, n_ranks):
    assert run_ranks(PROGRAM, n_ranks).stdout.count("right") == n_ranks


class SlowSum:
    """A sum that is there once it has been waited for; `under_way` are those that are not."""

    under_way: ClassVar[list[str]] = []
    most = 0

    def __init__(self, name):
        self.name = name
        self.under_way.append(name)
        SlowSum.most = max(self.most, len(self.under_way))

    def sent(self, wait):
        return wait

    def done(self, wait):
        if wait:
            assert self.under_way[0] == self.name
            del self.under_way[0]
        return wait


def test_a_few_sums_at_a_time_are_under_way(monkeypatch):
    monkeypatch.setattr(SlowSum, "most", 0)
    sums = GradientSum(None, None, SlowSum, overlap=False)
    for name in "abcdefghij":
        sums.start(name)
    assert SlowSum.under_way == []
    sums.finish(3)
    assert SlowSum.under_way == list("def")
    sums.start("k")
    sums.finish(8)
    assert SlowSum.under_way == []
    assert SlowSum.most == MOST_UNDER_WAY == 4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"accumulate": 0}, ValueError, "accumulate must be"),
        ({"accumulate": 1.5}, TypeError, "accumulate must be"),
        ({"local_steps": 0}, ValueError, "local_steps must be"),
        ({"local_steps": None}, TypeError, "local_steps must be"),
        ({"compression": "float16"}, ValueError, "None or 'bfloat16', got 'float16'"),
        ({"compression": True}, ValueError, "None or 'bfloat16', got True"),
        ({"compression": "bfloat16", "local_steps": 2}, ValueError, "give one of the two"),
    ],
)
def test_wrong_options_are_refused(options, error, message):
    every = {"accumulate": 1, "local_steps": 1, "compression": None}
    with pytest.raises(error, match=message):
        Sharing.checked(**{**every, **options})


def test_batches_are_enlarged_from_the_default_of_fit():
    assert Sharing(accumulate=3).enlarged({}) == {"batch_size": 300}
    assert Sharing(accumulate=3).enlarged({"batch_size": 7}) == {"batch_size": 21}
    with pytest.raises(TypeError, match="batch_size must be"):
        Sharing(accumulate=3).enlarged({"batch_size": "7"})
