"""Foreign tables: names, times and zones, numbers, holes, order, repairs; and what each mistake is told."""

from __future__ import annotations

import datetime as dt
import gzip
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import ConfigError, DataError, InputError, iso, to_ns
from karat.data import load

HEAD = "Date,Open,High,Low,Close,Volume\n"
GOOD = HEAD + "2024-07-02,10,11,9,10.5,100\n2024-07-03,10.5,12,10,11,200\n2024-07-05,11,12,10,11.5,300\n"


@pytest.fixture
def csv(tmp_path):
    """Return a function that writes text to prices.csv and loads it as SPY.XNYS."""

    def run(text: str, **options):
        path = tmp_path / "prices.csv"
        path.write_text(text, encoding="utf-8")
        return load("csv", **{"path": path, "licence": "own data", "instrument": "SPY.XNYS", **options})

    return run


def stamps(panel) -> list[str]:
    return [iso(ts) for ts in panel.frame["ts"]]


def test_a_plain_file_loads(csv):
    panel = csv(GOOD)
    assert panel.values == ("open", "high", "low", "close", "volume")
    assert stamps(panel) == ["2024-07-02T20:00:00Z", "2024-07-03T17:00:00Z", "2024-07-05T20:00:00Z"]
    assert panel.frame["known_at"].equals(panel.frame["ts"])
    assert panel.provenance.origin.startswith("prices.csv sha256:")


@pytest.mark.req("DATA-07")
@pytest.mark.parametrize(
    "days",
    [
        ("2024-07-02", "2024-07-03", "2024-07-05"),
        ("2024-07-02 00:00", "2024-07-03 00:00", "2024-07-05 00:00"),
        ("2024-07-02T00:00:00", "2024-07-03T00:00:00", "2024-07-05T00:00:00"),
        ("2024-07-02 00:00:00-04:00", "2024-07-03 00:00:00-04:00", "2024-07-05 00:00:00-04:00"),
        ("2024-07-02T00:00:00Z", "2024-07-03T00:00:00Z", "2024-07-05T00:00:00Z"),
    ],
)
def test_stamped_and_plain_dates_are_the_same_sessions(csv, days):
    text = GOOD
    for plain, written in zip(("2024-07-02", "2024-07-03", "2024-07-05"), days):
        text = text.replace(plain, written)
    assert csv(text).content_hash == csv(GOOD).content_hash


def test_offsets_may_change_over_the_year(csv):
    text = "Date,Close\n2024-03-08 00:00:00-05:00,1\n2024-03-11 00:00:00-04:00,2\n"
    assert stamps(csv(text)) == ["2024-03-08T21:00:00Z", "2024-03-11T20:00:00Z"]


def test_other_formats_are_asked_for(csv):
    text = "Date,Close\n7/2/2024,1\n7/3/2024,2\n"
    with pytest.raises(InputError) as caught:
        csv(text)
    assert str(caught.value) == (
        "prices.csv.Date: got '7/2/2024'; line 2 is not ISO 8601; "
        "pass date_format, e.g. '%m/%d/%Y', or write every row as 2018-12-31 or 2018-12-31T21:00:00Z"
    ).replace("Date", "date")
    assert len(csv(text, date_format="%m/%d/%Y").frame) == 2
    with pytest.raises(InputError, match=r"date_format: got '7/2/2024'; it does not match '%d.%m.%Y' \(line 2\)"):
        csv(text, date_format="%d.%m.%Y")
    clock = "Date,Close\n02.07.2024 16:00,1\n03.07.2024 13:00,2\n"
    assert len(csv(clock, date_format="%d.%m.%Y %H:%M", tz="America/New_York").frame) == 2


def test_rows_written_differently_are_refused(csv):
    with pytest.raises(InputError, match=r"got '2024-07-03T00:00'; line 3 is written unlike line 2"):
        csv("Date,Close\n2024-07-02,1\n2024-07-03T00:00,2\n")


