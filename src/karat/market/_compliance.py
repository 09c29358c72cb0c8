"""Checks of the market's rules on prices and on executed trades, with what the data could and could not show.

Invariants:
1. Every verdict comes from `RulesEngine`, the engine of the simulation.
2. A rule whose evidence is missing is *not evaluable* for the trades concerned and is never counted as passed. What is
   known later or coarser than the rule needs is *approximated*, and says so.
3. One violation is one row, with its rule, its reason code, the numbers and plain words.

| rule | none | bars | trades of the tape | quotes and trades |
|---|---|---|---|---|
| short_sale: trigger | not evaluable | approximated: known at the bar's end | exact | exact |
| short_sale: price | not evaluable | not evaluable | not evaluable | exact |
| price_bands | not evaluable | not evaluable | exact; approximated with merged trades | the same |
| pauses | not evaluable | not evaluable | not evaluable | as the bands |
| circuit_breakers | not evaluable | exact with values of the index, whatever the source | same | same |
| halts | not evaluable | exact with statuses, whatever the source | same | same |
| ticks | exact with the order's limit price, whatever the source | same | same | same |
| daily_limits | not evaluable | exact with prior closes, whatever the source | same | same |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape
from typing import Any, Final

import polars as pl

from karat.core import InputError, iso
from karat.data import MARKET_RULES, MarketRules
from karat.kernels.market import _rules_layout as words
from karat.market._reasons import REASONS
from karat.market._rule_checks import Price, as_decimal
from karat.market._rulebook import Listing, whole
from karat.market._rules_engine import RulesEngine, Verdict

EXACT: Final = "exact"
APPROXIMATED: Final = "approximated"
NOT_EVALUABLE: Final = "not evaluable"
CHECKED_RULES: Final = (*("short_sale", "price_bands", "pauses", "circuit_breakers", "halts", "ticks", "daily_limits"),)


@dataclass(frozen=True, eq=False)
class Tape:
    """What is known of the market while the trades happened; None is "not known". Prices in currency, times in UTC ns.

    sessions: open_ns, close_ns, prior_close and, for market-wide halts, index_prior_close. statuses: ts, status (codes
    of the events). trades: ts, price, of the consolidated tape. quotes: ts, bid, ask (national best, null for none).
    bars: ts (end), low, of regular hours; not needed beside trades. index: ts, value.
    """

    sessions: pl.DataFrame | None = None
    statuses: pl.DataFrame | None = None
    trades: pl.DataFrame | None = None
    quotes: pl.DataFrame | None = None
    bars: pl.DataFrame | None = None
    index: pl.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class ComplianceReport:
    """Outcome of `validate_compliance`.

    rules: rule, evaluation (exact, approximated, not evaluable), checked, not_evaluable, violations: numbers of trades.
    violations: trade (row), ts, rule, code, reason, price, bid, ask, lower, upper, text. n_trades: trades looked at.
    """

    rules: pl.DataFrame
    violations: pl.DataFrame
    n_trades: int

    @property
    def clean(self) -> bool:
        """Whether no violation was found. It says nothing about rules that were not evaluable."""
        return len(self.violations) == 0

    def outcome(self, rule: str) -> str:
        """Return `violated`, `passed` (all trades, exactly), `nothing found (approximated)` or `not evaluable`.

        Raises:
            InputError: an unknown rule.
        """
        found = self.rules.filter(pl.col("rule") == rule).to_dicts()
        if not found:
            raise InputError("rule", rule, allowed=CHECKED_RULES)
        row = found[0]
        if row["violations"]:
            return "violated"
        if row["not_evaluable"] or row["evaluation"] == NOT_EVALUABLE:
            return NOT_EVALUABLE
        return "passed" if row["evaluation"] == EXACT else "nothing found (approximated)"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(row['rule'])}</td><td>{escape(self.outcome(row['rule']))}</td>"
            f"<td>{row['checked']}</td><td>{row['not_evaluable']}</td><td>{row['violations']}</td></tr>"
            for row in self.rules.to_dicts()
        )
        head = "<tr><th>rule</th><th>outcome</th><th>checked</th><th>not evaluable</th><th>violations</th></tr>"
        return f"<table>{head}{rows}</table>"


@dataclass
class _Tally:
    """Counts of one rule."""

    checked: int = 0
    unknown: int = 0
    violations: int = 0
    approximated: bool = False


@dataclass(eq=False)
class _Audit:
    """One pass over tape and trades, in order of time."""

    engine: RulesEngine
    tape: Tape
    listing: Listing
    active: tuple[str, ...] = ()
    quoted: bool = False
    sessions: int = 0
    tallies: dict[str, _Tally] = field(default_factory=lambda: {rule: _Tally() for rule in CHECKED_RULES})
    rows: list[dict[str, Any]] = field(default_factory=list)

    def take(self, event: dict[str, Any]) -> None:
        """Feed one event of the tape, or judge one trade."""
        kind = event.pop("kind")
        if kind == "execution":
            self._judge(event)
        elif kind == "session":
            self.active, self.sessions = self.engine.start(**event), self.sessions + 1
        else:
            self.quoted = self.quoted or kind == "quote"
            getattr(self.engine, kind)(**event)

    def _judge(self, trade: dict[str, Any]) -> None:
        ts, price, side, limit = trade["ts"], trade["price"], trade["side"], trade["limit"]
        short, facts = trade["short"], {"exempt": trade["exempt"], "displayed_above": trade["above"]}
        first = self.engine.execution(ts, side, price, short=bool(short), **facts)
        found = {first.reason.rule: first}
        if first.code == words.R_SSR:  # the price may break the bands as well
            second = self.engine.execution(ts, side, price)
            found[second.reason.rule] = second
        if limit is not None:
            step = self.engine.order(ts, side, limit)
            if step.reason.rule == "ticks":
                found["ticks"] = step
        known = self._known(limit) | {"short_sale": self._known_sale(trade)}
        for rule, how in known.items():
            tally = self.tallies[rule]
            tally.unknown += how == NOT_EVALUABLE
            tally.checked += how != NOT_EVALUABLE
            tally.approximated |= how == APPROXIMATED
            if rule in found and how != NOT_EVALUABLE:
                tally.violations += 1
                self._note(trade, rule, found[rule])

    def _known_sale(self, trade: dict[str, Any]) -> str:
        """Return how well the short-sale rule can be told for a trade of now."""
        if trade["side"] > 0 or trade["short"] is False or trade["exempt"] or trade["above"]:
            return EXACT
        bid, ask = self.engine.last_quote
        if trade["short"] is not None and bid is not None and (trade["price"] > bid or (ask is not None and bid > ask)):
            return EXACT  # allowed whether or not the test is in force
        tape = self.tape
        prints = EXACT if tape.trades is not None else (APPROXIMATED if tape.bars is not None else NOT_EVALUABLE)
        restricted = self.engine.short_restricted(trade["ts"])
        # the first session of a tape may carry a restriction over from the day before it
        told = (restricted and bid is not None) or (
            not restricted and self.sessions > 1 and "short_sale" in self.active
        )
        return prints if told and trade["short"] is not None else NOT_EVALUABLE

    def _known(self, limit: int | None) -> dict[str, str]:
        """Return how well each other rule can be told for a trade of now."""
        engine, tape = self.engine, self.tape
        bands = NOT_EVALUABLE
        if tape.trades is not None and "price_bands" in self.active:
            bands = APPROXIMATED if engine.merged_trades else EXACT
        return {
            "price_bands": bands,
            "pauses": bands if self.quoted else NOT_EVALUABLE,
            "circuit_breakers": EXACT if tape.index is not None and engine.breaker_covered else NOT_EVALUABLE,
            "halts": NOT_EVALUABLE if tape.statuses is None else EXACT,
            "ticks": NOT_EVALUABLE if limit is None or "ticks" not in self.active else EXACT,
            "daily_limits": EXACT if "daily_limits" in self.active else NOT_EVALUABLE,
        }

    def _note(self, trade: dict[str, Any], rule: str, verdict: Verdict) -> None:
        (bid, ask), bands = self.engine.last_quote, self.engine.bands or (None, None)
        seen = {"price": trade["price"], "bid": bid, "ask": ask, "lower": bands[0], "upper": bands[1]}
        in_money = {name: _money(value, self.listing.quantum) for name, value in seen.items()}
        text = f"{REASONS[verdict.code].text} at {iso(trade['ts'])}: " + ", ".join(
            f"{name} {value:g}" for name, value in in_money.items() if value is not None
        )
        facts = {"trade": trade["row"], "ts": trade["ts"], "rule": rule, "code": verdict.code}
        self.rows.append({**facts, "reason": verdict.reason.name, **in_money, "text": text})


_VIOLATIONS: Final = {
    "trade": pl.Int64,
    "ts": pl.Int64,
    "rule": pl.String,
    "code": pl.Int64,
    "reason": pl.String,
    **dict.fromkeys(("price", "bid", "ask", "lower", "upper"), pl.Float64),
    "text": pl.String,
}


def validate_compliance(
    trades: pl.DataFrame,
    *,
    tape: Tape | None = None,
    listing: Listing | None = None,
    rules: MarketRules = MARKET_RULES,
) -> ComplianceReport:
    """Check executed trades of one instrument against the rules of the market.

    trades: ts (UTC ns), side (+1 buy, -1 sell), price (currency), and where known short, exempt, displayed_above
    (booleans) and limit (the order's limit price). Without `short`, sales are not evaluable for the short-sale rule.
    At one instant the tape comes first, then the trades.

    Raises:
        InputError: missing columns, a price that is no whole number of `listing.quantum`, a side that is not +1 or -1.
    """
    for name in ("ts", "side", "price"):
        if name not in trades.columns:
            raise InputError("trades", trades.columns, allowed=f"a column {name!r}")
    listing, tape = listing or Listing(), tape or Tape()
    audit = _Audit(RulesEngine(listing, rules=rules), tape, listing)
    for event in _merged(trades, tape, listing.quantum):
        audit.take(event)
    rows = [
        {
            "rule": rule,
            "evaluation": NOT_EVALUABLE if not tally.checked else (APPROXIMATED if tally.approximated else EXACT),
            "checked": tally.checked,
            "not_evaluable": tally.unknown,
            "violations": tally.violations,
        }
        for rule, tally in audit.tallies.items()
    ]
    return ComplianceReport(pl.DataFrame(rows), pl.DataFrame(audit.rows, schema=_VIOLATIONS), len(trades))


def _merged(trades: pl.DataFrame, tape: Tape, quantum: Decimal) -> list[dict[str, Any]]:
    """Return the events of tape and trades in order: by instant, then sessions, statuses, index, market, own trades."""
    found = [*_tape_events(tape, quantum), *_own_events(trades, quantum)]
    return [event for _, _, event in sorted(found, key=lambda item: item[:2])]


def _tape_events(tape: Tape, quantum: Decimal) -> Iterator[tuple[int, int, dict[str, Any]]]:
    for row in _rows(tape.sessions):
        prior, index = _ticks("sessions.prior_close", row["prior_close"], quantum), row.get("index_prior_close")
        level = _ticks("sessions.index_prior_close", index, Decimal("0.01"))
        session = {"open_ns": row["open_ns"], "close_ns": row["close_ns"], "prior_close": prior, "index_prior": level}
        yield row["open_ns"], 0, {"kind": "session", **session}
    for row in _rows(tape.statuses):
        yield row["ts"], 1, {"kind": "status", "ts": row["ts"], "status": row["status"]}
    for row in _rows(tape.index):
        yield row["ts"], 2, {"kind": "index", "ts": row["ts"], "value": _ticks("index", row["value"], Decimal("0.01"))}
    for row in _rows(tape.quotes):
        bid, ask = _ticks("quotes.bid", row["bid"], quantum), _ticks("quotes.ask", row["ask"], quantum)
        yield row["ts"], 3, {"kind": "quote", "ts": row["ts"], "bid": bid, "ask": ask}
    lows = _rows(tape.bars) if tape.trades is None else []
    for name, rows, column in (("trades", _rows(tape.trades), "price"), ("bars", lows, "low")):
        for row in rows:
            price = _ticks(f"{name}.{column}", row[column], quantum)
            yield row["ts"], 3, {"kind": "trade", "ts": row["ts"], "price": price}


def _own_events(trades: pl.DataFrame, quantum: Decimal) -> Iterator[tuple[int, int, dict[str, Any]]]:
    for k, row in enumerate(_rows(trades)):
        facts = {
            "exempt": bool(row.get("exempt")),
            "above": bool(row.get("displayed_above")),
            "short": row.get("short"),
        }
        prices = {name: _ticks(f"trades.{name}", row.get(name), quantum) for name in ("price", "limit")}
        if prices["price"] is None:
            raise InputError("trades.price", None, allowed="a price in every row")
        yield row["ts"], 4, {"kind": "execution", "row": k, "ts": row["ts"], "side": row["side"], **facts, **prices}


def _rows(frame: pl.DataFrame | None) -> list[dict[str, Any]]:
    return [] if frame is None else frame.to_dicts()


def _ticks(name: str, price: Price | None, quantum: Decimal) -> int | None:
    return None if price is None else whole(name, as_decimal(name, price), quantum)


def _money(ticks: int | None, quantum: Decimal) -> float | None:
    return None if ticks is None else float(ticks * quantum)
