"""The command line as a process: help, usage, exit codes, Ctrl-C, and readers that go away."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.cli import COMMANDS, build_parser

Command = Callable[..., Any]  # see conftest.py
ROOT = Path(__file__).parents[2]
SPANS = re.MULTILINE | re.DOTALL
PAGES = [
    page
    for page in [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
    if re.search(r"^(\$ |.*&& |mpiexec -n \d+ )?fastmlp \w", page.read_text("utf-8"), re.MULTILINE)
]


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts ``python -m fastmlp`` on the fastmlp under test, outside the source tree."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "fastmlp", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(Path(fastmlp.__file__).parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_examples(fastmlp_command: Command, name: str) -> None:
    code, out, _ = fastmlp_command(name, "--help")
    assert code == 0
    assert f"examples:\n  fastmlp {name}" in out
    assert out.isascii()  # whatever the terminal's encoding
    assert name in fastmlp_command("--help").out


def commands_of(text: str) -> list[list[str]]:
    """The arguments of each command fastmlp among the lines of a text."""
    lines = re.sub(r"\\\n", "", text).splitlines()
    form = r"^(?:\$ |.*&& |mpiexec -n \d+ |\s+)?fastmlp ((?:\w|-).*)"
    found = [re.search(form, one) for one in lines]
    return [shlex.split(one[1], comments=True) for one in found if one]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_each_command_are_understood(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    examples = commands_of(COMMANDS[name].EXAMPLES)
    assert examples
    for arguments in examples:
        assert build_parser().parse_known_args(arguments)[1] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_each_page_are_understood(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"^ *```(?:sh|console)\n(.*?)^ *```$", page.read_text("utf-8"), SPANS):
        for arguments in commands_of(block):
            assert build_parser().parse_known_args(arguments)[1] == []


def test_the_version_is_the_package_s(fastmlp_command: Command) -> None:
    assert fastmlp_command("--version").out == f"fastmlp {fastmlp.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "fastmlp: error: the following arguments are required: COMMAND"),
        (["trane"], "fastmlp: error: argument COMMAND: invalid choice: 'trane'"),
        (["report", "--epochs", "0"], "'0' is not a whole number, 1 or more"),
        (["report", "--epochs", "1.5"], "'1.5' is not a whole number, 1 or more"),
        (["report", "--seed", "-1"], "fastmlp report: error: argument --seed"),
        (
            ["report", "--epoch", "3"],
            "fastmlp report: error: unrecognized arguments: --epoch 3; did you mean --epochs? (see "
            "fastmlp report --help)",
        ),
        (["train", "t.csv", "--label", "y", "--test-fracton=0.5"], "mean --test-fraction? (see"),
        (["train", "t.csv", "--label", "y", "--lr", "0.1"], "did you mean --learning-rate? (see"),
        (["train", "t.csv", "--label", "y", "--hidden-layer-sizes", "9"], "mean --hidden? (see"),
        (["search", "t.csv", "--label", "y", "--no-prunin"], "arguments: --no-prunin (see"),
        (["info", "a", "b"], "fastmlp info: error: unrecognized arguments: b (see fastmlp info"),
        (["train", "t.csv"], "required: --label"),
        (["train", "--hidden", "64,0", "t.csv"], "'0' is not a whole number, 1 or more"),
        (["train", "--quality", "god", "t.csv"], "argument --quality: invalid choice: 'god'"),
        (["train", "--test-fraction", "1", "t.csv"], "'1' is not a number from 0 to below 1"),
        (["train", "--learning-rate", "fast", "t.csv"], "'fast' is not a number above 0"),
        (["train", "--weight-decay", "-1", "t.csv"], "'-1' is not a number, 0 or more"),
        (["train", "--weight-decay", "nan", "t.csv"], "'nan' is not a number, 0 or more"),
        (["train", "--seed", "4294967296", "t.csv"], "not a whole number from 0 to below 2^32"),
        (["train", "--save", "-", "t.csv"], "argument --save: - is the standard output, to which"),
    ],
)
def test_wrong_usage_is_one_line(
    fastmlp_command: Command, arguments: list[str], message: str
) -> None:
    code, out, err = fastmlp_command(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_failure_of_the_machine_is_1(
    fastmlp_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "model.npz")

    monkeypatch.setattr("fastmlp.datasets.mnist", full)
    assert fastmlp_command("report") == (
        1,
        "",
        "fastmlp report: error: model.npz: No space left on device\n",
    )


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (FloatingPointError("the output is not finite"), 1, "the output is not finite"),
        (MemoryError("Unable to allocate 4 TiB"), 1, "not enough memory (Unable to allocate 4 T"),
        (OverflowError("int too big"), 1, "a number is too large: int too big"),
        (RecursionError("maximum depth"), 1, "a file is nested too deeply"),
        (ImportError("plots need matplotlib"), 2, "plots need matplotlib"),
        (ModuleNotFoundError("No module named 'scipy'", name="scipy"), 2,
         'this needs scipy, which is not installed: pip install "fastmlp[tabular]"'),
        (ModuleNotFoundError("No module named 'sci'", name="sci"), 2, "No module named 'sci'"),
        (KeyError("x"), 70, "unexpected KeyError: 'x'. This is a mistake of fastmlp"),
        (TypeError("a\n\x1b[2Jb"), 70, "unexpected TypeError: a \\x1b[2Jb. This is a mistake"),
        (ValueError("long " * 9999), 2, "long long"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_every_error_is_one_line(
    fastmlp_command: Command,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    message: str,
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("fastmlp.datasets.mnist", fail)
    found = fastmlp_command("report")
    assert found[:2] == (code, "")
    assert found.err.startswith(f"fastmlp report: error: {message}")
    assert found.err.count("\n") == 1
    assert len(found.err) < 3_000
    assert ("https://github.com/fastmlp/fastmlp/issues" in found.err) == (code == 70)
    assert found.err.removesuffix("\n").isprintable()


def test_the_traceback_of_a_mistake_of_ours_is_shown_on_request(
    fastmlp_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastmlp.datasets.mnist", lambda data: None)
    monkeypatch.setenv("FASTMLP_TRACEBACK", "1")
    code, _, err = fastmlp_command("report")
    assert code == 70
    assert err.startswith("Traceback")
    assert "unexpected TypeError" in err.splitlines()[-1]


def test_ctrl_c_while_arguments_are_parsed_is_one_line(
    fastmlp_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fastmlp.cli.build_parser", interrupted)
    assert fastmlp_command("info") == (130, "", "fastmlp: error: interrupted\n")


def test_wrong_usage_does_not_control_the_terminal(fastmlp_command: Command) -> None:
    assert r"invalid choice: '\x1b[2J'" in fastmlp_command("\x1b[2J").err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_with_130_and_no_model(
    process: Callable[..., subprocess.Popen[str]], mnist_folder: Path, tmp_path: Path
) -> None:
    arguments = ("--data", mnist_folder, "--epochs", 1_000_000, "--save", "model.npz")
    with process("report", *arguments) as running:
        assert running.stdout.readline().startswith("Epoch: 0001")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
    assert running.returncode == 130
    assert "Accuracy" not in out
    assert err == "fastmlp report: error: interrupted\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another error for it")
def test_a_reader_that_goes_away_is_no_error(
    process: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    fastmlp.MLP((2, 2)).save(tmp_path / "model.npz")
    np.savez(tmp_path / "table.npz", X=np.zeros((200_000, 2), np.uint8))
    with process("predict", "model.npz", "table.npz") as running:
        assert running.stdout.readline() == "prediction\n"
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 1


@pytest.mark.parametrize("missing", ["pandas", "sklearn"])
def test_a_package_that_a_command_imports_first_is_named_with_its_extra(
    tmp_path: Path, missing: str
) -> None:
    code = (
        f"import sys; sys.modules['{missing}'] = None; from fastmlp.cli import main; "
        "sys.exit(main(['train', 't.csv', '--label', 'y']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fastmlp train: error: ")
    assert done.stderr.endswith('is not installed: pip install "fastmlp[tabular]"\n')
    assert done.stderr.count("\n") == 1
