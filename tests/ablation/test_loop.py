"""The loop over runs: every variant with every seed once, also after an interruption."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.ablation import loop
from fastmlp.ablation.summary import Results

Given = dict[str, Any]


def lines(folder: Path) -> list[Given]:
    return [json.loads(line) for line in (folder / "runs.jsonl").read_text().splitlines()]


def accuracies(results: Results) -> list[list[float | None]]:
    return [[run.score for run in row.runs] for row in results.rows]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Variants and seeds of the runs that are made from here on."""
    found = []
    one_run = loop.one_run

    def counted(data: Any, variant: Any, seed: int, stop: Any) -> Any:
        found.append((str(variant), seed))
        return one_run(data, variant, seed, stop)

    monkeypatch.setattr(loop, "one_run", counted)
    return found


def test_every_variant_is_run_with_every_seed(
    given: Given, tmp_path: Path, made: list[tuple[str, int]]
) -> None:
    results = fastmlp.ablation.run(given, tmp_path, n_jobs=2)
    variants = [str(row.variant) for row in results.rows]
    assert sorted(made) == sorted((name, seed) for name in variants for seed in range(3))
    assert [run.seed for row in results.rows for run in row.runs] == [0, 1, 2] * 4
    assert len(lines(tmp_path)) == results.n_runs == 12


def test_a_run_has_the_figures_of_the_same_calls(given: Given, tmp_path: Path) -> None:
    results = fastmlp.ablation.run(given, tmp_path)
    X, y = fastmlp.datasets.digits()
    net = fastmlp.MLP((64, 8, 10), activation="sigmoid", seed=2)
    history = net.fit(X[100:1500], y[100:1500], epochs=2)
    run = results.rows[1].runs[2]
    assert run.score == np.mean(net.predict(X[1500:]) == y[1500:])
    assert run.validation_score == np.mean(net.predict(X[:100]) == y[:100])
    assert run.cost == history.cost[-1]


def test_the_results_do_not_depend_on_the_number_of_jobs(given: Given, tmp_path: Path) -> None:
    one = fastmlp.ablation.run(given, tmp_path / "one", n_jobs=1)
    four = fastmlp.ablation.run(given, tmp_path / "four", n_jobs=4)
    assert accuracies(one) == accuracies(four)


def test_finished_runs_are_not_made_again(
    given: Given, tmp_path: Path, made: list[tuple[str, int]]
) -> None:
    first = fastmlp.ablation.run(given, tmp_path)
    before = (tmp_path / "runs.jsonl").read_bytes()
    made.clear()
    again = fastmlp.ablation.run(given, tmp_path)
    assert made == []
    assert (tmp_path / "runs.jsonl").read_bytes() == before
    assert again.rows == first.rows
    assert (again.seconds, again.elapsed) == (first.seconds, first.elapsed)


def test_after_an_edit_only_what_changed_is_run(
    given: Given, tmp_path: Path, made: list[tuple[str, int]]
) -> None:
    fastmlp.ablation.run(given, tmp_path)
    made.clear()
    given["study"] |= {"seeds": [0, 1, 2, 3], "title": "Another"}
    given["base"]["l2"] = 0.0  # as it was by default
    given["factors"]["activation"][0] = "elu"
    results = fastmlp.ablation.run(given, tmp_path)
    fourth = [(name, 3) for name in ("base", "activation: tanh", "depth: two layers")]
    assert sorted(made) == sorted(fourth + [("activation: elu", seed) for seed in range(4)])
    assert len(results.rows) == 4


def test_runs_on_other_images_are_other_runs(
    given: Given, tmp_path: Path, made: list[tuple[str, int]]
) -> None:
    fastmlp.ablation.run(given, tmp_path)
    made.clear()
    given["study"]["validation_images"] = 200
    fastmlp.ablation.run(given, tmp_path)
    assert len(made) == 12


def test_variants_with_the_same_settings_share_a_run(
    given: Given, tmp_path: Path, made: list[tuple[str, int]]
) -> None:
    given["factors"] = {"activation": ["relu"], "dropout": [0]}
    results = fastmlp.ablation.run(given, tmp_path)
    assert made == [("base", 0), ("base", 1), ("base", 2)]
    assert [row.difference for row in results.rows] == [None, 0.0, 0.0]