def test_clock_times_need_a_zone(csv):
    text = "Time,Close\n2024-07-02 10:00,1\n2024-07-02 11:00,2\n"
    with pytest.raises(InputError) as caught:
        csv(text)
    assert str(caught.value) == (
        "prices.csv.time: got '2024-07-02 10:00:00'; it has no time zone; "
        "pass tz, e.g. tz='America/New_York' or tz='UTC', or write an offset into every row"
    )
    assert stamps(csv(text, tz="America/New_York")) == ["2024-07-02T14:00:00Z", "2024-07-02T15:00:00Z"]
    with pytest.raises(InputError, match=r"tz: got 'America/New_Yrok'; allowed: an IANA zone"):
        csv(text, tz="America/New_Yrok")


def test_bars_stamped_at_their_open_move_to_their_close(csv):
    text = "Time,Close\n2024-07-02T10:00Z,1\n2024-07-02T14:00Z,2\n"
    assert stamps(csv(text, stamp="open", bar="4h")) == ["2024-07-02T14:00:00Z", "2024-07-02T18:00:00Z"]
    with pytest.raises(
        InputError, match=r"bar: got None; stamp='open' needs the bar's length; pass bar, e.g. bar='4h'"
    ):
        csv(text, stamp="open")
    with pytest.raises(InputError, match=r"bar: got '4 hours'; allowed: a whole number of s, m, h or d"):
        csv(text, stamp="open", bar="4 hours")


def test_a_lag_moves_known_at(csv):
    panel = csv(GOOD, lag="15m")
    assert (panel.frame["known_at"] - panel.frame["ts"] == 15 * 60 * 10**9).all()


@pytest.mark.req("DATA-33")
@pytest.mark.parametrize(("day", "hours"), [("2024-03-10", 23), ("2024-11-03", 25)])
def test_no_bar_is_lost_or_doubled_when_clocks_change(csv, day, hours):
    start = dt.datetime.fromisoformat(day + "T05:00:00+00:00" if hours == 23 else day + "T04:00:00+00:00")
    utc = [start + dt.timedelta(hours=k) for k in range(hours)]
    from zoneinfo import ZoneInfo

    local = [f"{moment.astimezone(ZoneInfo('America/New_York')):%Y-%m-%d %H:%M}" for moment in utc]
    assert {item[:10] for item in local} == {day}
    text = "Time,Close\n" + "".join(f"{item},{k + 1}\n" for k, item in enumerate(local))
    panel = csv(text, tz="America/New_York", calendar="24/7")
    assert panel.frame["ts"].to_list() == [to_ns(moment) for moment in utc]
    assert panel.frame["close"].to_list() == [float(k + 1) for k in range(hours)]
    # newest first: asked to repair, the two hours of the autumn night keep their order
    back = "Time,Close\n" + "".join(f"{item},{k + 1}\n" for k, item in reversed(list(enumerate(local))))
    assert csv(back, tz="America/New_York", calendar="24/7", repair=True).content_hash == panel.content_hash


@pytest.mark.req("DATA-33")
def test_local_times_that_cannot_be_are_refused(csv):
    with pytest.raises(DataError) as caught:
        csv("Time,Close\n2024-03-10 01:30,1\n2024-03-10 02:30,2\n", tz="America/New_York", calendar="24/7")
    assert "got '2024-03-10 02:30:00'; rule 'local times exist' is broken at 2024-03-10 02:30:00 (row 2)" in str(
        caught.value
    )
    with pytest.raises(DataError) as caught:
        csv("Time,Close\n2024-11-03 00:30,1\n2024-11-03 01:30,2\n", tz="America/New_York", calendar="24/7")
    assert (
        "got '2024-11-03 01:30:00'; rule 'local times are unambiguous' is broken at 2024-11-03 01:30:00 (row 2)"
        in str(caught.value)
    )


@pytest.mark.req("DATA-33")
def test_a_file_without_order_cannot_tell_equal_hours_apart(csv):
    hours = ["2024-11-03 01:00", "2024-11-03 00:00", "2024-11-03 01:00", "2024-11-03 02:00"]
    text = "Time,Close\n" + "".join(f"{hour},{k}\n" for k, hour in enumerate(hours))
    with pytest.raises(DataError, match=r"'local times are unambiguous' is broken at 2024-11-03 01:00:00 \(row 1\)"):
        csv(text, tz="America/New_York", calendar="24/7", repair=True)


