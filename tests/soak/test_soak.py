"""One round of the soak, and that it notices what grows; tests/soak/soak.py runs it for longer."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")
from soak import Sample, growth
from soak_jobs import JOBS

MIB = 2**20


@pytest.mark.usefixtures("own_number_of_threads")
@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.__name__)
def test_each_job_runs_to_its_end(job, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        job(np.random.default_rng(1), tmp_path)


def samples(**changed: float) -> list[Sample]:
    """A hundred rounds; an attribute in `changed` grows by so much in each."""
    start = {"resident": 200.0 * MIB, "allocated": 0, "blocks": 0, "threads": 2, "descriptors": 4}
    return [
        Sample(i, **{name: int(n + i * changed.get(name, 0)) for name, n in start.items()})
        for i in range(100)
    ]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [({}, 0), ({"resident": 0.04 * MIB}, 0), ({"resident": 0.06 * MIB}, 1), ({"threads": 0.1}, 1),
     ({"descriptors": 0.1, "threads": 0.1}, 2)],
)  # fmt: skip
def test_what_grows_after_the_warm_up_is_reported(changed, expected) -> None:
    assert len(growth(samples(**changed), 0.2)) == expected


def test_what_grows_in_the_warm_up_alone_is_not_reported() -> None:
    early = [one._replace(resident=1, threads=1) for one in samples()[:20]]
    assert not growth(early + samples()[20:], 0.2)
