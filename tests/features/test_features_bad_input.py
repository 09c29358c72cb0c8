"""What each feature does with poor data: the NaN rule of all, and of those that have one of their own."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, bars, panel

from karat.core import InputError
from karat.data import Panel
from karat.features import FEATURES, TIERS, build, resolve

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
    assert made["imax20"][299] == pytest.approx((latest + 1) / 20)


def test_prices_of_zero_and_below_give_no_infinities() -> None:
    frame = bars(400).with_columns(close=pl.when(pl.int_range(pl.len()) == 200).then(0.0).otherwise("close"))
    made = values(frame, EVERYTHING)
    assert not any(np.isinf(each).any() for each in made.values())


@pytest.mark.req("FEAT-05")
def test_a_feature_without_its_input_names_the_column_and_who_has_it() -> None:
    closes = panel(columns=("close",))
    _, absent = resolve("a100", closes)
    assert absent["beta_20"].startswith("needs index; the panel has close")
    message = (
        r"needs vix; the panel has close; join a source that has the column \(vix: bundled with dataset vix, or csv\)"
    )
    with pytest.raises(InputError, match=message):
        build(closes, ["vix_close", "vix_sma_10"])
    with pytest.raises(InputError, match=r"\(index: the close of an index, .* joined with columns: \{close: index\}\)"):
        build(closes, ["beta_20"])
