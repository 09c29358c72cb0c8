"""The tables of a fixture: one function a table, from the synthetic bars to its rows; `BUILDERS` is the whole list.

Invariants:
1. A table depends on the bars and on its own stream of random numbers alone.
2. A value in a row uses nothing that was known after the row's `known_at`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from karat.core import NS_PER_DAY, NS_PER_SECOND, generator
from karat.data._sqlite_regimes import volatility_regimes
from karat.data._views import Floats

BENCHMARK: Final = "EW.SYNTH"
_DAY: Final = "1d"
_TICK: Final = 0.01
_LEVELS: Final = 5
_DEPTH_BARS: Final = 60
_RECENT_BARS: Final = 250
_BAR: Final = ("instrument", "ts", "known_at")


@dataclass(frozen=True, eq=False)
class World:
    """bars: the synthetic panel's frame, sorted by (instrument, ts). seed: of every derived stream."""

    bars: pl.DataFrame
    seed: int

    def draw(self, table: str) -> np.random.Generator:
        """Return the stream of one table."""
        return generator(self.seed, "fixture", table)

    def recent(self, n: int) -> pl.DataFrame:
        """Return the last `n` bars of every instrument."""
        return self.bars.group_by("instrument", maintain_order=True).tail(n).sort("instrument", "ts")


def _assets(world: World) -> pl.DataFrame:
    names = [*world.bars["instrument"].unique().sort().to_list(), BENCHMARK]
    facts = {
        "asset_class": "synthetic",
        "currency": "USD",
        "calendar": "XNYS",
        "tick_size": _TICK,
        "lot_size": 1.0,
        "prices": "synthetic",
        "delisted_ts": None,
        "source": "synthetic",
        "origin": f"karat make_fixture 1, seed {world.seed}",
        "licence": "CC0-1.0",
    }
    return pl.DataFrame({"instrument": names}).with_columns(pl.lit(value).alias(name) for name, value in facts.items())


def _series(world: World) -> pl.DataFrame:
    return world.bars.with_columns(frequency=pl.lit(_DAY))


def _log_return() -> pl.Expr:
    return pl.col("close").log().diff().over("instrument")


def _indicators(world: World) -> pl.DataFrame:
    wide = world.bars.select(
        *_BAR,
        "signal",
        return_1d=_log_return(),
        volatility_20d=_log_return().rolling_std(20).over("instrument"),
    )
    return wide.unpivot(index=_BAR, variable_name="name").drop_nulls().with_columns(frequency=pl.lit(_DAY))


def _regimes(world: World) -> pl.DataFrame:
    return volatility_regimes(_series(world))[0]


def _regime_quantiles(world: World) -> pl.DataFrame:
    return volatility_regimes(_series(world))[1]


def _trades(world: World) -> pl.DataFrame:
    """A trade at the close of one bar in twenty, one tick through it, at one basis point."""
    rng = world.draw("trades")
    picked = world.bars.filter(pl.Series(rng.random(len(world.bars)) < 0.05))
    buy = pl.Series(rng.random(len(picked)) < 0.5)
    quantity = pl.Series(rng.integers(1, 500, len(picked)).astype(np.float64))
    return picked.select(
        *_BAR,
        trade_id=pl.format("T{}", pl.int_range(pl.len()).cast(pl.String).str.zfill(8)),
        side=pl.when(buy).then(pl.lit("buy")).otherwise(pl.lit("sell")),
        quantity=quantity,
        price=pl.col("close") + pl.when(buy).then(_TICK).otherwise(-_TICK),
        fee=pl.col("close") * quantity * 1e-4,
    )


def _benchmarks(world: World) -> pl.DataFrame:
    """Equal weights, rebalanced daily, 100 at the first close."""
    returns = world.bars.select("ts", "known_at", r=(pl.col("close").pct_change().over("instrument")).fill_null(0.0))
    days = returns.group_by("ts").agg(pl.col("known_at").max(), pl.col("r").mean()).sort("ts")
    return days.select("ts", "known_at", benchmark=pl.lit(BENCHMARK), level=100.0 * (1.0 + pl.col("r")).cum_prod())


def _views(world: World) -> pl.DataFrame:
    kept = world.bars.with_columns(value=_log_return()).drop_nulls("value")
    facts = {"view_name": "daily_returns", "feature": "return_1d", "age_bars": 0}
    return kept.with_columns(pl.lit(value).alias(name) for name, value in facts.items())


