"""The module: monotone quantiles, patches as PatchTST counts them, gains, gradients, no look at other rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from karat.nets import PatchSize, PatchTransformer, one_thread, patch_count, pinball_loss

GOLDEN = Path(__file__).parents[1] / "golden" / "nets"
SHAPE = torch.tensor([-2.0, -1.0, -1.0, 0.1, 0.8, 1.0, 2.5])
SIZE = PatchSize(n_features=4, n_quantiles=7, n_classes=3, median=3, lookback=12, patch=4, stride=2, d_model=8, d_ff=8)


def _module(seed: int = 0, *, wild: float = 0.0) -> PatchTransformer:
    torch.manual_seed(seed)
    module = PatchTransformer(SIZE, SHAPE).eval()
    if wild:
        with torch.no_grad():
            for weight in (module.head.weight, module.head.bias, module.skip.weight):
                weight.copy_(wild * torch.randn_like(weight))
    return module


def _window(n: int = 6) -> torch.Tensor:
    return torch.randn(n, 12, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("case", json.loads((GOLDEN / "patch_counts.json").read_text(encoding="utf-8")))
def test_patches_are_counted_as_in_patchtst(case: dict[str, int]) -> None:
    assert patch_count(case["L"], case["patch"], case["stride"]) == case["N"]


def test_the_module_makes_that_many_patches() -> None:
    assert _module().position.shape[0] == patch_count(12, 4, 2) == 6


@pytest.mark.parametrize("wild", [0.1, 3.0, 50.0])
def test_invariant_1_quantiles_never_cross(wild: float) -> None:
    quantiles, _ = _module(wild=wild)(_window(50), torch.zeros(50, 3))
    assert (quantiles.diff(dim=1) >= 0).all()
    assert torch.isfinite(quantiles).all()


def test_invariant_2_untrained_is_unconditional() -> None:
    offset = torch.randn(6, 3)
    quantiles, logits = _module()(_window(), offset)
    assert torch.allclose(quantiles, SHAPE.expand(6, 7), atol=5e-4)  # the tie becomes the least step
    assert torch.equal(logits, offset)


def test_invariant_3_no_gain_leaves_the_direct_path() -> None:
    module, window = _module(wild=1.0), _window()
    module.gain.zero_()
    quantiles, logits = module(window, torch.zeros(6, 3))
    shift, stretch = (window[:, -1] @ module.skip.weight.T).unbind(1)
    centre = SHAPE[3] + shift
    expected = centre[:, None] + (SHAPE - SHAPE[3])[None, :] * torch.exp(stretch.clamp(-1, 1))[:, None]
    assert torch.allclose(quantiles, expected, atol=2e-3)
    assert torch.equal(logits, torch.zeros(6, 3))


def test_a_row_depends_on_its_own_window_only() -> None:
    module, window = _module(wild=0.5), _window()
    other = window.clone()
    other[1:] += 1.0
    offset = torch.zeros(6, 3)
    assert torch.equal(module(window, offset)[0][0], module(other, offset)[0][0])


def test_every_bar_of_the_window_and_every_weight_is_used() -> None:
    module, window = _module(wild=0.5), _window().requires_grad_()
    quantiles, logits = module(window, torch.zeros(6, 3))
    (quantiles.sum() + (logits**2).sum()).backward()
    assert (window.grad.abs().sum(dim=(0, 2)) > 0).all()
    assert all(weight.grad is not None for weight in module.parameters())


def test_pinball_by_hand() -> None:
    target, quantiles = torch.tensor([1.0, -1.0]), torch.tensor([[0.0, 2.0], [0.0, 2.0]])
    # (0.25 * 1 + 0.5 * 1 + 0.75 * 1 + 0.5 * 3) / 4
    assert float(pinball_loss(target, quantiles, torch.tensor([0.25, 0.5]))) == pytest.approx(0.75)


def test_one_thread_is_given_back_after_an_error() -> None:
    before, inside = torch.get_num_threads(), 0

    def fail() -> None:
        nonlocal inside
        with one_thread():
            inside = torch.get_num_threads()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (inside, torch.get_num_threads()) == (1, before)


def test_the_default_has_the_advertised_size() -> None:
    size = PatchSize(n_features=21, n_quantiles=23, n_classes=9, median=11)
    weights = sum(item.numel() for item in PatchTransformer(size, torch.linspace(-2, 2, 23)).parameters())
    assert 20_000 <= weights <= 30_000
