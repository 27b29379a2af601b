"""Which build the package chooses, and what FASTMLP_ISA may ask for."""

from __future__ import annotations

import pytest

from fastmlp import kernels


def test_unset_it_is_the_best_build_that_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTMLP_ISA", raising=False)
    assert kernels.choose() == kernels.isas()[0]


@pytest.mark.parametrize("name", kernels.isas())
def test_each_build_that_runs_here_can_be_chosen(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("FASTMLP_ISA", name)
    assert kernels.choose() == name


def test_a_name_that_is_no_instruction_set_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTMLP_ISA", "avx")
    with pytest.raises(ValueError, match="FASTMLP_ISA is 'avx'; expected one of v4, v3, baseline"):
        kernels.choose()


def test_what_is_not_installed_and_what_cannot_run_are_different_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FASTMLP_ISA", "v4")
    monkeypatch.setattr(kernels, "built", lambda name: name != "v4")
    with pytest.raises(ImportError, match="'v4', a build that is not installed here"):
        kernels.choose()
    monkeypatch.setattr(kernels, "built", lambda name: True)
    monkeypatch.setattr(kernels, "supported", lambda: ("v3", "baseline"))
    with pytest.raises(ImportError, match="'v4', which this processor cannot run"):
        kernels.choose()
