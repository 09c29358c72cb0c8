"""The five baselines: each is what its name says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from karat.data import CUTS, LEVELS, MEDIAN, Forecast
from karat.models import create
from karat.models._scale import Scale
from karat.models.contract import planted_views

TRAIN, VALID, TEST = planted_views(rows=800, width=3)
INPUTS = TEST.inputs()


def _forecast(name: str, **params: object) -> Forecast:
    return create(name, params).fit(TRAIN, VALID).predict(INPUTS)


def test_climatology_is_the_past_of_each_instrument() -> None:
    forecast = _forecast("climatology")
    for name in ("A.X", "B.X"):
        own = TRAIN.labels.value[TRAIN.instrument == name]
        row = np.flatnonzero(INPUTS.instrument == name)[0]
        assert np.allclose(forecast.quantiles[row], np.quantile(own, LEVELS))
        counts = np.bincount(np.searchsorted(CUTS, own, side="left"), minlength=9) + 0.5
        assert np.allclose(forecast.probabilities[row], counts / counts.sum())


def test_climatology_pools_instruments_with_little_history() -> None:
    pooled = _forecast("climatology", min_rows=100_000)
    assert np.allclose(pooled.quantiles, np.quantile(TRAIN.labels.value, LEVELS))


def test_ewma_is_normal_at_the_shared_scale() -> None:
    forecast = _forecast("ewma", decay=0.9)
    scale = Scale.fit(TRAIN, 0.9).of(INPUTS)
    assert np.allclose(forecast.quantiles, scale[:, None] * ndtri(LEVELS))


@pytest.mark.parametrize(("name", "sign"), [("last_sign", None), ("buy_and_hold", 1.0)])
def test_naive_locations_are_a_tenth_of_the_scale(name: str, sign: float | None) -> None:
    forecast, scale = _forecast(name), Scale.fit(TRAIN).of(INPUTS)
    expected = np.sign(INPUTS.table.returns[INPUTS.rows]) if sign is None else sign
    assert np.allclose(forecast.quantiles[:, MEDIAN] / scale, 0.1 * expected)


def test_garch_follows_volatility() -> None:
    forecast = _forecast("garch_t")
    width = forecast.quantiles[:, 20] - forecast.quantiles[:, 2]
    own = INPUTS.instrument == "A.X"
    assert np.corrcoef(width[own], Scale.fit(TRAIN).of(INPUTS)[own])[0, 1] > 0.7
    tail = (forecast.quantiles[:, -1] - forecast.quantiles[:, MEDIAN]) / width
    assert tail.min() > ndtri(0.99) / (2 * ndtri(0.95))  # fatter than a normal
