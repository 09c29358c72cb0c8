"""Volume features: abnormal volume, money flow, volume beside price."""

from __future__ import annotations

from karat.features._expressions import (
    CLOSE,
    HIGH,
    LOW,
    VOLUME,
    absolute,
    correlation,
    diff,
    ema,
    highest,
    lagged_pair,
    less,
    mean,
    positive,
    rank,
    ratio,
    sign,
    since_highest,
    slope,
    std,
    third_moment,
    total,
    zscore,
)
from karat.features._graph import Node, lagged
from karat.features._returns import (
    CLOSE_LOCATION,
    LOG_CLOSE,
    LOG_RANGE,
    LOG_RETURN,
    LOG_VOLUME,
    SIZE,
    TRUE_RANGE,
    TYPICAL,
)
from karat.features._spec import Function, family
from karat.kernels.features import ops

_MORE = lagged_pair(ops.SUB, LOG_VOLUME, LOG_VOLUME, 1)
_CORRELATION = "-1 to 1"


def _obv_slope(w: int) -> Node:
    return ratio(total(sign(diff(CLOSE)) * VOLUME, w), total(VOLUME, w), 0.0)


def _money_flow(w: int) -> Node:
    before, flow = lagged(TYPICAL, 1), TYPICAL * VOLUME
    gained, lost = total(flow * less(before, TYPICAL), w), total(flow * less(TYPICAL, before), w)
    return 100.0 * ratio(gained, gained + lost, 0.0)


def _weighted_gap(w: int) -> Node:
    return ratio(CLOSE * total(VOLUME, w), total(TYPICAL * VOLUME, w)) - 1.0


def _force(w: int) -> Node:
    return ratio(ema(diff(CLOSE) * VOLUME, w), ema(TRUE_RANGE * VOLUME, w), 0.0)


def _ease(w: int) -> Node:
    """Return how far the middle of the bar moves for a volume, both against their means."""
    moved = diff((HIGH + LOW) / 2.0) * (HIGH - LOW)
    return ratio(mean(ratio(moved, VOLUME, 0.0), w) * mean(VOLUME, w), mean(TRUE_RANGE, w) * mean(TRUE_RANGE, w), 0.0)


def _quiet(w: int) -> Node:
    return mean(LOG_RETURN * lagged_pair(ops.LESS, VOLUME, VOLUME, 1), w)


def _busy(w: int) -> Node:
    return mean(LOG_RETURN * less(lagged(VOLUME, 1), VOLUME), w)


