"""What the user is told of a rank that is slower than the others."""

from __future__ import annotations

import numpy as np
import pytest

from fastmlp.distributed import slowness
from fastmlp.distributed.slowness import RankTimes, TimedSum, about_slow_rank


def ranks(*busy, rows=(100,) * 8):
    return [
        RankTimes(one, 100.0, n, f"h{k}")
        for k, (one, n) in enumerate(zip(busy, rows, strict=False))
    ]


@pytest.mark.parametrize(
    "busy",
    [(50, 50), (50, 54), (50, 64, 51), (2, 6.5), (0.01, 0.02, 0.03), (90, 80, 70, 95)],
)
def test_ranks_that_are_about_equal_or_fits_of_seconds_are_not_reported(busy):
    assert about_slow_rank(ranks(*busy)) is None


@pytest.mark.parametrize(
    ("busy", "slow", "usual", "lost"),
    [((50, 90), 1, 50, 40), ((90, 40, 50, 60), 0, 50, 40), ((1, 2, 3, 20), 3, 2, 18)],
)
def test_the_report_names_rank_and_seconds(busy, slow, usual, lost):
    message = about_slow_rank(ranks(*busy))
    assert f"rank {slow} of {len(busy)} (host h{slow}) is slow" in message
    assert f"computed for {max(busy):.1f} of 100.0 seconds" in message
    assert f"others is {usual:.1f}. They have waited {lost:.1f} seconds" in message
    assert message.endswith("how many threads it has (n_threads)")


def test_more_examples_are_named_as_the_reason():
    message = about_slow_rank(ranks(50, 90, rows=(1000, 2000)))
    assert message.endswith("It has 2,000 examples, the others 1,000: divide them evenly")


def test_the_number_of_examples_may_be_unknown():
    assert "rank 1 of 2" in about_slow_rank(ranks(50, 90, rows=(None, None)))


class Sum:
    """A gradient sum each of whose calls takes a second of a clock."""

    def __init__(self, monkeypatch):
        self.time = 0.0
        self.calls = []
        monkeypatch.setattr(slowness, "perf_counter", lambda: self.time)

    def start(self, numbers):
        self.calls.append("start")

    def finish(self, count):
        self.calls.append(("finish", count))
        self.time += 1

    def add_up(self, numbers):
        self.calls.append("add_up")
        self.time += 2

    def total(self, number):
        self.time += 3
        return number


def test_waiting_is_measured(monkeypatch):
    own = Sum(monkeypatch)
    timed = TimedSum(own)
    timed.start(np.zeros(1))
    timed.finish(4)
    timed.add_up(np.zeros(1))
    assert own.calls == ["start", ("finish", 4), "add_up"]
    assert timed.timed(own.total)(7) == 7
    assert timed.seconds == 6


WARNED = """
import warnings
import fastmlp
from fastmlp.distributed import shared_run
shared_run.about_slow_rank = lambda times: "rank 1 is slow"
X, y = fastmlp.datasets.digits()
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    fastmlp.distributed.fit(fastmlp.MLP((64, 10)), X, y, epochs=2)
for one in found:
    print(one.message, one.filename)
"""


def test_rank_0_warns_once_and_names_the_users_line(run_ranks, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(WARNED, "utf-8")
    assert run_ranks(program, 2).stdout == f"rank 1 is slow {program}\n"
