"""Modules that torch.nn does not have; imported only where PyTorch is installed."""

from collections.abc import Sequence

import torch

__all__ = ["Exponential", "GaussianNoise", "GroupSoftmax", "SortedQuantiles"]


class Exponential(torch.nn.Module):  # type: ignore[misc]  # PyTorch is not type-checked
    """The activation function f(z) = eᶻ."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return eᶻ."""
        return torch.exp(z)


class GaussianNoise(torch.nn.Module):  # type: ignore[misc]
    """Add noise σ·N(0, 1) in training mode; pass z through in evaluation mode."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return z with noise in training mode, otherwise z."""
        return torch.add(z, torch.randn_like(z), alpha=self.sigma) if self.training else z

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"sigma={self.sigma}"


class SortedQuantiles(torch.nn.Module):  # type: ignore[misc]
    """Sort the quantiles of each target in evaluation mode; pass them through in training mode."""

    def __init__(self, quantiles: Sequence[float]) -> None:
        super().__init__()
        self.quantiles = tuple(quantiles)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """Return h (…, targets × quantiles), in evaluation mode sorted within each target."""
        if self.training:
            return h
        each = h.unflatten(-1, (-1, len(self.quantiles)))
        return each.sort(dim=-1).values.flatten(-2)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"quantiles={self.quantiles}"


class GroupSoftmax(torch.nn.Module):  # type: ignore[misc]
    """Softmax of each group of columns; `groups` has their sizes."""

    def __init__(self, groups: Sequence[int]) -> None:
        super().__init__()
        self.groups = tuple(groups)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return probabilities, each group with sum 1."""
        return torch.cat([part.softmax(dim=1) for part in z.split(self.groups, dim=1)], dim=1)

    def extra_repr(self) -> str:
        """Return the settings that `repr` shows."""
        return f"groups={self.groups}"