@settings(max_examples=25, deadline=None)
@given(
    zone=st.sampled_from(["America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Tokyo", "UTC"]),
    start=st.integers(0, 365 * 24 - 1),
    hours=st.integers(2, 80),
)
def test_hourly_local_times_always_come_back(zone, start, hours):
    first = dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=start)
    # the hour before, so that a series does not begin in the second of two equal hours, which nobody could tell apart
    utc = [first + dt.timedelta(minutes=30 * k) for k in range(-3, 2 * hours)]
    wall = pl.Series("ts", utc, pl.Datetime("ns", "UTC")).dt.convert_time_zone(zone).dt.replace_time_zone(None)
    lone = wall.is_unique() & (
        wall.dt.replace_time_zone(zone, ambiguous="earliest") != wall.dt.replace_time_zone(zone, ambiguous="latest")
    )
    if lone.any():
        return
    table = pl.DataFrame({"ts": wall, "close": [1.0] * len(utc)})
    panel = load("frame", frame=table, licence="x", instrument="A.B", tz=zone, calendar="24/7")
    assert panel.frame["ts"].to_list() == [to_ns(moment) for moment in utc]


def test_whole_numbers_need_a_unit(csv):
    text = "timestamp,Close\n1719928800,1\n1719932400,2\n"
    frame = pl.DataFrame({"timestamp": [1719928800, 1719932400], "close": [1.0, 2.0]})
    with pytest.raises(
        InputError, match=r"time_unit: got None; a whole number has no unit of time; allowed: s, ms, us"
    ):
        load("frame", frame=frame, licence="x", instrument="A.B")
    panel = load("frame", frame=frame, licence="x", instrument="A.B", time_unit="s", calendar="24/7")
    assert stamps(panel) == ["2024-07-02T14:00:00Z", "2024-07-02T15:00:00Z"]
    assert stamps(csv(text, time_unit="s", calendar="24/7")) == stamps(panel)


def test_a_table_may_say_when_it_was_known(csv):
    text = "Date,Known At,Rate\n2024-06-30,2024-07-15,1\n2024-07-31,2024-08-14,2\n"
    panel = csv(text, calendar="none")
    assert stamps(panel) == ["2024-07-01T00:00:00Z", "2024-08-01T00:00:00Z"]
    assert [iso(x) for x in panel.frame["known_at"]] == ["2024-07-16T00:00:00Z", "2024-08-15T00:00:00Z"]
    assert panel.values == ("rate",)
    frame = pl.DataFrame(
        {
            "ts": [dt.datetime(2024, 7, 2, 10, tzinfo=dt.UTC)],
            "known_at": [dt.datetime(2024, 7, 2, 11, tzinfo=dt.UTC)],
            "instrument": ["A.B"],
            "close": [1.0],
        }
    )
    panel = load("frame", frame=frame, licence="x", calendar="24/7")
    assert [iso(x) for x in panel.frame.select("ts", "known_at").row(0)] == [
        "2024-07-02T10:00:00Z",
        "2024-07-02T11:00:00Z",
    ]
    worded = "ts,known_at,instrument,close,note\n2024-07-02T10:00Z,2024-07-02T11:00Z,A.B,1,x\n"
    assert csv(worded, calendar="24/7", instrument=None).content_hash == panel.content_hash
    with pytest.raises(DataError, match="known_at is never before ts"):
        csv("Date,Known At,Rate\n2024-06-30,2024-06-15,1\n", calendar="none")


def test_only_volume_is_a_panel_too(csv):
    assert csv("Date,Volume\n2024-07-02,1\n2024-07-03,\n").values == ("volume",)


def test_nothing_left_says_so(csv):
    with pytest.raises(InputError, match="no data in range; allowed: nothing: the source has no rows"):
        csv("Date,Close\n2024-07-04,1\n", off_session="drop")


def test_columns_are_mapped(csv):
    panel = csv("Tag,Schluss\n2024-07-02,1\n2024-07-03,2\n", columns={"Tag": "date", "Schluss": "close"})
    assert panel.frame["close"].to_list() == [1.0, 2.0]
    with pytest.raises(InputError, match=r"columns: got 'Schlus'; there is no such column.*did you mean 'Schluss'"):
        csv("Tag,Schluss\n2024-07-02,1\n", columns={"Schlus": "close"})
    with pytest.raises(InputError, match=r"columns: got 'close'; 'Close' and 'close' would both be 'close'"):
        csv("Date,Close,close\n2024-07-02,1,2\n")


