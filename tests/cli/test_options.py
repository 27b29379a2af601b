"""The options that several commands share: what they take, and what they are by default."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import fastmlp
from fastmlp.cli import options
from fastmlp.datasets import mnist  # noqa: F401  its module is looked up below

NUMBERS = {
    options.seed: (["0", "4294967295"], ["-1", "4294967296", "1.5", "one", ""]),
    options.positive: (["1", "70000"], ["0", "-1", "1.0", ""]),
    options.fraction: (["0", "0.999"], ["-0.1", "1", "nan", "half"]),
    options.not_negative: (["0", "7.5"], ["-0.1", "inf", "nan", "none"]),
    options.share: (["0.001", "0.999"], ["0", "1", "nan"]),
    options.above_zero: (["0.001", "1e9"], ["0", "-1", "inf", "nan"]),
}


@pytest.mark.parametrize("parse", NUMBERS, ids=lambda one: one.__name__)
def test_numbers_are_taken_within_their_range(parse: Callable[[str], float]) -> None:
    right, wrong = NUMBERS[parse]
    assert [parse(text) for text in right] == [float(text) for text in right]
    for text in wrong:
        with pytest.raises(argparse.ArgumentTypeError, match=f"'{text}' is not a "):
            parse(text)


def test_without_options_training_has_seed_0_and_all_threads() -> None:
    parser = argparse.ArgumentParser()
    options.add_training_options(parser)
    options.add_data_option(parser)
    options.add_log_option(parser)
    options.add_page_option(parser)
    assert vars(parser.parse_args([])) == {
        "seed": 0, "threads": None, "data": None, "log_dir": None, "html": None
    }  # fmt: skip


@pytest.mark.parametrize(("default", "shown"), [(None, "all cores"), (1, "1")])
def test_the_help_of_jobs_says_how_many_there_are(default: int | None, shown: str) -> None:
    parser = argparse.ArgumentParser()
    options.add_jobs_option(parser, "trials", default)
    assert parser.parse_args([]).jobs == default
    assert parser.parse_args(["--jobs", "3"]).jobs == 3
    assert f"(default: {shown})" in " ".join(parser.format_help().split())


def test_threads_are_set_only_if_they_are_given(own_number_of_threads: None) -> None:
    before = fastmlp.get_num_threads()
    options.set_threads(argparse.Namespace(threads=None))
    assert fastmlp.get_num_threads() == before
    options.set_threads(argparse.Namespace(threads=1))
    assert fastmlp.get_num_threads() == 1


def test_mnist_lies_in_the_folder_of_the_option_the_variable_or_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("option", "variable", "cache"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t10k-labels-idx1-ubyte.gz").touch()
        (tmp_path / name / "notes.txt").touch()

    def folder_of(data: str | None) -> str:
        (name, path), = options.data_files(data).items()
        assert name == "the data file t10k-labels-idx1-ubyte.gz" == f"the data file {path.name}"
        return path.parent.name

    monkeypatch.setattr(
        sys.modules["fastmlp.datasets.mnist"], "cache_folder", lambda: tmp_path / "cache"
    )
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    assert folder_of(None) == "cache"
    monkeypatch.setenv("FASTMLP_DATA", str(tmp_path / "variable"))
    assert folder_of(None) == "variable"
    assert folder_of(str(tmp_path / "option")) == "option"


def test_a_recipe_is_a_file_if_it_is_named_like_one() -> None:
    assert options.recipe_file("own.toml") == {"--recipe": Path("own.toml")}
    for recipe in ("fast", "", None):
        assert options.recipe_file(recipe) == {}


@pytest.mark.parametrize("stopped_by", ["interrupt", "epochs"])
def test_ctrl_c_in_training_ends_the_command(stopped_by: str) -> None:
    history = SimpleNamespace(stopped_by=stopped_by)
    if stopped_by == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            options.run_fit(lambda *_, **__: history, 1, epochs=2)
    else:
        assert options.run_fit(lambda *_, **__: history, 1, epochs=2) is history


def test_files_to_write_are_paths_and_the_standard_output_is_none(tmp_path: Path) -> None:
    file = tmp_path / "model.npz"
    assert options.writable(str(file)) == options.writable_or_standard(str(file)) == file
    assert options.writable_or_standard("-") is options.writable_or_standard("/dev/stdout") is None
    with pytest.raises(argparse.ArgumentTypeError, match="- is the standard output"):
        options.writable("-")


@pytest.mark.parametrize("parse", [options.page_file, options.log_folder])
def test_what_needs_an_extra_is_refused_without_it(
    parse: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "new"
    monkeypatch.setattr(options, "find_spec", lambda name: object())
    assert parse(str(path)) == path
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    with pytest.raises(argparse.ArgumentTypeError, match="pip install 'fastmlp"):
        parse(str(path))


def test_logs_need_a_folder_which_may_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "find_spec", lambda name: object())
    assert options.log_folder(str(tmp_path)) == tmp_path
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(argparse.ArgumentTypeError, match="is a file; give a folder"):
        options.log_folder(str(file))


def test_the_networks_of_logs_are_counted_from_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "TensorBoard", lambda folder: folder)
    callbacks = options.log_callbacks(tmp_path)
    net = fastmlp.MLP((1, 2))
    assert [callbacks(net) for _ in "ab"] == [[tmp_path / "network-1"], [tmp_path / "network-2"]]


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="there is no such device")
def test_files_are_named_once_and_devices_as_often_as_wanted(tmp_path: Path) -> None:
    file, device = tmp_path / "model.npz", Path("/dev/null")
    options.check_outputs({"--save": device, "--html": device, "--card": None}, {"TABLE": device})
    options.check_outputs({"--save": file, "--html": tmp_path / "page"}, {"TABLE": None})
    for _ in ("not there", "there"):
        with pytest.raises(ValueError, match="--html .* is the same file as --save"):
            options.check_outputs({"--save": file, "--html": file}, {})
        with pytest.raises(ValueError, match="--save .* is the same file as TABLE"):
            options.check_outputs({"--save": file}, {"TABLE": file})
        file.touch()


def test_without_a_folder_there_are_no_logs() -> None:
    assert options.log_callbacks(None) is None
