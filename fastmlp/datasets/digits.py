"""The UCI digits, which are part of the package: ``digits.npz``, 46 KB.

The test part of E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
Learning Repository, 1998, https://doi.org/10.24432/C50P49. CC BY 4.0,
https://creativecommons.org/licenses/by/4.0/. The text file has been stored as NumPy arrays; the
numbers are unchanged. The file contains this notice too, as its array ``attribution``.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Digits(NamedTuple):
    """The images and labels of the UCI digits: a tuple, whose entries also have names.

    Attributes
    ----------
    X : ndarray, (1797, 64) float32
        One image a row: 8 rows of 8 pixels, 0 to 1.
    y : ndarray, (1797,) int32
        Their labels, 0 to 9.
    """

    X: NDArray[np.float32]
    y: NDArray[np.int32]


def digits() -> Digits:
    """Load the UCI digits: 1,797 images of 8 × 8 pixels, handwritten by 13 people.

    Returns
    -------
    Digits
        Named tuple of `X` (1797, 64) float32 and `y` (1797,) int32.  A pixel is the fraction of
        ink in a block of 4 × 4 bits: a count from 0 to 16, divided by 16 (exact in float32).

    See Also
    --------
    mnist : A larger data set, read from files.

    Examples
    --------
    >>> X, y = fastmlp.datasets.digits()
    >>> X.shape, y[:10]
    ((1797, 64), array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], dtype=int32))
    """
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as file:
        return Digits(file["images"] / np.float32(16), file["labels"].astype(np.int32))
