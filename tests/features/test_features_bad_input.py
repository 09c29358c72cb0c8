"""What each feature does with poor data: the NaN rule of all, and of those that have one of their own."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, bars, panel

from karat.core import NS_PER_DAY, InputError
from karat.data import Panel
from karat.features import FEATURES, TIERS, FeatureSpec, build, check_online, held_by, resolve
from karat.features._select import served

EVERYTHING = list(FEATURES)


def values(frame: pl.DataFrame, names: list[str] | tuple[str, ...]) -> dict[str, np.ndarray]:
    made = build(Panel(frame, "XNYS", PROVENANCE), list(names))
    return {name: made.frame[name].to_numpy() for name in made.names}


@pytest.mark.req("FEAT-09")
def test_without_volume_for_a_while_features_keep_to_their_rule() -> None:
    quiet = pl.int_range(pl.len()).is_between(300, 379)
    frame = bars(700).with_columns(pl.when(quiet).then(0.0).otherwise("volume").alias("volume"))
    made = values(frame, TIERS["a500"])
    assert not any(np.isinf(each).any() for each in made.values())
    for name in ("obv_slope_20", "money_flow_20", "volume_return_20", "volume_peak_20"):
        assert (made[name][325:379] == 0.0).all(), name
    for name in ("amihud_20", "vwap_gap_60"):
        assert np.isnan(made[name][370:379]).all(), name
    # half a window without volume: the mean is over the rest
    close, volume = frame["close"].to_numpy(), frame["volume"].to_numpy()
    busy = np.arange(290, 300)
    each = np.abs(close[busy] / close[busy - 1] - 1) / (close[busy] * volume[busy])
    assert made["amihud_20"][309] == pytest.approx(1e6 * each.mean())
    # once the silence has left every window there is nothing left of it
    whole = values(bars(700), TIERS["a500"])
    for name, each in made.items():
        if not FEATURES[name].recursive and FEATURES[name].warm_up <= 300:
            np.testing.assert_allclose(each[-10:], whole[name][-10:], rtol=1e-9, err_msg=name)


PRICES = ("open", "high", "low", "close")
MARKET = {"volume": 1e6, "vix": 20.0, "index": 3000.0}
FAMILIES = sorted({spec.category for spec in FEATURES.values()})
COUNTED = {**dict.fromkeys(("inside_share", "filled_share", "above_share"), 1.0), "cross_age": 5.0}
"""Value of a function that counts rows where every window is flat; of others the formula states it, else it is 0."""


def of_family(family: str) -> list[str]:
    return [name for name, spec in FEATURES.items() if spec.category == family]


def without_value(name: str) -> bool:
    """Return whether the rule or the formula says that a flat window, or one without volume, has no value."""
    spec = FEATURES[name]
    return "NaN where" in spec.nan_rule or "NaN" in spec.formula


@pytest.mark.parametrize("family", FAMILIES)
def test_where_everything_is_constant_a_feature_has_its_neutral_value_or_says_that_it_has_none(family: str) -> None:
    same = {**dict.fromkeys(PRICES, 50.0), **MARKET, "signal": 0.0}
    made = values(bars(600).with_columns(pl.lit(value).alias(name) for name, value in same.items()), of_family(family))
    for name, each in made.items():
        spec, late = FEATURES[name], each[FEATURES[name].warm_up :]
        if spec.inputs == ("ts",):
            continue
        if np.isnan(late).any():
            assert without_value(name), name
            assert np.isnan(late).all(), name
            continue
        assert np.ptp(late[260:] if spec.recursive or spec.function == "cross_age" else late) <= 1e-12, name
        stated = re.search(r"(-?\d+(?:\.\d+)?) where [a-z]", spec.formula)
        if stated:
            assert late[-1] == float(stated[1]), name
        elif family not in ("raw", "signal", "indicators", "alpha158", "vix", "regulatory") and "rank" not in name:
            wanted = 1.0 / spec.window if spec.function == "volume_peak" else COUNTED.get(spec.function, 0.0)
            assert late[-1] == pytest.approx(wanted, abs=1e-12), name


@pytest.mark.parametrize("family", FAMILIES)
def test_where_prices_are_constant_nothing_is_infinite_and_the_rule_says_what_is_missing(family: str) -> None:
    flat = bars(600).with_columns(pl.lit(50.0).alias(name) for name in PRICES)
    for name, each in values(flat, of_family(family)).items():
        late = each[FEATURES[name].warm_up :]
        assert not np.isinf(each).any(), name
        assert np.isfinite(late).all() or without_value(name), name


@pytest.mark.req("FEAT-09")
@pytest.mark.parametrize("family", FAMILIES)
def test_after_a_window_without_volume_a_feature_has_one_value_or_says_that_it_has_none(family: str) -> None:
    quiet = pl.int_range(pl.len()) >= 300
    names = [name for name in of_family(family) if "volume" in FEATURES[name].inputs and family != "raw"]
    if not names:
        assert family not in ("volume", "liquidity", "alpha158")
        return
    frame = bars(900).with_columns(pl.when(quiet).then(0.0).otherwise("volume").alias("volume"))
    for name, each in values(frame, names).items():
        late = each[-40:]
        assert not np.isinf(each).any(), name
        if np.isnan(late).any():
            assert np.isnan(late).all(), name
            assert without_value(name), name
        else:
            assert np.ptp(late) <= 1e-9, name
            assert within_its_unit(name, late), name
            if "without volume" in FEATURES[name].formula or "without any flow" in FEATURES[name].formula:
                assert not late.any(), name


def within_its_unit(name: str, found: np.ndarray) -> bool:
    """Return whether values are in the range that the unit states, such as `0 to 100`."""
    stated = re.fullmatch(r"(-?[\d.]+) to (-?[\d.]+)", FEATURES[name].unit)
    if stated is None:
        return True
    low, high = (float(edge) for edge in stated.groups())
    seen, room = found[np.isfinite(found)], 1e-9 * (high - low)
    return bool(((seen >= low - room) & (seen <= high + room)).all())


@pytest.mark.parametrize("family", FAMILIES)
def test_values_keep_to_the_range_of_their_unit_also_in_bursts(family: str) -> None:
    """Volume and moves come and go in bursts of 5 to 40 bars, and prices have ticks."""
    n, rng = 900, np.random.default_rng(5)
    burst = np.repeat(rng.random(n) < 0.5, rng.integers(5, 40, n))[:n]
    frame = bars(n)
    for name in ("open", "high", "low", "close"):
        frame = frame.with_columns(pl.Series(name, np.round(np.where(burst, 20.0, frame[name]), 1)))
    frame = frame.with_columns(pl.Series("volume", np.where(np.roll(burst, 7), 0.0, frame["volume"])))
    for name, found in values(frame, of_family(family)).items():
        assert within_its_unit(name, found), (name, np.nanmin(found), np.nanmax(found))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_without_an_input_is_as_if_it_were_not_there(family: str) -> None:
    """Holes in each input at rows of its own: a feature passes over those of its inputs and no others."""
    frame, n = bars(450), 450
    inputs = sorted({name for each in of_family(family) for name in FEATURES[each].inputs} - {"ts"})
    holes = {name: np.arange(n) % (29 + 2 * k) == 3 + k for k, name in enumerate(inputs)}
    empty = frame.with_columns(pl.Series(name, np.where(holes[name], np.nan, frame[name])) for name in inputs)
    found = values(empty, of_family(family))
    for reads in {FEATURES[name].inputs for name in found}:
        gone = np.logical_or.reduce([np.zeros(n, dtype=bool), *(holes[name] for name in reads if name != "ts")])
        names = [name for name in found if FEATURES[name].inputs == reads]
        wanted = values(frame.filter(pl.Series(~gone)), names)
        for name in names:
            assert np.isnan(found[name][gone]).all(), name
            np.testing.assert_array_equal(found[name][~gone], wanted[name], err_msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_value_comes_after_the_warm_up_and_none_is_missing_from_then_on(family: str) -> None:
    """So a symbol listed yesterday has what needs no earlier bar, and each further bar adds what the page says."""
    for name, each in values(bars(700), of_family(family)).items():
        assert np.isnan(each[: FEATURES[name].warm_up]).all(), name
        assert np.isfinite(each[FEATURES[name].warm_up :]).all(), name


@pytest.mark.parametrize("family", FAMILIES)
def test_days_without_a_session_count_for_the_calendar_only(family: str) -> None:
    frame = bars(600)
    shut = 10 * NS_PER_DAY * (pl.int_range(pl.len()) >= 300)
    gap = frame.with_columns(ts=pl.col("ts") + shut, known_at=pl.col("known_at") + shut)
    before, after = values(frame, of_family(family)), values(gap, of_family(family))
    for name in before:
        if "ts" in FEATURES[name].inputs:
            np.testing.assert_array_equal(after[name][300:590], before[name][310:], err_msg=name)
        else:
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_with_ties_a_value_is_the_same_bar_by_bar_and_never_infinite(family: str) -> None:
    frame = bars(400).with_columns([pl.col(name).round(0) for name in (*PRICES, "vix")])
    frame = frame.with_columns(1e5 * (pl.col("volume") / 1e5).round(0), pl.col("index").round(0))
    tied = Panel(frame, "XNYS", PROVENANCE)
    assert (frame["close"].diff() == 0).sum() > 20
    assert not any(np.isinf(each).any() for each in values(frame, of_family(family)).values())
    report = check_online(tied, of_family(family))
    assert report.passed, report.evidence


def test_constant_prices_give_the_neutral_value_or_none() -> None:
    flat = bars(600).with_columns(*[pl.lit(50.0).alias(name) for name in ("open", "high", "low", "close")])
    made = values(flat, TIERS["a500"])
    assert not any(np.isinf(each).any() for each in made.values())
    neutral = {
        "close_location": 0.0, "range_position_20": 0.5, "bollinger_b": 0.5, "realised_vol_20": 0.0,
        "parkinson_20": 0.0,
        "garman_klass_10": 0.0, "rogers_satchell_20": 0.0, "yang_zhang_20": 0.0, "skewness_20": 0.0, "drawdown_20": 0.0,
        "straightness_20": 0.0, "autocorrelation1_20": 0.0, "downside_share_20": 0.5, "variance_ratio5_20": 1.0,
        "roll_20": 0.0, "corwin_schultz_20": 0.0, "beta_20": 0.0, "haar2_20": 0.0, "kurtosis_20": -3.0,
    }  # fmt: skip
    for name, wanted in neutral.items():
        np.testing.assert_allclose(made[name][FEATURES[name].warm_up :], wanted, atol=1e-15, err_msg=name)
    assert np.isnan(made["hurst_64"]).all()


def test_missing_days_are_rows_that_are_not_there() -> None:
    frame = bars(500)
    gone = frame.filter(pl.int_range(pl.len()) % 11 != 4)
    hole = pl.when(pl.int_range(pl.len()) % 11 == 4).then(None)
    names = ("open", "high", "low", "close", "volume", "vix", "index")
    empty = frame.with_columns([hole.otherwise(name).alias(name) for name in names])
    wanted, found = values(gone, TIERS["a500"]), values(empty, TIERS["a500"])
    kept = np.arange(500) % 11 != 4
    for name in TIERS["a500"]:
        if FEATURES[name].inputs != ("ts",):
            np.testing.assert_array_equal(found[name][kept], wanted[name], err_msg=name)
            assert np.isnan(found[name][~kept]).all()


def test_a_symbol_listed_yesterday_has_no_values_yet() -> None:
    old, new = bars(300, instrument="A.XNYS"), bars(300, instrument="Z.XNYS", seed=9)[-1:]
    made = build(Panel(pl.concat([old, new]), "XNYS", PROVENANCE), "a500")
    last = made.frame.row(-1, named=True)
    given = {name for name in TIERS["a500"] if not np.isnan(last[name])}
    assert given == {name for name in TIERS["a500"] if FEATURES[name].warm_up == 0}
    alone = build(Panel(old, "XNYS", PROVENANCE), "a500")
    assert made.frame[:-1].equals(alone.frame)


def test_ties_have_one_answer() -> None:
    frame = bars(300).with_columns([pl.col(name).round(0) for name in ("open", "high", "low", "close")])
    made = values(frame, ["rank20", "imax20", "since_high_20", "permutation_entropy_60", "vix_percentile_60d"])
    close, high = frame["close"].to_numpy(), frame["high"].to_numpy()
    window = close[281:301]
    assert made["rank20"][299] == pytest.approx(
        ((close[280:300] < close[299]).sum() + ((close[280:300] == close[299]).sum() + 1) / 2) / 20
    )
    assert len(window) <= 20
    latest = max(np.flatnonzero(high[280:300] == high[280:300].max()))
    assert made["since_high_20"][299] == pytest.approx((19 - latest) / 19)
    first = int(np.argmax(high[280:300]))
    assert first < latest
    assert made["imax20"][299] == pytest.approx((first + 1) / 20)


def test_prices_of_zero_and_below_give_no_infinities() -> None:
    frame = bars(400).with_columns(close=pl.when(pl.int_range(pl.len()) == 200).then(0.0).otherwise("close"))
    made = values(frame, EVERYTHING)
    assert not any(np.isinf(each).any() for each in made.values())


@pytest.mark.req("FEAT-05")
def test_a_feature_without_its_input_names_the_column_and_who_has_it() -> None:
    closes = panel(columns=("close",))
    _, absent = resolve("a100", closes)
    index = "in a study joins: [{source: bundled, params: {dataset: sp500}, column: close, name: index}]"
    assert absent["beta_20"] == f"needs index; the panel has close; index: {index}; in Python asof_join"
    held = f"needs vix; the panel has close; {held_by(['vix'])}; join a source that has the column"
    with pytest.raises(InputError, match=re.escape(held)):
        build(closes, ["vix_close", "vix_sma_10"])
    with pytest.raises(InputError, match=r"index: in a study joins: .*name: index\}\]"):
        build(closes, ["beta_20"])
    with pytest.raises(InputError, match="can serve none of them.*needs vix") as told:
        build(panel(30, columns=("close", "index")), "vix8")
    assert "did you mean" not in str(told.value)  # an index is no misspelt VIX


def test_a_function_that_reads_a_column_which_it_does_not_name_is_told() -> None:
    mine = FeatureSpec("mine", ("close",), 0, "custom", "price", "x", "here", lambda columns: columns["volume"])
    with pytest.raises(InputError, match="feature.mine: got .*'close'.*; its function reads 'volume', which inputs"):
        build(panel(30), [mine])
    odd = {"could not convert": lambda columns: ["a"] * 30, "division": lambda columns: 1 // 0}
    for words, function in odd.items():
        mine = FeatureSpec("mine", ("close",), 0, "custom", "price", "x", "here", function)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=f"feature.mine: got .*; its function fails: .*{words}.*; allowed: an arr"):
            build(panel(30), [mine])


@pytest.mark.req("FEAT-05")
@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_names_each_input_that_is_missing_and_who_has_it(name: str) -> None:
    for column in FEATURES[name].inputs:
        if column == "ts":
            continue
        there = [other for other in FEATURES[name].inputs if other not in (column, "ts")]
        has = f"; the panel has {', '.join(there)}" if there else ""
        with pytest.raises(InputError, match=f"{name}: needs {column}{has}; {column}: .*(bundled|csv)"):
            served([name], there=there, empty={})
