"""No command overwrites what it reads; devices and pipes are written to."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.cli.options import check_outputs, writable

Command = Callable[..., Any]  # see conftest.py

IMAGES = "train-images-idx3-ubyte.gz"
COMMANDS = {
    "train --save": "train t.csv --label c --save {}",
    "train --html": "train t.csv --label c --save new.npz --html {}",
    "recipe --save": "train --recipe r.toml --data mnist --save {}",
    "recipe --html": "train --recipe r.toml --data mnist --html {}",
    "recipe --checkpoint": "train --recipe r.toml --data mnist --checkpoint {}",
    "train --test": "train t.csv --label c --test s.toml --config r.toml --save {}",
    "explain --html": "explain m.npz t.csv --html {}",
    "explain --importances": "explain m.npz t.csv --importances {}",
    "explain --dependence": "explain m.npz t.csv --dependence {}",
    "predict --output": "predict m.npz t.csv --output {}",
    "export": "export m.npz {}",
    "export --calibration": "export m.npz {} --quantized --calibration t.csv",
    "draw --model": "draw --model m.npz --out {}",
    "draw --recipe": "draw --recipe r.toml --data mnist --out {}",
    "report --save": "report --data mnist --save {}",
    "report --html": "report --data mnist --html {}",
    "search --save": "search t.csv --label c --space s.toml --save {}",
    "search --save-config": "search t.csv --label c --space s.toml --save-config {}",
    "search --storage": "search t.csv --label c --space s.toml --storage {}",
}
INPUTS = {"t.csv", "m.npz", "r.toml", "s.toml", f"mnist/{IMAGES}"}


def read_by(command: str) -> list[str]:
    """The files that a command reads."""
    words = COMMANDS[command].split()
    return [one for one in sorted(INPUTS) if one in words or ("mnist/" in one and "mnist" in words)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / IMAGES).write_bytes(b"images")
    (tmp_path / "t.csv").write_text("a,b,c\n" + "".join(f"{i},{i % 3},{i % 2}\n" for i in range(9)))
    (tmp_path / "r.toml").write_text('name = "r"\n')
    (tmp_path / "s.toml").write_text("dropout = 0.1\n")
    net = fastmlp.MLP((2, 3))
    net.metadata = {"columns": ["a", "b"]}
    net.save(tmp_path / "m.npz")
    return tmp_path


@pytest.mark.parametrize("way", ["path", "symbolic link", "hard link"])
@pytest.mark.parametrize(
    ("command", "name"), [(one, name) for one in COMMANDS for name in read_by(one)]
)
def test_an_output_that_is_an_input_is_refused_before_anything_is_read(
    fastmlp_command: Command, folder: Path, command: str, name: str, way: str
) -> None:
    suffix = ".c" if command.startswith("export") else ""
    output = folder / f"other{suffix}"
    if way == "symbolic link":
        output.symlink_to(folder / name)
    elif way == "hard link":
        os.link(folder / name, output)
    elif suffix:
        pytest.skip("the ending of a model or a table is not that of an export")
    else:
        output = Path(".") / "mnist" / ".." / name
    content = (folder / name).read_bytes()
    code, out, err = fastmlp_command(*COMMANDS[command].format(output).split())
    assert (code, out) == (2, "")
    assert f"{output} is the same file as " in err
    assert err.count("\n") == 1
    assert (folder / name).read_bytes() == content


def test_a_model_card_is_an_output_too(fastmlp_command: Command, folder: Path) -> None:
    os.link(folder / "r.toml", folder / "new.npz.card.json")
    err = fastmlp_command("train", "--recipe", "r.toml", "--data", "mnist", "--save", "new.npz").err
    assert "the model card new.npz.card.json is the same file as --recipe r.toml" in err
    outputs = ("--save", "s.npz", "--save-config", "s.npz.card.json")
    err = fastmlp_command("search", "t.csv", "--label", "c", *outputs).err
    assert "--save-config s.npz.card.json is the same file as the model card s.npz.card.json" in err


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv", "table.md", "accuracy.png"])
def test_results_of_a_study_do_not_replace_the_study(
    fastmlp_command: Command, folder: Path, name: str
) -> None:
    study = "[study]\ndata = 'digits'\n[base]\nhidden = [4]\n[factors]\ndropout = [0.5]\n"
    (folder / name).write_text(study)
    code, _, err = fastmlp_command("ablate", name, "--out", ".")
    assert code == 2
    assert f"{name} {name} is the same file as the study {name}" in err
    assert (folder / name).read_text() == study


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.csv", "table.md", "rmse.png"])
def test_results_of_a_study_do_not_replace_its_table(
    fastmlp_command: Command, folder: Path, name: str
) -> None:
    table = "x,y\n" + "".join(f"{i},{i * i / 7}\n" for i in range(30))
    (folder / name).write_text(table)
    code, _, err = fastmlp_command("ablate", name, "--label", "y", "--out", ".")
    assert code == 2
    assert f"{name} {name} is the same file as the table {name}" in err
    assert (folder / name).read_text() == table


def test_two_outputs_are_two_files(folder: Path) -> None:
    (folder / "link").symlink_to("new")
    with pytest.raises(ValueError, match="--b link is the same file as --a new"):
        check_outputs({"--a": Path("new"), "--b": Path("link"), "--c": None}, {})


posix = pytest.mark.skipif(os.name != "posix", reason="devices of POSIX")


@posix
def test_a_device_may_be_named_more_than_once() -> None:
    null = Path("/dev/null")
    check_outputs({"--a": null, "--b": null}, {"TABLE": null})


@posix
def test_devices_are_written_to(fastmlp_command: Command, folder: Path) -> None:
    for command in ("predict m.npz t.csv --output /dev/null", "draw --model d.npz --out /dev/null"):
        fastmlp.MLP((784, 10)).save("d.npz")
        assert fastmlp_command(*command.split()) == (0, "", "")
    assert not Path("/dev/null").is_file()


@posix
@pytest.mark.parametrize(
    ("output", "kind"),
    [("-", "pipe"), ("-", "file"), ("/dev/stdout", "file"), ("/dev/fd/1", "pipe")],
)
def test_the_standard_output_is_an_output(folder: Path, output: str, kind: str) -> None:
    command = [sys.executable, "-m", "fastmlp", "predict", "m.npz", "t.csv", "--output", output]
    source = str(Path(fastmlp.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": source}
    if kind == "pipe":
        found = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    else:
        with open("out.csv", "wb") as file:
            subprocess.run(command, env=environment, check=True, stdout=file)
        found = Path("out.csv").read_bytes()
    X = np.array([[i, i % 3] for i in range(9)])
    expected = fastmlp.load("m.npz").predict(X)
    assert found.decode().split() == ["prediction", *map(str, expected)]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere/net.npz", "there is no folder "),
        ("folder", "Is a directory"),
        ("link.npz", "there is no folder "),
        ("protected.npz", "the file is write-protected"),
    ],
)
def test_what_cannot_be_written_is_refused_as_by_save(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.npz").symlink_to(tmp_path / "nowhere" / "net.npz")
    protected = tmp_path / "protected.npz"
    protected.write_bytes(b"old")
    allowed = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: path != str(protected) and allowed(path, mode)
    )
    path = tmp_path / name
    with pytest.raises(OSError, match=reason):
        fastmlp.MLP((2, 2)).save(path)
    with pytest.raises(argparse.ArgumentTypeError) as error:
        writable(str(path))
    assert str(error.value).startswith(f"{path} cannot be written: {reason}")


def test_an_empty_path_is_no_file_to_write() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="path must be the name of a file or f"):
        writable("")


@pytest.mark.parametrize("command", ["ablate s.toml --out", "train t.csv --label c --log-dir"])
def test_an_empty_path_is_no_folder_to_write_in(
    fastmlp_command: Command, folder: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastmlp.cli.options.find_spec", lambda name: object())
    before = sorted(folder.iterdir())
    code, _, err = fastmlp_command(*command.split(), "")
    assert code == 2
    assert "FOLDER must be the name of a file or folder, got ''" in err
    assert sorted(folder.iterdir()) == before
