"""Calibration finds the parameters that made the data, states the source, and refuses what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from karat.core import DataError, InputError
from karat.market import Assumptions, calibrate

TRUE = {"mu": 2.5, "sigma": 0.6, "fills": 2.2, "a": 3.0, "b": 4.0, "y": 0.7}


def latency_table(n: int = 4_000) -> pl.DataFrame:
    rng = np.random.Generator(np.random.Philox(1))
    return pl.DataFrame({"latency_ns": np.exp(rng.normal(2.5, 0.6, n)) * 1e6})


def trades_table(n: int = 3_000) -> pl.DataFrame:
    rng = np.random.Generator(np.random.Philox(2))
    rows: list[tuple[object, ...]] = []
    for order in range(n):
        side = int(rng.choice([-1, 1]))
        ordered, left = 1_000_000, 1_000_000
        volume, sigma, count = float(rng.uniform(5e6, 2e7)), float(rng.uniform(0.01, 0.03)), rng.poisson(2.2)
        pieces = []
        for _ in range(count):
            pieces.append(round(left * rng.beta(3, 4)))
            left -= pieces[-1]
        filled = sum(pieces)
        price = 100 * (1 + side * (0.7 * sigma * (filled / volume) ** 0.5 + rng.normal(0, 0.002)))
        rows += [(order, side, ordered, qty, price, 100.0, volume, sigma) for qty in pieces or [0]]
    columns = ["order", "side", "ordered_qty", "qty", "price", "arrival_price", "volume", "sigma_frac"]
    return pl.DataFrame(rows, schema=columns, orient="row")


@pytest.fixture(scope="module")
def trades() -> pl.DataFrame:
    return trades_table()


@pytest.fixture(scope="module")
def fitted(trades: pl.DataFrame) -> Assumptions:
    return calibrate(trades, latency_table(), source="synthetic venue")


@pytest.mark.req("SIM-10")
@pytest.mark.parametrize("name", TRUE)
def test_parameters_are_recovered_within_four_standard_errors(fitted: Assumptions, name: str) -> None:
    found = fitted.estimates[name]
    assert abs(found.value - TRUE[name]) < 4 * found.error
    assert found.error < 0.1 * TRUE[name]


@pytest.mark.req("SIM-10")
def test_the_models_hold_the_estimates_and_the_source_is_stated(fitted: Assumptions) -> None:
    assert fitted.source == "synthetic venue"
    assert (fitted.latency.mu, fitted.latency.sigma) == (fitted.estimates["mu"].value, fitted.estimates["sigma"].value)
    assert fitted.partial.mean == fitted.estimates["fills"].value
    assert (fitted.partial.a, fitted.partial.b) == (fitted.estimates["a"].value, fitted.estimates["b"].value)
    assert fitted.impact.y == fitted.estimates["y"].value
    assert fitted.estimates["mu"].n == 4_000
    assert fitted.estimates["fills"].n == 3_000
    assert Assumptions.model_validate_json(fitted.model_dump_json()) == fitted


@pytest.mark.req("SIM-10")
def test_standard_errors_shrink_with_the_root_of_the_rows(fitted: Assumptions, trades: pl.DataFrame) -> None:
    few = calibrate(trades.filter(pl.col("order") < 750), latency_table(1_000), source="a quarter")
    for name in TRUE:
        assert few.estimates[name].error == pytest.approx(2 * fitted.estimates[name].error, rel=0.25)


def test_files_are_read_and_named(tmp_path: Path, trades: pl.DataFrame, fitted: Assumptions) -> None:
    trades.write_parquet(tmp_path / "fills.parquet")
    latency_table().write_csv(tmp_path / "delays.csv")
    found = calibrate(tmp_path / "fills.parquet", tmp_path / "delays.csv")
    assert found.source == "fills.parquet, delays.csv"
    assert found.estimates["y"] == fitted.estimates["y"]
    assert found.latency.mu == pytest.approx(fitted.latency.mu, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit(None, dtype=pl.Float64).alias("qty"), "no value is missing or infinite"),
        (pl.lit(float("nan")).alias("price"), "no value is missing or infinite"),
        (pl.lit(0).alias("side"), "side is 1 or -1"),
        (pl.lit(-1).alias("qty"), "qty >= 0 and ordered_qty > 0"),
        (pl.lit(0.0).alias("price"), "prices are above 0"),
        (pl.lit(0.0).alias("volume"), "volume and sigma_frac are above 0"),
        (pl.col("ordered_qty") // 1000, "the fills of an order do not exceed it"),
        (pl.lit(0).alias("qty"), "some order is filled"),
        (pl.lit("1").alias("side"), "got {'side': 'String'}; rule 'columns of numbers hold numbers'"),
        (-pl.col("side"), "impact is 0 or more"),
        (pl.col("order") % 10, "the fills of an order do not exceed it"),
    ],
)
def test_impossible_trades_stop_with_the_rule(trades: pl.DataFrame, change: pl.Expr, message: str) -> None:
    with pytest.raises(DataError) as caught:
        calibrate(trades.with_columns(change), latency_table(100), source="planted fault")
    assert message in str(caught.value)


def test_one_bad_row_is_named(trades: pl.DataFrame) -> None:
    planted = trades.with_columns(pl.when(pl.int_range(pl.len()) == 17).then(0).otherwise(pl.col("side")).alias("side"))
    with pytest.raises(DataError) as caught:
        calibrate(planted, latency_table(100), source="planted fault")
    assert caught.value.rows == ["17"]
    assert caught.value.value == f"'1 of {len(planted)} rows'"


def test_too_little_data_and_what_is_missing(trades: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="30 or more rows"):
        calibrate(trades, latency_table(29), source="short")
    with pytest.raises(DataError, match="30 or more orders"):
        calibrate(trades.filter(pl.col("order") < 29), latency_table(100), source="short")
    with pytest.raises(DataError, match=r"got \['order', .*'\]; rule 'every column is there' is broken at volume"):
        calibrate(trades.drop("volume"), latency_table(100), source="short")
    with pytest.raises(DataError, match="latency_ns is above 0"):
        calibrate(trades, latency_table(100).select(-pl.col("latency_ns")), source="clock")
    with pytest.raises(DataError, match="fill ratios differ"):
        calibrate(constant_ratios(), latency_table(100), source="one value")
    with pytest.raises(InputError, match="a sentence that says where the data come from"):
        calibrate(trades, latency_table(100))
    with pytest.raises(InputError, match="there is no such file"):
        calibrate(tmp_path / "none.csv", tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"allowed: \.csv, \.parquet"):
        calibrate(trades, tmp_path / "none.xlsx", source="kind")
    broken = tmp_path / "broken.parquet"
    broken.write_text("no parquet")
    with pytest.raises(
        DataError,
        match=r"got 'parquet: File out of specification.*'; rule 'a readable \.parquet file' .*; write the file again",
    ):
        calibrate(trades, broken, source="broken")


def constant_ratios() -> pl.DataFrame:
    return trades_table(40).with_columns(pl.int_range(pl.len()).alias("order"), pl.lit(500_000).alias("qty"))
