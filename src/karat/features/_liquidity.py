"""What trading costs, as daily bars show it: illiquidity, effective spreads, price impact."""

from __future__ import annotations

import math

from karat.features._expressions import (
    CLOSE,
    HIGH,
    LOW,
    VOLUME,
    beta,
    constant,
    covariance,
    diff,
    exp,
    larger,
    less,
    log,
    mean,
    positive,
    ratio,
    sign,
    smaller,
    sqrt,
    total,
    where,
)
from karat.features._graph import Node, lagged
from karat.features._returns import LOG_RETURN, PRIOR
from karat.features._spec import Function, family

_NO_VOLUME = "bars without volume are left out; NaN where none of the window has any; a row without an input is skipped"
_TRADED = less(constant(VOLUME, 0.0), VOLUME)
_SIMPLE = CLOSE / PRIOR - 1.0


def amihud(w: int) -> Node:
    """Return the mean of |simple return| / dollar volume over bars with volume, x 1e6."""
    each = where(_TRADED, larger(_SIMPLE, -_SIMPLE) / (CLOSE * VOLUME), constant(VOLUME, 0.0))
    return ratio(total(each, w) * 1e6, total(_TRADED, w))


def roll(w: int) -> Node:
    """Return Roll's spread as a fraction of the close, 0 where the autocovariance is positive."""
    moves = diff(CLOSE)
    return 2.0 * sqrt(positive(-covariance(moves, lagged(moves, 1), w))) / CLOSE


def corwin_schultz_pair() -> Node:
    """Return Corwin and Schultz's spread of a bar and the one before, negative ones as zero.

    All in logarithms; the later bar is first moved by the gap between the earlier close and its range.
    """
    top, bottom, before = log(HIGH), log(LOW), lagged(log(CLOSE), 1)
    gap = positive(bottom - before) - positive(before - top)
    span, last = top - bottom, lagged(top - bottom, 1)
    both = larger(top - gap, lagged(top, 1)) - smaller(bottom - gap, lagged(bottom, 1))
    b, c, k = span * span + last * last, both * both, 3.0 - 2.0 * math.sqrt(2.0)
    alpha = sqrt(b) * ((math.sqrt(2.0) - 1.0) / k) - sqrt(c) * (1.0 / math.sqrt(k))
    return positive(2.0 * (exp(alpha) - 1.0) / (1.0 + exp(alpha)))


def abdi_ranaldo(w: int) -> Node:
    """Return Abdi and Ranaldo's spread over pairs of bars, negative ones as zero."""
    middle = (log(HIGH) + log(LOW)) * 0.5
    close = lagged(log(CLOSE), 1)
    pair = 4.0 * ((close - lagged(middle, 1)) * (close - middle))
    return mean(sqrt(positive(pair)), w)


def _impact(w: int) -> Node:
    """Return the slope of the log return on signed relative volume."""
    flow = sign(LOG_RETURN) * ratio(VOLUME, mean(VOLUME, w), 0.0)
    return beta(LOG_RETURN, flow, w)


def _recent_amihud(w: int) -> Node:
    return log(ratio(amihud(w), lagged(amihud(w), w)))


LIQUIDITY = family(
    "liquidity",
    Function("amihud", amihud, (5, 20, 60, 120, 250), "per million of money",
             "mean of |simple return| / (close x volume) x 1e6 over the bars of {w} that have volume", "Amihud 2002",
             _NO_VOLUME),
    Function("amihud_change", _recent_amihud, (10, 20, 60, 120), "log",
             "log of amihud over {w} bars / that over the {w} before", "Amihud 2002", _NO_VOLUME),
    Function("roll", roll, (20, 60, 120, 250), "fraction of close",
             "2 sqrt(max(-cov(dp[t], dp[t-1]), 0)) / close, sample covariance over {w} bars", "Roll 1984"),
    Function("corwin_schultz", lambda w: mean(corwin_schultz_pair(), w), (5, 10, 20, 60, 120), "fraction",
             "mean over {w} bars of the two-day spread in logarithms, adjusted for overnight gaps, negative ones as 0",
             "Corwin and Schultz 2012"),
    Function("abdi_ranaldo", abdi_ranaldo, (5, 10, 20, 60, 120), "fraction",
             "mean over {w} bars of sqrt(max(4 (c - m)(c - m'), 0)), c log close, m and m' mid-ranges of that bar "
             "and the next", "Abdi and Ranaldo 2017"),
    Function("impact", _impact, (20, 60, 120, 250), "log per mean volume",
             "slope of the log return on sign(r) volume / mean volume over {w} bars", "Kyle 1985, from daily bars"),
)  # fmt: skip
