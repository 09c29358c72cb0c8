"""Values: against plain oracles, the reference vectors, pandas and hand calculation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import talib
from features_factory import GOLDEN, PROVENANCE, bars, by_hand, oracle, panel
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import NS_PER_DAY
from karat.data import Panel
from karat.features import FEATURES, TIERS, VIX_REGIME_EDGES, build

ORACLES = oracle("oracle_features").ORACLES


def column(made_of: Panel, name: str) -> np.ndarray:
    return build(made_of, [name]).frame[name].to_numpy()


def series(name: str, **columns: list[float]) -> np.ndarray:
    """Compute one feature of short hand-made columns."""
    return column(by_hand(**columns), name)


@pytest.fixture(scope="module")
def golden() -> Panel:
    frame = pl.read_csv(GOLDEN / "ohlcv_daily.csv").with_columns(ts=(pl.col("t") + 1) * NS_PER_DAY)
    frame = frame.select(
        "ts", pl.col("ts").alias("known_at"), pl.lit("A.XNYS").alias("instrument"), pl.col("open", "high", "low"),
        pl.col("close"), pl.col("volume").cast(pl.Float64),
    )  # fmt: skip
    return Panel(frame, "XNYS", PROVENANCE)


@pytest.mark.req("FEAT-01")
@pytest.mark.parametrize("name", TIERS["a20"])
def test_indicator_equals_its_plain_oracle(name: str) -> None:
    made_of = panel(180)
    lists = {key: made_of.frame[key].to_list() for key in ("open", "high", "low", "close", "volume")}
    np.testing.assert_allclose(column(made_of, name), ORACLES[name](lists), rtol=1e-8, atol=1e-11)


@pytest.mark.req("FEAT-01")
@pytest.mark.parametrize(
    ("name", "reference"), [("rsi_14", "RSI14"), ("adx_14", "ADX14"), ("cci_20", "CCI20"), ("stoch_d_14", "STOCH_d")]
)
def test_indicator_equals_the_reference_vector(golden: Panel, name: str, reference: str) -> None:
    wanted = pl.read_csv(GOLDEN / "talib_indicators.csv")[reference].cast(pl.Float64).fill_null(np.nan).to_numpy()
    np.testing.assert_allclose(column(golden, name), wanted, rtol=0, atol=2e-7)


@pytest.mark.req("FEAT-01")
def test_derived_indicators_equal_those_of_the_reference_vectors(golden: Panel) -> None:
    wanted = pl.read_csv(GOLDEN / "talib_indicators.csv").cast(pl.Float64).fill_null(np.nan)
    upper, lower = wanted["BB_up"].to_numpy(), wanted["BB_lo"].to_numpy()
    close, volume = golden.frame["close"].to_numpy(), golden.frame["volume"].to_numpy()
    position = (close - lower) / (upper - lower)
    np.testing.assert_allclose(column(golden, "bollinger_b"), position, atol=1e-7)
    np.testing.assert_allclose(column(golden, "bollinger_width"), (upper - lower) / ((upper + lower) / 2), atol=1e-7)
    balance = wanted["OBV"].to_numpy()
    slope = [np.nan] * 20 + [(balance[t] - balance[t - 20]) / volume[t - 19 : t + 1].sum() for t in range(20, 260)]
    np.testing.assert_allclose(column(golden, "obv_slope_20"), slope, atol=1e-7)
    line = talib.MACD(close, 12, 26, 9)[0]
    signal = wanted["MACD_signal"].to_numpy()
    np.testing.assert_allclose(column(golden, "macd_hist") * close, line - signal, atol=1e-7)


@pytest.mark.req("FEAT-01", "FEAT-02", "FEAT-03")
def test_the_warm_up_is_exactly_the_stated_lookback() -> None:
    made = build(panel(700), list(FEATURES))
    missing = made.frame.select(made.names).to_numpy() != made.frame.select(made.names).to_numpy()
    wrong = [
        name
        for k, name in enumerate(made.names)
        if not missing[: FEATURES[name].warm_up, k].all() or missing[FEATURES[name].warm_up :, k].any()
    ]
    assert wrong == []


@pytest.mark.req("FEAT-01")
def test_the_tier_loses_as_many_rows_as_its_longest_warm_up() -> None:
    made = build(panel(200), "a20")
    complete = ~np.isnan(made.frame.select(made.names).to_numpy()).any(axis=1)
    assert complete.sum() == 200 - 49
    assert max(FEATURES[name].warm_up for name in TIERS["a20"]) == FEATURES["sma_ratio_50"].warm_up == 49


def test_a_windowed_feature_reads_no_more_than_its_lookback() -> None:
    whole = panel(700)
    windowed = [name for name, spec in FEATURES.items() if not spec.recursive]
    full = build(whole, windowed).frame
    for back in sorted({FEATURES[name].warm_up for name in windowed}):
        names = [name for name in windowed if FEATURES[name].warm_up == back]
        short = build(Panel(whole.frame[650 - back :], "XNYS", PROVENANCE), names).frame
        for name in names:
            wanted = full[name].to_numpy()
            size = np.nanmax(np.abs(wanted)) or 1.0
            gap = np.abs(short[name].to_numpy()[back:] - wanted[650:]).max() / size
            assert gap < 1e-9, name


def test_a_recursive_feature_forgets_its_seed() -> None:
    whole = panel(6000)
    names = [name for name, spec in FEATURES.items() if spec.recursive and name != "talib_obv"]
    full, late = build(whole, names).frame, build(Panel(whole.frame[1:], "XNYS", PROVENANCE), names).frame
    for name in names:
        wanted = full[name].to_numpy()[1:]
        gap = np.abs(late[name].to_numpy() - wanted) / np.nanstd(wanted)
        assert gap[FEATURES[name].warm_up] < 3.0, name
        assert gap[-1] < 1e-9, name


@pytest.mark.parametrize("name", [name for name in TIERS["a20"] if name != "volume_z_20"])
@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_indicators_are_free_of_scale(name: str, factor: float) -> None:
    made_of = panel(150)
    prices = pl.col("open", "high", "low", "close") * factor
    scaled = Panel(made_of.frame.with_columns(prices, pl.col("volume") / factor), "XNYS", PROVENANCE)
    np.testing.assert_allclose(column(scaled, name), column(made_of, name), rtol=1e-5, atol=1e-8)


def test_money_flow_of_small_lots_is_not_taken_for_none() -> None:
    made_of = panel(100)
    tiny = Panel(made_of.frame.with_columns(pl.col("volume") * 1e-12), "XNYS", PROVENANCE)
    np.testing.assert_allclose(column(tiny, "mfi_14"), column(made_of, "mfi_14"), rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "neutral"),
    [("close_location", 0.0), ("bollinger_b", 0.5), ("bollinger_width", 0.0), ("volume_z_20", 0.0), ("rsi_14", 0.0),
     ("stoch_d_14", 0.0), ("cci_20", 0.0), ("obv_slope_20", 0.0), ("realised_vol_20", 0.0), ("natr_14", 0.0)],
)  # fmt: skip
def test_a_flat_market_gives_the_neutral_value(name: str, neutral: float) -> None:
    flat = [50.0] * 60
    got = series(name, open=flat, high=flat, low=flat, close=flat, volume=[1e6] * 60)
    np.testing.assert_allclose(got[FEATURES[name].warm_up :], neutral, atol=1e-9)


@pytest.mark.parametrize("w", [7, 14, 28, 60])
def test_strength_of_a_flat_market_is_talibs_and_stated(w: int) -> None:
    close = [50.0] * 150 + [51.0, 50.0] * 20 + [50.0] * 100
    np.testing.assert_allclose(series(f"rsi_{w}", close=close), talib.RSI(np.array(close), w), rtol=0, atol=1e-9)
    assert series(f"rsi_{w}", close=close)[149] == 0.0
    assert FEATURES[f"rsi_{w}"].formula.endswith("0 before the first move")


def test_zero_volume_in_a_window_gives_the_neutral_value() -> None:
    frame = bars(100).with_columns(pl.when(pl.int_range(pl.len()) < 50).then(0.0).otherwise("volume").alias("volume"))
    made_of = Panel(frame, "XNYS", PROVENANCE)
    assert (column(made_of, "obv_slope_20")[20:50] == 0).all()
    assert (column(made_of, "mfi_14")[14:50] == 0).all()
    assert (column(made_of, "volume_z_20")[19:50] == 0).all()


def test_returns_and_gap_by_hand() -> None:
    close = [100.0, 110.0, 99.0]
    np.testing.assert_allclose(series("ret_1", close=close), [np.nan, 0.1, -0.1])
    np.testing.assert_allclose(series("gap", open=[90.0, 105.0, 121.0], close=close), [np.nan, 0.05, 0.1])
    got = series("close_location", high=[4.0, 4.0, 4.0], low=[2.0, 2.0, 2.0], close=[4.0, 3.0, 2.5])
    np.testing.assert_allclose(got, [1.0, 0.0, -0.5])


@pytest.mark.req("FEAT-02")
def test_vix_features_by_hand() -> None:
    vix = [10.0 + k for k in range(22)]
    assert series("vix_close", vix=vix).tolist() == vix
    np.testing.assert_allclose(series("vix_sma_10", vix=vix)[9:11], [14.5, 15.5])
    np.testing.assert_allclose(series("vix_sma_20", vix=vix)[19:], [19.5, 20.5, 21.5])
    # 1..20 has sample variance 35; the last is 9.5 above the mean.
    np.testing.assert_allclose(series("vix_zscore_20d", vix=vix)[19:], 9.5 / np.sqrt(35))
    np.testing.assert_allclose(series("vix_change_1d", vix=[20.0, 22.0, 11.0]), [np.nan, 0.1, -0.5])
    np.testing.assert_allclose(series("vix_change_5d", vix=[20.0, 0.1, 9.0, 9.0, 9.0, 30.0])[5], 0.5)


@pytest.mark.req("FEAT-02")
def test_vix_percentile_by_hand() -> None:
    rising = [float(k) for k in range(1, 61)]
    assert series("vix_percentile_60d", vix=rising)[59] == 1.0
    assert series("vix_percentile_60d", vix=rising[::-1])[59] == pytest.approx(1 / 60)
    assert series("vix_percentile_60d", vix=[15.0] * 60)[59] == pytest.approx(30.5 / 60)


@pytest.mark.req("FEAT-02", "QUAL-08")
def test_vix_regimes_by_hand() -> None:
    assert VIX_REGIME_EDGES == (15.0, 20.0, 30.0)
    got = series("vix_regime", vix=[9.0, 14.99, 15.0, 19.99, 20.0, 29.99, 30.0, 82.0])
    assert got.tolist() == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]


@pytest.mark.req("FEAT-02")
def test_vix_features_equal_pandas_rolling() -> None:
    made_of = panel(300)
    vix = pd.Series(made_of.frame["vix"].to_numpy())
    rolled = vix.rolling(20)
    wanted = {
        "vix_sma_10": vix.rolling(10).mean(),
        "vix_sma_20": rolled.mean(),
        "vix_percentile_60d": vix.rolling(60).rank(pct=True),
        "vix_zscore_20d": (vix - rolled.mean()) / rolled.std(),
        "vix_change_1d": vix.pct_change(1),
        "vix_change_5d": vix.pct_change(5),
    }
    for name, values in wanted.items():
        np.testing.assert_allclose(column(made_of, name), values.to_numpy(), rtol=1e-9, atol=1e-9, err_msg=name)


def test_signal_passes_through() -> None:
    assert column(panel(), "signal").tolist() == panel().frame["signal"].to_list()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.01, 1e6), min_size=60, max_size=80), st.sampled_from(TIERS["a20"]))
def test_bounded_indicators_stay_in_their_bounds(prices: list[float], name: str) -> None:
    bounds = {"0 to 100": (0, 100), "-1 to 1": (-1, 1)}.get(FEATURES[name].unit, (-np.inf, np.inf))
    close = np.array(prices)
    opens = np.roll(close, 1)
    columns = {
        "open": opens,
        "high": np.maximum(opens, close),
        "low": np.minimum(opens, close),
        "close": close,
        "volume": close[::-1],
    }
    got = series(name, **{key: list(values) for key, values in columns.items()})[FEATURES[name].warm_up :]
    assert np.isfinite(got).all()
    assert (got >= bounds[0] - 1e-6).all()
    assert (got <= bounds[1] + 1e-6).all()
