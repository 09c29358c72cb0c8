"""Random scenarios as the doors take them: `Events`, `VenueSpec` and intents, instead of words."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
from market_scenarios import Options, Scenario, Seeded, scenario

from karat.data import Events, Instrument
from karat.kernels.market import layout as at
from karat.market import (
    Amend,
    BpsSlippage,
    Cancel,
    ConstantLatency,
    Intents,
    LogNormalLatency,
    NoLatency,
    NoSlippage,
    Order,
    RateFee,
    Target,
    TickSlippage,
    TradingTerms,
    VenueSpec,
)
from karat.market._orders import FORCES, LISTS, SELF_TRADES, TYPES, Intent

MATCHERS = {at.BARS: "bars", at.QUOTES: "quotes", at.DEPTH: "depth", at.ORDERS: "orders"}


@dataclass(frozen=True)
class Played:
    """A scenario for the doors; rows: its intents, at times at which some row becomes known."""

    events: Events
    spec: VenueSpec
    rows: np.ndarray[Any, Any]

    @property
    def intents(self) -> Intents:
        return Intents(self.rows)


def played(seed: int, matcher: int, *, delayed: bool = False, **options: Any) -> Played:
    """Return a scenario; delayed: rows become known late, orders and answers take time."""
    made = scenario(Seeded(seed), Options(matcher=matcher, faults=False, **options))
    chance = random.Random(seed)
    events = events_of(made, chance.randrange(1, 6) if delayed else 0)
    entry = ConstantLatency(latency_ns=chance.randrange(0, 13)) if delayed else NoLatency()
    response = LogNormalLatency(mu=1.0, sigma=0.6, unit_ns=1.0) if delayed else NoLatency()
    terms = [terms_of(words, matcher, entry, response) for words in made.terms]
    names = [item.id for item in events.instruments]
    spec = VenueSpec(
        cash={"USD": made.cash[0]}, terms_of=dict(zip(names, terms, strict=True)), money_quantum=1, open_orders=64
    )
    rows = np.array(made.intents, dtype=np.int64).reshape(-1, at.INTENT)
    rows[:, at.T_DELAY] = 0
    known = np.unique(events.known_at)
    place = np.searchsorted(known, rows[:, at.T_TS])
    rows, place = rows[place < len(known)], place[place < len(known)]
    rows[:, at.T_TS] = known[place]
    return Played(events, spec, rows)


def events_of(made: Scenario, late: int) -> Events:
    """Return the scenario's rows as events of whole ticks and lots, each known `late` ns after it happened."""
    columns = {name: np.array(values, dtype=np.int64) for name, values in made.columns().items()}
    items = tuple(
        Instrument(f"I{number}.SIM", tick=Decimal(1), multiplier=Decimal(words["unit"]))
        for number, words in enumerate(made.terms)
    )
    return Events(**{**columns, "known_at": columns["ts"] + late}, instruments=items)  # type: ignore[arg-type]


def terms_of(words: dict[str, Any], matcher: int, entry: Any, response: Any) -> TradingTerms:
    """Return the terms of an instrument that the scenario describes in the oracle's words."""
    slip = (NoSlippage(), TickSlippage(slippage_ticks=words.get("slip_value", 0)), None)[words.get("slip_kind", 0)]
    share = words.get("participation")
    return TradingTerms(
        matching=MATCHERS[matcher],
        fee=RateFee(
            maker_bps=words["maker"] / 100_000, taker_bps=words["taker"] / 100_000, minimum=words.get("min_fee", 0)
        ),
        slippage=slip or BpsSlippage(slippage_bps=words["slip_value"] / 100_000),
        participation_frac=None if share is None else share / 1e9,
        mark="mid" if words["mark_mid"] else "last",
        crossed="allow",
        cutoff_ns=words.get("cutoff", 0),
        entry=entry,
        response=response,
    )


def intent_of(row: np.ndarray[Any, Any], events: Events) -> Intent:
    """Return a row of words as the intent that a person would write."""
    word = [int(value) for value in row]
    ts, name, id_ = word[at.T_TS], events.instruments[word[at.T_INSTRUMENT]].id, word[at.T_ID]
    action = word[at.T_ACTION]
    if action == at.CANCEL:
        return Cancel(id_, ts)
    if action == at.AMEND:
        return Amend(id_, ts, name, word[at.T_QTY] or None, word[at.T_PRICE] or None)
    if action == at.TARGET_QTY:
        return Target(id_, ts, name, quantity=word[at.T_QTY])
    if action == at.TARGET_WEIGHT:
        return Target(id_, ts, name, weight=word[at.T_QTY] / 1e9)
    order = Order(
        id_,
        ts,
        name,
        "buy" if word[at.T_SIDE] > 0 else "sell",
        word[at.T_QTY],
        type=_name(TYPES, word[at.T_TYPE]),
        force=_name(FORCES, word[at.T_TIF]),
        expires_ns=word[at.T_EXPIRE],
        self_trades=_name(SELF_TRADES, word[at.T_STP]),
        parent=word[at.T_PARENT],
        list_with=word[at.T_GROUP],
        on_fill=_name(LISTS, word[at.T_GROUP_MODE]),  # type: ignore[arg-type]
        post_only=bool(word[at.T_FLAGS] & at.POST_ONLY),
        reduce_only=bool(word[at.T_FLAGS] & at.REDUCE_ONLY),
        touch=bool(word[at.T_FLAGS] & at.TOUCH),
    )
    return replace(
        order, price=word[at.T_PRICE] or None, stop=word[at.T_STOP] or None, offset=word[at.T_OFFSET] or None
    )


def _name(words: Any, code: int) -> str:
    return next(name for name, value in words.items() if value == code)
