"""Modules that torch.nn does not have; imported where PyTorch is."""

from collections.abc import Sequence

import torch

__all__ = ["Exponential", "GaussianNoise", "GroupSoftmax", "SortedQuantiles"]


class Exponential(torch.nn.Module):  # type: ignore[misc]  # PyTorch's types are not looked at
    """f(z) = eᶻ."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return eᶻ."""
        return torch.exp(z)


class GaussianNoise(torch.nn.Module):  # type: ignore[misc]
    """z + σ·N(0, 1) in training, z in evaluation."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return z with noise, or z."""
        return torch.add(z, torch.randn_like(z), alpha=self.sigma) if self.training else z

    def extra_repr(self) -> str:
        """Return what stands between the brackets of this module in print."""
        return f"sigma={self.sigma}"


class SortedQuantiles(torch.nn.Module):  # type: ignore[misc]
    """The quantiles of each target in ascending order in evaluation, as they come in training."""

    def __init__(self, quantiles: Sequence[float]) -> None:
        super().__init__()
        self.quantiles = tuple(quantiles)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """Return h (…, targets × quantiles), sorted within each target, or h."""
        if self.training:
            return h
        each = h.unflatten(-1, (-1, len(self.quantiles)))
        return each.sort(dim=-1).values.flatten(-2)

    def extra_repr(self) -> str:
        """Return what stands between the brackets of this module in print."""
        return f"quantiles={self.quantiles}"


class GroupSoftmax(torch.nn.Module):  # type: ignore[misc]
    """Softmax of each group of columns, `groups` being their sizes."""

    def __init__(self, groups: Sequence[int]) -> None:
        super().__init__()
        self.groups = tuple(groups)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return probabilities, each group with sum 1."""
        return torch.cat([part.softmax(dim=1) for part in z.split(self.groups, dim=1)], dim=1)

    def extra_repr(self) -> str:
        """Return what stands between the brackets of this module in print."""
        return f"groups={self.groups}"
