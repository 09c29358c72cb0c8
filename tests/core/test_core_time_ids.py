"""Time and ids: round trips, zones, and the messages for what is no time and no id."""

import datetime as dt
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import karat
from karat.core import (
    NS_PER_DAY,
    NS_PER_SECOND,
    InputError,
    content_hash,
    instrument_id,
    iso,
    iso_date,
    monotonic_ns,
    now_ns,
    short_id,
    to_ns,
)

FIRST, LAST = to_ns("1678-01-01"), to_ns("2261-12-31")


@given(st.integers(FIRST, LAST))
def test_1_iso_and_back_keeps_every_nanosecond(ns: int) -> None:
    assert to_ns(iso(ns)) == ns
    assert to_ns(iso_date(ns)) == ns // NS_PER_DAY * NS_PER_DAY
    assert -(2**63) <= ns < 2**63


@pytest.mark.parametrize(
    ("value", "ns"),
    [
        ("1970-01-02", NS_PER_DAY),
        (dt.date(1970, 1, 2), NS_PER_DAY),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("1970-01-01T00:00:00.0000015Z", 1_500),
        ("1970-01-01T00:00:00.000001Z", 1_000),
        (dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC), NS_PER_SECOND),
        (dt.datetime(1969, 12, 31, 19, tzinfo=dt.timezone(dt.timedelta(hours=-5))), 0),
        (pd.Timestamp("2018-12-31T21:00:00.123456789Z"), 1_546_290_000_123_456_789),
    ],
)
def test_1_times_become_utc_nanoseconds(value: dt.date | str, ns: int) -> None:
    assert to_ns(value) == ns


def test_1_iso_shows_a_fraction_only_where_there_is_one() -> None:
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(1) == "1970-01-01T00:00:00.000000001Z"
    assert iso_date(1_546_290_000 * NS_PER_SECOND) == "2018-12-31"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2018-12-31T21:00:00", "start: got '2018-12-31T21:00:00'; it has no time zone; append 'Z' or an offset"),
        (dt.datetime(2018, 1, 1), "start: got '2018-01-01T00:00:00'; it has no time zone; append 'Z' or an offset"),
        ("soon", "start: got 'soon'; allowed: ISO 8601, e.g. 2018-12-31 or 2018-12-31T21:00:00Z"),
        ("31/12/2018", "start: got '31/12/2018'; allowed: ISO 8601, e.g. 2018-12-31 or 2018-12-31T21:00:00Z"),
        (
            "2018-12-31T21:00:00.1234567891Z",
            "start: got '2018-12-31T21:00:00.1234567891Z'; allowed: ISO 8601, e.g. 2018-12-31 or 2018-12-31T21:00:00Z",
        ),
        ("2262-05-01", "start: got '2262-05-01'; out of range; allowed: years 1678 to 2261"),
        (dt.date(1, 1, 1), "start: got '0001-01-01'; out of range; allowed: years 1678 to 2261"),
        (20181231, "start: got 20181231; allowed: a date, a datetime with a zone, or ISO 8601 text"),
        (None, "start: got None; allowed: a date, a datetime with a zone, or ISO 8601 text"),
    ],
)
def test_2_what_is_no_time_is_named(value: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        to_ns(value, field="start")  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_3_the_clocks_run() -> None:
    assert now_ns() > to_ns("2020-01-01")
    first = monotonic_ns()
    assert monotonic_ns() >= first


def test_3_only_the_seams_read_clock_and_global_randomness() -> None:
    # The seams are core/_time.py and core/_rng.py; everything else goes through them.
    direct = re.compile(
        r"\btime\.(time|time_ns|monotonic|monotonic_ns|perf_counter|perf_counter_ns)\(|datetime\.(now|utcnow|today)\("
        r"|\bdate\.today\(|\bnp\.random\.(?!Generator|Philox|SeedSequence)|^import random$|\brandom\.(seed|random)\("
    )
    root = Path(karat.__file__).parent
    found = [
        f"{path.relative_to(root)}:{number}"
        for path in sorted(root.rglob("*.py"))
        if path.relative_to(root).as_posix() not in ("core/_time.py", "core/_rng.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if direct.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("text", ["COMP.XNAS", "BTC/USDT.BINANCE", "^GSPC.INDEX", "ES=F.XCME"])
def test_an_instrument_id_is_returned(text: str) -> None:
    assert instrument_id(text) == text


@pytest.mark.parametrize(
    "text", ["comp.xnas", "COMP", "COMP.", ".XNAS", "A B.XNAS", "COMP.XNAS\n", None, "A" * 33 + ".X"]
)
def test_what_is_no_instrument_id_is_named(text: str) -> None:
    with pytest.raises(InputError) as caught:
        instrument_id(text)
    expected = f"instrument: got {text!r}; allowed: SYMBOL.VENUE in capitals, e.g. SPY.XNYS or BTC/USDT.BINANCE"
    assert str(caught.value) == expected


def test_a_short_id_is_64_bits_of_the_hash() -> None:
    assert short_id(content_hash(1)) == content_hash(1)[:16]
