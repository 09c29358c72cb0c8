"""Regimes of the market by day, each known before the day: terciles of volatility, and levels of the VIX.

| symbol | meaning |
|---|---|
| r_t | close-to-close return of bar t, the mean over instruments |
| v_t | standard deviation of r over the 20 bars that end with bar t - 1 |

Invariants:
1. The regime of a bar depends on bars before it and on nothing else; changing that bar or a later one changes nothing.
2. The terciles of v_t are those of v_20 .. v_t; before 250 of them exist the regime has no name.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import InputError
from karat.data import Panel
from karat.features import VIX_REGIME_EDGES

Kind = Literal["volatility", "vix"]
VOLATILITY: Final = ("calm", "middling", "turbulent")
VIX: Final = ("below 15", "15 to 20", "20 to 30", "30 and above")
UNNAMED: Final = ""
_WINDOW: Final = 20
_LEAST: Final = 250


def regimes_at(panel: Panel, ts: NDArray[np.int64], kind: Kind) -> NDArray[np.str_]:
    """Return (n,) the regime of each bar `ts`, as it was known the day before; empty where there is none.

    Raises:
        InputError: `vix` without a panel column of that name.
    """
    require_regimes(panel, kind)
    stamps, names = _by_volatility(panel) if kind == "volatility" else _by_vix(panel)
    return names[np.searchsorted(stamps, ts)]


def require_regimes(panel: Panel, kind: Kind | Literal["none"]) -> None:
    """Refuse regimes that the panel cannot show.

    Raises:
        InputError: `vix` without a panel column of that name.
    """
    if kind == "vix" and "vix" not in panel.values:
        fix = "join it: joins: [{source: bundled, params: {dataset: vix}, column: vix, name: vix}]"
        raise InputError("vix", "no such column", allowed=list(panel.values), fix=fix)


def names_of(kind: Kind) -> tuple[str, ...]:
    """Return the regimes of a kind, from quiet to wild."""
    return VOLATILITY if kind == "volatility" else VIX


def _by_volatility(panel: Panel) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    change = (pl.col("close") / pl.col("close").shift(1).over("instrument") - 1.0).alias("change")
    daily = panel.frame.select("ts", change).group_by("ts").agg(pl.col("change").drop_nans().mean()).sort("ts")
    spread = daily["change"].rolling_std(_WINDOW, min_samples=_WINDOW).shift(1).to_numpy()
    names, known = [], list[float]()
    for value in spread.tolist():
        name = UNNAMED
        if value is not None and np.isfinite(value):
            insort(known, value)
            if len(known) >= _LEAST:
                name = VOLATILITY[min(2, 3 * bisect_left(known, value) // len(known))]
        names.append(name)
    return daily["ts"].to_numpy(), np.array(names, dtype=np.str_)


def _by_vix(panel: Panel) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    daily = panel.frame.group_by("ts").agg(pl.col("vix").mean()).sort("ts")
    level = daily["vix"].shift(1).fill_null(np.nan).to_numpy()
    found = np.array(VIX, dtype=np.str_)[np.searchsorted(VIX_REGIME_EDGES, np.nan_to_num(level), side="right")]
    return daily["ts"].to_numpy(), np.where(np.isfinite(level), found, UNNAMED)
