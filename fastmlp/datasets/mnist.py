"""The MNIST database of handwritten digits, from a folder, the user's cache or a download.

Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits". CC BY-SA 3.0.
"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..support.paths import as_text
from .idx import read_idx

# SHA-256 and size in bytes of each IDX file, decompressed
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
SIZES = {
    "train-images-idx3-ubyte": 47_040_016,
    "train-labels-idx1-ubyte": 60_008,
    "t10k-images-idx3-ubyte": 7_840_016,
    "t10k-labels-idx1-ubyte": 10_008,
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_ADVICE = "Pass the folder that contains them as data=…, or set FASTMLP_DATA to it"


class MNIST(NamedTuple):
    """The images and labels of MNIST: a tuple, whose entries also have names.

    Attributes
    ----------
    X_train : ndarray, (60000, 784) uint8
        One image a row: 28 rows of 28 pixels, 0 to 255.
    y_train : ndarray, (60000,) int32
        Their labels, 0 to 9.
    X_test : ndarray, (10000, 784) uint8
        The test images.
    y_test : ndarray, (10000,) int32
        Their labels.
    """

    X_train: NDArray[np.uint8]
    y_train: NDArray[np.int32]
    X_test: NDArray[np.uint8]
    y_test: NDArray[np.int32]


def mnist(data: str | os.PathLike[str] | None = None, download: bool = True) -> MNIST:
    """Load MNIST: 60,000 training images and 10,000 test images of handwritten digits.

    The pixels are uint8, from 0 to 255.  A network made with ``uint8_scale=1/255`` scales them to
    the interval from 0 to 1 as it reads them.

    Parameters
    ----------
    data : path-like, optional
        The folder of the four IDX files, which have their original names and are plain or
        compressed by gzip (``train-images-idx3-ubyte`` or ``train-images-idx3-ubyte.gz``, …).
        Only this folder is searched, and nothing is downloaded.  It may contain another data set
        of the same form, such as Fashion-MNIST, KMNIST or a subset of the images.
        Default: the folder named by the environment variable ``FASTMLP_DATA``, then the user's
        cache: ``$XDG_CACHE_HOME/fastmlp/mnist`` (``~/.cache/fastmlp/mnist``), on macOS
        ``~/Library/Caches/fastmlp/mnist``, on Windows ``%LOCALAPPDATA%\\fastmlp\\mnist``.
    download : bool, default True
        Whether to download the files into the cache if neither folder has them: 11.6 MB, once,
        verified by their checksums.

    Returns
    -------
    MNIST
        Named tuple of `X_train` (60000, 784) uint8, `y_train` (60000,) int32, `X_test`
        (10000, 784) uint8 and `y_test` (10000,) int32.

    Raises
    ------
    FileNotFoundError
        If the files are missing, and could not or should not be downloaded.  The message states
        which folders were searched and what to do.
    ValueError
        If a file is damaged, or does not contain 28 × 28 images or one label from 0 to 9 for each.

    See Also
    --------
    digits : A smaller data set, which needs no files.
    read_idx : Read one file of this format.

    Examples
    --------
    >>> X_train, y_train, X_test, y_test = fastmlp.datasets.mnist()  # doctest: +SKIP
    >>> net = fastmlp.MLP((784, 256, 10), uint8_scale=1 / 255)
    """
    if data is not None:
        places = {"data": Path(as_text(data, "data")).expanduser()}
    else:
        named = os.environ.get("FASTMLP_DATA")
        places = {"FASTMLP_DATA": Path(named).expanduser()} if named else {}
        places["cache"] = cache_folder() / "mnist"

    for folder in places.values():
        files = _present(folder)
        if len(files) == len(SHA256):
            break
    else:
        if data is not None:
            advice = "Copy the files there, or omit data to search the cache and download them."
            raise FileNotFoundError(f"{_missing(places)}\n{advice}")
        if not download:
            raise FileNotFoundError(f"{_missing(places)}\n{_ADVICE}, or let download=True.")
        files = _download(places)

    train_images, train_labels, test_images, test_labels = files.values()
    return MNIST(*_load(train_images, train_labels), *_load(test_images, test_labels))


def cache_folder() -> Path:
    """Return the folder of fastmlp's downloads, by the platform's convention."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "fastmlp"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fastmlp"
    xdg = os.environ.get("XDG_CACHE_HOME", "")  # its standard says: ignored unless absolute
    return (Path(xdg) if os.path.isabs(xdg) else Path.home() / ".cache") / "fastmlp"


def _present(folder: Path) -> dict[str, Path]:
    """Return the paths of the files that a folder contains, in the order of `SHA256`."""
    paths = ((name, folder / file) for name in SHA256 for file in (f"{name}.gz", name))
    return {name: path for name, path in paths if path.is_file()}


def _missing(places: dict[str, Path]) -> str:
    """Describe which files are missing where."""
    lines = []
    for place, folder in places.items():
        present = _present(folder)
        lacking = ", ".join(name for name in SHA256 if name not in present)
        what = f"without {lacking}" if folder.is_dir() else "no such folder"
        lines.append(f"  {folder} ({place}): {what}")
    found = ";\n".join(lines)
    return f"MNIST not found. Its four files, plain or .gz, were searched for in\n{found}."


def _download(places: dict[str, Path]) -> dict[str, Path]:
    """Download what the cache lacks; return its files."""
    from .download import download  # here, because importing urllib takes 40 ms

    folder = places["cache"]
    present = _present(folder)
    try:
        for name, sha256 in SHA256.items():
            if name not in present:
                file = f"{name}.gz"
                addresses = [mirror + file for mirror in MIRRORS]
                download(folder / file, addresses, sha256, SIZES[name])
    except OSError as error:  # no network, or a cache that cannot be written
        raise FileNotFoundError(f"{_missing(places)}\n{error}\n{_ADVICE}.") from error
    return _present(folder)


def _load(images: Path, labels: Path) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Read and check images and their labels, as X (m, 784) and y (m,)."""
    X, y = read_idx(images, rank=3), read_idx(labels, rank=1)
    if X.dtype != np.uint8 or X.shape[1:] != (28, 28) or not len(X):
        raise ValueError(f"{images}: expected uint8 images of 28 × 28, got {X.dtype} {X.shape}")
    if len(y) != len(X):
        raise ValueError(f"{labels}: expected {len(X)} labels, one an image, got {len(y)}")
    if y.dtype != np.uint8 or y.max() > 9:
        raise ValueError(f"{labels}: expected uint8 labels 0 to 9, got {y.dtype} up to {y.max()}")
    return X.reshape(len(X), 784), y.astype(np.int32)
