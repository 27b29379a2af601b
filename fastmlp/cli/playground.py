"""Write a web page on which a small network trains, step by step if wanted.

The page is one file that needs no network connection and no server: open it in any browser. It
trains on points of the plane or on small images of digits, and shows each of the seven steps of
backpropagation in numbers, those of fastmlp.steps.
"""

import argparse
import webbrowser
from pathlib import Path

from fastmlp import playground
from fastmlp.support import atomic_files

from .options import writable

EXAMPLES = """\
  fastmlp playground --open
  fastmlp playground lecture.html
"""
DEFAULT = "playground.html"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "out",
        nargs="?",
        type=writable,
        metavar="OUT.html",
        help=f"write the page to this file (default: {DEFAULT}, if there is no other such file)",
    )
    parser.add_argument("--open", action="store_true", help="then open the page in a browser")


def run(args: argparse.Namespace) -> None:
    """Write the page, and open it if requested."""
    page = playground.page().encode()
    out = args.out or unnamed(page)
    if args.open and out.exists() and not out.is_file():
        raise ValueError(f"--open needs OUT.html to be a file; {out} is a device or a pipe")
    with atomic_files.whole(out) as file:
        file.write(page)
    if out.is_file():  # otherwise a device or a pipe, perhaps the standard output
        print(f"wrote {out} ({out.stat().st_size / 1e3:.0f} kB)", flush=True)
    if args.open and not webbrowser.open(out.resolve().as_uri()):
        print("no browser was found; open the file yourself")


def unnamed(page: bytes) -> Path:
    """Return the default file, unless something else than this page would be overwritten."""
    out = writable(DEFAULT)
    if out.exists() and out.read_bytes() != page:
        raise ValueError(f"{DEFAULT} exists; to replace it, name it: fastmlp playground {DEFAULT}")
    return out
