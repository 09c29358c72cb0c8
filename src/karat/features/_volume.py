"""Volume features: abnormal volume, money flow, the slope of on-balance volume."""

from __future__ import annotations

from karat.features._expressions import CLOSE, HIGH, LOW, VOLUME, diff, log, ratio, talib, total, zscore
from karat.features._graph import Node
from karat.features._spec import Function, family

# TA-Lib's MFI answers 0 when the summed money flow is below one unit of money, so that small lots would look like
# no flow at all. The index does not depend on the volume's scale; a large one leaves only true zeros to that rule.
_FLOW_SCALE = 1e9


def _obv_slope(w: int) -> Node:
    return ratio(diff(talib("OBV", CLOSE, VOLUME, w=0), w), total(VOLUME, w), 0.0)


BASIC = family(
    "volume",
    Function("volume_z", lambda w: zscore(log(1.0 + VOLUME), w), (20,), "sample standard deviations",
             "z-score of log(1 + volume) in its trailing {w} bars, 0 where flat", "standard score"),
    Function("mfi", lambda w: talib("MFI", HIGH, LOW, CLOSE, VOLUME * _FLOW_SCALE, w=w), (14,), "0 to 100",
             "100 x positive / (positive + negative) typical-price money flow over {w} bars, 0 without any flow",
             "TA-Lib MFI; Quong and Soudack 1989"),
    Function("obv_slope", _obv_slope, (20,), "-1 to 1",
             "(OBV[t] - OBV[t-{w}]) / volume summed over {w} bars, 0 without volume", "TA-Lib OBV; Granville 1963"),
)  # fmt: skip
