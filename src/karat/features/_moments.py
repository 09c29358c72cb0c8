"""Shapes and memories of returns: skewness, kurtosis, autocorrelation, variance ratios."""

from __future__ import annotations

from karat._words import counted
from karat.features._expressions import (
    correlation,
    diff,
    fourth_moment,
    mean,
    quantile,
    ratio,
    sign,
    spread,
    std,
    third_moment,
    variance,
)
from karat.features._graph import Node, lagged
from karat.features._returns import INTRADAY, LOG_CLOSE, LOG_RANGE, LOG_RETURN, OVERNIGHT
from karat.features._spec import Function, family

_CORRELATION = "-1 to 1"


def _auto(k: int) -> Function:
    return Function(
        f"autocorrelation{k}",
        lambda w: correlation(LOG_RETURN, lagged(LOG_RETURN, k), w),
        (20, 60, 120, 250),
        _CORRELATION,
        f"correlation of the log return with that of {counted(k, 'bar')} ago over {{w}} bars",
        "autocorrelation",
    )


def _variance_ratio(q: int) -> Function:
    def make(w: int) -> Node:
        return ratio(variance(diff(LOG_CLOSE, q), w), variance(LOG_RETURN, w) * q, 1.0)

    return Function(
        f"variance_ratio{q}",
        make,
        (20, 60, 120) if q == 2 else (20, 60, 120, 250),
        "ratio",
        f"variance of {q}-bar log returns / {counted(q, 'time')} that of one-bar ones over {{w}} bars, 1 where flat",
        "Lo and MacKinlay 1988",
    )


def _lean(w: int) -> Node:
    return ratio(mean(LOG_RETURN, w) - quantile(LOG_RETURN, w, 0.5), std(LOG_RETURN, w), 0.0)


MOMENTS = family(
    "moments",
    Function("skewness", lambda w: third_moment(LOG_RETURN, w), (10, 20, 60, 120, 250), "pure number",
             "skewness of log returns over {w} bars (population), 0 where flat", "third standardised moment"),
    Function("kurtosis", lambda w: fourth_moment(LOG_RETURN, w), (10, 20, 60, 120, 250), "pure number",
             "excess kurtosis of log returns over {w} bars (population), -3 where flat",
             "fourth standardised moment"),
    Function("range_skewness", lambda w: third_moment(LOG_RANGE, w), (20, 60, 120, 250), "pure number",
             "skewness of ln(high / low) over {w} bars", "third standardised moment"),
    Function("lean", _lean, (20, 60, 120, 250), "deviations",
             "(mean - median) / deviation of log returns over {w} bars", "Pearson's second skewness"),
    Function("compactness", lambda w: ratio(spread(LOG_RETURN, w), std(LOG_RETURN, w), 0.0), (10, 20, 60, 120), "ratio",
             "mean absolute deviation / deviation of log returns over {w} bars", "Geary 1935"),
    _auto(1),
    _auto(2),
    _auto(3),
    _auto(5),
    _variance_ratio(2),
    _variance_ratio(5),
    _variance_ratio(10),
    Function("night_day", lambda w: correlation(INTRADAY, OVERNIGHT, w), (20, 60, 120, 250), _CORRELATION,
             "correlation of ln(close / open) with ln(open / close[t-1]) over {w} bars", "overnight reversal"),
    Function("day_night", lambda w: correlation(OVERNIGHT, lagged(INTRADAY, 1), w), (20, 60, 120, 250), _CORRELATION,
             "correlation of ln(open / close[t-1]) with ln(close / open) the bar before over {w} bars",
             "overnight continuation"),
    Function("range_memory", lambda w: correlation(LOG_RANGE, lagged(LOG_RANGE, 1), w), (20, 60, 120, 250),
             _CORRELATION, "correlation of ln(high / low) with the one before over {w} bars", "volatility clustering"),
    Function("sign_memory", lambda w: correlation(sign(LOG_RETURN), lagged(sign(LOG_RETURN), 1), w), (20, 60, 120, 250),
             _CORRELATION, "correlation of the sign of the return with the one before over {w} bars", "runs"),
)  # fmt: skip