BASIC = family(
    "volume",
    Function("volume_z", lambda w: zscore(LOG_VOLUME, w), (5, 10, 20, 60, 250), "sample standard deviations",
             "z-score of log(1 + volume) in its trailing {w} bars, 0 where flat", "standard score"),
    Function("mfi", _money_flow, (7, 14, 28, 60), "0 to 100",
             "100 x positive / (positive + negative) typical-price money flow over {w} bars, 0 without any flow",
             "as TA-Lib MFI; Quong and Soudack 1989"),
    Function("obv_slope", _obv_slope, (5, 10, 20, 60, 120), "-1 to 1",
             "(OBV[t] - OBV[t-{w}]) / volume summed over {w} bars, 0 without volume", "as TA-Lib OBV; Granville 1963"),
    Function("money_flow", lambda w: ratio(total(CLOSE_LOCATION * VOLUME, w), total(VOLUME, w), 0.0),
             (5, 10, 20, 60, 120), _CORRELATION,
             "sum of close location x volume / sum of volume over {w} bars, 0 without volume", "Chaikin money flow"),
    Function("vwap_gap", _weighted_gap, (5, 60), "fraction",
             "close / volume-weighted mean of typical prices over {w} bars - 1, NaN without volume", "VWAP"),
    Function("force", _force, (5, 13, 30, 60), "ratio",
             "EMA({w}) of change of close x volume / EMA({w}) of true range x volume", "force index; Elder 1993"),
    Function("ease", _ease, (5, 14, 30, 60), "ratio",
             "mean of change of mid-price x range / volume over {w} bars, x mean volume / mean true range squared",
             "ease of movement; Arms 1989"),
    Function("volume_trend", lambda w: slope(LOG_VOLUME, w), (5, 10, 20, 60, 120), "log, per bar",
             "slope of log(1 + volume) on time over {w} bars", "least squares"),
    Function("volume_change", lambda w: lagged_pair(ops.SUB, mean(LOG_VOLUME, w), mean(LOG_VOLUME, w), w),
             (5, 10, 20, 60, 120), "log", "mean log(1 + volume) over {w} bars less that over the {w} before", "volume"),
    Function("volume_vol", lambda w: std(LOG_VOLUME, w), (5, 10, 20, 60, 120), "log",
             "deviation of log(1 + volume) over {w} bars", "volume"),
    Function("volume_rank", lambda w: rank(VOLUME, w), (20, 60, 120), "0 to 1",
             "average rank of volume in {w} bars, / {w}", "percentile"),
    Function("volume_peak", lambda w: ratio(highest(VOLUME, w), total(VOLUME, w), 0.0), (10, 20, 60, 120, 250),
             "0 to 1", "largest / summed volume of {w} bars, 0 without volume", "concentration"),
    Function("volume_skewness", lambda w: third_moment(LOG_VOLUME, w), (20, 60, 120, 250), "pure number",
             "skewness of log(1 + volume) over {w} bars", "third standardised moment"),
    Function("volume_memory", lambda w: correlation(LOG_VOLUME, lagged(LOG_VOLUME, 1), w), (20, 60, 120, 250),
             _CORRELATION, "correlation of log(1 + volume) with the one before over {w} bars", "autocorrelation"),
    Function("since_volume", lambda w: since_highest(VOLUME, w) / (w - 1), (10, 20, 60, 120, 250), "0 to 1",
             "bars since the largest volume of {w} bars / ({w} - 1)", "event time"),
    Function("return_volume", lambda w: correlation(LOG_RETURN, _MORE, w), (10, 20, 60, 120, 250), _CORRELATION,
             "correlation of the log return with the change of log(1 + volume) over {w} bars", "Karpoff 1987"),
    Function("price_volume", lambda w: correlation(LOG_CLOSE, LOG_VOLUME, w), (10, 20, 60, 120, 250), _CORRELATION,
             "correlation of log close with log(1 + volume) over {w} bars", "Karpoff 1987"),
    Function("size_volume", lambda w: correlation(SIZE, LOG_VOLUME, w), (10, 20, 60, 120, 250), _CORRELATION,
             "correlation of |log return| with log(1 + volume) over {w} bars", "Karpoff 1987"),
    Function("range_volume", lambda w: correlation(LOG_RANGE, LOG_VOLUME, w), (20, 60, 120, 250), _CORRELATION,
             "correlation of ln(high / low) with log(1 + volume) over {w} bars", "Karpoff 1987"),
    Function("volume_return", lambda w: ratio(total(LOG_RETURN * VOLUME, w), total(VOLUME, w), 0.0), (5, 20, 60, 120),
             "log, per bar", "volume-weighted mean log return over {w} bars, 0 without volume", "volume weighting"),
    Function("quiet_return", _quiet, (10, 20, 60, 120, 250), "log, per bar",
             "mean over {w} bars of the log return where volume fell, else 0", "negative volume index; Fosback 1976"),
    Function("busy_return", _busy, (10, 20, 60, 120, 250), "log, per bar",
             "mean over {w} bars of the log return where volume rose, else 0", "positive volume index; Fosback 1976"),
    Function("gain_volume",
             lambda w: ratio(total(positive(LOG_RETURN) * VOLUME, w), total(absolute(LOG_RETURN) * VOLUME, w), 0.5),
             (5, 20, 60, 120), "0 to 1",
             "sum of positive log return x volume / sum of |log return| x volume over {w} bars, 0.5 where flat",
             "volume-weighted RSI"),
)  # fmt: skip
