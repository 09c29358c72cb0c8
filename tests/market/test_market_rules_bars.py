"""Rules on bars: what bars show is applied and called approximated or exact, what they do not is not evaluable."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from karat.data import Events, FilterTerms, Instrument, events_from_bars, events_from_rows, merge_events
from karat.kernels.market import _rules_layout as words
from karat.kernels.market import layout as at
from karat.kernels.market import table
from karat.market import MarketRun, Order, RuleTerms, TradingTerms, VenueSpec, intents_on, simulate

S = 1_000_000_000
HOUR = 3600 * S
OPEN = int(datetime(2024, 3, 4, 14, 30, tzinfo=UTC).timestamp()) * S
DAY = 24 * HOUR
STOCK = Instrument("A.XNYS")


def days(*bars: tuple[float, float, float, float], prior: int | None = 2000, end_row: bool = True) -> Events:
    """Return two hourly bars a session (9:30 and 10:30 in New York), one session a day."""
    rows: list[dict[str, object]] = [] if prior is None else [{"ts": OPEN, "kind": "reference", "price": prior}]
    ts, start = [], []
    for k in range(len(bars)):
        begin = OPEN + (k // 2) * DAY + (k % 2) * HOUR
        ts.append(begin + HOUR)
        start.append(begin)
        if k % 2 == 0:
            close = begin + 2 * HOUR
            rows.append({"ts": begin, "kind": "status", "a": at.OPEN, "b": begin, "c": close})
            if end_row:
                rows.append({"ts": close, "kind": "status", "a": at.CLOSED, "b": 0, "c": 0})
    columns = dict(zip(("open", "high", "low", "close"), map(list, zip(*bars, strict=True)), strict=True))
    return merge_events(events_from_rows(rows, STOCK), events_from_bars({"ts": ts, "start": start} | columns, STOCK))


def run(events: Events, orders: list[Order], rules: RuleTerms | None = None, **more: object) -> MarketRun:
    spec = VenueSpec(terms=TradingTerms(rules=rules or RuleTerms(), **more))
    return simulate(events, intents_on(events, orders), spec)


def how(result: MarketRun) -> dict[str, str]:
    return dict(result.rules_evaluated.select("rule", "evaluation").iter_rows())


FLAT = (20.0, 20.0, 20.0, 20.0)


@pytest.mark.req("SIM-16", "SIM-17", "SIM-20")
def test_every_rule_says_how_well_bars_show_it() -> None:
    result = run(days(FLAT, FLAT), [])
    assert how(result) == {
        "short_sale_trigger": "approximated",
        "short_sale_price": "not evaluable",
        "price_bands": "not evaluable",
        "pauses": "not evaluable",
        "halts": "exact",
        "ticks": "exact",
    }
    assert any("could not be evaluated: short_sale_price, price_bands, pauses" in note for note in result.notes)
    assert len(run(days(FLAT, FLAT), [], filters=FilterTerms(min_qty=Decimal(2))).rules_evaluated) == 7
    assert len(simulate(days(FLAT), intents_on(days(FLAT), [])).rules_evaluated) == 0


def restricted(result: MarketRun, when: int) -> bool:
    record = result.block[table(result.block, "instruments")[0, at.I_RULES] :]
    return bool(record[words.SSR_UNTIL] != words.NONE and when < record[words.SSR_UNTIL])


@pytest.mark.req("SIM-16")
@pytest.mark.parametrize(("low", "starts"), [(18.01, False), (18.00, True)])
def test_a_low_of_ten_percent_starts_the_restriction_at_the_bars_end(low: float, starts: bool) -> None:
    """The fall is in the first bar; a short sale in the second is not tested, which is counted, not passed."""
    events = days((20.0, 20.0, low, 19.0), (19.0, 19.5, 18.5, 19.0), (19.0,) * 4, (19.0,) * 4)
    sales = [Order(k + 1, OPEN + k * HOUR, "A.XNYS", "sell", 1) for k in range(2)]
    result = run(events, sales)
    assert len(result.fills) == 2
    assert restricted(result, OPEN + DAY + 5 * HOUR) is starts
    why = result.rules_evaluated.filter(rule="short_sale_price")["why"][0]
    assert ("not tested: 1 short fill during a restriction" in why) is starts


@pytest.mark.req("SIM-16")
def test_a_bar_from_before_the_open_starts_nothing() -> None:
    status = [{"ts": OPEN, "kind": "reference", "price": 2000},
              {"ts": OPEN, "kind": "status", "a": at.OPEN, "b": OPEN, "c": OPEN + 2 * HOUR}]  # fmt: skip
    columns = {"ts": [OPEN + S, OPEN + HOUR], "start": [OPEN - S, OPEN + S], "low": [10.0, 19.0]}
    columns |= {name: [20.0, 20.0] for name in ("open", "high", "close")}
    events = merge_events(events_from_bars(columns, STOCK), events_from_rows(status, STOCK))
    assert not restricted(run(events, []), OPEN + HOUR)


@pytest.mark.req("SIM-20")
def test_the_prior_close_of_the_next_day_is_the_last_bars_close() -> None:
    """10 % of 21.00: 18.90 and 23.10. The status row of the close comes before the bar that ends with it."""
    events = days((20.0,) * 4, (20.0, 21.0, 20.0, 21.0), (21.0,) * 4, (21.0,) * 4)
    rules = RuleTerms(tier=None, short_sale=False, ticks=False, daily_limit="CN main")
    ts = OPEN + DAY + 1
    prices = ("18.89", "18.90", "23.10", "23.11")
    orders = [Order(k + 1, ts + k, "A.XNYS", "buy", 1, "limit", price=price) for k, price in enumerate(prices)]
    said = run(events, orders, rules).messages
    reasons = [said.filter(order=order.id)["reason"][0] for order in orders]
    assert reasons == ["below_daily_limit", "", "", "above_daily_limit"]
    assert how(run(events, orders, rules))["daily_limits"] == "exact"
    assert how(run(days(FLAT, FLAT, prior=None), [], rules))["daily_limits"] == "not evaluable"


@pytest.mark.req("SIM-20")
def test_an_execution_beyond_the_daily_limit_waits_for_the_next_bar() -> None:
    """A buy at any price where the bar opens 12 % up: the rule refuses that place, once; the next open is inside."""
    rules = RuleTerms(tier=None, short_sale=False, ticks=False, daily_limit="CN main")
    events = days((22.4, 22.5, 20.0, 20.0), (20.0,) * 4)
    result = run(events, [Order(1, OPEN, "A.XNYS", "buy", 1)], rules)
    assert result.fills["ts"].to_list() == [OPEN + HOUR]
    assert result.telemetry["executions_refused_by_rules"] == 1


@pytest.mark.req("SIM-14", "SIM-18")
def test_prices_off_the_rules_step_are_refused_on_bars() -> None:
    fine = Instrument("A.XNYS", tick=Decimal("0.0001"))
    rows = [{"ts": OPEN, "kind": "status", "a": at.OPEN, "b": OPEN, "c": OPEN + 2 * HOUR}]
    bars = {"ts": [OPEN + HOUR], "start": [OPEN], "open": [20.0], "high": [20.0], "low": [20.0], "close": [20.0]}
    events = merge_events(events_from_rows(rows, fine), events_from_bars(bars, fine))
    orders = [Order(k + 1, OPEN + k, "A.XNYS", "buy", 1, "limit", price=p) for k, p in enumerate(("19.005", "19.00"))]
    said = run(events, orders).messages
    assert [said.filter(order=order.id)["reason"][0] for order in orders] == ["off_tick", ""]


def test_without_a_session_nothing_was_judged_and_that_is_said() -> None:
    bars = {"ts": [1, 2]} | {name: [9.0, 9.0] for name in ("open", "high", "low", "close")}
    result = run(events_from_bars(bars, STOCK), [])
    assert set(how(result).values()) == {"not evaluable"}
    assert any("rules never applied to A.XNYS" in note for note in result.notes)


@pytest.mark.req("SIM-18")
def test_a_day_before_the_tables_is_not_evaluable() -> None:
    old = int(datetime(2005, 3, 4, 14, 30, tzinfo=UTC).timestamp()) * S
    rows = [{"ts": old, "kind": "reference", "price": 2000},
            {"ts": old, "kind": "status", "a": at.OPEN, "b": old, "c": old + HOUR}]  # fmt: skip
    bars = {"ts": [old + HOUR], "start": [old]} | {name: [20.0] for name in ("open", "high", "low", "close")}
    found = how(run(merge_events(events_from_rows(rows, STOCK), events_from_bars(bars, STOCK)), []))
    assert (found["ticks"], found["short_sale_trigger"], found["halts"]) == ("not evaluable", "not evaluable", "exact")