def test_a_table_without_time_is_refused(csv):
    with pytest.raises(
        InputError, match=r"there is no time column; allowed: ts, date.*name it, e.g. columns: {dat: date}"
    ):
        csv("Dat,Close\n2024-07-02,1\n")
    assert len(csv("Dat,Close\n2024-07-02,1\n", columns={"dat": "date"}).frame) == 1  # as the message writes it


def test_a_table_must_say_what_it_is_about(csv, tmp_path):
    with pytest.raises(InputError, match=r"instrument: got None; it is not said what this table is about"):
        csv(GOOD, instrument=None)
    with pytest.raises(InputError, match=r"instrument: got 'spy'; allowed: SYMBOL.VENUE"):
        csv(GOOD, instrument="spy")
    named = "Date,Instrument,Close\n2024-07-02,A.B,1\n2024-07-02,C.D,2\n2024-07-03,A.B,3\n2024-07-03,C.D,4\n"
    assert csv(named, instrument=None).instruments == ("A.B", "C.D")


def test_words_are_left_out_or_refused(csv):
    panel = csv("Date,Close,Sector\n2024-07-02,1,Tech\n2024-07-03,2,Tech\n")
    assert panel.values == ("close",)
    assert panel.provenance.preprocessing == ("left out columns that are no numbers: sector",)
    with pytest.raises(DataError, match=r"rule 'column 'close' holds numbers' is broken at row 2: 'n\.a\.?1'"):
        csv("Date,Close\n2024-07-02,1\n2024-07-03,n.a1\n")
    with pytest.raises(InputError, match="no column holds numbers; check the separator"):
        csv("Date,Sector\n2024-07-02,Tech\n")
    with pytest.raises(DataError, match="rule 'values are finite' is broken at row 1"):
        csv("Date,Close\n2024-07-02,inf\n")


@pytest.mark.req("DATA-32")
def test_the_missing_data_policy(csv):
    text = HEAD + "2024-07-02,10,11,9,10.5,\n2024-07-03,,12,10,11,200\n2024-07-05,11,12,10,NaN,300\n"
    with pytest.raises(DataError) as caught:
        csv(text)
    assert str(caught.value) == (
        "prices.csv: got 'open, close without a value in 2 rows'; "
        "rule 'no value is missing (NaN or empty)' is broken at "
        "SPY.XNYS 2024-07-03T17:00:00Z, SPY.XNYS 2024-07-05T20:00:00Z; "
        "fill them in, or pass missing='drop' or missing='keep'"
    )
    dropped = csv(text, missing="drop")
    assert stamps(dropped) == ["2024-07-02T20:00:00Z"]
    assert dropped.provenance.preprocessing == ("dropped 2 rows with a missing value",)
    kept = csv(text, missing="keep").frame
    assert kept["open"].is_nan().to_list() == [False, True, False]
    assert kept.null_count().row(0) == (0,) * 8


def test_days_without_a_session(csv):
    text = GOOD.replace("2024-07-05", "2024-07-04")
    with pytest.raises(DataError) as caught:
        csv(text)
    assert "rule 'every date has a session' is broken at 2024-07-04; XNYS had no session" in str(caught.value)
    panel = csv(text, off_session="drop")
    assert len(panel.frame) == 2
    assert panel.provenance.preprocessing == ("dropped 1 row on days without a session of XNYS",)


def test_order_and_repetitions(csv):
    lines = GOOD.splitlines(keepends=True)
    shuffled = lines[0] + lines[2] + lines[1] + lines[3]
    with pytest.raises(
        DataError, match=r"rule 'sorted by time' is broken at SPY.XNYS 2024-07-02T20:00:00Z.*repair=true"
    ):
        csv(shuffled)
    repaired = csv(shuffled, repair=True)
    assert repaired.content_hash == csv(GOOD).content_hash
    assert repaired.provenance.preprocessing == ("sorted the rows by time",)
    twice = GOOD + lines[3]
    with pytest.raises(DataError, match=r"rule 'no row twice' is broken at SPY.XNYS 2024-07-05T20:00:00Z"):
        csv(twice)
    assert csv(twice, repair=True).provenance.preprocessing == ("dropped 1 exact repetition",)
    with pytest.raises(DataError, match=r"'one row for an instrument and time'.*never repaired"):
        csv(twice.removesuffix("300\n") + "301\n", repair=True)
    newest_first = lines[0] + lines[3] + lines[2] + lines[1]
    assert csv(newest_first, repair=True).content_hash == csv(GOOD).content_hash


