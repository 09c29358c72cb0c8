"""`identity`: how much regimes tell about instruments, on panels of one law, with planted names, and on real stocks.

A panel of one law: instruments of 1,300 days whose log volatility is an AR(1) process and whose returns have a t
distribution of 5 degrees of freedom. Its labels are those of `volatility`, refitted on each instrument's own past.
`lasting` permutes the longest parts of time, `blocks` parts of three times the persistence as for features, both at
the limit of regimes. `names` is a regime that is the instrument's code on 60 % of rows and that of another row
elsewhere; `one` singles out one instrument on 60 % of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl
from market_jobs import Asked
from numpy.typing import NDArray

from karat.core import NS_PER_DAY, generator
from karat.data import Panel
from karat.evidence import FEATURE_LIMIT_BITS, REGIME_LIMIT_BITS, IdentityBits, identity_bits, regime_bits
from karat.features.regimes import label
from regime_jobs import _series

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HALF_LIVES: Final = {23: 0.97, 46: 0.985, 138: 0.995}
"""Bars until half of a shock to log volatility is forgotten, and the coefficient of which that is true."""
SIZES: Final = (3, 7, 20, 40)
DAYS: Final = 1_300
SEEDS: Final = 20
SHARE: Final = 0.6
DEVIATION: Final = 0.5
"""Of log volatility, in the long run."""


def one_law(size: int, phi: float, seed: int) -> Panel:
    """Return a panel of closes; high, low and volume say nothing beyond them."""
    rng = generator(seed, "identity", str(size), str(phi))
    noise = rng.normal(0.0, DEVIATION * np.sqrt(1.0 - phi * phi), (DAYS, size))
    level = rng.normal(0.0, DEVIATION, size)
    returns = np.empty((DAYS, size))
    for day in range(DAYS):
        level = phi * level + noise[day]
        returns[day] = 0.01 * np.exp(level) * rng.standard_t(5.0, size) / np.sqrt(5.0 / 3.0)
    ts = NS_PER_DAY * (1 + np.arange(DAYS))
    return _series.panel_of({f"S{k:02d}": (ts, returns[:, k]) for k in range(size)})


def labelled(panel: Panel, system: str) -> tuple[Floats, Ints, Ints]:
    """Return labels as numbers, NaN where there is none, instrument codes and times."""
    found = label(panel, system).frame
    code = np.unique(found["instrument"].to_numpy().astype(np.str_), return_inverse=True)[1]
    return found["state"].cast(pl.Float64).fill_null(np.nan).to_numpy(), code.astype(np.int64), found["ts"].to_numpy()


def alarmed(bits: IdentityBits | None) -> bool:
    """Return whether bits are above the limit of regimes."""
    return bits is not None and bits.above(REGIME_LIMIT_BITS)


def facts(asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield a line for each half-life, one for the planted regimes, and one for each system on real stocks."""
    seeds, sizes = (2, SIZES[:2]) if asked.quick else (SEEDS, SIZES)
    caught = {"names": 0, "one": 0}
    for half_life, phi in HALF_LIVES.items():
        alarms = {"blocks": 0, "lasting": 0, "check": 0}
        for size in sizes:
            for seed in range(seeds):
                values, code, ts = labelled(one_law(size, phi, seed), "volatility")
                for name, lasting in (("blocks", False), ("lasting", True)):
                    alarms[name] += alarmed(identity_bits(values, code, ts, lasting=lasting, seed=seed))
                alarms["check"] += regime_bits(values, code, ts, seed=seed) > 0.0
                rng = generator(seed, "planted", str(size), str(phi))
                hit = rng.random(len(values)) < SHARE
                names = np.where(hit, code, rng.permutation(code)).astype(np.float64)
                one = np.where(hit & (code == 0), np.nanmax(values) + 1.0, values)
                caught["names"] += regime_bits(names, code, ts, seed=seed) > 0.0
                caught["one"] += regime_bits(one, code, ts, seed=seed) > 0.0
        yield {"job": "identity", "half_life_bars": half_life, "panels": seeds * len(sizes), "alarms": alarms}
    limits = {"limit_bits": REGIME_LIMIT_BITS, "limit_of_features": FEATURE_LIMIT_BITS}
    yield {"job": "identity", "planted": caught, "panels": seeds * len(sizes) * len(HALF_LIVES), **limits}
    root = _series.folder()
    if root is None or asked.quick:
        return
    stocks = _series.whole_stocks(root)
    for system, size in (("volatility", None), ("liquidity", None), ("rotation", None), ("hidden", 20)):
        kept = Panel(
            stocks.frame.filter(pl.col("instrument").is_in(stocks.instruments[:size])), "none", stocks.provenance
        )
        values, code, ts = labelled(kept, system)
        bits = round(regime_bits(values, code, ts, seed=1), 3)
        yield {"job": "identity", "regime": system, "stocks": len(kept.instruments), "bits": bits}
