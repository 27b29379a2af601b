"""Modules that torch.nn does not have; imported where PyTorch is."""

import torch

__all__ = ["Exponential"]


class Exponential(torch.nn.Module):  # type: ignore[misc]  # PyTorch's types are not looked at
    """f(z) = eᶻ."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return eᶻ."""
        return torch.exp(z)
