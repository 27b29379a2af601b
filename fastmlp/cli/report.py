"""Train the report's classifier on MNIST and print its costs and accuracy.

The report is Tao Hu, "A technical report about Deep Learning". The network is 784-256-256-10 with
ReLU, softmax and cross-entropy, all weights and biases sampled from N(0, 1), trained by Adam
(learning rate 0.001) in batches of 100 on 55,000 of the 60,000 training images; the first 5,000 are
a validation set, which is not used. A line for each epoch has the mean of the cost over its
batches; the accuracy is that on the 10,000 test images.
"""

import argparse

import numpy as np

import fastmlp
from fastmlp import MLP, Adam
from fastmlp.callbacks import Callback
from fastmlp.data.split import hold_out_first
from fastmlp.history import History
from fastmlp.initializers import Normal

from .options import (
    add_data_option,
    add_page_option,
    add_training_options,
    check_outputs,
    data_files,
    positive,
    run_fit,
    set_threads,
    writable,
)
from .page import write_page

EXAMPLES = """\
  fastmlp report --data benchmarks/mnist
  fastmlp report --seed 3 --epochs 5 --save mnist.npz
  fastmlp report --html report.html
"""
VALIDATION_IMAGES = 5_000


class PrintCost(Callback):
    """Prints a line for each epoch, in the report's form."""

    def on_epoch_end(self, net: MLP, history: History) -> None:
        """Print the epoch's line at once."""
        print(f"Epoch: {history.epochs:04d} cost= {history.cost[-1]:.9f}", flush=True)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_data_option(parser)
    parser.add_argument(
        "--epochs",
        type=positive,
        default=15,
        metavar="N",
        help="passes over the images (default: 15)",
    )
    add_training_options(parser)
    parser.add_argument("--save", type=writable, metavar="FILE", help="write the model to FILE")
    add_page_option(parser)


def run(args: argparse.Namespace) -> None:
    """Train, and print costs and accuracy."""
    set_threads(args)
    check_outputs({"--save": args.save, "--html": args.html}, data_files(args.data))
    X_train, y_train, X_test, y_test = fastmlp.datasets.mnist(args.data)
    training, _ = hold_out_first(len(X_train), VALIDATION_IMAGES)
    net = MLP(
        (784, 256, 256, 10),
        activation="relu",
        init=Normal(1.0),
        seed=args.seed,
        uint8_scale=1 / 255,
    )
    history = run_fit(
        net.fit,
        X_train[training],
        y_train[training],
        epochs=args.epochs,
        batch_size=100,
        optimizer=Adam(0.001),
        callbacks=[PrintCost()],
    )
    print("Optimization Finished!")
    print(f"Accuracy: {np.mean(net.predict(X_test) == y_test):.4f}")
    if args.save:
        net.save(args.save)
    if args.html:
        write_page(args.html, net, X_test, y_test, [history], "The report's network on MNIST", {
            "initialization": Normal(1.0),
            "optimizer": Adam(0.001),
            "batch size": 100,
            "epochs": args.epochs,
            "seed": args.seed,
            "trained on": f"the last {len(X_train) - VALIDATION_IMAGES:,} training images",
            "tested on": f"{len(X_test):,} test images",
        })
