"""What a run of the event market came to: for people in plain words, for machines as one mapping.

Invariants:
1. Costs sum to their totals: the fees of all fills are the charges, slippage of all fills is the slippage.
2. Every delay of an order is in exactly one bucket of the histogram.
3. A note about the data or the assumptions is never left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import iso
from karat.market._record import MarketRun

_EDGES_NS: Final = (0, 1, *(10**power for power in range(3, 10)), 2**62)
_UNITS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns"))
_REFUSED: Final = ("rejected_gateway", "rejected_venue", "cancel_rejected", "amend_rejected")


def latency_buckets(run: MarketRun) -> pl.DataFrame:
    """Return how many orders needed how long to the venue: from_ns (included), to_ns (not included), orders."""
    accepted = run.messages.filter(pl.col("event") == "accepted")
    delays = (accepted["ts"] - accepted["number_b"]).to_numpy()
    counts, _ = np.histogram(delays, np.array(_EDGES_NS, dtype=np.int64))
    return pl.DataFrame({"from_ns": _EDGES_NS[:-1], "to_ns": _EDGES_NS[1:], "orders": counts.astype(np.int64)})


def costs_by_currency(run: MarketRun) -> dict[str, dict[str, float]]:
    """Return what trading cost in each currency: fees, slippage, borrow, funding, total, dividends received.

    A positive number was paid (dividends: received). Slippage is in the prices of the fills, not in the charges.
    """
    found = {}
    owner = pl.Series([item.currency for item in run.events.instruments])
    for currency in run.spec.cash:
        own = run.positions.filter(owner == currency)
        fees, slippage, borrow = (float(own[name].sum()) + 0.0 for name in ("fees", "slippage", "borrow"))
        funding = float(own["funding"].sum()) + 0.0
        found[currency] = {
            "fees": fees,
            "slippage": slippage,
            "borrow": borrow,
            "funding": 0.0 - funding,
            "total": fees + slippage + borrow - funding,
            "dividends": float(own["dividends"].sum()),
        }
    return found


def run_facts(run: MarketRun) -> dict[str, Any]:
    """Return the run as one mapping of plain values: market, money, costs, telemetry, delays and notes."""
    return {
        "market": _market(run),
        "money": {name: {key: str(value) for key, value in row.items()} for name, row in run.money.items()},
        "costs": costs_by_currency(run),
        "telemetry": run.telemetry,
        "latency_histogram": latency_buckets(run).to_dicts(),
        "notes": list(run.notes),
    }


def describe_run(run: MarketRun) -> str:
    """Return the run in plain words and tables."""
    market, costs = _market(run), costs_by_currency(run)
    span = f"{market['first']} to {market['last']}"
    lines = [
        f"market     {counted(market['rows'], 'row', ',')} of {counted(market['instruments'], 'instrument')}, {span}",
        f"orders     {_orders(run)}",
        f"fills      {_fills(run)}",
        f"delay      {_delays(run.telemetry['entry_latency_ns'])}",
    ]
    for currency, row in run.money.items():
        change = row["cash"] + row["positions"] - row["start"]
        lines += ["", f"money in {currency}"]
        lines += [f"  {key:<12}{float(row[key]):>20,.2f}" for key in ("start", "cash", "positions")]
        lines += [f"  {'profit':<12}{float(change):>20,.2f}   after all costs"]
        parts = ("realised", "unrealised") + (("settled", "unsettled") if row["unsettled"] else ())
        lines += [f"  {key:<12}{float(row[key]):>20,.2f}" for key in parts]
        lines += ["", f"costs in {currency}"]
        lines += [f"  {key:<12}{value:>20,.2f}" for key, value in costs[currency].items()]
    return "\n".join([*lines, *_refusals(run), *_notes(run)])


def _market(run: MarketRun) -> dict[str, Any]:
    rows = run.telemetry["rows"]
    ts = run.events.ts[:rows]
    return {
        "rows": rows,
        "instruments": len(run.events.instruments),
        "first": iso(int(ts[0])) if len(ts) else None,
        "last": iso(int(ts[-1])) if len(ts) else None,
    }


def _orders(run: MarketRun) -> str:
    said: Mapping[str, int] = run.telemetry["messages"]
    words = [f"{count:,} {name.replace('_', ' ')}" for name, count in said.items()]
    return ", ".join(words) if words else "none were sent"


def _fills(run: MarketRun) -> str:
    facts = run.telemetry
    share = "" if facts["fill_rate"] is None else f", {facts['fill_rate']:.1%} of the accepted quantity"
    return f"{facts['fills']:,}, {facts['maker_fills']:,} of them as maker{share}"


def _delays(quantiles: Mapping[str, float]) -> str:
    if not quantiles or not quantiles["max"]:
        return "none: orders were at the venue when they were sent"
    return f"median {_span(quantiles['p50'])}, 99 % {_span(quantiles['p99'])}, longest {_span(quantiles['max'])}"


def _span(ns: float) -> str:
    size, unit = next((step for step in _UNITS if ns >= step[0]), _UNITS[-1])
    return f"{ns / size:.4g} {unit}"


def _refusals(run: MarketRun) -> list[str]:
    refused = run.messages.filter(pl.col("event").is_in(_REFUSED))
    if not len(refused):
        return []
    counts = refused.group_by("event", "reason", "meaning").len().sort("event", "reason")
    lines = [f"  {n:>6,} {event.replace('_', ' ')}: {reason}, {words}" for event, reason, words, n in counts.rows()]
    return ["", "refused", *lines]


def _notes(run: MarketRun) -> list[str]:
    return ["", "notes", *[f"  * {note}" for note in run.notes]] if run.notes else []
