"""Building: rows, instruments, missing values, lags, and the table a model reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, bars, panel

from karat.core import NS_PER_DAY, DataError, InputError
from karat.data import KEYS, Panel, blocks
from karat.features import FEATURES, FeatureSpec, build, numeric_only, table
from karat.features._graph import column
from karat.features._talib import talib

EVERYTHING = ["base25", "vix8", "signal"]


def custom(compute: object, *, lag: int = 0, lookback: int = 0) -> FeatureSpec:
    return FeatureSpec("mine", ("close",), lookback, "custom", "price", "test", "test", compute, lag=lag)  # type: ignore[arg-type]


def test_rows_keys_and_types_are_the_panels() -> None:
    made_of = panel(80, instruments=("A.XNYS", "B.XNYS"))
    made = build(made_of, EVERYTHING)
    assert made.frame.select(KEYS).equals(made_of.frame.select(KEYS))
    assert set(made.frame.select(made.names).dtypes) == {pl.Float64}
    assert not made.frame.null_count().sum_horizontal().item()


def test_instruments_never_mix() -> None:
    both = build(panel(120, instruments=("A.XNYS", "B.XNYS")), EVERYTHING).frame
    alone = build(Panel(bars(120, seed=2, instrument="B.XNYS"), "XNYS", PROVENANCE), EVERYTHING).frame
    assert both.filter(pl.col("instrument") == "B.XNYS").equals(alone)


def test_renaming_an_instrument_changes_no_value() -> None:
    made = build(panel(80), EVERYTHING)
    other = build(panel(80, instruments=("ZZ.XNYS",)), EVERYTHING)
    assert made.frame.drop("instrument").equals(other.frame.drop("instrument"))


@pytest.mark.parametrize("name", ["rsi_14", "ret_1", "vix_sma_10", "macd_hist"])
def test_a_row_without_an_input_is_skipped_and_poisons_nothing(name: str) -> None:
    frame = bars(150)
    source = FEATURES[name].inputs[0]
    hole = pl.when(pl.int_range(pl.len()).is_in([0, 1, 70])).then(None).otherwise(source).alias(source)
    made = build(Panel(frame.with_columns(hole), "XNYS", PROVENANCE), [name]).frame[name].to_numpy()
    dense = build(Panel(frame[[k for k in range(150) if k not in (0, 1, 70)]], "XNYS", PROVENANCE), [name]).frame[name]
    assert np.isnan(made[[0, 1, 70]]).all()
    np.testing.assert_array_equal(np.delete(made, [0, 1, 70]), dense.to_numpy())


def test_a_series_shorter_than_the_warm_up_has_no_value() -> None:
    made = build(panel(49), ["sma_ratio_50", "ret_1"]).frame
    assert made["sma_ratio_50"].is_nan().all()
    assert made["ret_1"].is_nan().sum() == 1


def test_a_value_that_is_not_finite_becomes_nan() -> None:
    frame = bars(5).with_columns(close=pl.Series([1.0, 0.0, 2.0, 3.0, 3.0]))
    got = build(Panel(frame, "XNYS", PROVENANCE), ["ret_1"]).frame["ret_1"].to_list()
    np.testing.assert_array_equal(got, [np.nan, -1.0, np.nan, 0.5, 0.0])


def test_a_value_asked_for_twice_or_read_by_another_is_the_same_everywhere() -> None:
    """An expression lies where the first feature of it is wanted; others of it, columns and TA-Lib's are copied."""
    close, high = column("close"), column("high")
    over = high / (close - 2.0)  # infinite where the close is 2
    asked = {"once": over, "again": over, "next": over * 0.5, "bare": close, "mean": talib("SMA", close, w=2)}
    plain = replace(custom(close), inputs=("high", "close"))
    specs = [replace(plain, name=name, compute=expression) for name, expression in asked.items()]
    frame = bars(4).with_columns(close=pl.Series([1.0, 2.0, 4.0, 3.0]), high=pl.Series([4.0, 4.0, 4.0, 5.0]))
    made = build(Panel(frame, "XNYS", PROVENANCE), specs).frame
    expected = {"once": [-4.0, np.nan, 2.0, 5.0], "next": [-2.0, np.nan, 1.0, 2.5], "bare": [1.0, 2.0, 4.0, 3.0]}
    for name, values in {**expected, "again": expected["once"], "mean": [np.nan, 1.5, 3.0, 3.5]}.items():
        np.testing.assert_array_equal(made[name], values, err_msg=name)


