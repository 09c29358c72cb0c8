"""What a reader of a simulation should doubt, in plain words.

Invariants:
1. No trades, borrowed money, short sales, cut or dropped orders, ruin and a changed fill rule are said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from karat._words import counted

if TYPE_CHECKING:
    from karat.market._simulation import Simulation


def notes_of(simulation: Simulation) -> tuple[str, ...]:
    """Return the notes, the most serious kinds first."""
    return (*_rule_notes(simulation), *_run_notes(simulation), *_empty_notes(simulation))


def _rule_notes(simulation: Simulation) -> list[str]:
    notes = []
    if simulation.fill != simulation.spec.fill:
        notes.append("The bars have no open: orders are filled at the next close instead of the next open.")
    if simulation.fill == "same_close":
        notes.append(
            "FLAG same_close: orders are filled at the close that the decision itself has seen; "
            "no order can count on that price, so these returns are optimistic."
        )
    return notes


def _run_notes(simulation: Simulation) -> list[str]:
    bars, run, notes = simulation.bars, simulation.run, []
    if run.ruined >= 0:
        when = np.datetime64(int(bars.ts[run.ruined]), "ns").astype("datetime64[s]")
        notes.append(
            f"RUIN at {when}Z: equity fell to {simulation.equity_usd[run.ruined]:.2f} USD of "
            f"{simulation.spec.capital_usd:.2f}; trading stopped, waiting orders were withdrawn, the positions were "
            "closed, later returns are 0."
        )
    skipped = int(run.skipped.sum())
    if skipped:
        notes.append(f"{counted(skipped, 'order')} dropped without a price when sized or filled; positions were kept.")
    cut = int(run.cut.sum())
    if cut:
        how = "scaled down to" if simulation.spec.cash == "scale" else "refused for want of"
        notes.append(f"{counted(cut, 'buy')} {how} the cash there was.")
    borrowed = int((run.cash < 0).sum())
    if borrowed:
        notes.append(
            f"Cash was below zero after {borrowed} of {counted(len(bars.ts), 'bar')}: interest is not simulated."
        )
    short = int((run.lots < 0).any(axis=1).sum())
    if short:
        notes.append(f"Short positions after {short} of {counted(len(bars.ts), 'bar')}: borrow fees are not simulated.")
    return notes


def _empty_notes(simulation: Simulation) -> list[str]:
    """Say why there was no fill at all."""
    if simulation.run.fills.any():
        return []
    lag, rows, n_bars = simulation.lag_bars, simulation.rows, len(simulation.bars.ts)
    decided = (np.nan_to_num(simulation.targets) != 0.0).any(axis=1)
    at = np.arange(len(decided)) if rows is None else rows
    if not decided.any():
        why = "every target is zero or missing; look at the forecasts and the policy's edge thresholds"
    elif not decided[at < n_bars - lag].any():
        why = f"every target was decided in the last {counted(lag, 'bar')}, too late to be filled before the data end"
    elif simulation.run.cut.any():
        why = "the cash did not cover a single lot"
    else:
        why = "no order had a price when it was sized or filled; look at the missing prices"
    return [f"NO TRADES: {why}."]
