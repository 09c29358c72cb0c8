"""Labels by hand for every horizon, the rows that have none, and that the future changes no label."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_factory import HOUR, PROVENANCE, panel, walk

import karat.labels as door
from karat.core import NS_PER_DAY, DataError, InputError, iso_date, to_ns
from karat.data import CUTS, HORIZONS, Panel
from karat.labels import THRESHOLDS, LabelFrame, classify, make_labels, threshold_target

# Ten sessions from Tuesday 2024-01-02: closes 100, 101, …, opens half a point above the close before.
CLOSES = [100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 106.0, 107.0, 108.0, 109.0]
OPENS = [99.5, 100.5, 101.5, 102.5, 103.5, 104.5, 105.5, 106.5, 107.5, 108.5]


def dates(labels: LabelFrame, column: str) -> list[str]:
    return [iso_date(ns) for ns in labels.frame[column]]


def test_public_names_are_complete() -> None:
    assert set(door.__all__) <= set(vars(door))
    assert len(set(door.__all__)) == len(door.__all__)


@pytest.mark.req("TRN-03")
@pytest.mark.parametrize("bars", [1, 2, 3, 5])
def test_with_opens_a_label_runs_from_the_next_open_to_the_last_close(bars: int) -> None:
    labels = make_labels(panel(CLOSES, opens=OPENS), f"{bars}d")
    # Row 0 enters at the open of row 1 (100.5) and leaves at the close of row h (100 + h).
    assert labels.value[0] == pytest.approx((100.0 + bars) / 100.5 - 1)
    np.testing.assert_allclose(labels.value, [CLOSES[t + bars] / OPENS[t + 1] - 1 for t in range(10 - bars)])
    assert labels.dropped == {"A.XNYS": bars}
    assert labels.end_ns.tolist() == panel(CLOSES).frame["ts"].to_list()[bars:]
    assert (labels.start_ns == labels.ts + 1).all()


@pytest.mark.req("TRN-03")
@pytest.mark.parametrize("bars", [1, 2, 3, 5])
def test_with_closes_only_a_label_runs_between_closes(bars: int) -> None:
    labels = make_labels(panel(CLOSES), f"{bars}d")
    assert labels.value[0] == pytest.approx((101.0 + bars) / 101.0 - 1)
    np.testing.assert_allclose(labels.value, [CLOSES[t + 1 + bars] / CLOSES[t + 1] - 1 for t in range(9 - bars)])
    assert labels.dropped == {"A.XNYS": bars + 1}
    ts = panel(CLOSES).frame["ts"].to_list()
    assert labels.start_ns.tolist() == ts[1 : 10 - bars]
    assert labels.end_ns.tolist() == ts[1 + bars :]


@pytest.mark.req("TRN-03")
def test_a_week_ends_at_the_last_session_within_seven_days() -> None:
    # 2024-01-15 is a holiday: the week after Monday 8 ends on Friday 12, four sessions later.
    labels = make_labels(panel(CLOSES, opens=OPENS), "week")
    assert [day[-2:] for day in dates(labels, "ts")] == ["02", "03", "04", "05", "08", "09"]
    assert [day[-2:] for day in dates(labels, "end_ns")] == ["09", "10", "11", "12", "12", "16"]
    # Rows 0 to 4 are the sessions of 2, 3, 4, 5, 8 January; 9, 10, 11, 12 and 16 are rows 5 to 9.
    wanted = [105 / 100.5, 106 / 101.5, 107 / 102.5, 108 / 103.5, 108 / 104.5, 109 / 105.5]
    np.testing.assert_allclose(labels.value, np.array(wanted) - 1)
    assert labels.dropped == {"A.XNYS": 4}


@pytest.mark.req("TRN-03")
def test_a_week_with_closes_only_begins_at_the_next_close() -> None:
    labels = make_labels(panel(CLOSES), "week")
    wanted = [105 / 101, 106 / 102, 107 / 103, 108 / 104, 108 / 105, 109 / 106]
    np.testing.assert_allclose(labels.value, np.array(wanted) - 1)


@pytest.mark.parametrize("start", ["2023-03-03", "2023-10-27", "2023-11-24"])
def test_clock_changes_and_half_days_do_not_cut_a_week_short(start: str) -> None:
    """From a Friday, over a change of clocks or from a half day, a week ends on the next Friday."""
    labels = make_labels(panel(CLOSES, opens=OPENS, start=start), "week")
    assert iso_date(int(labels.end_ns[0])) == iso_date(int(labels.ts[0]) + 7 * NS_PER_DAY)


def test_a_week_without_a_session_after_the_entry_is_missing() -> None:
    # The exchange was closed from 2001-09-11 to 2001-09-14: the week after Monday 10 has Monday 17 only.
    with_opens = make_labels(panel(CLOSES, opens=OPENS, start="2001-09-10"), "week")
    closes_only = make_labels(panel(CLOSES, start="2001-09-10"), "week")
    assert dates(with_opens, "ts")[0] == "2001-09-10"
    assert dates(with_opens, "end_ns")[0] == "2001-09-17"
    assert dates(closes_only, "ts")[0] == "2001-09-17"


def test_a_row_that_is_known_late_enters_later() -> None:
    soon = make_labels(panel(CLOSES, opens=OPENS, lag_ns=HOUR), "1d")
    assert soon.value.tolist() == make_labels(panel(CLOSES, opens=OPENS), "1d").value.tolist()
    assert (soon.start_ns == soon.ts + HOUR + 1).all()
    # Known 20 hours after the close, past the next open: it enters at the open after that.
    late = make_labels(panel(CLOSES, opens=OPENS, lag_ns=20 * HOUR), "1d")
    assert late.value[0] == pytest.approx(102.0 / 101.5 - 1)
    assert (late.start_ns > late.ts + 20 * HOUR).all()
    # Closes only: known after the next close, it enters at the close after that.
    closes = make_labels(panel(CLOSES, lag_ns=25 * HOUR), "1d")
    assert closes.value[0] == pytest.approx(103.0 / 102.0 - 1)
    assert (closes.start_ns > closes.ts + 25 * HOUR).all()


def test_without_a_calendar_a_bar_opens_no_earlier_than_the_close_before() -> None:
    made = panel(CLOSES, opens=OPENS, lag_ns=HOUR)
    labels = make_labels(Panel(made.frame, "none", PROVENANCE), "1d")
    assert labels.value[0] == pytest.approx(102.0 / 101.5 - 1)


def test_bars_around_the_clock_enter_at_the_next_bar() -> None:
    ts = to_ns("2024-01-01") + np.arange(1, 11, dtype=np.int64) * NS_PER_DAY
    frame = pl.DataFrame({"ts": ts, "known_at": ts, "instrument": ["BTC.X"] * 10, "open": OPENS, "close": CLOSES})
    assert make_labels(Panel(frame, "24/7", PROVENANCE), "1d").value[0] == pytest.approx(101 / 100.5 - 1)
    late = Panel(frame.with_columns(known_at=pl.col("ts") + HOUR), "24/7", PROVENANCE)
    assert make_labels(late, "1d").value[0] == pytest.approx(102 / 101.5 - 1)


@pytest.mark.req("DATA-32", "TRN-03")
@pytest.mark.parametrize("horizon", list(HORIZONS))
def test_several_instruments_and_horizons(horizon: str) -> None:
    both = walk(60, instruments=("A.XNYS", "B.XNYS"))
    labels = make_labels(both, horizon)
    for name in both.instruments:
        alone = Panel(both.frame.filter(pl.col("instrument") == name), "XNYS", PROVENANCE)
        own = make_labels(alone, horizon)
        assert labels.frame.filter(pl.col("instrument") == name).equals(own.frame)
        assert labels.dropped[name] == own.dropped[name] == 60 - len(own) > 0
    assert labels.frame["klass"].to_list() == classify(labels.value).tolist()
    assert len(labels) == len(labels.frame)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(list(HORIZONS)), st.booleans(), st.integers(12, 59), st.integers(1, 10_000))
def test_the_future_changes_no_label_that_has_ended(horizon: str, opens: bool, cut: int, seed: int) -> None:
    past, other = walk(60, opens=opens).frame, walk(60, opens=opens, seed=seed).frame
    mixed = Panel(pl.concat([past[:cut], other[cut:]]), "XNYS", PROVENANCE)
    instant = int(past["ts"][cut - 1])
    whole = make_labels(Panel(past, "XNYS", PROVENANCE), horizon).frame.filter(pl.col("end_ns") <= instant)
    assert make_labels(mixed, horizon).frame.filter(pl.col("end_ns") <= instant).equals(whole)
    # Cut off there, all labels of the shorter panel stay as they are in the longer one.
    short = make_labels(Panel(past[:cut], "XNYS", PROVENANCE), horizon).frame
    assert short.equals(whole[: len(short)])
    assert len(whole) - len(short) <= 4 * (horizon == "week")


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(list(HORIZONS)), st.booleans(), st.integers(0, 80))
def test_no_label_starts_before_its_row_is_known(horizon: str, opens: bool, lag_hours: int) -> None:
    made = panel(CLOSES, opens=OPENS if opens else None, lag_ns=lag_hours * HOUR)
    try:
        labels = make_labels(made, horizon)
    except InputError:
        return
    known = made.frame.join(labels.frame, on="ts")["known_at"].to_numpy()
    assert (labels.start_ns > known).all()
    assert (labels.end_ns >= labels.start_ns).all()


@pytest.mark.parametrize(
    ("opens", "horizon", "need"),
    [(True, "5d", "6 sessions"), (False, "5d", "7 sessions"), (True, "week", "sessions on 8 calendar days in a row")],
)
def test_a_horizon_longer_than_the_data_is_refused(opens: bool, horizon: str, need: str) -> None:
    made = panel(CLOSES[:4], opens=OPENS[:4] if opens else None)
    message = f"horizon: got '{horizon}'; it is longer than the data: a label needs {need}.* longest has 4 sessions"
    with pytest.raises(InputError, match=message):
        make_labels(made, horizon)


def test_an_unknown_horizon_and_a_missing_close_are_refused() -> None:
    with pytest.raises(InputError, match="horizon: got '4d'; allowed: 1d, 2d, 3d, 5d, week"):
        make_labels(panel(CLOSES), "4d")
    bare = Panel(panel(CLOSES).frame.rename({"close": "vix"}), "XNYS", PROVENANCE)
    with pytest.raises(InputError, match=r"panel: got \['vix'\]; labels are returns of it; allowed: a column 'close'"):
        make_labels(bare, "1d")


@pytest.mark.parametrize("bad", [float("nan"), None, 0.0, -37.63])
@pytest.mark.parametrize("column", ["open", "close"])
def test_a_price_that_is_missing_or_not_positive_stops(bad: float | None, column: str) -> None:
    frame = panel(CLOSES, opens=OPENS).frame
    hole = pl.when(pl.int_range(pl.len()) == 3).then(pl.lit(bad, dtype=pl.Float64)).otherwise(column).alias(column)
    message = (
        rf"panel: got {bad}; rule '{column} is a positive number' is broken at A\.XNYS@{frame['ts'][3]}; drop the "
    )
    with pytest.raises(DataError, match=message):
        make_labels(Panel(frame.with_columns(hole), "XNYS", PROVENANCE), "1d")


def test_classes_at_every_edge() -> None:
    values = [-0.051, -0.05, -0.031, -0.03, -0.02, -0.01, 0.0, 0.01, 0.0101, 0.02, 0.03, 0.05, 0.0501]
    assert classify(np.array(values)).tolist() == [0, 0, 1, 1, 2, 3, 4, 4, 5, 5, 6, 7, 8]


@pytest.mark.req("TRN-01")
@pytest.mark.parametrize(
    ("threshold", "wanted"),
    [(0.01, [0, 0, 1, 1, 1, 1]), (0.02, [0, 0, 0, 1, 1, 1]), (0.03, [0, 0, 0, 0, 1, 1]), (0.05, [0, 0, 0, 0, 0, 1])],
)
def test_threshold_targets_by_hand(threshold: float, wanted: list[int]) -> None:
    assert threshold_target(np.array([-0.06, 0.01, 0.015, 0.025, 0.04, 0.06]), threshold).tolist() == wanted


@pytest.mark.req("TRN-01")
@given(st.lists(st.floats(-0.2, 0.2), max_size=50), st.sampled_from(list(THRESHOLDS)))
def test_threshold_targets_agree_with_the_classes(values: list[float], task: str) -> None:
    threshold = THRESHOLDS[task]
    above = classify(np.array(values)) > CUTS.tolist().index(threshold)
    assert threshold_target(np.array(values), threshold).tolist() == above.astype(int).tolist()


def test_a_threshold_outside_the_templates_and_nan_are_refused() -> None:
    with pytest.raises(InputError, match=r"threshold: got 0.04; allowed: 0.01, 0.02, 0.03, 0.05"):
        threshold_target(np.array([0.0]), 0.04)
    message = "values: got 'NaN in row 1'; a missing return has no class; allowed: numbers; drop it"
    with pytest.raises(InputError, match=message):
        classify(np.array([0.0, np.nan]))
    with pytest.raises(InputError, match=message):
        threshold_target(np.array([0.0, np.nan]), 0.01)