def test_the_dtype_of_the_images_is_part_of_the_identity(
    given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = fastmlp.datasets.digits()
    monkeypatch.setattr(fastmlp.datasets, "digits", lambda: (X.view(np.int32), y))
    fastmlp.ablation.run(given, tmp_path)
    monkeypatch.undo()
    first = lines(tmp_path)[0]["data"]
    fastmlp.ablation.run(given, tmp_path)
    second = lines(tmp_path)[-1]["data"]
    assert first["fingerprint"] != second["fingerprint"]
    assert {**first, "fingerprint": ""} == {**second, "fingerprint": ""}


def test_divergence_is_a_result(given: Given, tmp_path: Path) -> None:
    given["factors"] = {"optimizer": [{"name": "gradient_descent", "learning_rate": 1e30}]}
    results = fastmlp.ablation.run(given, tmp_path)
    row = results.rows[1]
    assert (row.diverged, row.mean, row.difference) == (3, None, None)
    assert all("infinite or NaN in epoch 1" in run.diverged for run in row.runs)
    assert "| optimizer | gradient_descent (learning_rate 1e+30) | diverged |" in (
        tmp_path / "table.md"
    ).read_text("utf-8")
    assert fastmlp.ablation.run(given, tmp_path).rows == results.rows


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_an_error_ends_the_study_and_keeps_finished_runs(
    given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    printed = []

    def fail(line: str) -> None:
        printed.append(line)
        if len(printed) == 3:
            raise error

    monkeypatch.setattr(loop, "print_line", fail)
    with pytest.raises(type(error)):
        fastmlp.ablation.run(given, tmp_path, n_jobs=1, verbose=True)
    recorded = lines(tmp_path)
    assert 3 <= len(recorded) <= 12
    fastmlp.ablation.run(given, tmp_path)
    assert lines(tmp_path)[: len(recorded)] == recorded
    assert len(lines(tmp_path)) == 12


def test_a_run_that_was_stopped_early_is_not_recorded(
    given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given["base"]["epochs"] = 1_000_000
    given["factors"] = {"activation": ["tanh"]}

    network = fastmlp.ablation.Settings.network

    def breaking(self: Any, *arguments: Any, **options: Any) -> Any:
        if self.activation[0].name == "tanh":
            raise RuntimeError("broken")
        return network(self, *arguments, **options)

    monkeypatch.setattr(fastmlp.ablation.Settings, "network", breaking)
    with pytest.raises(RuntimeError, match="broken"):
        fastmlp.ablation.run(given, tmp_path, n_jobs=2)
    assert lines(tmp_path) == []


@pytest.mark.parametrize(("study", "base", "message"), [
    ({"validation_images": 1500}, {}, "validation set of 1,500 examples leaves none of the 1,500"),
    ({"validation_images": 0}, {"batch_size": 1499, "batch_norm": True}, "base: batch norm needs"),
    ({"validation_images": 0}, {"batch_size": 1, "batch_norm": True}, "base: batch norm needs"),
    ({}, {"hidden": [0]}, "base: hidden[0] must be at least 1, got 0"),
])
def test_an_invalid_study_is_refused_before_anything_is_written(
    given: Given, tmp_path: Path, study: Given, base: Given, message: str
) -> None:
    given["study"] |= study
    given["base"] |= base
    with pytest.raises(ValueError) as caught:
        fastmlp.ablation.run(given, tmp_path / "out")
    assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_bad_arguments_are_refused(given: Given, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs a folder"):
        fastmlp.ablation.run(given)
    with pytest.raises(ValueError, match="n_jobs must be at least 1"):
        fastmlp.ablation.run(given, tmp_path, n_jobs=0)
    with pytest.raises(ValueError, match="the digits come with fastmlp"):
        fastmlp.ablation.run(given, tmp_path, data=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        fastmlp.ablation.run(given, tmp_path / "file")


def test_results_are_written_beside_the_study_by_default(given: Given, tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(
        '[study]\ndata = "digits"\nseeds = 1\n'
        "[base]\nhidden = [8]\nepochs = 1\n[factors]\ndropout = [0.5]\n"
    )
    fastmlp.ablation.run(path)
    assert {"runs.jsonl", "runs.csv", "table.md"} <= {
        one.name for one in (tmp_path / "small").iterdir()
    }
