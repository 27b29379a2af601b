"""Write a web page to draw digits on, which a network recognizes.

The page is one file that needs no network connection and no server: open it in any browser. Without
--model a network is first trained on MNIST by a recipe. While you draw, the page shows the ten
probabilities, the hidden activations, the first layer's weights, and what would change the
prediction.
"""

import argparse
import warnings
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

import fastmlp
from fastmlp import MLP, loading
from fastmlp.model import files

from .options import (
    add_data_option,
    add_training_options,
    check_outputs,
    data_files,
    recipe_file,
    set_threads,
    writable,
)

EXAMPLES = """\
  fastmlp draw --data benchmarks/mnist --out digits.html
  fastmlp draw --model mnist.npz --out digits.html --serve
"""
RECIPE = "quick"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add = parser.add_argument
    add("--out", type=writable, required=True, metavar="FILE", help="write the page to FILE")
    add(
        "--model",
        type=Path,
        metavar="FILE",
        help="the model of 28x28 digits, a file that train, report or net.save wrote",
    )
    add(
        "--recipe",
        metavar="NAME",
        help=f"train by this recipe, or by a file NAME.toml (default: {RECIPE})",
    )
    add_data_option(parser)
    add(
        "--serve",
        action="store_true",
        help="then serve the page on this machine (127.0.0.1) until Ctrl-C, and print its address",
    )
    add_training_options(parser)


def run(args: argparse.Namespace) -> None:
    """Write the page, and serve it if requested."""
    set_threads(args)
    inputs = {"--model": args.model} | recipe_file(args.recipe)
    check_outputs({"--out": args.out}, inputs if args.model else inputs | data_files(args.data))
    if args.serve and args.out.exists() and not args.out.is_file():
        raise ValueError(f"--serve needs --out to be a file; {args.out} is a device or a pipe")
    net = trained(args) if args.model is None else loaded(args)
    fastmlp.export.to_html(net, args.out)
    if args.out.is_file():  # otherwise a device or a pipe, perhaps the standard output
        print(f"wrote {args.out} ({args.out.stat().st_size / 1e6:.1f} MB)", flush=True)
    if args.serve:
        serve(args.out.read_bytes())


def loaded(args: argparse.Namespace) -> MLP:
    """Return the network of ``--model``."""
    for name in ("recipe", "data"):
        if getattr(args, name) is not None:
            raise ValueError(f"--{name} is for training; give it or --model, not both")
    unpacked = files.read_npz(args.model, None)
    if files.holds_table(unpacked):
        raise ValueError(
            f"{args.model} holds a model of a table; a page to draw on is for a network of 28x28 "
            f"digits, as fastmlp train --recipe saves it"
        )
    net = loading.from_unpacked(unpacked)
    if not isinstance(net, MLP):
        raise ValueError(f"{args.model} holds several networks; a page to draw on is for one")
    return net


def trained(args: argparse.Namespace) -> MLP:
    """Train by the recipe, and print the accuracy on the test images."""
    recipe = fastmlp.recipes.read(args.recipe or RECIPE)
    if recipe.ensemble_size > 1:
        raise ValueError(
            f"the recipe {recipe.name!r} trains {recipe.ensemble_size} networks; a page to draw on "
            f"is for one"
        )
    X, y, X_test, y_test = fastmlp.datasets.mnist(args.data)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training interrupted")
        net, _ = fastmlp.recipes.train(recipe, X, y, seed=args.seed, verbose=True)
    assert isinstance(net, MLP)  # not an ensemble
    if net.history.stopped_by == "interrupt":
        raise KeyboardInterrupt
    accuracy = float(np.mean(net.predict(X_test) == y_test))
    print(f"Accuracy: {accuracy:.4f} on {len(y_test)} test images")
    return net


def serve(page: bytes) -> None:
    """Serve the page on a free port of this machine alone, until Ctrl-C."""

    class Handler(BaseHTTPRequestHandler):
        """Serves one page."""

        def do_GET(self) -> None:
            if self.path != "/":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            with suppress(ConnectionError):  # the browser has closed the connection
                self.wfile.write(page)

        def log_message(self, format: str, *arguments: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        try:
            print(f"open http://127.0.0.1:{server.server_port}/ (Ctrl-C stops)", flush=True)
            server.serve_forever()
        except KeyboardInterrupt:
            print("stopped")
