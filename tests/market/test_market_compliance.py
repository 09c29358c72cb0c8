"""Compliance of executed trades, batch against streaming, a replay of constructed days. Numbers: the invariants."""

from __future__ import annotations

import datetime as dt
import os
import random
import runpy
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from karat.core import InputError
from karat.market import REASONS, ComplianceReport, Listing, RulesEngine, Tape, validate_compliance
from karat.market._compliance import APPROXIMATED, CHECKED_RULES, EXACT, NOT_EVALUABLE

PLAIN = runpy.run_path(str(Path(__file__).parents[1] / "oracles" / "oracle_rules.py"))
S = 10**9
MIDNIGHT = 1_717_387_200  # 2024-06-03 in New York
OPEN = PLAIN["NINE_THIRTY"]


def ns(second: int | Fraction, day: int = 0) -> int:
    return int((MIDNIGHT + 86_400 * day + second) * S)


def sessions(*priors: float | None) -> pl.DataFrame:
    days = range(len(priors))
    opens = [ns(OPEN, day) for day in days]
    columns = {"open_ns": opens, "close_ns": [t + 23_400 * S for t in opens], "prior_close": list(priors)}
    return pl.DataFrame(columns | {"index_prior_close": [2681.66] * len(priors)})


def trade(
    second: int, price: float, day: int = 1, side: int = -1, short: bool | None = True, **more: Any
) -> dict[str, Any]:
    return {"ts": ns(second, day), "side": side, "price": price, "short": short, **more}


FULL = Tape(
    sessions=sessions(100.0, 100.0, 89.0),
    trades=pl.DataFrame(
        {"ts": [ns(OPEN), ns(OPEN, 1), ns(OPEN + 3600, 1), ns(OPEN, 2)], "price": [100.0, 100.0, 90.0, 89.0]}
    ),
    quotes=pl.DataFrame(
        {
            "ts": [ns(OPEN), ns(OPEN + 3600, 1), ns(OPEN, 2)],
            "bid": [99.99, 90.00, 89.00],
            "ask": [100.01, 90.02, 89.02],
        }
    ),
    statuses=pl.DataFrame({"ts": [ns(OPEN)], "status": [2]}),
    index=pl.DataFrame({"ts": [ns(OPEN), ns(OPEN + 7200, 2)], "value": [2681.0, 2400.0]}),
)


def check(rows: list[dict[str, Any]], tape: Tape | None = FULL) -> ComplianceReport:
    return validate_compliance(pl.DataFrame(rows, infer_schema_length=None), tape=tape)


def rule(report: ComplianceReport, name: str) -> dict[str, Any]:
    return report.rules.filter(pl.col("rule") == name).to_dicts()[0]


@pytest.mark.req("SIM-20")
def test_1_3_planted_violations_are_found_with_numbers_and_words() -> None:
    report = check(
        [
            trade(OPEN + 1800, 99.99),  # before the trigger
            trade(OPEN + 3601, 85.49, side=1, short=False),  # below the lower band
            trade(OPEN + 3605, 94.02),  # fine: above the bid, inside the bands
            trade(OPEN + 10, 89.00, day=2),  # the next day, at the bid
            trade(OPEN + 20, 89.01, day=2),
            trade(OPEN + 30, 89.00, day=2, exempt=True),
            trade(OPEN + 7200, 89.50, day=2),  # level 1 halt
        ]
    )
    found = report.violations.select("trade", "rule", "reason", "price", "bid").rows()
    assert found == [
        (1, "price_bands", "below_lower_band", 85.49, 90.0),
        (3, "short_sale", "short_at_bid", 89.0, 89.0),
        (6, "circuit_breakers", "breaker_level_1", 89.5, 89.0),
    ]
    text = report.violations["text"][1]
    assert "a short sale at or below the national best bid" in text
    assert "price 89, bid 89, ask 89.02" in text
    assert not report.clean
    assert report.outcome("short_sale") == "violated"
    assert report.outcome("pauses") == "passed"
    assert report.outcome("halts") == "passed"
    assert "violated" in report._repr_html_()
    assert report.n_trades == 7


@pytest.mark.req("SIM-20")
def test_one_trade_can_break_two_rules() -> None:
    report = check([trade(OPEN + 10, 80.0, day=2)])
    assert sorted(report.violations["rule"]) == ["price_bands", "short_sale"]


