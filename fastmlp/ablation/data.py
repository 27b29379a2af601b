"""The data of a study: training, validation and test images."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple

from numpy.typing import NDArray

from .. import datasets
from ..data.split import hold_out_first
from ..experiments.fingerprint import fingerprint

__all__ = ["DATA", "DataSet", "Images"]

DIGITS_TO_TRAIN = 1_500  # of 1,797, as in the README; the others are the test images

Array = NDArray[Any]


class DataSet(NamedTuple):
    """What networks have to know of a data set."""

    n_in: int
    n_classes: int
    uint8_scale: float  # for bytes from 0 to 255 to count as numbers from 0 to 1


DATA = {"mnist": DataSet(784, 10, 1 / 255), "digits": DataSet(64, 10, 1.0)}


@dataclass(frozen=True)
class Images:
    """Images and labels of a study.

    The validation set consists of the first training images, as many as the study says; the
    network is trained on the other ones.
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