def test_a_lag_shifts_the_value_to_later_rows() -> None:
    made = build(panel(6), [custom(lambda columns: columns["close"], lag=2)]).frame["mine"].to_numpy()
    np.testing.assert_array_equal(made, [np.nan, np.nan, *panel(6).frame["close"].to_list()[:4]])


def test_a_compute_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"feature.mine: got \(1,\); allowed: an array of shape \(9,\)"):
        build(panel(9), [custom(lambda columns: columns["close"][:1])])


def test_known_at_running_back_is_refused() -> None:
    frame = bars(5).with_columns(known_at=pl.col("ts") + pl.Series([0, 9, 0, 0, 0]) * NS_PER_DAY)
    told = r"panel: got '\d+ after \d+'; rule 'known_at never runs back within an instrument' is broken at A.XNYS@2592"
    with pytest.raises(DataError, match=told):
        build(Panel(frame, "XNYS", PROVENANCE), ["ret_1"])


def test_no_rows_no_features() -> None:
    empty = panel(5).frame.clear()
    assert blocks(empty) == ()
    made_of = Panel(empty, "XNYS", PROVENANCE)
    made = build(made_of, ["ret_1"])
    assert made.frame.columns == [*KEYS, "ret_1"]
    assert len(table(made_of, made).ts) == 0


@pytest.mark.req("QUAL-08")
def test_training_inputs_are_numeric_and_regimes_are_numbers() -> None:
    made_of = panel(90)
    made = build(made_of, ["ret_1", "vix_regime"])
    wider = replace(made, frame=made.frame.with_columns(sector=pl.lit("tech"), open_today=pl.lit(True), rank=pl.lit(3)))
    rows = table(made_of, wider)
    assert rows.names == ("ret_1", "vix_regime", "open_today", "rank")
    assert rows.features.dtype == np.float64
    assert set(rows.features[:, 1]) <= {0.0, 1.0, 2.0, 3.0}
    kept, dropped = numeric_only(wider.frame)
    assert dropped == ("sector",)
    assert set(kept.dtypes) == {pl.Float64}


def test_the_table_has_returns_codes_and_features_row_by_row() -> None:
    made_of = panel(40, instruments=("A.XNYS", "B.XNYS"))
    rows = table(made_of, build(made_of, ["ret_1", "gap"]))
    assert rows.instruments == ("A.XNYS", "B.XNYS")
    assert rows.code.tolist() == [0] * 40 + [1] * 40
    assert rows.first.tolist() == [0] * 40 + [40] * 40
    np.testing.assert_array_equal(rows.returns, rows.features[:, 0])
    assert np.isnan(rows.returns[[0, 40]]).all()
    assert rows.ts.dtype == rows.known_at.dtype == rows.code.dtype == np.int64


def test_a_table_needs_a_close() -> None:
    made_of = panel(30, columns=("vix",))
    with pytest.raises(
        InputError, match=r"panel: got \['vix'\]; returns are computed from it; allowed: a column 'close'"
    ):
        table(made_of, build(made_of, ["vix_close"]))


def test_a_table_refuses_features_of_other_rows() -> None:
    message = (
        "features: got '31 rows beside 30 rows of the panel'; rule 'same ts, known_at and instrument as the panel' is "
        "broken; build the features from this panel"
    )
    with pytest.raises(DataError, match=message):
        table(panel(30), build(panel(31), ["ret_1"]))
