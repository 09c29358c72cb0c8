"""How well a run of the event market could judge each rule: exact, approximated or not evaluable, and why.

Invariants:
1. A rule is `exact` only where the data showed everything that it needs, in every session of the run.
2. What the data cannot show is `not evaluable`, whatever happened; nothing here says that a rule was obeyed.

| rule | bars | quotes and trades, depth and trades | needs |
|---|---|---|---|
| short_sale_trigger | approximated: a bar's low, from the next bar on | exact | trades, prior close |
| short_sale_price | not evaluable | approximated: what was in force before the first session is not known | quotes |
| price_bands, pauses | not evaluable | exact; approximated with merged trades | trades, prior close |
| circuit_breakers | approximated: judged at a bar's start; so is an index on bars | exact | index with prior close |
| halts | exact: the status at a bar's start | exact | status rows |
| ticks | exact | exact | the date |
| daily_limits | exact | exact | prior close |
| filters | approximated with percent filters: the mark is not the venue's average price | the same | |
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from karat._words import counted
from karat.kernels.market import Block, table
from karat.kernels.market import _rules_layout as words
from karat.kernels.market import layout as at
from karat.market._compliance import APPROXIMATED, EXACT, NOT_EVALUABLE
from karat.market._venue import TradingTerms

Found = tuple[str, str]
_SCHEMA: Final = dict.fromkeys(("instrument", "rule", "evaluation", "why"), pl.String)
_RULES: Final = (
    *("short_sale_trigger", "short_sale_price", "price_bands", "pauses"),
    *("circuit_breakers", "halts", "ticks", "daily_limits"),
)
_BITS: Final = {
    "short_sale_trigger": words.SSR,
    "short_sale_price": words.SSR,
    "price_bands": words.LULD,
    "pauses": words.LULD,
    "ticks": words.TICK,
    "daily_limits": words.DAILY,
}


def rules_evaluated(block: Block, names: list[str], terms: list[TradingTerms]) -> pl.DataFrame:
    """Return one row for each instrument with rules or filters and each rule: instrument, rule, evaluation, why."""
    rows: list[dict[str, str]] = []
    for number, name in enumerate(names):
        found: dict[str, Found] = {}
        if terms[number].rules is not None:
            judged = _Judged(block, number, terms[number])
            found = {rule: judged.rule(rule) for rule in _RULES if judged.asked(rule)}
        if terms[number].filters is not None:
            found["filters"] = _filters(terms[number])
        rows += [
            {"instrument": name, "rule": rule, "evaluation": how, "why": why} for rule, (how, why) in found.items()
        ]
    return pl.DataFrame(rows, schema=_SCHEMA)


class _Judged:
    """What one instrument's record says at the end of a run."""

    def __init__(self, block: Block, number: int, terms: TradingTerms) -> None:
        self.block, self.terms = block, terms
        rows = table(block, "instruments")
        self.row: Any = rows[number]
        self.record: Any = block[int(self.row[at.I_RULES]) :]
        index = int(block[at.H_INDEX]) - 1
        self.index: Any = rows[index] if index >= 0 else None
        self.on_bars = int(self.row[at.I_MATCHER]) == at.BARS
        self.printed = int(self.row[at.I_LAST]) != at.NONE

    def asked(self, rule: str) -> bool:
        """Return whether the terms ask for a rule."""
        rules = self.terms.rules
        assert rules is not None
        wanted = {
            "short_sale_trigger": rules.short_sale,
            "short_sale_price": rules.short_sale,
            "price_bands": rules.tier is not None,
            "pauses": rules.tier is not None,
            "circuit_breakers": rules.circuit_breakers and self.index is not None,
            "ticks": rules.ticks,
            "daily_limits": rules.daily_limit is not None,
        }
        return wanted.get(rule, True)

    def rule(self, rule: str) -> Found:
        """Return how well a rule could be judged, and why not better."""
        if rule == "halts":
            told = int(self.row[at.I_FLAGS]) & at.HAS_STATUS
            return (EXACT, "") if told else (NOT_EVALUABLE, "no status row")
        if rule == "circuit_breakers":
            return self._breaker()
        if self.on_bars and rule in ("price_bands", "pauses"):
            return NOT_EVALUABLE, "bars show neither quotes nor trades"
        missing = self._missing(rule)
        if missing:
            return NOT_EVALUABLE, missing
        return self._short_sale(rule) if rule.startswith("short_sale") else self._other(rule)

    def _missing(self, rule: str) -> str:
        """Return what kept a rule from being in force in some session, empty when nothing did."""
        if not self.record[words.SESSIONS]:
            return "no status row told a session's open and close"
        bit, sessions = _BITS[rule], int(self.record[words.SESSIONS])
        if not int(self.record[words.ALWAYS]) & bit:
            some = "in some sessions" if int(self.record[words.EVER]) & bit else "in no session"
            some = "" if sessions == 1 else f" ({some} was it in force)"
            needs = "the date is before its table" if rule == "ticks" else "no prior close, or a date before its table"
            return needs + some
        if rule not in ("ticks", "daily_limits") and not self.on_bars and not self.printed:
            return "no trade was shown"
        return ""

    def _short_sale(self, rule: str) -> Found:
        untested = int(self.record[words.UNTESTED])
        if self.on_bars and rule == "short_sale_price":
            tried = f"; not tested: {counted(untested, 'short fill')} during a restriction" if untested else ""
            return NOT_EVALUABLE, f"bars show no bid{tried}"
        if self.on_bars:
            return APPROXIMATED, "a bar's low counts at its end: the restriction holds from the next bar on"
        if rule == "short_sale_price":
            return APPROXIMATED, "a restriction carried over from before the first session is not known"
        return EXACT, ""

    def _other(self, rule: str) -> Found:
        merged = int(self.record[words.EVER_MERGED]) + int(self.record[words.MERGED])
        if rule in ("price_bands", "pauses") and merged:
            return APPROXIMATED, f"{counted(merged, 'trade')} shared an entry of the reference price's window"
        return EXACT, ""

    def _breaker(self) -> Found:
        record = self.block[int(self.index[at.I_BREAKER]) :]
        sessions, covered = int(record[words.B_SESSIONS]), int(record[words.B_COVERED])
        if not covered or int(self.index[at.I_LAST]) == at.NONE:
            return NOT_EVALUABLE, "the index has no session with a prior close and values, on a date its table covers"
        if covered < sessions:
            return NOT_EVALUABLE, f"the index could be judged in {covered} of {counted(sessions, 'session')}"
        if self.on_bars or int(self.index[at.I_MATCHER]) == at.BARS:
            return APPROXIMATED, "a bar of the index counts at its end, and a bar is halted or not as of its start"
        return EXACT, ""


def _filters(terms: TradingTerms) -> Found:
    own = terms.filters
    assert own is not None
    by_mark = (own.bid_up, own.bid_down, own.ask_up, own.ask_down, own.min_notional_market, own.max_notional_market)
    if any(by_mark):
        return APPROXIMATED, "the instrument's mark stands for the venue's average price"
    return EXACT, ""
