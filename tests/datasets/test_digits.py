"""The shipped UCI digits: facts from the data set's own description (optdigits.names)."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from fastmlp import datasets
from fastmlp.datasets import digits

FILE = Path(datasets.__file__).with_name("digits.npz")


def test_shapes_dtypes_and_range():
    X, y = digits()
    assert (X.shape, X.dtype, X.min(), X.max()) == ((1797, 64), np.float32, 0, 1)
    assert (y.shape, y.dtype) == ((1797,), np.int32)
    assert X.flags.c_contiguous


def test_every_pixel_is_a_whole_number_of_sixteenths():
    X = digits().X * 16
    assert np.array_equal(X, X.round())


def test_as_many_of_each_class_as_the_description_says():
    counts = np.bincount(digits().y).tolist()
    assert counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_first_image_is_the_zero_that_opens_the_original():
    X, y = digits()
    assert y[:10].tolist() == list(range(10))
    assert (X[0].reshape(8, 8) * 16).astype(int).tolist() == [
        [0, 0, 5, 13, 9, 1, 0, 0],
        [0, 0, 13, 15, 10, 15, 5, 0],
        [0, 3, 15, 2, 0, 11, 8, 0],
        [0, 4, 12, 0, 0, 8, 8, 0],
        [0, 5, 8, 0, 0, 9, 8, 0],
        [0, 4, 11, 0, 1, 12, 7, 0],
        [0, 2, 14, 5, 10, 12, 0, 0],
        [0, 0, 6, 13, 10, 0, 0, 0],
    ]


def test_each_call_returns_arrays_of_its_own():
    digits().X[:] = 0
    assert digits().X.any()


def test_the_file_is_small_and_carries_its_attribution():
    assert FILE.stat().st_size < 60_000
    with np.load(FILE, allow_pickle=False) as file:
        notice = str(file["attribution"])
    assert all(words in notice for words in ("Alpaydin", "Kaynak", "UCI", "CC BY 4.0"))


def test_what_is_there_already_loads_without_the_modules_of_the_network():
    code = (
        "import sys, numpy; before = set(sys.modules); from fastmlp.datasets import digits; "
        "digits(); print(*set(sys.modules) - before)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & {"urllib.request", "http.client", "ssl"}
