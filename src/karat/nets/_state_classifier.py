"""Several small networks beside each other that tell states from features of one instrument at one time."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn


class StateClassifier(nn.Module):
    """(b, n_inputs) standardised features to (members, b, n_states) logits; plain enough to be run on arrays too.

    The members share nothing but the batch: one product over all of them takes the place of a loop.

    Example:
        >>> sum(weight.numel() for weight in StateClassifier(20, 8, hidden=64, members=16).parameters())
        96384
    """

    def __init__(self, n_inputs: int, n_states: int, *, hidden: int = 64, members: int = 1) -> None:
        super().__init__()
        sizes = (n_inputs, hidden, hidden, n_states)
        shapes = [(members, fan_in, fan_out) for fan_in, fan_out in itertools.pairwise(sizes)]
        self.weights = nn.ParameterList([_drawn(shape, shape[1]) for shape in shapes])
        self.biases = nn.ParameterList([_drawn((members, 1, shape[2]), shape[1]) for shape in shapes])

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        out, last = x.expand(len(self.weights[0]), *x.shape), len(self.weights) - 1
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            out = torch.baddbmm(bias, out, weight)
            out = out if k == last else out.relu()
        return out


def _drawn(shape: tuple[int, ...], fan_in: int) -> nn.Parameter:
    """Return a parameter drawn evenly within 1 / sqrt(fan_in), as torch draws its linear layers."""
    return nn.Parameter(torch.empty(shape).uniform_(-1.0, 1.0) / math.sqrt(fan_in))
