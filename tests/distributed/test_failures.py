"""What goes wrong on one rank ends all of them, with a clear message and without waiting."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import fastmlp

PROGRAM = Path(__file__).with_name("failures.py")


def lines_of(output, case):
    """Return what each rank printed of a case, by its number."""
    return dict(re.findall(rf"^rank (\d), {case}: (.*)$", output, re.MULTILINE))


# a case, and the beginning of what the last rank says, and a part of what the other one says
WRONG = [
    ("empty shard", "ValueError: X is empty", "rank 1 of 2 failed.*ValueError: X is empty"),
    ("columns", "ValueError: X has 2 columns", "rank 1 of 2 failed.*X has 2 columns"),
    (
        "unknown option",
        "TypeError: fit has no option",
        "rank 1 of 2 failed.*no option",
    ),
    (
        "other weights",
        "ValueError: ranks 0 and 1 differ in the parameters",
        None,
    ),
    ("other seed", "ValueError: ranks 0 and 1 differ in the sizes or options", None),
    (
        "other sharing",
        "ValueError: ranks 0 and 1 differ in the accumulate, local_steps or compression",
        None,
    ),
    (
        "other compression",
        "ValueError: ranks 0 and 1 differ in the accumulate, local_steps or compression",
        None,
    ),
    ("threads of one rank", "6 epochs, epochs", None),
    ("wrong sharing", "ValueError: compression must be", "rank 1 of 2 failed.*compression"),
    ("local divergence", "TrainingDiverged: the cost or a parameter became", None),
    ("other options", "ValueError: ranks 0 and 1 differ in the options of fit", None),
    ("other batch size", "ValueError: ranks 0 and 1 differ in the options of fit", None),
    ("other dtype", "ValueError: ranks 0 and 1 differ in the sizes or options", None),
    ("no targets", "TypeError: y is missing", None),
    ("time is up", "2 epochs, max_seconds, 2 batches more", None),
    (
        "broken chunk",
        "ValueError: chunk 2: X has 3 columns",
        "rank 1 of 2 failed.*chunk 2: X has 3 columns",
    ),
    ("chunks and arrays", "ValueError: X_local is an iterable of chunks on some ranks", None),
    ("memory map and array", "6 epochs, epochs", None),
    (
        "one row left of normalized chunks",
        "ValueError: batch norm needs at least 2 examples in each batch",
        None,
    ),
    ("no chunk", "ValueError: no chunk came", "rank 1 of 2 failed.*no chunk came"),
    (
        "small batches of chunks",
        "ValueError: batch_size is 1 and there are 2 ranks",
        None,
    ),
    ("divergence", "TrainingDiverged: the cost or a parameter became infinite or NaN", None),
    ("divergence on one rank", "TrainingDiverged: the cost or a parameter became", None),
    ("callback fails", "KeyError: 'of a callback'", "rank 1 of 2 failed.*'of a callback'"),
    ("drift", "RuntimeError: the parameters of the ranks differ after epoch 2", None),
    (
        "early stopping of one rank",
        "RuntimeError: the parameters of the ranks differ at the end of training",
        None,
    ),
    ("callback stops", "2 epochs, AfterEpochs", None),
]


@pytest.fixture(scope="module")
def said(run_ranks):
    """What two ranks print in one job, which goes on after each error."""
    return run_ranks(PROGRAM, 2, ",".join(case for case, *_ in WRONG)).stdout


@pytest.mark.parametrize(("case", "own", "others"), WRONG)
def test_every_rank_says_what_is_wrong(said, case, own, others):
    found = lines_of(said, case)
    assert re.match(own, found["1"])
    assert re.search(others or own, found["0"])


def test_a_slow_rank_is_reported_once(run_ranks):
    result = run_ranks(PROGRAM, 3, "slow rank")
    message = (
        r"rank 2 of 3 \(host host2\) is slow: it has computed for 9\.0 of 9\.5 seconds, the median "
        r"of the others is 2\.5\. They have waited 6\.5 seconds for it\."
    )
    assert len(re.findall(message, result.stderr)) == 1


FOLDERS = {
    "folder": "6 epochs, epochs",
    "other folder": "ValueError: X_local of ranks 0 and 1 are different folders or columns",
    "small folder": "ValueError: .* has 1 row groups for 2 ranks",
}


@pytest.fixture(scope="module")
def said_of_folders(run_ranks, tmp_path_factory):
    """What two ranks print with two folders of Parquet files: of eight row groups, and of one."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rng = np.random.default_rng(0)
    table = pa.table({name: rng.normal(size=128) for name in "abcd"} | {"y": np.arange(128) % 3})
    paths = [tmp_path_factory.mktemp(name) for name in ("many", "one")]
    for path, size in zip(paths, (16, 128), strict=True):
        pq.write_table(table, path / "rows.parquet", row_group_size=size)
    return run_ranks(PROGRAM, 2, ",".join(FOLDERS), *paths).stdout


@pytest.mark.parametrize("case", FOLDERS)
def test_ranks_divide_a_folder_of_parquet_files(said_of_folders, case):
    found = lines_of(said_of_folders, case)
    assert all(re.match(FOLDERS[case], found[rank]) for rank in "01"), found


def test_an_error_that_one_rank_alone_meets_ends_the_job(run_ranks):
    found = run_ranks(PROGRAM, 2, "interrupt", succeeds=False)
    assert "rank 1 of 2 failed alone (KeyboardInterrupt: ) and ends the job" in found.stderr
    assert not lines_of(found.stdout, "interrupt")  # nobody went on


@pytest.fixture(scope="module")
def checkpoint(run_ranks, tmp_path_factory):
    """The checkpoint of a job of which a rank was killed."""
    path = tmp_path_factory.mktemp("killed") / "net.npz"
    killed = run_ranks(PROGRAM, 2, "killed", path, succeeds=False)
    assert "signal 9" in killed.stdout + killed.stderr
    assert 0 < fastmlp.load(path).epochs < 6
    return path


def test_a_killed_rank_ends_the_job_which_resumes_from_its_checkpoint(
    run_ranks, checkpoint, tmp_path
):
    """The bits are those of a job that was not interrupted."""
    whole, part = tmp_path / "whole.npz", tmp_path / "part.npz"
    run_ranks(PROGRAM, 2, "checkpoint", whole)
    shutil.copy(checkpoint, part)
    run_ranks(PROGRAM, 2, "resume", part)
    assert fastmlp.load(part).epochs == 6
    for ours, theirs in zip(fastmlp.load(part).weights, fastmlp.load(whole).weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_checkpoint_is_resumed_with_another_number_of_ranks(run_ranks, checkpoint, tmp_path):
    path = shutil.copy(checkpoint, tmp_path)
    epochs = fastmlp.load(path).epochs
    found = lines_of(run_ranks(PROGRAM, 3, "resume", path).stdout, "resume")
    assert found == {str(rank): f"{6 - epochs} epochs, epochs" for rank in range(3)}