def test_adjusted_prices_are_asked_for(csv):
    text = "Date,Open,Close,Adj Close\n2024-07-02,10,10,5\n2024-07-03,6,6,6\n"
    assert csv(text).values == ("open", "close", "adj_close")
    panel = csv(text, adjusted=True)
    assert panel.frame["close"].to_list() == [5.0, 6.0]
    assert panel.frame["open"].to_list() == [5.0, 6.0]
    assert panel.provenance.prices == "adjusted"
    with pytest.raises(InputError, match=r"adjusted: got True; adjusted=true needs close and adj_close"):
        csv(GOOD, adjusted=True)


def test_empty_and_broken_files(csv, tmp_path):
    with pytest.raises(DataError, match=r"prices.csv: .*rule 'there are rows' is broken; the file is empty"):
        csv("")
    with pytest.raises(DataError, match=r"prices.csv: .*rule 'there are rows' is broken; the table is empty"):
        csv(HEAD)
    with pytest.raises(DataError, match=r"rule 'readable as CSV' is broken; every row needs as many cells"):
        csv("Date,Close\n2024-07-02,1,2,3\n")
    (tmp_path / "bad.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match="rule 'readable as CSV' is broken"):
        load("csv", path=tmp_path / "bad.csv.gz", licence="x", instrument="A.B")
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match="rule 'readable as Parquet' is broken; write the file again"):
        load("parquet", path=tmp_path / "bad.parquet", licence="x", instrument="A.B")
    with pytest.raises(DataError, match=r"got '1 empty cell'; rule 'every row has a time' is broken at row 2"):
        csv("Date,Close\n2024-07-02,1\n,2\n")


def test_a_missing_file_names_the_nearest(csv, tmp_path):
    csv(GOOD)
    with pytest.raises(InputError) as caught:
        load("csv", path=tmp_path / "price.csv", licence="x")
    assert str(caught.value).endswith(f"there is no such file; did you mean '{tmp_path / 'prices.csv'}'?")
    with pytest.raises(InputError, match=r"there is no such file; the folder holds: prices.csv"):
        load("csv", path=tmp_path / "zzz", licence="x")
    with pytest.raises(InputError, match=r"there is no folder"):
        load("csv", path=tmp_path / "nowhere" / "a.csv", licence="x")


@pytest.mark.req("DATA-34")
def test_a_licence_is_stated_beside_or_as_parameter(csv, tmp_path):
    with pytest.raises(InputError, match=r"licence: got ''; every dataset states its licence; pass licence"):
        csv(GOOD, licence="")
    beside = tmp_path / "prices.csv.provenance.json"
    beside.write_text(json.dumps({"licence": "MIT", "origin": "a vendor"}))
    provenance = csv(GOOD, licence="").provenance
    assert provenance.licence == "MIT"
    assert provenance.origin.startswith("a vendor sha256:")
    beside.write_text(json.dumps({"origin": "a vendor"}))
    with pytest.raises(ConfigError, match="licence: required key is missing"):
        csv(GOOD, licence="")
    beside.write_text("[]")
    with pytest.raises(InputError, match=r"prices.csv.provenance.json: got \[\]; allowed: an object"):
        csv(GOOD, licence="")
    beside.write_text("{")
    with pytest.raises(InputError, match="write one JSON object"):
        csv(GOOD, licence="")
    with pytest.raises(InputError, match="licence: got ' '; every dataset states its licence"):
        load("frame", frame=pl.DataFrame(), licence=" ")


