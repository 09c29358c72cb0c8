"""The target panel: targets on bars to a `Simulation`, behind the door `simulate`.

Invariants:
1. A decision is filled at least one bar after it, unless `same_close` was asked for by name.
2. Bars after t change nothing up to t.
3. Money, prices and quantities are whole numbers of the spec's quanta; one that leaves its range is an error.
"""

from __future__ import annotations

from karat.core import RangeError, iso
from karat.kernels import OutOfRange, Terms, rebalance
from karat.market._bars import Bars
from karat.market._intents import TargetQuantities, TargetWeights, on_bars
from karat.market._simulation import Simulation, fill_lag, fill_prices
from karat.market._spec import POLICIES, Fill, MarketSpec


def simulate_targets(bars: Bars, intents: TargetWeights | TargetQuantities, spec: MarketSpec | None) -> Simulation:
    """Trade the targets on the bars; see `simulate`."""
    spec = spec or MarketSpec()
    fill = applied_fill(bars, spec)
    by_weight = isinstance(intents, TargetWeights)
    values = intents.weights if isinstance(intents, TargetWeights) else intents.quantities
    rows, targets = on_bars(intents.ts, values, intents.instruments, bars)
    terms = terms_of(spec, fill, by_weight=by_weight)
    try:
        run = rebalance(targets, fill_prices(bars, fill), bars.close, terms=terms, rows=rows)
    except OutOfRange as error:
        raise out_of_range(error, bars, spec) from None
    return Simulation(bars, spec, fill, run, targets, rows)


def applied_fill(bars: Bars, spec: MarketSpec) -> Fill:
    """Return the rule that the bars allow: `next_open` becomes `next_close` where they have no open."""
    return "next_close" if spec.fill == "next_open" and bars.open is None else spec.fill


def terms_of(spec: MarketSpec, fill: Fill, *, by_weight: bool) -> Terms:
    """Return the spec as whole numbers of its quanta."""
    quanta = spec.quanta
    return Terms(
        capital=quanta.of_money(spec.capital_usd),
        rate=spec.rate,
        fixed=quanta.of_money(spec.fixed_usd),
        lag=fill_lag(fill, spec.delay_bars),
        at_close=fill == "same_close",
        by_weight=by_weight,
        slip=spec.slip,
        policy=POLICIES[spec.cash],
        per_tick=float(1 / quanta.tick),
        per_lot=float(1 / quanta.lot),
        unit=quanta.unit,
    )


def out_of_range(error: OutOfRange, bars: Bars, spec: MarketSpec) -> RangeError:
    """Return the error that names the quantum to change."""
    quanta, when = spec.quanta, iso(int(bars.ts[error.bar]))
    field, value, what, fix = {
        "price": ("price_quantum", quanta.tick, "a price is not from 1 to 2**50 ticks", "choose one that suits it"),
        "lots": ("lot_quantum", quanta.lot, "an order is of 2**50 lots or more", "choose a coarser one"),
        "money": ("money_quantum", quanta.money, "money is beyond 2**62 quanta", "choose a coarser lot_quantum"),
    }[error.what]
    return RangeError(f"market.{field}", float(value), why=f"{what} in the bar at {when}", fix=fix)
