"""Data augmentation: randomly distorted copies of images, to train on more images than exist."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import kernels
from .support import checks, threads
from .support.values import Value

if TYPE_CHECKING:
    from .kernels.engine import Distortion as CompiledDistortion

__all__ = ["Distortion"]


@dataclass(frozen=True, eq=False, repr=False)
class Distortion(Value):
    """Random affine and elastic distortions of square images, for ``fit(augment=…)`` or alone.

    Pixel p of the result, measured from the center, has the value of the image at the position
    A p + t + α·G_σ * n(p), with A = R(θ)·(1 κ; 0 1)·diag(s_x, s_y), by bilinear interpolation; the
    image is zero outside its borders.  θ, κ, s − 1 and t are uniform within their limits, n is
    uniform in [−1, 1] for each pixel and axis, and G_σ is a Gaussian (Simard et al. 2003; Cireşan
    et al. 2010).  The random numbers depend on the seed, the epoch and the image's place in batch
    and epoch only.

    Parameters
    ----------
    rotation : float, default 0.0
        Largest angle ``|θ|`` of rotation, in degrees.
    scale : float, default 0.0
        Largest relative change ``|s − 1|`` of the size along each axis, below 1.
    shear : float, default 0.0
        Largest shear ``|κ|``, in pixels per pixel.
    translation : float, default 0.0
        Largest translation ``|t|`` along each axis, in pixels.
    elastic : float, default 0.0
        Scale α of the elastic distortion, in pixels; 0 for none.
    smoothness : float, default 6.0
        Standard deviation σ of the Gaussian, in pixels; the Gaussian is cut off at 3σ.
    gentle_classes : collection of int, default ()
        Labels of classes that are rotated by half the angle at most, such as 1 and 7 of MNIST,
        which a rotation makes similar.
    shape : (int, int), optional
        Height and width of the images, which must be equal.  By default the number of inputs is
        the number of pixels of a square.

    Examples
    --------
    >>> augment = fastmlp.augment.Distortion(rotation=15, scale=0.1, gentle_classes=(1, 7))
    >>> history = net.fit(X, y, epochs=2, augment=augment)
    >>> augment(X[:10]).shape
    (10, 64)
    """

    _intervals: ClassVar[Mapping[str, str]] = {
        "rotation": "[0, 180]",
        "scale": "[0, 1)",
        "shear": "[0, inf)",
        "translation": "[0, inf)",
        "elastic": "[0, inf)",
        "smoothness": "(0, 100]",
    }
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    translation: float = 0.0
    elastic: float = 0.0
    smoothness: float = 6.0
    gentle_classes: Collection[int] = ()
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        checks.constants(self)
        for label in checks.items("gentle_classes", self.gentle_classes):
            checks.whole("gentle_classes", label, least=0)
        if self.shape is not None:
            height, width = (checks.whole("shape", n) for n in checks.items("shape", self.shape, 2))
            if height != width:
                raise ValueError(f"shape must be square, got {self.shape}")

    def __call__(
        self,
        images: ArrayLike,
        labels: ArrayLike | None = None,
        *,
        seed: int = 0,
        epoch: int = 0,
        dtype: str = "float32",
        uint8_scale: float = 1.0,
    ) -> NDArray[Any]:
        """Return distorted copies of images.

        Parameters
        ----------
        images : array-like, (m, n) or (m, side, side)
            Images, one in each row.
        labels : array-like, (m,), optional
            Classes of the images, for `gentle_classes`.
        seed, epoch : int, default 0
            The random numbers depend on these two and on the row number of the image.
        dtype : {"float32", "float64"}, default "float32"
            The dtype of the result.
        uint8_scale : float, default 1.0
            Factor by which images of dtype uint8 are multiplied.

        Returns
        -------
        ndarray
            Distorted images, with the shape of `images`.
        """
        found = checks.array("images", images)
        if found.ndim not in (2, 3):
            raise ValueError(f"images must be (m, n) or (m, side, side), got shape {found.shape}")
        real = checks.real_dtype(dtype)
        scale = checks.number("uint8_scale", uint8_scale, "(0, inf)", dtype=real)
        m, n_in = len(found), math.prod(found.shape[1:])
        with checks.within("images"):
            rows = checks.rows(found.reshape(m, n_in), n_in, real)
        assert not isinstance(rows, tuple)
        if rows.dtype == np.uint8:
            rows = rows * real.type(scale)
        classes = None
        if labels is not None:
            y = checks.array("labels", labels)
            greatest = y.max(initial=0) if y.shape == (m,) else 0
            classes = checks.labels(
                "labels", y, m, int(greatest) + 1 if np.isfinite(greatest) else 1
            )
        distorted = self.for_engine(n_in, real.name).images(
            rows,
            classes,
            checks.seed(seed) % 2**64,
            checks.whole("epoch", epoch, least=0),
            threads.get_num_threads() if m > 64 else 1,
        )
        return distorted.reshape(found.shape)

    def for_engine(self, n_in: int, dtype: str) -> CompiledDistortion:
        """Return the compiled distortion with these limits.

        Parameters
        ----------
        n_in : int
            Number of pixels of an image.
        dtype : {"float32", "float64"}
            The network's dtype.

        Returns
        -------
        object
            The distortion, as the engine expects it.
        """
        checks.constants(self, np.dtype(dtype))
        side = self.shape[0] if self.shape is not None else math.isqrt(n_in)
        if n_in == 0 or side * side != n_in:
            raise ValueError(
                f"distortions are for square images; {n_in} inputs are not "
                + (f"{side} × {side}" if self.shape is not None else "a square")
            )
        radius = max(1, math.ceil(3 * self.smoothness)) if self.elastic else 0
        taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / self.smoothness) ** 2)
        gentle = np.zeros(max(self.gentle_classes, default=-1) + 1, np.uint8)
        gentle[list(self.gentle_classes)] = 1
        angle = math.radians(self.rotation)
        compiled: CompiledDistortion = kernels.distortion(
            dtype,
            side,
            angle,
            angle / 2,
            gentle,
            self.shear,
            self.scale,
            self.translation,
            self.elastic,
            taps / taps.sum(),
        )
        return compiled
