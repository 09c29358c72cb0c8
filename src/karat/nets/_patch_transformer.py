"""`PatchTransformer`: a small transformer over patches of feature history, with quantile and class heads.

Patches are those of PatchTST (Nie, Nguyen, Sinthong and Kalagnanam, 2023): the window is padded at its end by `stride`
copies of the last row and cut into N = floor((L - P) / S) + 2 pieces. Two things differ, because a return has little
signal and many drivers: the features of a patch are mixed when it is embedded (PatchTST keeps channels apart), and the
last row has a direct linear path `skip` to shift and stretch, which the owner may solve for and freeze: a linear signal
is then learned from little data, and the transformer learns what is left.

| symbol | meaning                                                     | shape         |
|--------|-------------------------------------------------------------|---------------|
| x      | window of scaled features, oldest row first                 | (b, L, p)     |
| P, S   | patch length and stride                                     | scalar        |
| a_k    | unconditional shape of the standardised return, fixed       | (K,)          |
| m, g   | shift of the median and log-stretch                         | (b,)          |
| d_j    | deviation of the step between two neighbouring quantiles    | (b, K - 1)    |
| q_k    | a_0 + m, then outwards by exp(g) softplus(s_j + d_j)        | (b, K)        |
| s_j    | softplus^-1(a_{j+1} - a_j)                                  | (K - 1,)      |

Invariants:
1. Quantiles never cross: steps are positive.
2. Heads start at zero: an untrained module gives the unconditional shape, and class logits equal to their offset.
3. `gain` multiplies what the transformer adds to the quantiles and to the class logits: at 0 only the direct path is
   left.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEAST_STEP = 1e-4
_MAX_STRETCH = 1.0


@dataclass(frozen=True)
class PatchSize:
    """Sizes of the module. median: index of the level 0.5 among the quantiles."""

    n_features: int
    n_quantiles: int
    n_classes: int
    median: int
    lookback: int = 32
    patch: int = 8
    stride: int = 8
    d_model: int = 32
    n_layers: int = 2
    n_heads: int = 4
    d_ff: int = 64
    dropout: float = 0.2


def patch_count(lookback: int, patch: int, stride: int) -> int:
    """Return the number of patches of an end-padded window.

    Example:
        >>> patch_count(336, 16, 8), patch_count(512, 16, 8)
        (42, 64)
    """
    return (lookback - patch) // stride + 2


class _Block(nn.Module):
    """Pre-norm encoder block: attention over patches, then a feed-forward layer."""

    def __init__(self, size: PatchSize) -> None:
        super().__init__()
        self.heads, self.drop = size.n_heads, size.dropout
        self.norm_attention, self.norm_forward = nn.LayerNorm(size.d_model), nn.LayerNorm(size.d_model)
        self.mix, self.out = nn.Linear(size.d_model, 3 * size.d_model), nn.Linear(size.d_model, size.d_model)
        self.up, self.down = nn.Linear(size.d_model, size.d_ff), nn.Linear(size.d_ff, size.d_model)

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        query, key, value = self.mix(self.norm_attention(x)).reshape(b, n, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(b, n, d)
        x = x + F.dropout(self.out(seen), self.drop, self.training)
        hidden = F.gelu(self.up(self.norm_forward(x)))
        return x + F.dropout(self.down(hidden), self.drop, self.training)


class PatchTransformer(nn.Module):
    """Windows to quantiles of the standardised return and class logits; see the module for symbols.

    shape: (K,) unconditional quantiles, non-decreasing. Weights are drawn from torch's generator: seed it before.
    """

    shape: Tensor
    steps: Tensor
    gain: Tensor

    def __init__(self, size: PatchSize, shape: Tensor) -> None:
        super().__init__()
        self.size = size
        gaps = shape.diff().clamp_min(_LEAST_STEP)
        self.register_buffer("shape", shape.clone())
        self.register_buffer("steps", gaps + torch.log(-torch.expm1(-gaps)))
        self.register_buffer("gain", torch.ones(2))
        tokens = patch_count(size.lookback, size.patch, size.stride)
        self.embed = nn.Linear(size.patch * size.n_features, size.d_model)
        self.now = nn.Linear(size.n_features, size.d_model)
        self.position = nn.Parameter(0.02 * torch.randn(tokens, size.d_model))
        self.blocks = nn.ModuleList([_Block(size) for _ in range(size.n_layers)])
        self.norm = nn.LayerNorm(size.d_model)
        self.head = nn.Linear(size.d_model, 2 + size.n_quantiles - 1 + size.n_classes)
        self.skip = nn.Linear(size.n_features, 2, bias=False)
        for weight in (self.head.weight, self.head.bias, self.skip.weight):
            nn.init.zeros_(weight)

    def forward(self, window: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
        """Return (b, K) quantiles and (b, C) class logits for (b, L, p) windows and (b, C) class offsets."""
        k = self.size.n_quantiles - 1
        deep, direct = self.head(self._encode(window)), self.skip(window[:, -1])
        added = self.gain[0] * deep[:, : 2 + k]
        shift, stretch = (direct + added[:, :2]).unbind(1)
        factor = torch.exp(stretch.clamp(-_MAX_STRETCH, _MAX_STRETCH))
        steps = F.softplus(self.steps + added[:, 2:]) * factor[:, None]
        return self._quantiles(shift, steps), offset + self.gain[1] * deep[:, 2 + k :]

    def _encode(self, window: Tensor) -> Tensor:
        size = self.size
        padded = torch.cat([window, window[:, -1:].expand(-1, size.stride, -1)], dim=1)
        patches = padded.unfold(1, size.patch, size.stride).flatten(2)
        x = torch.cat([self.embed(patches) + self.position, self.now(window[:, -1:])], dim=1)
        x = F.dropout(x, size.dropout, self.training)
        for block in self.blocks:
            x = block(x)
        return F.dropout(self.norm(x[:, -1]), size.dropout, self.training)

    def _quantiles(self, moved: Tensor, steps: Tensor) -> Tensor:
        at = self.size.median
        centre = (self.shape[at] + moved)[:, None]
        up = centre + steps[:, at:].cumsum(1)
        down = centre - steps[:, :at].flip(1).cumsum(1).flip(1)
        return torch.cat([down, centre, up], dim=1)
