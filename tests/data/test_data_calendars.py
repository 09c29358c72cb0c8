"""Sessions and instruments."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from karat.core import InputError, iso
from karat.data import Instrument, sessions


def test_half_days_and_clock_changes_are_the_exchanges_own():
    table = sessions("XNYS", "2024-07-03", "2024-07-05")
    assert table["date"].to_list() == [dt.date(2024, 7, 3), dt.date(2024, 7, 5)]
    assert [iso(x) for x in table["close_ns"]] == ["2024-07-03T17:00:00Z", "2024-07-05T20:00:00Z"]
    # New York moved its clocks on 2024-03-10: the same local close an hour earlier in UTC
    spring = sessions("XNYS", "2024-03-08", "2024-03-11")
    assert [iso(x)[11:16] for x in spring["open_ns"]] == ["14:30", "13:30"]
    assert (table["open_ns"] < table["close_ns"]).all()


def test_every_day_has_a_session_around_the_clock():
    table = sessions("24/7", dt.date(2024, 2, 28), dt.datetime(2024, 3, 1, 12))
    assert [iso(x) for x in table["close_ns"]] == [
        "2024-02-29T00:00:00Z",
        "2024-03-01T00:00:00Z",
        "2024-03-02T00:00:00Z",
    ]
    assert sessions("none", "2024-01-01", "2024-02-01").is_empty()


def test_a_longer_range_keeps_the_sessions_of_a_shorter_one():
    short = sessions("XLON", "2020-01-01", "2020-12-31")
    long = sessions("XLON", "2010-01-01", "2022-12-31")
    assert short.equals(long.filter(long["date"].is_between(dt.date(2020, 1, 1), dt.date(2020, 12, 31))))


def test_a_range_of_one_holiday_is_empty():
    assert sessions("XNYS", "2024-12-25", "2024-12-25").is_empty()


def test_mistakes_are_named():
    with pytest.raises(InputError, match=r"calendar: got 'XNSY'.*did you mean 'XNYS'"):
        sessions("XNSY", "2024-01-01", "2024-01-02")
    with pytest.raises(InputError, match=r"start: got '2024-02-01'; allowed: a date up to end=2024-01-01"):
        sessions("XNYS", "2024-02-01", "2024-01-01")
    with pytest.raises(InputError, match=r"end: got 7; allowed: an ISO date"):
        sessions("XNYS", "2024-02-01", 7)
    with pytest.raises(InputError, match=r"start\.\.end: got '2060-01-01\.\.2060-12-31'.*ask for less"):
        sessions("XHKG", "2060-02-01", "2060-03-01")


def test_an_instrument_states_its_facts():
    spy = Instrument("SPY.XNYS", asset_class="etf")
    assert (spy.symbol, spy.venue, spy.tick, spy.lot, spy.currency) == ("SPY", "XNYS", Decimal("0.01"), 1, "USD")


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"id": "spy"}, "instrument: got 'spy'"),
        ({"id": "SPY.XNYS", "asset_class": "ETF"}, "instrument.asset_class: got 'ETF'"),
        ({"id": "SPY.XNYS", "tick": Decimal(0)}, "instrument.tick: got Decimal('0'); allowed: a positive Decimal"),
        ({"id": "SPY.XNYS", "lot": 1}, "instrument.lot: got 1; allowed: a positive Decimal"),
        ({"id": "SPY.XNYS", "currency": "usd"}, "instrument.currency: got 'usd'; allowed: an ISO 4217"),
    ],
)
def test_a_wrong_instrument_is_refused(facts, message):
    with pytest.raises(InputError) as caught:
        Instrument(**facts)
    assert str(caught.value).startswith(message)
