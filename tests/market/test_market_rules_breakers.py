"""Market-wide halts in the event market: an index of the events sets the levels, every instrument under it stops."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from karat.core import InputError
from karat.data import (
    Events,
    Instrument,
    events_from_bars,
    events_from_depth,
    events_from_quotes,
    events_from_rows,
    events_from_trades,
    merge_events,
)
from karat.kernels.market import layout as at
from karat.market import (
    Listing,
    MarketRun,
    Order,
    RulesEngine,
    RuleTerms,
    TradingTerms,
    VenueSpec,
    intents_on,
    simulate,
    simulate_chunks,
)

S = 1_000_000_000
MINUTE = 60 * S
INDEX, STOCK = Instrument("SPX.IDX"), Instrument("A.XNYS")
PRIOR = 2681.66
LEVELS = {1: 2493.94, 2: 2333.04, 3: 2145.32}
"""7, 13 and 20 % below 2,681.66, as in golden/market_rules/mwcb.json."""
RULES = TradingTerms(rules=RuleTerms(tier=None, short_sale=False))


def opening(year: int = 2024) -> int:
    return int(datetime(year, 3, 4, 14, 30, tzinfo=UTC).timestamp()) * S


OPEN = opening()


def day(values: dict[int, float], hours: float = 6.5, open_ns: int = OPEN, at_bid: int = 2000) -> Events:
    """Return a session of a stock that is quoted every minute, and the index at some seconds after the open."""
    close = open_ns + int(hours * 60) * MINUTE
    parts = []
    for item, prior in ((INDEX, round(PRIOR * 100)), (STOCK, 2000)):
        status = {"ts": open_ns, "kind": "status", "a": at.OPEN, "b": open_ns, "c": close}
        parts.append(events_from_rows([{"ts": open_ns, "kind": "reference", "price": prior}, status], item))
    ts = [open_ns + n * MINUTE + 1 for n in range(int(hours * 60))]
    n = len(ts)
    quotes = {"ts": ts, "bid": [at_bid / 100] * n, "bid_size": [9] * n}
    quotes |= {"ask": [at_bid / 100 + 0.02] * n, "ask_size": [9] * n}
    parts.append(events_from_quotes(quotes, STOCK))
    seconds = sorted(values)
    prints = {
        "ts": [open_ns + s * S for s in seconds],
        "price": [values[s] for s in seconds],
        "size": [1] * len(seconds),
    }
    if values:
        parts.append(events_from_trades(prints, INDEX))
    return merge_events(*parts)


def spec(**more: object) -> VenueSpec:
    return VenueSpec(terms_of={"A.XNYS": RULES}, breaker_index="SPX.IDX", **more)


def asked(events: Events, seconds: list[int], open_ns: int = OPEN, market: VenueSpec | None = None) -> list[str]:
    """Return what is said of a buy order at each of these seconds after the open, empty where it is accepted."""
    orders = [Order(k + 1, open_ns + s * S, "A.XNYS", "buy", 1, "limit", price=1) for k, s in enumerate(seconds)]
    said = simulate(events, intents_on(events, orders), market or spec()).messages
    return [said.filter(order=order.id)["reason"][0] for order in orders]


HOUR = 3600


@pytest.mark.req("SIM-20")
@pytest.mark.parametrize("level", [1, 2])
def test_a_level_stops_the_market_for_a_quarter_of_an_hour(level: int) -> None:
    """7 % and 13 %: refused from the decline to the last instant of 15 minutes, then open; once a day."""
    before = LEVELS[1] + 0.01 if level == 1 else PRIOR
    events = day({60: PRIOR, 600: before, 700: LEVELS[level], 3000: LEVELS[level]})
    name = f"breaker_level_{level}"
    assert asked(events, [650, 700, 1599, 1600, 1601, 3001]) == ["", name, name, name, "", ""]


@pytest.mark.req("SIM-20")
def test_the_third_level_ends_the_day_and_the_next_day_is_open() -> None:
    first, second = day({60: LEVELS[3]}), day({60: PRIOR}, open_ns=OPEN + 24 * HOUR * S)
    events = merge_events(first, second)
    assert asked(events, [59, 61, 6 * HOUR, 24 * HOUR + 61]) == ["", "breaker_level_3", "breaker_level_3", ""]


@pytest.mark.req("SIM-20")
@pytest.mark.parametrize(("hours", "cutoff"), [(6.5, 5 * HOUR + 55 * 60), (3.5, 2 * HOUR + 55 * 60)])
def test_levels_one_and_two_do_nothing_in_the_last_35_minutes(hours: float, cutoff: int) -> None:
    """15:25, and 12:25 on a day that closes at 13:00; the third level works until the close."""
    assert asked(day({cutoff: LEVELS[2]}, hours), [cutoff + 1]) == [""]
    assert asked(day({cutoff - 1: LEVELS[1]}, hours), [cutoff + 1]) == ["breaker_level_1"]
    assert asked(day({cutoff + 60: LEVELS[3]}, hours), [cutoff + 61]) == ["breaker_level_3"]


@pytest.mark.req("SIM-20")
def test_what_rests_fills_nothing_in_a_halt_and_goes_on_after_it() -> None:
    events = day({100: LEVELS[1]})
    orders = [Order(1, OPEN + 90 * S, "A.XNYS", "sell", 20, "limit", price="20.00")]  # 9 lots a quote
    run = simulate(events, intents_on(events, orders), spec())
    assert [(ts - OPEN) // S for ts in run.fills["ts"]] == [
        90,
        17 * 60,
        18 * 60,
    ]  # 16:40 is the end, 17:00 the next quote
    assert run.telemetry["executions_refused_by_rules"] == 15
    assert run.telemetry["market_wide_halts"] == 1
    free = simulate(events, intents_on(events, orders), VenueSpec())
    assert [(ts - OPEN) // S for ts in free.fills["ts"]] == [90, 120, 180]


def evaluation(run: MarketRun) -> tuple[str, str]:
    return run.rules_evaluated.filter(rule="circuit_breakers").select("evaluation", "why").row(0)


@pytest.mark.req("SIM-18", "SIM-20")
def test_before_the_table_and_without_a_prior_close_it_is_not_evaluable() -> None:
    old = day({60: LEVELS[3]}, open_ns=opening(2012))
    run = simulate(old, intents_on(old, []), spec())
    assert evaluation(run)[0] == "not evaluable"
    assert any("could not be evaluated: " in note and "circuit_breakers" in note for note in run.notes)
    assert asked(old, [61], opening(2012)) == [""]
    known = day({60: LEVELS[1]})
    assert evaluation(simulate(known, intents_on(known, []), spec())) == ("exact", "")
    silent = day({})
    assert (
        evaluation(simulate(silent, intents_on(silent, []), spec(terms=TradingTerms(matching="quotes"))))[0]
        == "not evaluable"
    )


@pytest.mark.req("SIM-20")
def test_the_loop_and_the_engine_before_the_trade_say_the_same() -> None:
    """Random falls of the index: every order gets the verdict of `RulesEngine`; an engine of another day differs."""
    rng = np.random.default_rng(7)
    differ = 0
    for _ in range(12):
        seconds = sorted(rng.choice(23_000, 40, replace=False).tolist())
        values = {s: round(PRIOR * f, 2) for s, f in zip(seconds, rng.uniform(0.78, 0.99, 40), strict=True)}
        moments = sorted(set(range(5, 23_000, 400)) - set(seconds))
        engines = [RulesEngine(Listing(tier=None, short_sale=False)) for _ in range(2)]
        engines[0].start(OPEN, OPEN + 390 * MINUTE, 2000, index_prior=round(PRIOR * 100))
        engines[1].start(OPEN, OPEN + 390 * MINUTE, 2000, index_prior=round(PRIOR * 99))
        wanted: list[list[str]] = [[], []]
        for s in sorted([*seconds, *moments]):
            for engine, names in zip(engines, wanted, strict=True):
                if s in values:
                    engine.index(OPEN + s * S, round(values[s] * 100))
                else:
                    names.append(engine.order(OPEN + s * S, 1, 100).reason.name)
        found = [name or "ok" for name in asked(day(values), moments)]
        assert found == wanted[0]
        differ += found != wanted[1]
    assert differ > 0


@pytest.mark.req("SIM-20")
def test_an_index_on_bars_counts_its_low_at_the_bars_end_and_halts_bars_that_start_then() -> None:
    """Bars of five minutes: the low of the second is 7 % down; the third to the fifth start in the halt."""
    n = 8
    ends = [OPEN + 5 * (k + 1) * MINUTE for k in range(n)]
    rows = [[100.0] * n, [100.0] * n, [100.0, 93.0, *[100.0] * (n - 2)], [100.0] * n]
    table = {"ts": ends, "start": [end - 5 * MINUTE for end in ends]}
    table |= dict(zip(("open", "high", "low", "close"), rows, strict=True))
    flat = table | {"low": [100.0, 100.0, *[98.0] * (n - 2)]}
    status = [
        {"ts": OPEN, "kind": "reference", "price": 10_000},
        {"ts": OPEN, "kind": "status", "a": at.OPEN, "b": OPEN, "c": OPEN + 390 * MINUTE},
    ]
    parts = [events_from_rows(status, item) for item in (INDEX, STOCK)]
    events = merge_events(*parts, events_from_bars(table, INDEX), events_from_bars(flat, STOCK))
    orders = intents_on(events, [Order(1, OPEN + 9 * MINUTE, "A.XNYS", "buy", 1, "limit", price=99)])
    market = VenueSpec(terms_of={"A.XNYS": TradingTerms(rules=RuleTerms())}, breaker_index="SPX.IDX")
    run = simulate(events, orders, market)
    assert (run.fills["ts"] - OPEN).to_list() == [30 * MINUTE]  # halted from minute 10 to 25
    free = simulate(events, orders, VenueSpec())
    assert (free.fills["ts"] - OPEN).to_list() == [15 * MINUTE]
    assert evaluation(run)[0] == "approximated"
    assert run.telemetry["market_wide_halts"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"breaker_index": "SPX"}, "spec.breaker_index: got 'SPX'; allowed: .*SPX.IDX"),
        ({"terms_of": {}}, "spec.breaker_index: got 'SPX.IDX'; no instrument has rules that its halts could stop"),
    ],
)
def test_an_index_that_cannot_be_is_refused(change: dict[str, object], message: str) -> None:
    events = day({60: PRIOR})
    with pytest.raises(InputError, match=message):
        simulate(events, intents_on(events, []), spec().model_copy(update=change))


def test_an_index_with_a_book_is_refused() -> None:
    rows = {"ts": [OPEN, OPEN], "side": ["bid", "ask"], "price": [9.0, 10.0], "size": [5, 5]}
    events = merge_events(events_from_depth(rows, INDEX), day({60: PRIOR}))
    with pytest.raises(
        InputError, match="spec.breaker_index: got 'SPX.IDX'; the values of an index are trades or bars"
    ):
        simulate(events, intents_on(events, []), spec())


def test_a_book_that_grows_keeps_its_way_to_the_breaker() -> None:
    """In chunks the stock's book is enlarged: the rules' record must still find the halt, and the hash is the same."""
    other = Instrument("B.XNYS")
    ts = [OPEN + k * MINUTE + 5 for k in range(120)]
    price = [20 + 0.5 * k for k in range(120)]
    rows = {"ts": ts, "side": ["bid"] * 120, "price": price, "size": [5] * 120}
    close = OPEN + 390 * MINUTE
    begin = [{"ts": OPEN, "kind": "reference", "price": 2000},
             {"ts": OPEN, "kind": "status", "a": at.OPEN, "b": OPEN, "c": close}]  # fmt: skip
    events = merge_events(
        day({60: PRIOR, 5000: LEVELS[1]}), events_from_rows(begin, other), events_from_depth(rows, other)
    )
    both = VenueSpec(terms_of={"A.XNYS": RULES, "B.XNYS": RULES.model_copy(update={"matching": "depth"})},
                     terms=TradingTerms(matching="quotes"), breaker_index="SPX.IDX", keep_equity=False)  # fmt: skip
    orders = intents_on(events, [Order(1, OPEN + 5001 * S, "B.XNYS", "buy", 1, "limit", price=1)])
    whole = simulate(events, orders, both)
    pieces = [events.slice(start).head(60) for start in range(0, len(events), 60)]
    chunked = simulate_chunks(pieces, orders, both)
    assert whole.messages["reason"].to_list() == chunked.messages["reason"].to_list() == ["breaker_level_1"]
    assert chunked.state_hash == whole.state_hash
    assert Decimal(whole.money["USD"]["cash"]) == chunked.money["USD"]["cash"]
