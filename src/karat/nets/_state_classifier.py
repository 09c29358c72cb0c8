"""A small classifier of market states: two hidden layers over the features of one row."""

from __future__ import annotations

from torch import Tensor, nn


class StateClassifier(nn.Module):
    """(b, n_inputs) standardised features to (b, n_states) logits; plain enough to be run on arrays too.

    Example:
        >>> sum(weight.numel() for weight in StateClassifier(20, 8, hidden=64).parameters())
        6024
    """

    def __init__(self, n_inputs: int, n_states: int, *, hidden: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(n_inputs, hidden), nn.Linear(hidden, hidden)
        self.head = nn.Linear(hidden, n_states)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        hidden = self.drop(self.first(x).relu())
        out: Tensor = self.head(self.drop(self.second(hidden).relu()))
        return out
