"""What a study's fills say: were they later than what was known, at prices that nobody had seen, under the rules?

Invariants:
1. A fill belongs to a bar after its decision's; its price is not the close that the decision saw.
2. A rule that the data cannot show is not evaluable, never passed.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import numpy as np
import polars as pl

from karat._words import counted
from karat.data import Panel
from karat.evidence import Check
from karat.market import CHECKED_RULES, Listing, Simulation, validate_compliance

MOST_SEEN: Final = 0.5
"""Share of fills at the close that the decision saw; index files with stale opens reach 0.4 over twenty years."""
_LEAST_FILLS: Final = 20
_US: Final = frozenset({"XNYS", "XNAS"})


def fill_check(simulation: Simulation, panel: Panel) -> Check:
    """Return the check that fills came after their decisions and not at the price that the decisions had seen."""
    name, threshold = "fills after decisions", f"<= {MOST_SEEN:.0%} at the close that was seen"
    fills = simulation.fills
    early = int((fills["ts"] <= fills["decision_ts"]).sum())
    if early:
        note = f"{counted(early, 'fill')} in the very bar that the decision saw: market.fill is {simulation.fill}"
        return Check(name, 1.0, threshold, False, note)
    if len(fills) < _LEAST_FILLS:
        return Check(name, None, threshold, None, f"not evaluable: {counted(len(fills), 'fill')}")
    seen = panel.frame.select(pl.col("ts").alias("decision_ts"), "instrument", pl.col("close").alias("seen"))
    joined = fills.join(seen, on=["decision_ts", "instrument"], how="left")
    tick = float(simulation.spec.price_quantum)
    share = float((np.abs(joined["reference_price"].to_numpy() - joined["seen"].to_numpy()) <= tick).mean())
    passed = None if panel.calendar == "24/7" else share <= MOST_SEEN
    note = "a market that never closes opens where it closed" if passed is None else counted(len(fills), "fill")
    return Check(name, share, threshold, passed, note)


def rules_check(simulation: Simulation, panel: Panel) -> Check:
    """Return the check of the fills against the rules of their market, as far as daily bars can show them."""
    name, threshold = "market rules", "no violation"
    if panel.calendar not in _US:
        return Check(name, None, threshold, None, f"not evaluable: no rules are kept for the calendar {panel.calendar}")
    listing = Listing(quantum=Decimal(str(simulation.spec.price_quantum)))
    outcomes: dict[str, set[str]] = {rule: set() for rule in CHECKED_RULES}
    broken: list[str] = []
    for instrument, part in simulation.fills.group_by("instrument", maintain_order=True):
        trades = part.select("ts", pl.col("quantity").sign().cast(pl.Int64).alias("side"), "price")
        report = validate_compliance(trades, listing=listing)
        broken += [f"{instrument[0]}: {row['text']}" for row in report.violations.to_dicts()]
        for rule, seen in outcomes.items():
            seen.add(report.outcome(rule))
    blind = [rule for rule, seen in outcomes.items() if seen <= {"not evaluable"}]
    note = "; ".join([*broken[:3], *([f"not evaluable: {', '.join(blind)}"] if blind else [])])
    if len(blind) == len(outcomes):
        return Check(name, None, threshold, None, note)
    return Check(name, float(len(broken)), threshold, not broken, note)
