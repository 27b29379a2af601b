"""What several commands share: types of their options, and how they train."""

import argparse
import os
import warnings
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

import fastmlp
from fastmlp import MLP
from fastmlp.history import History


def whole(text: str) -> int:
    """Parse a whole number, 0 or more."""
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")


def positive(text: str) -> int:
    """Parse a whole number, 1 or more."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 1 or more")


def writable(text: str) -> Path:
    """Parse the path of a file to write, and refuse now, not after training, what cannot be."""
    path = Path(text)
    folder = path.parent
    if not folder.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {folder}")
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise argparse.ArgumentTypeError(f"{path} cannot be written")
    return path


def page_file(text: str) -> Path:
    """Parse the path of a page with pictures, and refuse now what cannot be drawn or written."""
    if find_spec("matplotlib") is None:
        raise argparse.ArgumentTypeError(
            "the pictures of a page need matplotlib: pip install 'fastmlp[plot]'"
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


def different(**files: Path | None) -> None:
    """Refuse two options that name the same file."""
    for (one, path), (other, second) in combinations(files.items(), 2):
        if path is not None and second is not None and path.resolve() == second.resolve():
            raise ValueError(f"--{one} and --{other} name the same file")


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--seed`` and ``--threads``."""
    parser.add_argument(
        "--seed",
        type=whole,
        default=0,
        metavar="N",
        help="where the random numbers start: same seed, same result (default: 0)",
    )
    parser.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        help="most threads to use; the result is the same with any number (default: all cores)",
    )


def set_threads(args: argparse.Namespace) -> None:
    """Heed ``--threads``."""
    if args.threads is not None:
        fastmlp.set_num_threads(args.threads)


def fit(net: MLP, X: NDArray[Any], y: NDArray[Any], **options: Any) -> History:
    """Call ``net.fit``, and let Ctrl-C end the command, not only the training."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training interrupted")
        history = net.fit(X, y, **options)
    if history.stopped_by == "interrupt":
        raise KeyboardInterrupt
    return history
