"""The processors' time that control groups leave to this process."""

from __future__ import annotations

import math
import os

import pytest

import fastmlp
from fastmlp.support import quota, threads


@pytest.fixture
def group(tmp_path, monkeypatch):
    """Function that writes the file of a group, and one that sets the groups of the process."""
    monkeypatch.setattr(quota, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(quota, "OWN_GROUPS", tmp_path / "own")
    quota.processor_quota.cache_clear()
    (tmp_path / "own").write_text("0::/\n")

    def written(path, text):
        file = tmp_path / ("own" if path == "own" else f"cgroup/{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    yield written
    quota.processor_quota.cache_clear()


def test_the_group_of_a_container_has_the_quota(group):
    group("cpu.max", "150000 100000\n")
    assert quota.processor_quota() == 1.5


@pytest.mark.parametrize("folder", ["", "unified/"])
def test_the_least_quota_of_a_group_and_its_parents_holds(group, folder):
    group("own", "0::/pods/pod7/worker\n")
    group(f"{folder}pods/pod7/worker/cpu.max", "max 100000\n")
    group(f"{folder}pods/pod7/cpu.max", "400000 200000\n")
    group(f"{folder}pods/cpu.max", "800000 100000\n")
    assert quota.processor_quota() == 2


@pytest.mark.parametrize("name", ["cpu", "cpu,cpuacct", "cpuacct,cpu"])
def test_the_first_version_of_groups_has_two_files(group, name):
    group("own", f"9:memory:/a\n4:{name}:/a/b\n")
    group(f"{name}/a/cpu.cfs_quota_us", "50000\n")
    group(f"{name}/a/cpu.cfs_period_us", "100000\n")
    group(f"{name}/a/b/cpu.cfs_quota_us", "-1\n")
    group(f"{name}/a/b/cpu.cfs_period_us", "100000\n")
    assert quota.processor_quota() == 0.5


def test_the_name_of_a_group_may_have_a_colon(group):
    group("own", "0::/user:7\n")
    group("user:7/cpu.max", "200000 100000\n")
    assert quota.processor_quota() == 2


def test_a_path_of_the_machine_outside_is_the_root_inside(group):
    group("own", "0::/docker/0123abcd\n")
    group("cpu.max", "300000 100000\n")
    assert quota.processor_quota() == 3


@pytest.mark.parametrize(
    "text", ["max 100000", "", "many 100000", "100000", "100000 0", "-1 100000", "0 100000"]
)
def test_what_is_no_quota_is_no_limit(group, text):
    group("cpu.max", text)
    assert quota.processor_quota() == math.inf


@pytest.mark.parametrize("own", ["", "nonsense", "0:", "0::/../..", "1:name=systemd:/"])
def test_groups_that_cannot_be_read_are_no_limit(group, own):
    group("own", own)
    assert quota.processor_quota() == math.inf


def test_a_system_without_groups_has_no_limit(group, monkeypatch, tmp_path):
    monkeypatch.setattr(quota, "OWN_GROUPS", tmp_path / "nowhere")
    assert quota.processor_quota() == math.inf


@pytest.mark.parametrize(("limit", "expected"), [("50000", 1), ("150000", 2), ("max", 8)])
def test_the_default_number_of_threads_is_that_of_the_quota(group, monkeypatch, limit, expected):
    group("cpu.max", f"{limit} 100000")
    monkeypatch.setattr(threads, "_chosen", None)
    monkeypatch.setattr(threads, "_omp_before", threads.kernels.omp_threads())
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert fastmlp.get_num_threads() == expected
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert fastmlp.get_num_threads() == 5
