"""Regime labels from volatility bands, point in time: the bands are fitted on the past and used on the future only.

| symbol | meaning                                                              | shape  | unit        |
|--------|----------------------------------------------------------------------|--------|-------------|
| v_t    | `measure`, sample standard deviation of the last 20 log returns      | (T,)   | per bar     |
| e_g    | row at which fit g ends: 504 rows, then every 252                    | (G,)   | row         |
| q_g    | `edge`, quantiles of v up to and with e_g (linear interpolation)     | (G, Q) | per bar     |
| l_t    | `label`, the number of edges below v_t, for e_g < t <= e_{g+1}       | (T,)   | 0 (calm) up |

The edges are stored next to the labels (`regime_quantiles`) with the hash of the closes that they were fitted on, so
that a cache that no longer belongs to its series is found (`check_labels` in `_sqlite_labels`).

Invariants:
1. A label at t depends on closes up to t; its bands on closes up to a row before t.
2. Every bar after the first fit has a label; none before has.
3. The same series gives the same rows in every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from karat.core import NS_PER_DAY, InputError, content_hash
from karat.data._schemas import columns
from karat.data._views import Floats, Ints

KIND: Final = "volatility"
QUANTILES: Final = (0.5, 0.9)
WINDOW: Final = 20
FIRST_FIT: Final = 504
REFIT: Final = 252
# The last fit has no successor yet: 252 sessions take 365 days, holidays and a month's delay included 400.
_VALID_NS: Final = 400 * NS_PER_DAY


def series_hash(ts: Ints, close: Floats) -> str:
    """Return the SHA-256 of the bars that bands were fitted on; ts: (n,) int64 UTC ns, close: (n,) price."""
    return content_hash({"ts": ts, "close": close})


def volatility_regimes(
    series: pl.DataFrame, *, quantiles: Sequence[float] = QUANTILES
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of `regimes` and of `regime_quantiles` for every instrument and frequency of `series`.

    Series too short for one fit and one label are left out.

    Raises:
        InputError: quantiles that are not strictly ascending between 0 and 1.
    """
    levels = np.asarray(quantiles, dtype=np.float64)
    if len(levels) == 0 or levels[0] <= 0 or levels[-1] >= 1 or np.any(np.diff(levels) <= 0):
        raise InputError("quantiles", list(quantiles), allowed="strictly ascending numbers between 0 and 1")
    labels, caches = [_empty("regimes")], [_empty("regime_quantiles")]
    for (instrument, frequency), bars in series.group_by("instrument", "frequency", maintain_order=True):
        if len(bars) <= FIRST_FIT:
            continue
        names = {"instrument": pl.lit(instrument), "frequency": pl.lit(frequency), "kind": pl.lit(KIND)}
        found, cache = _one(bars.sort("ts"), levels)
        labels.append(found.with_columns(**names).select(list(columns("regimes"))))
        caches.append(cache.with_columns(**names).select(list(columns("regime_quantiles"))))
    key = ["instrument", "frequency", "kind"]
    return pl.concat(labels).sort(*key, "ts"), pl.concat(caches).sort(*key, "fit_end_ts", "quantile")


def label_of(measure: Floats, edges: Floats) -> Ints:
    """Return (n,) the number of edges strictly below each measure; edges: (n, q), each row's own bands."""
    below: Ints = np.sum(edges < measure[:, None], axis=1, dtype=np.int64)
    return below


def _one(bars: pl.DataFrame, levels: Floats) -> tuple[pl.DataFrame, pl.DataFrame]:
    ts, close = bars["ts"].to_numpy(), bars["close"].to_numpy()
    measure = _rolling_deviation(np.diff(np.log(close)))
    ends = np.arange(FIRST_FIT - 1, len(ts) - 1, REFIT)
    edges = np.array([np.quantile(measure[WINDOW : end + 1], levels) for end in ends])
    rows = np.arange(FIRST_FIT, len(ts))
    fit = np.searchsorted(ends, rows, side="left") - 1
    found = bars.select("ts", "known_at")[FIRST_FIT:].with_columns(
        measure=pl.Series(measure[rows]), label=pl.Series(label_of(measure[rows], edges[fit]))
    )
    until = np.append(ts[ends[1:]], ts[ends[-1]] + _VALID_NS)
    cache = pl.DataFrame(
        {
            "fit_end_ts": np.repeat(ts[ends], len(levels)),
            "quantile": np.tile(levels, len(ends)),
            "edge": edges.ravel(),
            "n_rows": np.repeat(ends + 1, len(levels)).astype(np.int64),
            "valid_until_ts": np.repeat(until, len(levels)),
            "series_hash": np.repeat([series_hash(ts[: end + 1], close[: end + 1]) for end in ends], len(levels)),
        }
    )
    return found, cache


def _rolling_deviation(returns: Floats) -> Floats:
    """Return (n + 1,) deviation of the last WINDOW returns at each bar, NaN before there are that many."""
    out = np.full(len(returns) + 1, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(returns, WINDOW)
    out[WINDOW:] = windows.std(axis=1, ddof=1)
    return out


def _empty(table: str) -> pl.DataFrame:
    return pl.DataFrame(schema={name: kind for name, (kind, _) in columns(table).items()})