@pytest.mark.req("SIM-20")
def test_2_without_a_tape_nothing_passes() -> None:
    report = check([trade(OPEN, 100.0), trade(OPEN, 100.0, side=-1, short=None)], None)
    assert report.clean
    assert {report.outcome(name) for name in CHECKED_RULES} == {NOT_EVALUABLE}


@pytest.mark.req("SIM-20")
def test_2_what_bars_cannot_show_is_never_reported_as_passed() -> None:
    ends = [ns(OPEN + 23_400, day) for day in range(3)]
    bars = Tape(sessions=sessions(100.0, 100.0, 89.0), bars=pl.DataFrame({"ts": ends, "low": [99.0, 90.0, 88.0]}))
    report = check([trade(OPEN + 60, 99.0, day=0), trade(OPEN + 60, 99.0), trade(OPEN + 60, 88.5, day=2)], bars)
    sale = rule(report, "short_sale")
    assert (sale["evaluation"], sale["checked"], sale["not_evaluable"]) == (APPROXIMATED, 1, 2)
    for name in ("price_bands", "pauses", "circuit_breakers", "halts", "ticks", "daily_limits", "short_sale"):
        assert report.outcome(name) == NOT_EVALUABLE
    only = check([trade(OPEN + 60, 99.0)], bars)
    assert only.outcome("short_sale") == "nothing found (approximated)"
    bought = check([trade(OPEN + 60, 99.0, side=1, short=False)], bars)
    assert bought.outcome("short_sale") == "passed"  # a purchase cannot break it
    assert bought.outcome("price_bands") == NOT_EVALUABLE


@pytest.mark.req("SIM-20")
def test_2_the_first_session_of_a_tape_may_carry_a_restriction_over() -> None:
    unknown = check([trade(OPEN + 60, 99.99, day=0)])
    assert rule(unknown, "short_sale")["not_evaluable"] == 1
    allowed_anyway = check([trade(OPEN + 60, 100.00, day=0)])
    assert allowed_anyway.outcome("short_sale") == "passed"


@pytest.mark.req("SIM-20")
def test_2_a_sale_of_unknown_kind_is_not_evaluable() -> None:
    report = check([trade(OPEN + 10, 89.00, day=2, short=None)])
    assert report.outcome("short_sale") == NOT_EVALUABLE
    assert report.clean
    bare = pl.DataFrame({"ts": [ns(OPEN + 10, 2)], "side": [-1], "price": [89.0]})
    assert validate_compliance(bare, tape=FULL).outcome("short_sale") == NOT_EVALUABLE


def test_ticks_are_checked_on_the_limit_price() -> None:
    listing = Listing(quantum=Decimal("0.0001"))
    frame = pl.DataFrame([trade(OPEN + 60, 100.0, limit=100.005), trade(OPEN + 61, 100.0, limit=100.01)])
    report = validate_compliance(frame, tape=FULL, listing=listing)
    assert report.outcome("ticks") == "violated"
    assert report.violations.filter(pl.col("rule") == "ticks")["trade"].to_list() == [0]


