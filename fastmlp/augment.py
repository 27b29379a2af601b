"""Distorted copies of images, for training a classifier of images on more than there are."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import kernels
from .support import checks, threads

if TYPE_CHECKING:
    from .kernels.engine import Distortion as CompiledDistortion

__all__ = ["Distortion"]


@dataclass(frozen=True)
class Distortion:
    """Random affine and elastic distortions of square images, for ``fit(augment=…)`` or alone.

    Pixel p of the result, measured from the middle, takes its value at A p + t + α·G_σ * n(p) of
    the image, with A = R(θ)·(1 κ; 0 1)·diag(s_x, s_y), bilinearly; outside the image all is zero.
    θ, κ, s − 1 and t are uniform within their limits, n uniform in [−1, 1] for each pixel and axis
    and G_σ a Gaussian (Simard et al. 2003; Cireşan et al. 2010).  What comes out depends on seed,
    epoch and the image's place in batch and epoch alone.

    Parameters
    ----------
    rotation : float, default 0.0
        θ is within ± this, degrees.
    scale : float, default 0.0
        s − 1 of each axis is within ± this, which is below 1.
    shear : float, default 0.0
        κ is within ± this, pixels a pixel.
    translation : float, default 0.0
        t along each axis is within ± this, pixels.
    elastic : float, default 0.0
        α, pixels; 0: no elastic part.
    smoothness : float, default 6.0
        σ of the Gaussian, pixels; it is cut at 3σ.
    gentle_classes : collection of int, default ()
        Labels that are turned by half as much only: 1 and 7 of MNIST, which turning makes alike.
    shape : (int, int), optional
        Height and width of the images, which are equal.  Default: the square that the number of
        inputs is.

    Examples
    --------
    >>> augment = fastmlp.augment.Distortion(rotation=15, scale=0.1, gentle_classes=(1, 7))
    >>> history = net.fit(X, y, epochs=2, augment=augment)
    >>> augment(X[:10]).shape
    (10, 64)
    """

    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    translation: float = 0.0
    elastic: float = 0.0
    smoothness: float = 6.0
    gentle_classes: Collection[int] = ()
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        checks.number("rotation", self.rotation, "[0, 180]")
        checks.number("scale", self.scale, "[0, 1)")
        for name in ("shear", "translation", "elastic"):
            checks.number(name, getattr(self, name), "[0, inf)")
        checks.number("smoothness", self.smoothness, "(0, 100]")
        for label in self.gentle_classes:
            checks.whole("gentle_classes", label, least=0)
        if self.shape is not None:
            height, width = (checks.whole("shape", n) for n in self.shape)
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
            One image a row.
        labels : array-like, (m,), optional
            Their classes, for `gentle_classes`.
        seed, epoch : int, default 0
            The random numbers depend on these and on an image's row number.
        dtype : {"float32", "float64"}, default "float32"
            The dtype of the result.
        uint8_scale : float, default 1.0
            uint8 images count as value × uint8_scale.

        Returns
        -------
        ndarray
            Shaped like `images`.
        """
        found = checks.array("images", images)
        if found.ndim not in (2, 3):
            raise ValueError(f"images must be (m, n) or (m, side, side), got shape {found.shape}")
        real = checks.real_dtype(dtype)
        scale = checks.number("uint8_scale", uint8_scale, "(0, inf)")
        m, n_in = len(found), math.prod(found.shape[1:])
        with checks.within("images"):
            rows = checks.rows(found.reshape(m, n_in), n_in, real)
        assert not isinstance(rows, tuple)
        if rows.dtype == np.uint8:
            rows = rows * real.type(scale)
        classes = None
        if labels is not None:
            y = checks.array("labels", labels)
            classes = checks.labels("labels", y, m, int(y.max(initial=0)) + 1)
        distorted = self.for_engine(n_in, real.name).images(
            rows,
            classes,
            checks.seed(seed) % 2**64,
            checks.whole("epoch", epoch, least=0),
            threads.get_num_threads() if m > 64 else 1,
        )
        return distorted.reshape(found.shape)

    def for_engine(self, n_in: int, dtype: str) -> CompiledDistortion:
        """Return the limits as the kernels take them.

        Parameters
        ----------
        n_in : int
            Pixels of an image.
        dtype : {"float32", "float64"}
            The network's.

        Returns
        -------
        object
            For the engine.
        """
        side = self.shape[0] if self.shape is not None else math.isqrt(n_in)
        if side * side != n_in:
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
