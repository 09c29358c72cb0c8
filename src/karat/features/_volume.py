"""Volume features: abnormal volume, money flow, the slope of on-balance volume."""

from __future__ import annotations

import numpy as np
import talib

from karat.features._rolling import lagged, ratio, rolling_sum, rolling_zscore
from karat.features._spec import Columns, FeatureSpec, Floats

# TA-Lib's MFI answers 0 when the summed money flow is below one unit of money, so that small lots would look like
# no flow at all. The index does not depend on the volume's scale; a large one leaves only true zeros to that rule.
_FLOW_SCALE = 1e9


def _volume_z(columns: Columns) -> Floats:
    return rolling_zscore(np.log1p(columns["volume"]), 20)


def _mfi(columns: Columns) -> Floats:
    volume = columns["volume"] * _FLOW_SCALE
    return np.asarray(talib.MFI(columns["high"], columns["low"], columns["close"], volume, 14))


def _obv_slope(columns: Columns) -> Floats:
    volume = columns["volume"]
    balance = np.asarray(talib.OBV(columns["close"], volume))
    return ratio(balance - lagged(balance, 20), rolling_sum(volume, 20), neutral=0.0)


VOLUME_Z_20 = FeatureSpec(
    name="volume_z_20",
    inputs=("volume",),
    lookback=19,
    category="volume",
    unit="sample standard deviations",
    formula="z-score of log(1 + volume) in its trailing 20 bars, 0 where flat",
    source="standard score",
    compute=_volume_z,
)
MFI_14 = FeatureSpec(
    name="mfi_14",
    inputs=("high", "low", "close", "volume"),
    lookback=14,
    category="volume",
    unit="0 to 100",
    formula="100 x positive / (positive + negative) typical-price money flow over 14 bars, 0 without any flow",
    source="TA-Lib MFI; Quong and Soudack 1989",
    compute=_mfi,
)
OBV_SLOPE_20 = FeatureSpec(
    name="obv_slope_20",
    inputs=("close", "volume"),
    lookback=20,
    category="volume",
    unit="-1 to 1",
    formula="(OBV[t] - OBV[t-20]) / volume summed over 20 bars, 0 without volume",
    source="TA-Lib OBV; Granville 1963",
    compute=_obv_slope,
)
