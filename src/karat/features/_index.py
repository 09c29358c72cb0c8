"""An instrument beside an index, and the index itself. The panel's column `index` is an index's close, joined as-of."""

from __future__ import annotations

from karat.features._expressions import (
    CLOSE,
    absolute,
    beta,
    change,
    correlation,
    diff,
    highest,
    log,
    mean,
    position,
    positive,
    products,
    rank,
    ratio,
    slope,
    sqrt,
    squares,
    std,
    wilder,
    zscore,
)
from karat.features._graph import Node, lagged
from karat.features._returns import INDEX, INDEX_RETURN, LOG_RANGE, LOG_RETURN, SIZE
from karat.features._spec import Function, family

_RELATIVE = log(CLOSE / INDEX)
_EXCESS = LOG_RETURN - INDEX_RETURN
_CORRELATION = "-1 to 1"


def _own_risk(w: int) -> Node:
    """Return the deviation of what the index does not explain."""
    explained = ratio(
        products(LOG_RETURN, INDEX_RETURN, w) * products(LOG_RETURN, INDEX_RETURN, w), squares(INDEX_RETURN, w), 0.0
    )
    return sqrt(positive(squares(LOG_RETURN, w) - explained) * (1.0 / (w - 2)))


def _alpha(w: int) -> Node:
    return mean(LOG_RETURN, w) - beta(LOG_RETURN, INDEX_RETURN, w) * mean(INDEX_RETURN, w)


def _strength(w: int) -> Node:
    up, down = wilder(positive(diff(INDEX)), w), wilder(positive(-diff(INDEX)), w)
    return 100.0 * ratio(up, up + down, 0.5)


INDICES = family(
    "index",
    Function("index_return", lambda _: INDEX_RETURN, (0,), "log", "ln(index[t] / index[t-1])", "log return"),
    Function("index_ret", lambda w: change(INDEX, w), (5, 20, 60, 120, 250), "fraction", "index[t] / index[t-{w}] - 1",
             "simple return"),
    Function("index_vol", lambda w: std(INDEX_RETURN, w), (5, 20, 60, 120, 250), "log, per bar",
             "deviation of log returns of the index over {w} bars", "historical volatility"),
    Function("index_position", lambda w: position(INDEX, INDEX, INDEX, w, 0.5), (20, 60, 120, 250), "0 to 1",
             "(index - lowest) / (highest - lowest) over {w} bars, 0.5 where flat", "stochastic"),
    Function("index_drawdown", lambda w: INDEX / highest(INDEX, w) - 1.0, (20, 60, 120), "fraction",
             "index / its highest of {w} bars - 1", "drawdown"),
    Function("index_rsi", _strength, (7, 14, 28), "0 to 100",
             "relative strength index of the index, Wilder smoothing over {w} bars, 50 where flat", "Wilder 1978"),
    Function("relative_ret", lambda w: _RELATIVE - lagged(_RELATIVE, w), (5, 10, 20, 60, 250), "log",
             "log return over {w} bars less that of the index", "relative strength"),
    Function("relative_z", lambda w: zscore(_RELATIVE, w), (10, 20, 60, 120, 250), "sample deviations",
             "z-score of ln(close / index) in {w} bars", "relative strength"),
    Function("relative_slope", lambda w: ratio(slope(_RELATIVE, w), std(_EXCESS, w), 0.0), (20, 60, 120, 250), "ratio",
             "slope of ln(close / index) on time / deviation of excess returns over {w} bars", "relative strength"),
    Function("relative_rank", lambda w: rank(_RELATIVE, w), (60, 120, 250), "0 to 1",
             "average rank of ln(close / index) in {w} bars, / {w}", "relative strength"),
    Function("beta", lambda w: beta(LOG_RETURN, INDEX_RETURN, w), (20, 60, 120, 250), "ratio",
             "slope of log returns on those of the index over {w} bars", "Sharpe 1964"),
    Function("beta_down", lambda w: beta(LOG_RETURN, -positive(-INDEX_RETURN), w), (60, 120, 250), "ratio",
             "slope of log returns on min(log return of the index, 0) over {w} bars",
             "downside beta; Ang, Chen and Xing 2006"),
    Function("alpha", _alpha, (20, 60, 120, 250), "log, per bar",
             "mean log return less beta x that of the index over {w} bars", "Jensen 1968"),
    Function("index_correlation", lambda w: correlation(LOG_RETURN, INDEX_RETURN, w), (10, 20, 60, 120, 250),
             _CORRELATION, "correlation of log returns with those of the index over {w} bars", "correlation"),
    Function("index_lead", lambda w: correlation(LOG_RETURN, lagged(INDEX_RETURN, 1), w), (20, 60, 120, 250),
             _CORRELATION, "correlation of log returns with those of the index the bar before over {w} bars",
             "Lo and MacKinlay 1990"),
    Function("coskewness", lambda w: correlation(LOG_RETURN, INDEX_RETURN * INDEX_RETURN, w), (60, 120, 250),
             _CORRELATION, "correlation of log returns with squared ones of the index over {w} bars",
             "Harvey and Siddique 2000"),
    Function("own_risk", _own_risk, (20, 60, 120, 250), "log, per bar",
             "sqrt(squared residuals of log returns on those of the index / ({w} - 2)) over {w} bars",
             "idiosyncratic volatility; Ang et al. 2006"),
    Function("size_correlation", lambda w: correlation(SIZE, absolute(INDEX_RETURN), w), (20, 60, 120, 250),
             _CORRELATION, "correlation of |log return| with that of the index over {w} bars", "volatility spillover"),
    Function("range_index", lambda w: correlation(LOG_RANGE, INDEX_RETURN, w), (20, 60, 120, 250), _CORRELATION,
             "correlation of ln(high / low) with the log return of the index over {w} bars", "volatility spillover"),
    Function("excess_memory", lambda w: correlation(_EXCESS, lagged(_EXCESS, 1), w), (20, 60, 120, 250), _CORRELATION,
             "correlation of the excess log return with the one before over {w} bars", "reversal"),
)  # fmt: skip
