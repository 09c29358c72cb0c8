"""The smaller guards: shift, arrivals, survivors, budget, and what an edge loses with shuffled labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from test_evidence_sentinel import world

from karat.core import NS_PER_DAY, NS_PER_SECOND, InputError
from karat.data import Panel, Provenance, load
from karat.evidence import (
    MAX_PARAMETERS,
    PRINTED,
    LabelledRows,
    adversarial_auc,
    adversarial_validation,
    budget_check,
    known_check,
    same_as_of,
    shuffled_label_drop,
    survivor_check,
    verify_budget_compliance,
)

MADE = load("synthetic", seed=3, n_days=400, n_instruments=3)
HOUR = 3600 * NS_PER_SECOND


def panel(frame: pl.DataFrame, calendar: str = MADE.calendar, notes: tuple[str, ...] = ()) -> Panel:
    return Panel(frame.sort("instrument", "ts"), calendar, Provenance("test", "made up", "CC0"), notes)


@pytest.mark.req("EVAL-10")
def test_like_rows_are_not_told_apart_and_shifted_ones_are() -> None:
    rng = np.random.default_rng(1)
    first, same = rng.normal(size=(2, 800, 6))
    shifted = same + np.array([1.0, 0, 0, 0, 0, 0])
    assert adversarial_auc(first, same, seed=1) == pytest.approx(0.5, abs=0.06)
    assert adversarial_auc(first, shifted, seed=1) > 0.7
    assert adversarial_auc(first, 2.0 * same, seed=1) > 0.8
    assert adversarial_auc(first, shifted, seed=1) == adversarial_auc(first, shifted, seed=1)


@pytest.mark.req("EVAL-10")
def test_shift_is_printed_and_decides_nothing() -> None:
    rows = np.random.default_rng(2).normal(size=(300, 2))
    check = adversarial_validation(rows, rows + 9.0, seed=1)
    assert (check.passed, check.threshold, check.value) == (None, PRINTED, 1.0)
    few = adversarial_validation(rows, rows[:50], seed=1)
    assert (few.value, few.note) == (None, "not evaluated: fewer than 100 rows in a part")
    with pytest.raises(InputError, match=r"first, second: got \(300, 50\); allowed: 100 rows or more in each"):
        adversarial_auc(rows, rows[:50], seed=1)
    with pytest.raises(InputError, match=r"got 'shapes \(300, 2\) and \(300, 1\)'; allowed: \(n, p\) and \(m, p\)"):
        adversarial_auc(rows, rows[:, :1], seed=1)


def test_rows_are_known_at_their_close_or_later() -> None:
    assert known_check(MADE).passed
    late = MADE.frame.with_columns(known_at=pl.col("ts") + 3 * HOUR)
    assert known_check(panel(late)).passed
    opened = MADE.frame.with_columns(ts=pl.col("ts") - HOUR, known_at=pl.col("known_at") - HOUR)
    check = known_check(panel(opened))
    assert check.passed is False
    assert check.value == len(MADE.frame)
    assert "1200 rows, such as SYN000.SYNTH@2005-01-03" in check.note
    assert known_check(panel(opened, "24/7")).passed is None
    delivered = MADE.frame.with_columns(known_at=pl.col("ts") + 19 * HOUR)  # in the middle of the next session
    assert known_check(panel(delivered)).passed
    morning = MADE.frame.with_columns(ts=pl.col("ts") - 16 * HOUR, known_at=pl.col("ts") - HOUR)
    assert known_check(panel(morning)).passed is False  # a row by its date, known an hour before its close


def listed(births: int, deaths: int, n: int = 12) -> pl.DataFrame:
    """Twelve instruments over 400 days; some begin after the first day, some end before the last."""
    made = load("synthetic", seed=3, n_days=400, n_instruments=n).frame
    bar, number = pl.int_range(pl.len()).over("instrument"), pl.col("instrument").rank("dense").cast(pl.Int64) - 1
    begin = pl.when(number < births).then(30 * (number + 1)).otherwise(0)
    end = pl.when(number >= n - deaths).then(370 - 20 * (n - 1 - number)).otherwise(400)
    return made.filter((bar >= begin) & (bar < end))


@pytest.mark.parametrize(
    ("births", "deaths", "passed"), [(8, 0, False), (10, 1, False), (6, 4, True), (3, 3, None), (0, 0, None)]
)
def test_beginnings_without_endings_are_survivors(births: int, deaths: int, passed: bool | None) -> None:
    check = survivor_check(panel(listed(births, deaths)))
    assert check.passed is passed
    assert f"of 12 instruments {births} begin inside the data, {deaths} end" in check.note


def test_the_probability_of_so_few_endings_is_the_binomial_s() -> None:
    assert survivor_check(panel(listed(8, 0))).value == pytest.approx(0.5**8)
    assert survivor_check(panel(listed(10, 1))).value == pytest.approx(12 * 0.5**11)


def test_a_source_that_says_so_is_quoted() -> None:
    check = survivor_check(panel(listed(0, 0), notes=("twenty companies: survivors only",)))
    assert check.note.endswith("; twenty companies: survivors only")


def test_what_was_known_then_is_compared_to_the_bit() -> None:
    frame = MADE.frame
    instant = int(frame["ts"].quantile(0.5, "lower"))  # type: ignore[arg-type]
    then = panel(frame.filter(pl.col("ts") <= instant))
    assert same_as_of(MADE, then, instant) == []
    assert same_as_of(MADE, panel(frame.filter(pl.col("ts") <= instant + 9 * NS_PER_DAY)), instant) == []
    gone = panel(frame.filter(pl.col("instrument") != "SYN001.SYNTH"))
    assert same_as_of(gone, then, instant) == ["gone now: 200 rows that existed then, of SYN001.SYNTH"]
    assert same_as_of(then, gone, instant)[0].startswith("not there then: 200 rows said to be known by then")
    revised = panel(frame.with_columns(signal=pl.col("signal") + 1e-12))
    (moved,) = same_as_of(revised, then, instant)
    assert moved.startswith("signal of ")
    assert "was another number then" in moved
    with pytest.raises(InputError, match="again: got .*; the columns differ; allowed: open"):
        same_as_of(MADE, panel(frame.drop("signal")), instant)


@pytest.mark.req("MOD-04", "MOD-03")
def test_the_limit_passes_and_one_parameter_more_fails() -> None:
    assert MAX_PARAMETERS == 27_500_000
    assert verify_budget_compliance(27_500_000)
    assert not verify_budget_compliance(27_500_001)
    check = budget_check("hrm", {"h": 27_000_000, "l": 500_000})
    assert (check.name, check.passed, check.value) == ("parameters of hrm", True, 27_500_000.0)
    assert check.note == "h 27,000,000, l 500,000"
    assert budget_check("hrm", {"h": 27_000_000, "l": 500_001}).passed is False
    for wrong in (-1, 2.5, True):
        with pytest.raises(InputError, match="param_count: got .*; allowed: a whole number of 0 or more"):
            verify_budget_compliance(wrong)  # type: ignore[arg-type]


@pytest.mark.req("EVAL-03")
def test_a_real_edge_loses_more_than_half_and_a_leak_does_not() -> None:
    data: dict[str, Any] = world(1, edge=0.25)
    check = shuffled_label_drop(LabelledRows(**data), seed=1)
    assert check.passed
    assert isinstance(check.value, float)
    assert check.value > 0.9

    def leaky(forecasts: np.ndarray, returns: np.ndarray) -> np.ndarray:
        return np.abs(forecasts * returns[:, None])

    caught = shuffled_label_drop(LabelledRows(**data), seed=1, score=leaky)
    assert caught.passed is False
    assert caught.threshold == "> 50%"


@pytest.mark.req("EVAL-03")
def test_without_an_edge_there_is_nothing_to_lose() -> None:
    found = [shuffled_label_drop(LabelledRows(**world(seed)), seed=seed) for seed in range(6)]
    assert all(check.passed is not False for check in found)
    assert any(check.note.startswith("no edge to lose") for check in found if check.passed is None)