@pytest.mark.req("DATA-32")
def test_several_pairs_load_at_once(tmp_path):
    for name, price in (("EURUSD", 1.1), ("USDJPY", 150.0)):
        text = f"Time\tOpen\tHigh\tLow\tClose\n2024-07-02 04:00:00\t{price}\t{price}\t{price}\t{price}\n"
        text += f"2024-07-02 08:00:00\t{price}\t{price}\t{price}\t{price}\n"
        (tmp_path / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
    paths = {f"{name}.FX": tmp_path / f"{name}.csv.gz" for name in ("EURUSD", "USDJPY")}
    panel = load("csv", path=paths, licence="MIT", tz="UTC", calendar="24/7", stamp="open", bar="4h")
    assert panel.instruments == ("EURUSD.FX", "USDJPY.FX")
    assert panel.frame["ts"].n_unique() == 2
    assert "EURUSD.csv.gz sha256:" in panel.provenance.origin
    assert "USDJPY.csv.gz sha256:" in panel.provenance.origin


def test_options_are_checked_together(csv):
    with pytest.raises(ConfigError) as caught:
        csv(GOOD, missing="ignore", time_unit="h", start="soon")
    assert len(caught.value.problems) == 3


def test_a_range_is_cut(csv):
    assert stamps(csv(GOOD, start="2024-07-03", end="2024-07-03")) == ["2024-07-03T17:00:00Z"]
    with pytest.raises(InputError, match=r"no data in range; allowed: 2024-07-02 to 2024-07-05"):
        csv(GOOD, start="2025-01-01")


class TestPandas:
    pandas = pytest.importorskip("pandas")

    def load(self, frame, **options):
        return load("frame", frame=frame, licence="x", instrument="SPY.XNYS", **options)

    def test_a_frame_with_a_time_index(self, csv):
        index = self.pandas.to_datetime(["2024-07-02", "2024-07-03", "2024-07-05"])
        columns = {"Open": [10, 10.5, 11], "High": [11.0, 12, 12], "Low": [9, 10, 10], "Close": [10.5, 11, 11.5]}
        frame = self.pandas.DataFrame({**columns, "Volume": [100, 200, 300]}, index=index)
        before = frame.copy()
        want = csv(GOOD).content_hash
        assert self.load(frame).content_hash == want
        assert self.load(frame.rename_axis("Date")).content_hash == want
        assert self.load(frame.tz_localize("America/New_York")).content_hash == want
        assert self.load(frame.reset_index(names="date").astype({"date": str})).content_hash == want
        self.pandas.testing.assert_frame_equal(frame, before)

    def test_holes_become_nan(self):
        frame = self.pandas.DataFrame(
            {"date": ["2024-07-02", "2024-07-03"], "close": [1.0, None], "note": ["a", None], "n": [1, 2]}
        )
        panel = self.load(frame, missing="keep")
        assert panel.values == ("close", "n")
        assert panel.frame["close"].is_nan().to_list() == [False, True]
        nullable = frame.assign(n=self.pandas.array([1, None], dtype="Int64"))
        assert self.load(nullable, missing="keep").frame["n"].is_nan().to_list() == [False, True]

    def test_clock_times_with_and_without_a_zone(self):
        index = self.pandas.to_datetime(["2024-07-02 10:00", "2024-07-02 11:00"])
        frame = self.pandas.DataFrame({"close": [1.0, 2.0]}, index=index)
        with pytest.raises(InputError, match="it has no time zone"):
            self.load(frame)
        assert stamps(self.load(frame.tz_localize("America/New_York"))) == [
            "2024-07-02T14:00:00Z",
            "2024-07-02T15:00:00Z",
        ]

    def test_several_header_rows_are_refused(self):
        columns = self.pandas.MultiIndex.from_tuples([("Close", "SPY")])
        with pytest.raises(InputError, match=r"frame.columns: got 'no single row of column names'"):
            self.load(self.pandas.DataFrame([[1.0]], columns=columns))


def test_arrow_tables_are_read():
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"date": ["2024-07-02", "2024-07-03"], "close": [1.0, 2.0]})
    assert len(load("frame", frame=table, licence="x", instrument="SPY.XNYS").frame) == 2


def test_a_type_that_is_no_table_is_refused():
    with pytest.raises(InputError, match=r"frame: got 'int'; allowed: a Polars, pandas or Arrow table"):
        load("frame", frame=3, licence="x")
    with pytest.raises(InputError, match=r"frame.date: got 'Boolean'; allowed: dates, datetimes, ISO 8601 text"):
        load("frame", frame={"date": [True], "close": [1.0]}, licence="x", instrument="A.B")
