"""Types and options that several commands share, and how they train."""

import argparse
import os
import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import fastmlp
from fastmlp import MLP, Callback
from fastmlp.history import History
from fastmlp.support import checks
from fastmlp.support.atomic_files import require_different, require_writable
from fastmlp.support.paths import as_text
from fastmlp.tracking import TensorBoard

STANDARD_OUTPUT = ("-", "/dev/stdout")


def seed(text: str) -> int:
    """Parse a seed that NumPy and scikit-learn take."""
    if text.isdecimal() and int(text) < 2**32:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to below 2^32")


def positive(text: str) -> int:
    """Parse a whole number, 1 or more."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or more")


def number_in(interval: str, described: str) -> Callable[[str], float]:
    """Return the function that parses a number of an interval, which messages describe."""

    def parse(text: str) -> float:
        try:
            return checks.number("", float(text), interval)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not {described}") from None

    return parse


fraction = number_in("[0, 1)", "a number from 0 to below 1")
not_negative = number_in("[0, inf)", "a number, 0 or more")
share = number_in("(0, 1)", "a number between 0 and 1")
above_zero = number_in("(0, inf)", "a number above 0")


def writable(text: str) -> Path:
    """Parse the path of a file to write, and check before training that it can be written."""
    if text == "-":
        raise argparse.ArgumentTypeError(
            "- is the standard output, to which this is not written; a file of this name is ./-"
        )
    try:
        require_writable(text)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be written: {error.strerror}") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return Path(text)


def page_file(text: str) -> Path:
    """Parse the path of a page with plots, and check that it can be plotted and written."""
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError(
            "the plots of a page need matplotlib: pip install 'fastmlp[plot]'"
        )
    return writable(text)


def add_page_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--html``."""
    parser.add_argument(
        "--html",
        type=page_file,
        metavar="FILE",
        help="write a page about the model to FILE: curves, confusion matrix, mistakes, weights, "
        "configuration (needs the extra plot)",
    )


def folder(text: str) -> Path:
    """Parse the path of a folder to write files in, which need not exist."""
    try:
        path = Path(as_text(text, "FOLDER"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a file; give a folder")
    return path


def log_folder(text: str) -> Path:
    """Parse the path of a folder of logs, and check that they can be written."""
    if find_spec("tensorboardX") is None:
        raise argparse.ArgumentTypeError(
            "the logs for TensorBoard need tensorboardX: pip install 'fastmlp[tensorboard]'"
        )
    return folder(text)


def add_log_option(parser: argparse._ActionsContainer) -> None:
    """Add ``--log-dir``."""
    parser.add_argument(
        "--log-dir",
        type=log_folder,
        metavar="FOLDER",
        help="log each network's cost, validation metric and learning rate after every epoch for "
        "TensorBoard, in FOLDER/network-1, ... (needs the extra tensorboard)",
    )


def log_callbacks(folder: Path | None) -> Callable[[MLP], list[Callback]] | None:
    """Return the function from a network to the callbacks that ``--log-dir`` stands for."""
    if folder is None:
        return None
    numbers = count(1)
    return lambda net: [TensorBoard(folder / f"network-{next(numbers)}")]


def writable_or_standard(text: str) -> Path | None:
    """Parse the path of a file to write as `writable` does; None for the standard output."""
    return None if text in STANDARD_OUTPUT else writable(text)


def check_outputs(outputs: Mapping[str, Path | None], inputs: Mapping[str, Path | None]) -> None:
    """Raise ValueError if a file to write is also to be read, or is to be written twice.

    Files are given by the names of their arguments, and None where they are not given. Devices and
    pipes may be named more than once, because they are written to and not replaced.
    """
    before = dict(inputs)
    for name, path in outputs.items():
        if path is None or (path.exists() and not path.is_file()):
            continue
        require_different((name, path), *before.items())
        before[name] = path


def data_files(data: str | None) -> dict[str, Path]:
    """Return the files of MNIST that ``--data`` leads to, by the names that messages give them."""
    from fastmlp.datasets.mnist import cache_folder

    folder = data or os.environ.get("FASTMLP_DATA") or cache_folder()
    return {f"the data file {path.name}": path for path in Path(folder).glob("*-ubyte*")}


def recipe_file(recipe: str | None) -> dict[str, Path]:
    """Return the file of ``--recipe``, if it names one."""
    return {"--recipe": Path(recipe)} if recipe and recipe.endswith(".toml") else {}


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--seed`` and ``--threads``."""
    parser.add_argument(
        "--seed",
        type=seed,
        default=0,
        metavar="N",
        help="seed of all random numbers: same seed, same result (default: 0)",
    )
    parser.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        help="greatest number of threads; the result does not depend on it (default: all cores)",
    )


def add_jobs_option(
    parser: argparse._ActionsContainer, jobs: str, default: int | None, note: str = ""
) -> None:
    """Add ``--jobs``, the number of runs or trials at a time; by default all cores if None."""
    parser.add_argument(
        "--jobs",
        type=positive,
        default=default,
        metavar="N",
        help=f"number of {jobs} at a time, each on one thread{note} (default: "
        f"{'all cores' if default is None else default})",
    )


def add_data_option(parser: argparse._ActionsContainer) -> None:
    """Add ``--data``, the folder of MNIST."""
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="folder of MNIST's four IDX files, gzipped or not (default: $FASTMLP_DATA, else the "
        "user's cache, into which they are downloaded if it is empty)",
    )


def set_threads(args: argparse.Namespace) -> None:
    """Apply ``--threads``."""
    if args.threads is not None:
        fastmlp.set_num_threads(args.threads)


def run_fit(fit: Callable[..., History], *arguments: Any, **options: Any) -> History:
    """Call `MLP.fit` or `Settings.fit`; Ctrl-C ends the command, not only the training."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training interrupted")
        history = fit(*arguments, **options)
    if history.stopped_by == "interrupt":
        raise KeyboardInterrupt
    return history
