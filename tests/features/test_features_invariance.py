"""Future invariance of every registered feature, and the planted violations that the check must catch."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, bars, panel
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import NS_PER_DAY, InputError, LeakageError
from karat.data import Panel
from karat.features import FEATURES, FeatureSpec, build, check_invariance

Floats = np.ndarray


def planted(compute: object) -> FeatureSpec:
    return FeatureSpec("planted", ("close",), 0, "custom", "price", "test", "test", compute)  # type: ignore[arg-type]


def centred_average(columns: dict[str, Floats]) -> Floats:
    return np.convolve(columns["close"], np.ones(5) / 5, mode="same")


def full_sample_zscore(columns: dict[str, Floats]) -> Floats:
    close = columns["close"]
    return (close - close.mean()) / close.std()


def tomorrow(columns: dict[str, Floats]) -> Floats:
    return np.append(columns["close"][1:], np.nan)


def far_ahead(columns: dict[str, Floats]) -> Floats:
    """Reads the last bar only where the series is as long as it is now: cutting it off hides the leak."""
    close = columns["close"]
    return close * (1 + 1e-6 * close[-1]) if len(close) == 300 else close * (1 + 1e-6 * close[0])


def back_filled(columns: dict[str, Floats]) -> Floats:
    """The first 26 rows filled with the full-sample mean: a known fault of a public indicator library."""
    close = columns["close"].copy()
    close[:26] = close.mean()
    return close


@pytest.mark.req("FEAT-50", "QUAL-21")
@pytest.mark.parametrize("family", sorted({spec.category for spec in FEATURES.values()}))
def test_no_registered_feature_reads_the_future(family: str) -> None:
    names = [name for name, spec in FEATURES.items() if spec.category == family]
    report = check_invariance(panel(620, instruments=("A.XNYS", "B.XNYS")), names, cuts=2)
    assert report.passed
    assert report.worst == 0.0
    assert (report.offending, report.n_features, report.n_cuts) == ((), len(names), 2)
    report.require()


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 10_000), st.integers(70, 119))
def test_later_rows_of_any_kind_change_no_earlier_value(seed: int, cut: int) -> None:
    """The property itself, without the check: another future after row `cut`, the same past."""
    everything = ["base25", "vix8", "signal"]
    past, future = bars(120), bars(120, seed=seed)
    mixed = Panel(pl.concat([past[:cut], future[cut:]]), "XNYS", PROVENANCE)
    before = build(Panel(past, "XNYS", PROVENANCE), everything).frame[:cut]
    assert build(mixed, everything).frame[:cut].equals(before)


@pytest.mark.parametrize("leak", [centred_average, full_sample_zscore, tomorrow, far_ahead, back_filled])
def test_a_planted_violation_is_caught(leak: object) -> None:
    report = check_invariance(panel(300), ["a20", planted(leak)])
    assert not report.passed
    assert report.offending == ("planted",)
    assert report.worst > 1e-9
    with pytest.raises(LeakageError, match=r"planted depends on the future: planted changed in \d+ earlier rows? when"):
        report.require()


def test_the_evidence_names_the_instant_and_the_experiment() -> None:
    (text,) = check_invariance(panel(300), [planted(tomorrow)]).evidence
    assert "planted changed in 1 earlier row when the rows after 1970-" in text
    assert text.endswith("were cut off")
    (text,) = check_invariance(panel(300), [planted(far_ahead)]).evidence
    assert "when the rows after 1970-" in text


def test_a_leak_that_only_the_poison_shows_is_caught() -> None:
    def last_if_whole(columns: dict[str, Floats]) -> Floats:
        close = columns["close"]
        return close + (close[-1] if len(close) == 300 else panel(300).frame["close"][-1])

    report = check_invariance(panel(300), [planted(last_if_whole)])
    assert not report.passed
    assert report.evidence[0].endswith("were replaced")


def test_rows_that_are_published_late_are_cut_by_when_they_are_known() -> None:
    frame = bars(100).with_columns(known_at=pl.col("ts") + NS_PER_DAY * 3)
    report = check_invariance(Panel(frame, "XNYS", PROVENANCE), ["a20"])
    assert report.passed


def test_the_report_depends_on_its_arguments_only() -> None:
    made_of = panel(200)
    first = check_invariance(made_of, ["a20", planted(full_sample_zscore)], seed=3)
    assert first == check_invariance(made_of, ["a20", planted(full_sample_zscore)], seed=3)
    assert first != check_invariance(made_of, ["a20", planted(full_sample_zscore)], seed=4)


@pytest.mark.parametrize("n", [2, 3])
def test_a_very_short_panel_is_checked_as_far_as_it_goes(n: int) -> None:
    report = check_invariance(panel(n), ["ret_1", "close"])
    assert report.passed
    assert report.n_cuts == 1
    assert report.unseen == (("ret_1",) if n == 2 else ())


def test_columns_with_holes_and_negative_values_are_poisoned_too() -> None:
    hole = pl.when(pl.int_range(pl.len()) % 7 == 0).then(None).otherwise("signal").alias("signal")
    made_of = Panel(bars(200).with_columns(hole), "XNYS", PROVENANCE)
    assert check_invariance(made_of, ["signal", "ret_1"]).passed


@pytest.mark.parametrize("n", [200, 252, 253])
def test_a_leak_beside_a_feature_as_long_as_the_panel_is_caught(n: int) -> None:
    report = check_invariance(panel(n), ["ret_250", planted(tomorrow)])
    assert report.offending == ("planted",)
    assert report.unseen == (("ret_250",) if n < 252 else ())


def test_where_there_is_nothing_to_cut_nothing_is_proved() -> None:
    for cuts in (0, -1, 1.5):
        with pytest.raises(InputError, match="cuts: got .*; allowed: instants to cut after, 1 or more"):
            check_invariance(panel(50), ["ret_1"], cuts=cuts)  # type: ignore[arg-type]
    for n in (0, 1):
        one = Panel(bars(50)[:n], "XNYS", PROVENANCE)
        with pytest.raises(InputError, match=f"panel: got '{n} instants?'; allowed: two instants or more"):
            check_invariance(one, ["ret_1"])