def test_merged_trades_make_the_bands_approximated() -> None:
    many = pl.DataFrame({"ts": [ns(OPEN + Fraction(k, 50), 1) for k in range(500)], "price": [100.0] * 500})
    tape = Tape(sessions=sessions(100.0, 100.0), trades=many)
    frame = pl.DataFrame([trade(OPEN + 60, 100.0)])
    assert rule(validate_compliance(frame, tape=tape), "price_bands")["evaluation"] == EXACT
    coarse = validate_compliance(frame, tape=tape, listing=Listing(ring=16))
    assert coarse.outcome("price_bands") == "nothing found (approximated)"


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pl.DataFrame({"ts": [1], "price": [1.0]}), r"trades: got \['ts', 'price'\]; allowed: a column 'side'"),
        (pl.DataFrame([trade(OPEN, 100.001)]), r"trades.price: got .*100.001.*; allowed: a whole number of 0.01"),
        (pl.DataFrame([trade(OPEN, -1.0)]), "trades.price: got -1.0; allowed: a positive number"),
        (pl.DataFrame([trade(OPEN, 100.0, side=2)]), r"side: got 2; allowed: \+1 buy, -1 sell"),
        (pl.DataFrame([trade(OPEN, float("nan"))]), "trades.price: got nan; allowed: a positive number"),
    ],
)
def test_bad_trades_are_refused(frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(InputError, match=message):
        validate_compliance(frame, tape=FULL)


def test_an_unknown_rule_gets_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'short_sale'"):
        check([trade(OPEN, 100.0)]).outcome("short_sales")


def violent(seed: int, days: int = 3) -> list[dict[str, Any]]:
    """Engine events of several violent days."""
    rng, events, prior = random.Random(seed), [], 10_000
    for day in range(days):
        open_ns = ns(OPEN, day)
        events.append({"kind": "session", "open_ns": open_ns, "close_ns": open_ns + 23_400 * S, "prior_close": prior})
        for event in PLAIN["wild_day"](rng, day, prior, 150, 2024):
            ts, kind = ns(event["at"]), event["kind"]
            if kind == "trade":
                events.append({"kind": kind, "ts": ts, "price": event["price"]})
                prior = event["price"]
            elif kind == "quote":
                events.append({"kind": kind, "ts": ts, "bid": event["bid"], "ask": event["ask"]})
            elif kind in ("order", "execution"):
                facts = {name: event[name] for name in ("side", "price", "short", "exempt")}
                more = {"displayed_above": event["above"]} if kind == "execution" else {}
                events.append({"kind": kind, "ts": ts, **facts, **more})
    return events


@pytest.mark.req("SIM-20")
def test_batch_and_streaming_give_the_same_verdicts() -> None:
    for seed in range(12):
        events = violent(seed)
        batch, stream, chunked = RulesEngine(), RulesEngine(), RulesEngine()
        whole = batch.replay(events)
        one_by_one = [code for event in events for code in stream.replay([event])]
        rng, pieces, at = random.Random(seed), [], 0
        while at < len(events):
            size = rng.randrange(1, 60)
            pieces += chunked.replay(events[at : at + size])
            at += size
        assert whole == one_by_one == pieces
        assert len({code for code in whole if code}) > 1


@pytest.mark.req("SIM-19", "SIM-20")
def test_a_replay_of_approved_trades_shows_no_violation_and_planted_ones_are_all_found() -> None:
    """The live engine approves, the oracle plants; the report of the day's executions must name exactly the planted."""
    n_planted = n_approved = 0
    for seed in range(25):
        events, tape = _tape(seed)
        engine, rows, planted = RulesEngine(), [], set()
        plain = None
        restricted, triggered = False, False
        for event in events:
            kind = event["kind"]
            if kind == "session":
                restricted = triggered
                start = Fraction(event["open_ns"], S)
                quote = (None, None) if plain is None else plain.quote
                plain = PLAIN["Day"](1, Fraction(event["prior_close"], 100), start, start + 23_400, 2024, restricted)
                plain.quote = quote
            now = Fraction(event["open_ns"] if kind == "session" else event["ts"], S)
            (code,) = engine.replay([event])
            if kind == "trade":
                plain.take_trade(now, Fraction(event["price"], 100))
                triggered = plain.triggered
            elif kind == "quote":
                plain.take_quote(now, *(None if x is None else Fraction(x, 100) for x in (event["bid"], event["ask"])))
            elif kind == "execution":
                price = Fraction(event["price"], 100)
                legal = plain.may_execute(
                    now, event["side"], event["short"], event["exempt"], event["displayed_above"], price
                )
                assert legal == (code == 0)
                n_approved += legal
                n_planted += not legal
                if not legal:
                    planted.add(len(rows))
                names = ("ts", "side", "short", "exempt", "displayed_above")
                rows.append({name: event[name] for name in names} | {"price": event["price"] / 100})
        report = check(rows, tape)
        found = set(report.violations["trade"].to_list())
        unknown = {k for k in planted - found if rows[k]["ts"] < ns(OPEN, 1)}
        assert planted - found == unknown
        assert found <= planted
    assert n_planted > 100
    assert n_approved > 1000


def _tape(seed: int) -> tuple[list[dict[str, Any]], Tape]:
    """Return the events of violent days, one market event an instant, and the tape that they are."""
    events, last = [], 0
    for event in violent(seed):
        ts = event.get("ts", event.get("open_ns"))
        if event["kind"] == "session" or ts > last:
            events.append(event)
            last = ts
    trades = [{"ts": e["ts"], "price": e["price"] / 100} for e in events if e["kind"] == "trade"]
    quotes = [
        {"ts": e["ts"], **{name: None if e[name] is None else e[name] / 100 for name in ("bid", "ask")}}
        for e in events
        if e["kind"] == "quote"
    ]
    opened = [e for e in events if e["kind"] == "session"]
    table = pl.DataFrame(
        [{**{k: e[k] for k in ("open_ns", "close_ns")}, "prior_close": e["prior_close"] / 100} for e in opened]
    )
    schema = {"ts": pl.Int64, "bid": pl.Float64, "ask": pl.Float64}
    return events, Tape(sessions=table, trades=pl.DataFrame(trades), quotes=pl.DataFrame(quotes, schema=schema))


def test_every_reason_is_told_in_words() -> None:
    for code, reason in REASONS.items():
        assert reason.code == code
        assert reason.name.isidentifier()
        assert reason.text
        assert reason.rule in (*CHECKED_RULES, "filters", "none")


@pytest.mark.realdata
@pytest.mark.req("SIM-19")
def test_a_replay_over_real_days_approves_nothing_illegal_and_nearly_everything_legal() -> None:
    """Daily bars of 12 stocks, 2014-03 to 2017-09, walked from open over low and high to close, with orders around."""
    folder = Path(os.environ.get("KARAT_DATA", "../shared/data")) / "panel" / "stocknet"
    assert folder.is_dir(), f"{folder} is missing: set KARAT_DATA to the folder of real data"
    counts = {(True, True): 0, (True, False): 0, (False, False): 0, (False, True): 0}
    triggers = 0
    for path in sorted(folder.glob("*.csv.gz"))[4:64:5]:
        bars = pl.read_csv(path).filter(pl.col("Date") >= "2014-03-01").select("Date", "Open", "High", "Low", "Close")
        triggers += _real_days(path.name, bars.rows(), counts)
    assert triggers >= 3
    assert counts[False, True] == 0  # (legal by the oracle, approved by the engine)
    assert counts[False, False] > 1000
    assert counts[True, True] >= 0.95 * (counts[True, True] + counts[True, False])


def _real_days(
    name: str, bars: list[tuple[str, float, float, float, float]], counts: dict[tuple[bool, bool], int]
) -> int:
    """Replay one stock; count orders by (legal, approved); return the number of days that triggered the price test."""
    rng, engine, restricted, triggers = random.Random(name), RulesEngine(), False, 0
    prior = round(bars[0][4] * 100)
    for date, *path in bars[1:]:
        midnight = int(dt.datetime.fromisoformat(date).replace(tzinfo=dt.UTC).timestamp())
        start = midnight + 13 * 3600 + 1800
        plain = PLAIN["Day"](1, Fraction(prior, 100), start, start + 23_400, 2016, restricted)
        engine.start(start * S, (start + 23_400) * S, prior)
        opened, high, low, close = (round(price * 100) for price in path)
        for k, price in enumerate((opened, low, high, close)):
            at = start + 1 + 5800 * k
            plain.take_trade(Fraction(at), Fraction(price, 100))
            engine.trade(at * S, price)
            bid, ask = price - 1, price + 1
            plain.take_quote(Fraction(at), Fraction(bid, 100), Fraction(ask, 100))
            engine.quote(at * S, bid, ask)
            for _ in range(3):
                side, short = rng.choice([1, -1]), rng.random() < 0.6
                wanted = max(1, round(price * rng.choice([1, 1, 1, 0.94, 1.06, 0.89, 1.11])) + rng.choice([-1, 0, 1]))
                legal = plain.may_send(Fraction(at), side, short, False, Fraction(wanted, 100))
                counts[legal, engine.order(at * S, side, wanted, short=short).allowed] += 1
                legal = plain.may_execute(Fraction(at), side, short, False, False, Fraction(wanted, 100))
                counts[legal, engine.execution(at * S, side, wanted, short=short).allowed] += 1
        restricted, prior = plain.triggered, close
        triggers += plain.triggered
    return triggers
