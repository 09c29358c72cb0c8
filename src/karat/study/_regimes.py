"""Regimes of the market by day, each known before the day, by any system that follows its own past.

| symbol | meaning |
|---|---|
| r_t | simple close-to-close return of bar t, the mean over instruments |
| p_t | close of the market: the product of 1 + r up to t |
| h_t, l_t | high and low of the market: p_t times the mean of high, or low, over close |
| q_t | volume of the market: value traded over p_t, so that p q is the value traded |

Invariants:
1. The regime of a bar is the newest label known when its first row is, of an earlier bar: as a rule that of the bar
   before. Changing that bar or a later one changes nothing.
2. Of one instrument it is the instrument's own label. Of several there is one market for all: p, h, l, q, and the mean
   of any other column.
3. A label is known when all rows up to its own are: where one instrument is late, the market's labels are.
4. A system that is fitted once, on `Train`, is not offered: calibration and gate 3 look at days that it was fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import InputError
from karat.data import KEYS, OHLCV, Panel
from karat.features import held_by
from karat.features.regimes import label, spec_of

NONE: Final = "none"
UNNAMED: Final = ""
VOLATILITY: Final = "volatility"
VIX: Final = "vix"
BANDS: Final[Mapping[str, tuple[float, ...]]] = {VOLATILITY: (1 / 3, 2 / 3)}
"""Quantiles that a study takes in place of a system's own.

Terciles, since the most turbulent tenth of two years of `Valid` is about 100 days: a map needs 150, a shift 225.
"""
_MARKET: Final = "MARKET"


@dataclass(frozen=True, eq=False)
class RegimeDays:
    """The regime of every bar.

    states: names by code. ts (n,): UTC ns, ascending. names (n,): empty where there is none.
    """

    states: tuple[str, ...]
    ts: NDArray[np.int64]
    names: NDArray[np.str_]

    def at(self, ts: NDArray[np.int64]) -> NDArray[np.str_]:
        """Return (n,) the regime of each bar `ts`, bars of the panel."""
        return self.names[np.searchsorted(self.ts, ts)]


def regime_days(panel: Panel, system: str, *, seed: int) -> RegimeDays:
    """Return the regimes of a panel's bars by one system, each as it was known before the bar.

    seed: of whatever is random in a fit.

    Raises:
        InputError: an unknown system, or a column that it reads and the panel lacks.
    """
    require_regimes(panel, {"regime": system})
    market = panel if len(panel.instruments) == 1 else _market(panel)
    found = label(market, system, seed=seed, bands=BANDS.get(system)).frame
    first = panel.frame.group_by("ts").agg(pl.col("known_at").min().alias("first")).sort("ts")["first"].to_numpy()
    known = found["known_at"].cum_max().to_numpy()
    newest = np.minimum(np.searchsorted(known, first, side="right"), np.arange(len(first))) - 1
    names = found["name"].fill_null(UNNAMED).to_numpy().astype(np.str_)
    return RegimeDays(spec_of(system).states, found["ts"].to_numpy(), np.where(newest >= 0, names[newest], UNNAMED))


def require_regimes(panel: Panel, named: Mapping[str, str]) -> None:
    """Refuse systems that the panel cannot show; `none` asks for nothing.

    named: where a system is named, such as regimes.0, to its name.

    Raises:
        InputError: an unknown system, or a column that it reads and the panel lacks.
    """
    for field, system in named.items():
        missing = () if system == NONE else missing_columns(panel, system)
        if missing:
            fix = held_by(missing) or f"choose data that have {', '.join(missing)}"
            why = f"it reads {', '.join(missing)}; the panel has {', '.join(panel.values)}"
            raise InputError(field, system, why=why, fix=fix)


def missing_columns(panel: Panel, system: str) -> tuple[str, ...]:
    """Return the columns that a system reads and the panel lacks."""
    return tuple(name for name in spec_of(system).measure.columns if name not in panel.values)


def _market(panel: Panel) -> Panel:
    """Return one series for all instruments; a row is known when the last instrument's is, and those before it."""
    close, there = pl.col("close"), set(panel.values)
    own = {"close": close / close.shift(1).over("instrument") - 1.0, "volume": close * pl.col("volume")}
    own |= {name: pl.col(name) / close for name in ("high", "low")}
    own |= {name: pl.col(name) for name in there - {*OHLCV}}
    kept = [name for name in panel.values if name in own and (name not in OHLCV or "close" in there)]
    rows = panel.frame.select(*KEYS, *(own[name].fill_nan(None).alias(name) for name in kept))
    means = [pl.col(name).sum() if name == "volume" else pl.col(name).mean() for name in kept]
    daily = rows.group_by("ts", maintain_order=True).agg(pl.col("known_at").max(), *means).sort("ts")
    daily = daily.with_columns(pl.col("known_at").cum_max())
    frame = daily.with_columns(_levels(kept)).select(
        "ts", "known_at", pl.lit(_MARKET).alias("instrument"), *(pl.col(name).fill_null(np.nan) for name in kept)
    )
    return Panel(frame, panel.calendar, panel.provenance, panel.notes)


def _levels(columns: Sequence[str]) -> list[pl.Expr]:
    """Return prices and volume of the market from its daily return, shape and value traded."""
    change, first = pl.col("close"), pl.int_range(pl.len()) == 0
    level = (1.0 + change.fill_null(0.0)).cum_prod()
    price = pl.when(change.is_not_null() | first).then(level)  # a bar without a return has no price: it is skipped
    found = {"close": price, "high": pl.col("high") * price, "low": pl.col("low") * price}
    found |= {"volume": pl.col("volume") / price}
    return [expression.alias(name) for name, expression in found.items() if name in columns]
