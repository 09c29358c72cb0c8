"""The training loop: finds a minimum, stops by Valid, keeps the best, repeats to the bit."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from karat.nets import FitLog, FitPlan, fit_module

X = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([1.0, -2.0, 0.5])


def _train(plan: FitPlan, *, dropout: float = 0.0, valid: object = None) -> tuple[nn.Module, FitLog]:
    torch.manual_seed(1)
    module = nn.Sequential(nn.Dropout(dropout), nn.Linear(3, 1))

    def loss(rows: torch.Tensor) -> torch.Tensor:
        return ((module(X[rows]).squeeze(1) - Y[rows]) ** 2).mean()

    def whole() -> float:
        return float(((module(X).squeeze(1) - Y) ** 2).mean())

    groups = [{"params": list(module.parameters()), "lr": 0.05, "weight_decay": 0.0}]
    log = fit_module(module, groups, n_rows=400, batch_loss=loss, valid_loss=valid or whole, plan=plan)  # type: ignore[arg-type]
    return module, log


def test_a_minimum_is_found() -> None:
    module, log = _train(FitPlan(seed=1, max_steps=400, batch=64, patience=40))
    assert torch.allclose(module[1].weight[0], torch.tensor([1.0, -2.0, 0.5]), atol=0.02)  # type: ignore[index]
    assert not module.training
    assert log.losses[-1][1] < 0.01 * log.losses[0][1]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_invariant_1_same_seed_same_bits(dropout: float) -> None:
    runs = [_train(FitPlan(seed=seed, max_steps=30), dropout=dropout) for seed in (1, 1, 2)]
    weights = [run[0][1].weight for run in runs]  # type: ignore[index]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert runs[0][1] == runs[1][1]


def test_invariant_1_the_random_state_is_restored() -> None:
    torch.manual_seed(9)
    expected = torch.rand(1)
    torch.manual_seed(9)
    state = torch.get_rng_state()
    module = nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1))
    torch.set_rng_state(state)
    fit_module(
        module,
        [{"params": list(module.parameters()), "lr": 0.1}],
        n_rows=400,
        batch_loss=lambda rows: module(X[rows]).mean(),
        valid_loss=lambda: 1.0,
        plan=FitPlan(seed=3, max_steps=5),
    )
    assert torch.equal(torch.rand(1), expected)


def test_invariant_2_the_best_weights_are_kept() -> None:
    losses, seen = iter([3.0, 2.0, 1.0, *[5.0] * 50]), []
    module: list[nn.Module] = []

    def watched(plan: FitPlan) -> FitLog:
        torch.manual_seed(1)
        module.append(nn.Linear(3, 1))

        def valid() -> float:
            seen.append(module[-1].weight.clone())
            return next(losses)

        groups = [{"params": list(module[-1].parameters()), "lr": 0.05}]
        return fit_module(
            module[-1],
            groups,
            n_rows=400,
            batch_loss=lambda rows: module[-1](X[rows]).mean(),
            valid_loss=valid,
            plan=plan,
        )

    log = watched(FitPlan(seed=1, max_steps=500, check_every=5, patience=4))
    assert (log.best_step, log.steps) == (10, 30)
    assert [step for step, _ in log.losses] == [0, 5, 10, 15, 20, 25, 30]
    assert torch.equal(module[0].weight, seen[2])
    assert not torch.equal(module[0].weight, seen[-1])


def test_invariant_2_step_0_is_a_candidate() -> None:
    counter = iter(range(1000))
    torch.manual_seed(1)
    start = nn.Sequential(nn.Dropout(0.0), nn.Linear(3, 1))[1].weight.clone()
    module, log = _train(FitPlan(seed=1, max_steps=50), valid=lambda: float(next(counter)))
    assert log.best_step == 0
    assert torch.equal(module[1].weight, start)  # type: ignore[index]


def test_the_last_step_is_looked_at() -> None:
    _, log = _train(FitPlan(seed=1, max_steps=13, check_every=10))
    assert [step for step, _ in log.losses] == [0, 10, 13]


@pytest.mark.parametrize(("loss", "where"), [(math.nan, "at step 1"), (math.inf, "at step 1")])
def test_a_loss_that_is_not_finite_stops_training(loss: float, where: str) -> None:
    module = nn.Linear(3, 1)
    with pytest.raises(FloatingPointError, match=f"the loss is {loss} {where}; the inputs are not"):
        fit_module(
            module,
            [{"params": list(module.parameters()), "lr": 0.1}],
            n_rows=10,
            batch_loss=lambda rows: module(X[rows]).sum() * loss,
            valid_loss=lambda: 1.0,
            plan=FitPlan(seed=1),
        )


def test_a_validation_loss_that_is_not_finite_stops_training() -> None:
    with pytest.raises(FloatingPointError, match="the loss is nan on the validation rows"):
        _train(FitPlan(seed=1), valid=lambda: math.nan)
