"""Price features: simple returns, the overnight gap, where the bar closed; and the raw bar of `base25`."""

from __future__ import annotations

from karat.features._rolling import change, lagged, ratio
from karat.features._spec import Columns, FeatureSpec, Floats


def _ret(periods: int) -> FeatureSpec:
    def compute(columns: Columns) -> Floats:
        return change(columns["close"], periods)

    return FeatureSpec(
        name=f"ret_{periods}",
        inputs=("close",),
        lookback=periods,
        category="price",
        unit="fraction",
        formula=f"close[t] / close[t-{periods}] - 1",
        source="simple return",
        compute=compute,
    )


def _gap(columns: Columns) -> Floats:
    return columns["open"] / lagged(columns["close"], 1) - 1.0


def _close_location(columns: Columns) -> Floats:
    high, low, close = columns["high"], columns["low"], columns["close"]
    return ratio(2.0 * close - high - low, high - low, neutral=0.0)


def _raw(column: str, unit: str) -> FeatureSpec:
    def compute(columns: Columns) -> Floats:
        return columns[column]

    return FeatureSpec(
        name=column,
        inputs=(column,),
        lookback=0,
        category="raw",
        unit=unit,
        formula=f"{column}[t]",
        source="the panel's column, unchanged",
        compute=compute,
    )


RET_1 = _ret(1)
RET_5 = _ret(5)
RET_20 = _ret(20)
GAP = FeatureSpec(
    name="gap",
    inputs=("open", "close"),
    lookback=1,
    category="price",
    unit="fraction",
    formula="open[t] / close[t-1] - 1",
    source="overnight return",
    compute=_gap,
)
CLOSE_LOCATION = FeatureSpec(
    name="close_location",
    inputs=("high", "low", "close"),
    lookback=0,
    category="price",
    unit="-1 to 1",
    formula="(2 close - high - low) / (high - low), 0 where high = low",
    source="Chaikin's close location value",
    compute=_close_location,
)
OPEN = _raw("open", "price")
HIGH = _raw("high", "price")
LOW = _raw("low", "price")
CLOSE = _raw("close", "price")
VOLUME = _raw("volume", "units traded")