def _depth(world: World) -> pl.DataFrame:
    """Five levels a side at the last closes; thinner and wider where the session's range was wide."""
    rng = world.draw("depth_snapshots")
    bars = world.recent(_DEPTH_BARS).with_columns(width=(pl.col("high") / pl.col("low")).log())
    sides = pl.DataFrame({"side": ["bid", "ask"], "sign": [-1.0, 1.0]})
    levels = pl.DataFrame({"level": list(range(1, _LEVELS + 1))})
    book = bars.join(sides, how="cross").join(levels, how="cross").sort("instrument", "ts", "side", "level")
    mid, step = (pl.col("close") / _TICK).round(), (pl.col("close") * pl.col("width") / 200 / _TICK).ceil()
    size = rng.lognormal(6.0, 0.5, len(book))
    return book.with_columns(
        price=(mid + pl.col("sign") * step * pl.col("level")) * _TICK,
        quantity=(pl.Series(size) * pl.col("level") / (1.0 + 20.0 * pl.col("width"))).ceil(),
    )


def _funding(world: World) -> pl.DataFrame:
    """Eight-hour rate, AR(1) around a basis point, a half-life of about seven bars."""
    out = []
    for (instrument,), part in world.bars.group_by("instrument", maintain_order=True):
        noise = generator(world.seed, "fixture", "funding_costs", str(instrument)).standard_normal(len(part))
        out.append(part.select(*_BAR, rate_frac=pl.Series(1e-4 + 1e-4 * _ar1(noise, 0.9)), period_hours=8.0))
    return pl.concat(out)


def _macro(world: World) -> pl.DataFrame:
    """Monthly figure for each month, published on the fifteenth day of the next."""
    first, last = (dt.date(1970, 1, 1) + dt.timedelta(days=t // NS_PER_DAY) for t in _span(world))
    months = pl.date_range(first, last, "1mo", eager=True).dt.month_end()
    rng = world.draw("macro_calendar")
    level = 2.0 + _ar1(rng.standard_normal(len(months)), 0.95)
    ts = months.cast(pl.Int32).cast(pl.Int64) * NS_PER_DAY
    known = ts + 15 * NS_PER_DAY + 13 * 3600 * NS_PER_SECOND
    expected = level + 0.1 * rng.standard_normal(len(months))
    facts = {"name": "cpi_yoy", "unit": "percent"}
    frame = pl.DataFrame({"ts": ts, "known_at": known, "actual": level, "consensus": expected})
    return frame.with_columns(pl.lit(value).alias(name) for name, value in facts.items())


def _sentiment(world: World) -> pl.DataFrame:
    bars = world.bars.with_columns(move=_log_return()).drop_nulls("move").group_by("instrument").tail(_RECENT_BARS)
    bars = bars.sort("instrument", "ts")
    rng = world.draw("sentiment")
    score = np.tanh(bars["move"].to_numpy() * 20 + 0.5 * rng.standard_normal(len(bars)))
    items = rng.poisson(12, len(bars)).astype(np.int64)
    return bars.select(*_BAR, feed=pl.lit("news"), score=pl.Series(score), n_items=pl.Series(items))


def _implied(world: World) -> pl.DataFrame:
    """Thirty-day volatility: what was realised over the last 20 bars, annualised, plus a premium of a tenth."""
    realised = _log_return().rolling_std(20).over("instrument") * np.sqrt(252.0)
    bars = world.bars.select(*_BAR, volatility=1.1 * realised, tenor_days=pl.lit(30))
    return bars.drop_nulls()


def _actions(world: World) -> pl.DataFrame:
    """A dividend of half a percent announced every 63 bars, effective ten days later."""
    nth = pl.int_range(pl.len()).over("instrument")
    picked = world.bars.filter(nth % 63 == 62)
    return picked.select(
        *_BAR,
        action=pl.lit("dividend"),
        effective_ts=pl.col("ts") + 10 * NS_PER_DAY,
        amount=(pl.col("close") * 0.005).round(4),
    )


def _span(world: World) -> tuple[int, int]:
    ts = world.bars["ts"].to_numpy()
    return int(ts.min()), int(ts.max())


def _ar1(noise: Floats, phi: float) -> Floats:
    out = np.empty_like(noise)
    out[0] = noise[0]
    for t in range(1, len(noise)):
        out[t] = phi * out[t - 1] + np.sqrt(1.0 - phi * phi) * noise[t]
    return out


BUILDERS: Final[dict[str, Callable[[World], pl.DataFrame]]] = {
    "assets": _assets,
    "series": _series,
    "indicators": _indicators,
    "regimes": _regimes,
    "regime_quantiles": _regime_quantiles,
    "trades": _trades,
    "benchmarks": _benchmarks,
    "cross_asset_views": _views,
    "depth_snapshots": _depth,
    "funding_costs": _funding,
    "macro_calendar": _macro,
    "sentiment": _sentiment,
    "implied_volatility": _implied,
    "corporate_actions": _actions,
}
"""Table to its builder; the fixture selects and orders the declared columns."""
