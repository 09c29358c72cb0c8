"""Price features: simple returns, the overnight gap, where the bar closed; and the raw bar of `base25`."""

from __future__ import annotations

from karat.features._expressions import CLOSE, HIGH, LOW, OPEN, change, lagged_pair, ratio
from karat.features._graph import column
from karat.features._spec import Function, family
from karat.kernels.features import ops

_FRACTION = "fraction"


def _raw(name: str, unit: str) -> Function:
    return Function(name, lambda _: column(name), (0,), unit, f"{name}[t]", "the panel's column, unchanged")


BASIC = family(
    "price",
    Function("bar_return", lambda _: change(CLOSE, 1), (0,), _FRACTION, "close[t] / close[t-1] - 1", "simple return",
             label="ret_1"),
    Function("ret", lambda w: change(CLOSE, w), (5, 20), _FRACTION, "close[t] / close[t-{w}] - 1", "simple return"),
    Function("gap", lambda _: lagged_pair(ops.DIV, OPEN, CLOSE, 1) - 1.0, (0,), _FRACTION, "open[t] / close[t-1] - 1",
             "overnight return"),
    Function("close_location", lambda _: ratio(2.0 * CLOSE - HIGH - LOW, HIGH - LOW, 0.0), (0,), "-1 to 1",
             "(2 close - high - low) / (high - low), 0 where high = low", "Chaikin's close location value"),
)  # fmt: skip

RAW = family(
    "raw",
    _raw("open", "price"),
    _raw("high", "price"),
    _raw("low", "price"),
    _raw("close", "price"),
    _raw("volume", "units traded"),
)
