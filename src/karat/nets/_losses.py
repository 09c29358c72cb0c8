"""Losses of forecast heads."""

from __future__ import annotations

from torch import Tensor


def pinball_loss(target: Tensor, quantiles: Tensor, levels: Tensor) -> Tensor:
    """Return the mean pinball loss, a scalar: target (n,), quantiles (n, k) at levels (k,).

    rho_t(u) = max(t u, (t - 1) u) with u = target - quantile (Koenker and Bassett, 1978).

    Example:
        >>> import torch
        >>> float(pinball_loss(torch.tensor([1.0]), torch.tensor([[0.0]]), torch.tensor([0.5])))
        0.5
    """
    gap = target[:, None] - quantiles
    return (levels * gap).maximum((levels - 1.0) * gap).mean()
