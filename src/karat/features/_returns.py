"""What price features share: log returns, ranges, the true range, and the parts of a bar."""

from __future__ import annotations

from typing import Final

from karat.features._expressions import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    VOLUME,
    absolute,
    lagged_pair,
    larger,
    log,
    ratio,
    smaller,
)
from karat.features._graph import column, lagged
from karat.kernels.features import ops

LOG_RETURN: Final = log(lagged_pair(ops.DIV, CLOSE, CLOSE, 1))
OVERNIGHT: Final = log(lagged_pair(ops.DIV, OPEN, CLOSE, 1))
INTRADAY: Final = log(CLOSE / OPEN)
LOG_RANGE: Final = log(HIGH / LOW)
LOG_CLOSE: Final = log(CLOSE)
LOG_VOLUME: Final = log(1.0 + VOLUME)
SIZE: Final = absolute(LOG_RETURN)
SQUARE: Final = LOG_RETURN * LOG_RETURN
PRIOR: Final = lagged(CLOSE, 1)
TRUE_RANGE: Final = larger(HIGH, PRIOR) - smaller(LOW, PRIOR)
TYPICAL: Final = (HIGH + LOW + CLOSE) / 3.0
CLOSE_LOCATION: Final = ratio(2.0 * CLOSE - HIGH - LOW, HIGH - LOW, 0.0)
INDEX: Final = column("index")
INDEX_RETURN: Final = log(lagged_pair(ops.DIV, INDEX, INDEX, 1))
VIX: Final = column("vix")
VIX_RETURN: Final = log(lagged_pair(ops.DIV, VIX, VIX, 1))
