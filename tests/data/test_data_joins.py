"""As-of joins and stacking: nothing from the future, nothing invented, nothing silently stale."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from karat.core import NS_PER_DAY, DataError, InputError
from karat.data import Panel, Provenance, asof_join, combine, load

HOUR = NS_PER_DAY // 24


def panel(
    rows: list[tuple[int, int, str, float]], name: str = "x", calendar: str = "24/7", source: str = "hand"
) -> Panel:
    """Return a panel of (ts day, lag hours, instrument, value)."""
    frame = pl.DataFrame(
        {
            "ts": [day * NS_PER_DAY for day, _, _, _ in rows],
            "known_at": [day * NS_PER_DAY + lag * HOUR for day, lag, _, _ in rows],
            "instrument": [who for _, _, who, _ in rows],
            name: [value for _, _, _, value in rows],
        },
        schema_overrides={"ts": pl.Int64, "known_at": pl.Int64, name: pl.Float64},
    ).sort("instrument", "ts")
    return Panel(frame, calendar, Provenance(source, "by hand", "CC0-1.0"))


def days(n: int, start: int = 1, lag: int = 0, who: str = "A.B", name: str = "x") -> Panel:
    return panel([(start + k, lag, who, float(start + k)) for k in range(n)], name)


def test_a_value_is_joined_when_it_is_known():
    left, right = days(6), days(6, lag=15, name="y")
    joined = asof_join(left, right)
    # known 15 hours after the bar: each row sees the value of the day before; the first row saw nothing
    assert joined.frame.select("x", "y").rows() == [(k, k - 1) for k in (2.0, 3.0, 4.0, 5.0, 6.0)]
    assert joined.provenance.preprocessing == ("dropped 1 row outside the overlap of the joined panels",)


def test_a_value_known_at_the_same_moment_counts_as_known():
    assert asof_join(days(3), days(3, name="y")).frame["y"].to_list() == [1.0, 2.0, 3.0]


@pytest.mark.req("DATA-08")
def test_the_vix_joins_the_index_without_inventing_sessions():
    nasdaq, vix = load("bundled", dataset="nasdaq"), load("bundled", dataset="vix")
    joined = asof_join(nasdaq, vix)
    assert joined.values == ("open", "high", "low", "close", "volume", "vix")
    assert set(joined.frame["ts"]) <= set(nasdaq.frame["ts"])
    # one row later than the first VIX value, because that one was known a quarter of an hour after the close
    first = vix.frame["ts"][1]
    assert len(joined.frame) == len(nasdaq.frame.filter(pl.col("ts") >= first))
    by_ts = dict(vix.frame.select("ts", "vix").rows())
    previous = [by_ts.get(ts) for ts in nasdaq.frame.filter(pl.col("ts") >= vix.frame["ts"][0])["ts"]][:-1]
    same = [(a, b) for a, b in zip(previous, joined.frame["vix"]) if a is not None]
    assert all(a == b for a, b in same)
    assert len(same) > 1200


def test_a_panel_is_joined_instrument_by_instrument():
    left = combine([days(3), days(3, who="C.D")])
    right = panel([(1, 0, "A.B", 10.0), (1, 0, "C.D", 20.0)], "y")
    assert asof_join(left, right).frame["y"].to_list() == [10.0] * 3 + [20.0] * 3


@pytest.mark.req("DATA-08")
def test_5_an_instrument_that_the_right_panel_lacks_is_named_and_not_lost():
    left = combine([days(3), days(3, who="C.D"), days(3, who="E.F")])
    right = combine([days(3, name="y"), days(3, who="C.D", name="y")])
    with pytest.raises(DataError) as caught:
        asof_join(left, right)
    assert str(caught.value) == (
        "join of y: got 'hand: A.B, C.D, E.F; joined hand: A.B, C.D'; rule 'the joined data have every instrument' is "
        "broken at E.F; add them to the joined data, leave them out of the left, or join one instrument, which all of "
        "them see"
    )
    assert caught.value.rows == ["E.F"]
    # nothing in common, dates in common: the instruments are told, not the dates
    with pytest.raises(DataError, match=r"'the joined data have every instrument' is broken at X\.Y"):
        asof_join(days(3, who="X.Y"), right)
    # the right panel may have more, and one instrument is seen by all
    assert asof_join(days(3), right).instruments == ("A.B",)
    assert asof_join(left, days(3, name="y")).instruments == ("A.B", "C.D", "E.F")


@pytest.mark.req("DATA-08")
def test_5_an_instrument_without_a_row_yet_is_not_served_by_another():
    left = combine([days(4), days(2, start=3, who="C.D")])
    right = panel([(1, 0, "A.B", 10.0), (3, 0, "A.B", 11.0)], "y")  # slower bars: C.D has none yet
    joined = asof_join(left, right, of=("A.B", "C.D"))
    assert joined.frame["y"].to_list() == [10.0, 10.0, 11.0, 11.0]
    assert joined.instruments == ("A.B",)
    assert joined.provenance.preprocessing == ("dropped 2 rows outside the overlap of the joined panels",)
    with pytest.raises(DataError, match=r"have every instrument' is broken at E\.F"):
        asof_join(combine([left, days(2, who="E.F")]), right, of=("A.B", "C.D"))


def test_columns_can_be_chosen_and_renamed():
    left, right = days(3), days(3)
    assert asof_join(left, right, suffix="_b").values == ("x", "x_b")
    assert asof_join(left, right, columns={"x": "z"}).values == ("x", "z")
    assert asof_join(left, days(3, name="y"), columns=["y"]).values == ("x", "y")
    with pytest.raises(
        InputError,
        match=r"columns: got 'x'; the left panel already has a column of this name; choose another name",
    ):
        asof_join(left, right)
    with pytest.raises(InputError, match=r"columns: got 'w'; the right panel has no such column; allowed: x"):
        asof_join(left, right, columns=["w"])


@pytest.mark.req("QUAL-07")
def test_ranges_without_overlap_state_both():
    with pytest.raises(DataError) as caught:
        asof_join(days(3), days(3, start=100, name="y"))
    assert (
        "rule 'date ranges overlap' is broken at hand: 1970-01-02 to 1970-01-04, hand: 1970-04-11 to 1970-04-13"
        in str(caught.value)
    )
    with pytest.raises(DataError, match="^join of y: got 'no date in common'; rule 'date ranges overlap'"):
        asof_join(days(3, start=100), days(3, name="y"))
    with pytest.raises(DataError, match=r"date ranges overlap.*1970-01-02 to 1970-01-04.*1970-04-11 to 1970-04-13"):
        combine([days(3), days(3, start=100, who="C.D")])


def test_stale_values_are_refused_inside_and_dropped_after_the_overlap():
    right = panel([(1, 0, "A.B", 1.0), (30, 0, "A.B", 2.0)], "y")
    with pytest.raises(
        DataError,
        match=r"join of y: got 'values up to 28\.0 days old'; rule 'joined values are fresh' is broken at A.B "
        r"1970-01-13.*raise max_age_days above 10",
    ):
        asof_join(days(32), right)
    assert len(asof_join(days(32), right, max_age_days=45).frame) == 32
    short = asof_join(days(32), days(3, name="y"), max_age_days=10)
    assert short.frame["ts"].max() == 13 * NS_PER_DAY


@pytest.mark.req("DATA-08")
@settings(max_examples=60, deadline=None)
@given(
    lags=st.lists(st.integers(0, 60), min_size=4, max_size=20),
    known_day=st.integers(3, 20),
    noise=st.floats(-1e6, 1e6),
)
def test_the_future_never_changes_a_joined_row(lags, known_day, noise):
    left = days(20)
    right = panel([(k + 1, lag, "A.B", float(k)) for k, lag in enumerate(lags)], "y")
    now = known_day * NS_PER_DAY
    assume(any(k * NS_PER_DAY + lag * HOUR <= now for k, lag in enumerate(lags, 1)))
    whole = asof_join(left, right, max_age_days=100)
    cut = asof_join(left.as_of(now), right.as_of(now), max_age_days=100)
    assert whole.as_of(now).frame.equals(cut.frame)
    poisoned = right.frame.with_columns(y=pl.when(pl.col("known_at") > now).then(noise).otherwise("y"))
    again = asof_join(left, Panel(poisoned, "24/7", right.provenance), max_age_days=100)
    assert again.as_of(now).frame.equals(whole.as_of(now).frame)


def test_combining_keeps_every_row_and_names_every_origin():
    stacked = combine([days(3, who="C.D"), days(4)])
    assert stacked.instruments == ("A.B", "C.D")
    assert len(stacked.frame) == 7
    assert combine([stacked]).content_hash == stacked.content_hash


def test_panels_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"panels: got \[\]; allowed: at least one panel"):
        combine([])
    with pytest.raises(
        InputError, match=r"panels: got \['y'\]; by hand differs from by hand in its columns; allowed: x"
    ):
        combine([days(3), days(3, who="C.D", name="y")])
    with pytest.raises(InputError, match=r"panels: got \['A.B'\]; the instrument is in two panels"):
        combine([days(3), days(3)])
    other = panel([(1, 0, "C.D", 1.0)], calendar="XNYS")
    with pytest.raises(
        DataError,
        match=r"panels: got 'XNYS'; rule 'calendars agree' is broken at 24/7 \(1970-01-02 to 1970-01-04\), XNYS",
    ):
        combine([days(3), other])
