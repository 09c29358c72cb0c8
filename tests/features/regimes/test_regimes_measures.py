"""What regimes are read from: every measure beside its formula in plain numpy, on the rows of one window alone.

Numbers are the invariants of `karat.features.regimes._measures`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from regimes_factory import PROVENANCE, bars

from karat.data import Panel
from karat.features import build
from karat.features._spec import Floats
from karat.features.regimes import REGIMES
from karat.features.regimes._measures import MARKET_STATE, Measure

MEASURES = {spec.measure.name: spec.measure for spec in REGIMES.values()}
Window = dict[str, Floats]


def columns_of(measure: Measure, n: int = 320) -> Window:
    frame = bars(n)
    return {name: frame[name].to_numpy() for name in measure.columns}


def thin(x: Window) -> float:
    moved, traded = np.abs(np.diff(np.log(x["close"]))), x["close"] * x["volume"]
    near, far = (moved[-w:].sum() / traded[-w:].sum() for w in (20, 250))
    return float(np.log(near / far))


def rotation(x: Window) -> list[float]:
    return [np.log(x["close"][-1] / x["close"][0]) - np.log1p(x["market_return"][-60:]).sum()]


def trend_and_volatility(x: Window) -> list[float]:
    r = np.diff(np.log(x["close"]))
    return [r.mean(), np.log(r.std(ddof=1))]


def market_state(x: Window) -> list[float]:
    p, q, r = x["close"], x["volume"], np.diff(np.log(x["close"]))
    d = r.std(ddof=1)
    return [
        *(np.log(p[-1] / p[-1 - w]) / d / np.sqrt(w) for w in (1, 5, 20, 60, 120)),
        *(np.log(r[-w:].std(ddof=1) / d) for w in (5, 20, 60)),
        np.log(r[-20:].std(ddof=1)),
        (np.minimum(r[-20:], 0.0) ** 2).sum() / (r[-20:] ** 2).sum(),
        np.log(p[-1] / p[-250:].max()) / d,
        np.log(p[-1] / p[-250:].min()) / d,
        np.log(np.log(x["high"] / x["low"])[-20:].mean()),
        *(np.log(p[-1] / p[-w:].mean()) / d for w in (50, 200)),
        np.log(q[-5:].mean() / q[-60:].mean()),
        thin(x),
    ]


PLAIN: dict[str, Callable[[Window], list[float]]] = {
    "volatility_20": lambda x: [np.diff(np.log(x["close"])).std(ddof=1)],
    "illiquidity_20_250": lambda x: [thin(x)],
    "relative_strength_60": rotation,
    "vix": lambda x: [x["vix"][-1]],
    "trend_and_volatility_20": trend_and_volatility,
    "log_return": lambda x: [np.log(x["close"][1] / x["close"][0])],
    "market_state": market_state,
}


@pytest.mark.parametrize("name", list(MEASURES))
def test_a_measure_is_its_formula(name: str) -> None:
    measure = MEASURES[name]
    columns = columns_of(measure)
    found = measure.of(columns)
    for t in range(measure.window - 1, len(found), 17):
        window = {key: values[t - measure.window + 1 : t + 1] for key, values in columns.items()}
        np.testing.assert_allclose(found[t], PLAIN[name](window), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", list(MEASURES))
def test_1_a_value_owes_nothing_to_the_rows_before_its_window(name: str) -> None:
    measure = MEASURES[name]
    columns = columns_of(measure)
    found = measure.of(columns)
    for t in (measure.window - 1, 300, 319):
        window = {key: values[t - measure.window + 1 : t + 1] for key, values in columns.items()}
        np.testing.assert_array_equal(measure.of(window)[-1], found[t])


@pytest.mark.parametrize("name", list(MEASURES))
def test_2_no_row_is_whole_before_the_window_is_full(name: str) -> None:
    measure = MEASURES[name]
    columns = columns_of(measure)
    assert np.isfinite(measure.of(columns)[measure.window - 1 :]).all()
    for n in {0, 1, measure.window - 1} - {measure.window}:
        few = measure.of({key: values[:n] for key, values in columns.items()})
        assert few.shape == (n, len(measure.parts))
        assert np.isnan(few[: measure.window - 1]).any(axis=1).all()


def test_2_prices_that_stand_still_have_no_market_state() -> None:
    flat = {name: np.full(300, 50.0) for name in MARKET_STATE.columns}
    found = MARKET_STATE.of(flat)
    assert np.isnan(found).any(axis=1).all()
    assert not np.isinf(found).any()


def test_the_share_of_a_period_that_does_not_divide_the_window_stays_below_one() -> None:
    """The sine and cosine of 3 bars are not quite as long in 250 of them as in whole periods: 0.4 % more was told."""
    wave = 0.01 * np.cos(2 * np.pi * np.arange(400) / 3.0)
    frame = bars(400).with_columns(close=np.exp(np.cumsum(wave)))
    found = build(Panel(frame, "XNYS", PROVENANCE), ["fourier3_250"]).frame["fourier3_250"].to_numpy()[251:]
    assert 0.99 < found.min() <= found.max() == 1.0
