"""Distorted copies of images: what a classifier of pictures trains on in place of more examples."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checks, kernels, threads

if TYPE_CHECKING:
    from .kernels.engine import Warp

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
        self, images: ArrayLike, labels: ArrayLike | None = None, *, seed: int = 0, epoch: int = 0,
        dtype: str = "float32",
    ) -> NDArray[Any]:
        """Return distorted copies.

        Parameters
        ----------
        images : array-like, (m, n) or (m, side, side)
            One image a row.  uint8 counts as value / 255.
        labels : array-like, (m,), optional
            Their classes, for `gentle_classes`.
        seed, epoch : int, default 0
            What the draws depend on, beside an image's row number.
        dtype : {"float32", "float64"}, default "float32"
            Of the result.

        Returns
        -------
        ndarray
            Shaped like `images`.
        """
        given = checks.array("images", images)
        if given.ndim not in (2, 3):
            raise ValueError(f"images must be (m, n) or (m, side, side), got shape {given.shape}")
        kind = checks.real_dtype(dtype)
        m, n_in = len(given), math.prod(given.shape[1:])
        with checks.within("images"):
            rows = checks.rows(given.reshape(m, n_in), n_in, kind)
        classes = None
        if labels is not None:
            y = checks.array("labels", labels)
            classes = checks.labels("labels", y, m, int(y.max(initial=0)) + 1)
        module = kernels.engine(kind.name)
        engine = module.Engine((n_in, 1), [("identity", 0.0)], "squared_error", 1 / 255)
        data = module.Data(engine, rows, classes)
        warp = self._warp(n_in, kind.name)
        found: NDArray[Any] = warp.images(
            data, checks.seed(seed) % 2**64, checks.whole("epoch", epoch, least=0),
            threads.get_num_threads() if m > 64 else 1,
        )
        return found.reshape(given.shape)

    def _warp(self, n_in: int, dtype: str) -> Warp:
        """The limits as the kernels take them, for images of n_in pixels."""
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
        warp: Warp = kernels.engine(dtype).Warp(
            side, angle, angle / 2, gentle, self.shear, self.scale, self.translation,
            self.elastic, taps / taps.sum(),
        )
        return warp
