"""The patch transformer: what it learns alone, what it leaves alone, and what it says without torch."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from karat.core import MissingExtraError
from karat.data import MEDIAN, Test, Train, Valid
from karat.models import Forecaster, create
from karat.models._problem import Frame
from karat.models._shape import mean_pinball
from karat.models.contract import planted_views

SMALL = {"d_model": 16, "layers": 1, "d_ff": 32, "lookback": 16}


def _edge(model: Forecaster, test: Test) -> np.ndarray:
    quantiles = model.predict(test).quantiles
    return quantiles[:, MEDIAN] / (quantiles[:, 20] - quantiles[:, 2])


@pytest.mark.parametrize("direct", [True, False])
def test_a_planted_edge_is_found_unaided(direct: bool) -> None:
    """With and without the direct path being solved for: the transformer learns the signal by itself too."""
    train, valid, test = planted_views(seed=3, ic=0.25, rows=3000, width=21, names=("A.X",))
    model = create("patch_transformer", {"direct": direct, "max_steps": 100, "patience": 5}).fit(train, valid)
    climatology = create("climatology").fit(train, valid)
    y = test._labels.value
    losses = [mean_pinball(y, item.predict(test).quantiles) for item in (model, climatology)]
    assert losses[0] < 0.99 * losses[1]
    assert np.corrcoef(_edge(model, test), test.features[:, -1])[0, 1] > 0.6


def test_without_an_edge_the_unconditional_model_is_left() -> None:
    train, valid, test = planted_views(seed=1, ic=0.0, rows=2000, width=21, names=("A.X",))
    model = create("patch_transformer", {**SMALL, "max_steps": 60, "patience": 3}).fit(train, valid)
    frame, still = Frame.fit(train), np.zeros(len(test))
    base = frame.scale.of(test)[:, None] * frame.shape.quantiles(still, still)
    y = test._labels.value
    assert mean_pinball(y, model.predict(test).quantiles) < 1.01 * mean_pinball(y, base)


def _hidden(view: Train | Valid | Test) -> Train | Valid | Test:
    """Multiply the signal by the sign of the first feature: no linear model of the last row can see it."""
    features = view.table.features.copy()
    features[:, -1] *= np.sign(features[:, 0])
    return replace(view, table=replace(view.table, features=features))


def test_the_transformer_learns_what_the_direct_path_cannot() -> None:
    views = planted_views(seed=2, ic=0.5, rows=4000, width=3, names=("A.X",))
    train, valid, test = (_hidden(view) for view in views)
    model = create("patch_transformer", {**SMALL, "learning_rate": 5e-3}).fit(train, valid)
    linear = create("linear_quantile").fit(train, valid)
    signal = views[2].features[:, -1]
    assert np.corrcoef(_edge(model, test), signal)[0, 1] > 0.5
    assert abs(np.corrcoef(_edge(linear, test) + 1e-12 * signal, signal)[0, 1]) < 0.3


def test_seeds_differ_and_repeat() -> None:
    train, valid, test = planted_views(rows=400, width=4, ic=0.4)
    params = {**SMALL, "direct": False, "max_steps": 20, "learning_rate": 1e-2}

    def quantiles(seed: int) -> bytes:
        return create("patch_transformer", params, seed=seed).fit(train, valid).predict(test).quantiles.tobytes()

    assert quantiles(1) == quantiles(1) != quantiles(2)


def test_threads_and_random_state_are_left_as_they_were() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    try:
        train, valid, test = planted_views(rows=200, width=3)
        create("patch_transformer", {**SMALL, "max_steps": 3}).fit(train, valid).predict(test)
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.get_rng_state(), state)
    finally:
        torch.set_num_threads(before)


def test_the_note_says_when_training_stopped() -> None:
    train, valid, _ = planted_views(rows=200, width=3)
    model = create("patch_transformer", {**SMALL, "max_steps": 7}).fit(train, valid)
    assert model.notes[0].startswith("patch_transformer: best Valid at step ")
    assert model.notes[0].endswith(" of 7")


def test_without_torch_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    train, valid, _ = planted_views(rows=200, width=3)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError) as error:
        create("patch_transformer").fit(train, valid)
    assert str(error.value) == "torch: not installed; it comes with the extra 'nets': pip install 'karat[nets]'"
