"""`simulate`: intents on bars to a `Simulation`, the seam behind which the market grows.

Invariants:
1. A decision is filled at least one bar after it, unless `same_close` was asked for by name.
2. Bars after t change nothing up to t.
3. No trades, borrowed money, short sales, dropped orders, ruin and a changed fill rule are said in the notes.
"""

from __future__ import annotations

import logging

import numpy as np

from karat.core import NS_PER_SECOND, monotonic_ns
from karat.kernels import Rebalanced, Terms, prepare, rebalance
from karat.market._bars import Bars, Floats
from karat.market._intents import TargetQuantities, TargetWeights, on_bars
from karat.market._simulation import Simulation, fill_lag, fill_prices
from karat.market._spec import Fill, MarketSpec

_LOG = logging.getLogger(__name__)


def simulate(bars: Bars, intents: TargetWeights | TargetQuantities, spec: MarketSpec | None = None) -> Simulation:
    """Trade the intents on the bars and return fills, equity, returns and itemised costs.

    A row of intents is decided after the close of the bar at its ts and sized with that close and that equity; it is
    filled as `spec.fill` says. NaN prices: the order is dropped and counted, the position keeps its last price.

    Raises:
        InputError: a decision at no bar's close, or columns that do not match the bars.

    Example:
        >>> ts = np.array([1, 2, 3], dtype=np.int64)
        >>> bars = Bars(ts, ("A",), None, np.array([[100.0], [100.0], [110.0]]))
        >>> costless = MarketSpec(proportional_bps=0, fill="next_close")
        >>> simulate(bars, TargetWeights(ts[:1], np.array([[0.5]])), costless).net_returns.round(6).tolist()
        [0.0, 0.0, 0.05]
    """
    spec = spec or MarketSpec()
    fill: Fill = "next_close" if spec.fill == "next_open" and bars.open is None else spec.fill
    by_weight = isinstance(intents, TargetWeights)
    values = intents.weights if isinstance(intents, TargetWeights) else intents.quantities
    targets = on_bars(intents.ts, values, intents.instruments, bars)
    terms = Terms(
        capital=spec.capital_usd,
        rate=spec.proportional_bps * 1e-4,
        fixed=spec.fixed_usd,
        lag=fill_lag(fill, spec.delay_bars),
        at_close=fill == "same_close",
        by_weight=by_weight,
    )
    _prepare()
    run = rebalance(targets, fill_prices(bars, fill), bars.close, terms=terms)
    notes = (*_rule_notes(spec, fill), *_run_notes(bars, run, spec), *_empty_notes(targets, run, terms.lag))
    return Simulation(bars, spec, fill, run, notes)


def _prepare() -> None:
    started = monotonic_ns()
    prepare()
    seconds = (monotonic_ns() - started) / NS_PER_SECOND
    if seconds > 1.0:
        _LOG.info("compiled the market kernel in %.1f s; it is kept on disk for the next run", seconds)


def _rule_notes(spec: MarketSpec, fill: Fill) -> list[str]:
    notes = []
    if fill != spec.fill:
        notes.append("The bars have no open: orders are filled at the next close instead of the next open.")
    if fill == "same_close":
        notes.append(
            "FLAG same_close: orders are filled at the close that the decision itself has seen; "
            "no order can count on that price, so these returns are optimistic."
        )
    return notes


def _run_notes(bars: Bars, run: Rebalanced, spec: MarketSpec) -> list[str]:
    notes = []
    if run.ruined >= 0:
        when = np.datetime64(int(bars.ts[run.ruined]), "ns").astype("datetime64[s]")
        notes.append(
            f"RUIN at {when}Z: equity fell to {run.equity[run.ruined]:.2f} USD of {spec.capital_usd:.2f}; trading "
            "stopped, waiting orders were withdrawn, the positions were closed, later returns are 0."
        )
    skipped = int(run.skipped.sum())
    if skipped:
        notes.append(f"{skipped} order(s) had no price when sized or filled and were dropped; positions were kept.")
    borrowed = int((run.cash < -1e-9 * spec.capital_usd).sum())
    if borrowed:
        notes.append(f"Cash was below zero after {borrowed} of {len(bars.ts)} bars: interest is not simulated.")
    short = int((run.positions < 0).any(axis=1).sum())
    if short:
        notes.append(f"Short positions after {short} of {len(bars.ts)} bars: borrow fees are not simulated.")
    return notes


def _empty_notes(targets: Floats, run: Rebalanced, lag: int) -> list[str]:
    """Say why there was no fill at all."""
    if run.fills.any():
        return []
    decided = np.nan_to_num(targets) != 0.0
    if not decided.any():
        why = "every target is zero or missing; look at the forecasts and the policy's edge thresholds"
    elif not decided[: max(len(targets) - lag, 0)].any():
        why = f"every target was decided in the last {lag} bar(s), too late to be filled before the data end"
    else:
        why = "no order had a price when it was sized or filled; look at the missing prices"
    return [f"NO TRADES: {why}."]
