"""The value rules of the SQLite contract: one line a rule, each with the remedy that its error names.

A rule is a Polars expression that is true where a row is sound and null where it says nothing. Times are UTC ns.

Invariants:
1. Rule names are stable: they are what errors, logs and `docs/reference/sqlite_schema.md` call them.
2. Relations between prices hold only where all of them are positive and finite, so one bad price breaks one rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

import polars as pl

from karat.data._instruments import ASSET_CLASSES

FREQUENCIES: Final = ("1min", "5min", "15min", "30min", "1h", "4h", "1d", "1w")
TIMES: Final = ("ts", "known_at", "fit_end_ts", "valid_until_ts", "effective_ts", "delisted_ts")
_ID: Final = r"^[A-Z0-9^][A-Z0-9^=_/:-]{0,31}\.[A-Z0-9_]{1,16}$"
_PRICES: Final = ("open", "high", "low", "close")


@dataclass(frozen=True)
class ValueRule:
    """`holds` is a boolean expression over the table's columns; severity is 'error' or 'warning'."""

    name: str
    holds: pl.Expr
    remedy: str
    severity: str = "error"


def once(key: Sequence[str]) -> ValueRule:
    """Return the duplicate guard of a key."""
    name = f"each {', '.join(key)} once"
    return ValueRule(name, pl.struct(*key).is_first_distinct(), "delete the repeated rows")


def ordered(key: Sequence[str]) -> ValueRule:
    """Return the sort guard of a key; equal neighbours are the duplicate guard's business."""
    later = [pl.col(name) > pl.col(name).shift(1) for name in key]
    equal = [pl.col(name) == pl.col(name).shift(1) for name in key]
    steps = [reduce(pl.Expr.__and__, equal[:k], later[k]) for k in range(len(key))]
    holds = reduce(pl.Expr.__or__, steps, reduce(pl.Expr.__and__, equal[1:], equal[0]))
    return ValueRule(f"sorted by {', '.join(key)}", holds, f"write the rows in the order of {', '.join(key)}")


def known_rule() -> ValueRule:
    """Return the guard that nothing is known before it happened."""
    return ValueRule("known_at is never before ts", pl.col("known_at") >= pl.col("ts"), "correct known_at or ts")


def finite(name: str) -> ValueRule:
    """Return the guard against infinite values (SQLite stores NaN as NULL)."""
    return ValueRule(f"{name} is finite", pl.col(name).is_finite(), f"correct {name}")


def _above(name: str) -> ValueRule:
    return ValueRule(f"{name} above zero", pl.col(name) > 0, f"correct {name}, or delete the row")


def _not_below(name: str) -> ValueRule:
    return ValueRule(f"{name} not below zero", pl.col(name) >= 0, f"correct {name}, or set it to NULL where it may be")


def _one_of(name: str, allowed: Sequence[str]) -> ValueRule:
    text = ", ".join(allowed)
    return ValueRule(f"{name} is a known one", pl.col(name).is_in(list(allowed)), f"use one of {text}")


def _filled(name: str) -> ValueRule:
    return ValueRule(
        f"{name} is not empty", pl.col(name).str.strip_chars() != "", f"fill in {name}: every dataset states it"
    )


def _id(name: str) -> ValueRule:
    return ValueRule(f"{name} is SYMBOL.VENUE", pl.col(name).str.contains(_ID), "use an id such as SPY.XNYS")


_SOUND: Final = pl.all_horizontal((pl.col(name) > 0) & pl.col(name).is_finite() for name in _PRICES)
_BODY: Final = (pl.col("open"), pl.col("close"))


def _bars() -> tuple[ValueRule, ...]:
    absent = pl.sum_horizontal(pl.col(name).is_null() for name in _PRICES[:3])
    slack = 1e-9 * pl.col("close")  # adjusted prices are products: equal prices may differ in the last digits
    high = pl.col("high") + slack >= pl.max_horizontal(*_BODY, "low")
    low = pl.col("low") - slack <= pl.min_horizontal(*_BODY)
    return (
        _one_of("frequency", FREQUENCIES),
        *(_above(name) for name in _PRICES),
        _not_below("volume"),
        ValueRule("open, high, low all given or all NULL", absent.is_in([0, 3]), "fill in the missing prices"),
        ValueRule("high is the highest price", ~_SOUND | high, "correct high"),
        ValueRule("low is the lowest price", ~_SOUND | ~high | low, "correct low"),
    )


RULES: Final[dict[str, tuple[ValueRule, ...]]] = {
    "assets": (
        _id("instrument"),
        _one_of("asset_class", ASSET_CLASSES),
        _one_of("prices", ("raw", "adjusted", "synthetic")),
        *(_filled(name) for name in ("currency", "calendar", "source", "origin", "licence")),
        *(_above(name) for name in ("tick_size", "lot_size")),
    ),
    "series": _bars(),
    "indicators": (_filled("name"),),
    "regimes": (_filled("kind"), _not_below("label")),
    "regime_quantiles": (
        ValueRule("quantile between 0 and 1", pl.col("quantile").is_between(0, 1, closed="none"), "rebuild the cache"),
        ValueRule(
            "valid_until_ts after fit_end_ts", pl.col("valid_until_ts") > pl.col("fit_end_ts"), "rebuild the cache"
        ),
        ValueRule(
            "series_hash is 64 hex digits", pl.col("series_hash").str.contains("^[0-9a-f]{64}$"), "rebuild the cache"
        ),
        _above("n_rows"),
    ),
    "trades": (_one_of("side", ("buy", "sell")), _above("quantity"), _above("price")),
    "benchmarks": (_id("benchmark"), _above("level")),
    "cross_asset_views": (_filled("view_name"), _filled("feature"), _not_below("age_bars")),
    "depth_snapshots": (_one_of("side", ("ask", "bid")), _above("level"), _above("price"), _above("quantity")),
    "funding_costs": (_above("period_hours"),),
    "macro_calendar": (_filled("name"), _filled("unit")),
    "sentiment": (
        _filled("feed"),
        ValueRule("score from -1 to 1", pl.col("score").is_between(-1, 1), "scale the score to -1..1"),
        _not_below("n_items"),
    ),
    "implied_volatility": (_above("tenor_days"), _above("volatility")),
    "corporate_actions": (_one_of("action", ("dividend", "split")), _above("amount")),
}
"""Table to its own value rules, over and above order, key, times, finite numbers and nulls."""
