"""Studies of images: networks for MNIST or the digits, compared by their test accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple

from numpy.typing import NDArray

from .. import datasets
from ..data.examples import Examples
from ..data.split import hold_out_first
from ..experiments.fingerprint import fingerprint
from ..experiments.settings import Settings
from ..network import MLP
from ..support import checks
from ..training import Stop, evaluate
from ..training.many import Task, fit_task
from .data import Figures, Metric

__all__ = ["ACCURACY", "DATA", "DataSet", "Images"]

DIGITS_TO_TRAIN = 1_500  # of 1,797, as in the README; the others are the test images

Array = NDArray[Any]


class DataSet(NamedTuple):
    """What networks have to know of a data set."""

    n_in: int
    n_classes: int
    uint8_scale: float  # for bytes from 0 to 255 to count as numbers from 0 to 1


ACCURACY = Metric("accuracy", "accuracy", greater_is_better=True, unit="%")
DATA = {"mnist": DataSet(784, 10, 1 / 255), "digits": DataSet(64, 10, 1.0)}


@dataclass(frozen=True)
class Images:
    """Images and labels of a study.

    The validation set consists of the first training images, as many as the study says; the
    network is trained on the other ones.  The methods are those of `StudyData`.
    """

    X: Array
    y: Array
    X_validation: Array
    y_validation: Array
    X_test: Array
    y_test: Array
    description: dict[str, Any]  # name, numbers of images and fingerprint

    @classmethod
    def load(
        cls, name: str, n_validation: int, folder: str | PathLike[str] | None = None
    ) -> Images:
        """Load a data set of `DATA` and split it.

        Parameters
        ----------
        name : str
            The key of `DATA`.
        n_validation : int
            The number of validation images.
        folder : path-like, optional
            The folder of MNIST's files.

        Returns
        -------
        Images
            Views of the data set's arrays.
        """
        if name == "digits":
            if folder is not None:
                raise ValueError("the digits come with fastmlp; a folder is for data = 'mnist'")
            X, y = datasets.digits()
            m = DIGITS_TO_TRAIN
            parts: tuple[Array, ...] = X[:m], y[:m], X[m:], y[m:]
        else:
            parts = tuple(datasets.mnist(folder))
        X, y, X_test, y_test = parts
        training, validation = hold_out_first(len(X), n_validation)
        description = {
            "name": name,
            "training": len(X) - n_validation,
            "validation": n_validation,
            "test": len(X_test),
            "fingerprint": fingerprint(*parts),
        }
        return cls(
            X[training], y[training], X[validation], y[validation], X_test, y_test, description
        )

    @property
    def metric(self) -> Metric:
        """The metric of a run."""
        return ACCURACY

    @property
    def about(self) -> str:
        """How the images are divided."""
        validation = ""
        if len(self.X_validation):
            validation = f"the {len(self.X_validation):,} before them for validation, "
        return (
            f"{len(self.X):,} images for training, {validation}{len(self.X_test):,} for testing"
        )

    def check(self, settings: Settings) -> None:
        """Raise ValueError for settings that do not fit the number of images."""
        batch_size = min(settings.batch_size, len(self.X))
        checks.normal_batches(settings.batch_norm, len(self.X), batch_size)

    def train(self, settings: Settings, seed: int, stop: Stop) -> MLP | None:
        """Return a trained network, or None if `stop` ended its training."""
        net = settings.network(self.X.shape[1], DATA[self.description["name"]].n_classes, seed)
        history = fit_task(Task(net, self.X, self.y, settings.options()), stop=stop)
        return None if history.epochs < settings.epochs else net

    def figures(self, net: MLP, seed: int) -> Figures:
        """Return the accuracies of a trained network, and its last epoch's cost."""
        return Figures(
            accuracy(net, self.X_test, self.y_test),
            accuracy(net, self.X_validation, self.y_validation) if len(self.y_validation) else None,
            net.history.cost[-1],
            net.history.epochs,
        )


def accuracy(net: MLP, X: Array, y: Array) -> float:
    """Return the fraction of images that are predicted correctly, computed on this thread."""
    found = evaluate(net.state, Examples.checked(net.state, X, y), 1)[1]
    assert found is not None  # the loss is a classifier's
    return found
