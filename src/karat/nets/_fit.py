"""The one training loop: AdamW on shuffled batches, early stopping on a validation loss, the best weights kept.

Invariants:
1. Same module, data, plan and seed: same bits. Batches come from the plan's own generator; dropout from torch's, which
   is seeded inside and restored after.
2. The weights at step 0 are a candidate too: training never leaves a module with a worse validation loss than it had.
3. The budget is in steps, not epochs, so that the time does not grow with the rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from karat.nets._threads import one_thread


@dataclass(frozen=True)
class FitPlan:
    """How to train. check_every: steps between looks at the validation loss. patience: looks without a better one.

    clip: largest norm of the gradient. seed: of batches and dropout.
    """

    seed: int
    max_steps: int = 300
    batch: int = 256
    check_every: int = 10
    patience: int = 10
    clip: float = 1.0


@dataclass(frozen=True)
class FitLog:
    """What happened: the step whose weights were kept, the steps done, and every (step, validation loss)."""

    best_step: int
    steps: int
    losses: tuple[tuple[int, float], ...]


def fit_module(
    module: nn.Module,
    groups: Sequence[dict[str, Any]],
    *,
    n_rows: int,
    batch_loss: Callable[[Tensor], Tensor],
    valid_loss: Callable[[], float],
    plan: FitPlan,
) -> FitLog:
    """Train `module` in place, leave it in evaluation mode with its best weights, and return the log.

    groups: AdamW parameter groups (`params`, `lr`, `weight_decay`). batch_loss: (b,) int64 row indices to a scalar.
    valid_loss: loss of the module as it is, called in evaluation mode without gradients.

    Raises:
        FloatingPointError: a loss that is not finite.
    """
    draws = torch.Generator().manual_seed(plan.seed)
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        best = _Best(module, _look(module, valid_loss))
        order, at, step = torch.randperm(n_rows, generator=draws), 0, 0
        while step < plan.max_steps and best.waited < plan.patience:
            if at >= n_rows:
                order, at = torch.randperm(n_rows, generator=draws), 0
            rows, at, step = order[at : at + plan.batch], at + plan.batch, step + 1
            optimiser.zero_grad(set_to_none=True)
            loss = batch_loss(rows)
            _finite(loss.item(), step)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
            nn.utils.clip_grad_norm_(module.parameters(), plan.clip)
            optimiser.step()
            if step % plan.check_every == 0 or step == plan.max_steps:
                best.offer(step, _look(module, valid_loss))
        best.restore()
    return FitLog(best.step, step, tuple(best.losses))


class _Best:
    """The best weights so far."""

    def __init__(self, module: nn.Module, loss: float) -> None:
        self._module, self._loss, self.step, self.waited = module, loss, 0, 0
        self.losses = [(0, loss)]
        self._weights = _copy(module)

    def offer(self, step: int, loss: float) -> None:
        self.losses.append((step, loss))
        self.waited += 1
        if loss < self._loss:
            self._loss, self.step, self.waited, self._weights = loss, step, 0, _copy(self._module)

    def restore(self) -> None:
        self._module.load_state_dict(self._weights)
        self._module.eval()


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def _look(module: nn.Module, valid_loss: Callable[[], float]) -> float:
    module.eval()
    with torch.inference_mode():
        loss = valid_loss()
    module.train()
    return _finite(loss, -1)


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        where = "on the validation rows" if step < 0 else f"at step {step}"
        raise FloatingPointError(
            f"the loss is {loss} {where}; the inputs are not finite or the learning rate is too high"
        )
    return loss
