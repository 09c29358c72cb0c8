"""Label integrity: cardinality, gaps, stale quantile caches, and the labels themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from karat.core import NS_PER_DAY, DataError, InputError
from karat.data._integrity import check_database
from karat.data._sqlite_labels import check_labels
from karat.data._sqlite_regimes import FIRST_FIT, REFIT, label_of, series_hash, volatility_regimes

Make = Callable[..., Path]
LAST = "(SELECT max(fit_end_ts) FROM regime_quantiles)"

FAULTS = [
    ("UPDATE series SET close = close * 1.0001 WHERE instrument = 'SYN000.SYNTH' AND ts = (SELECT min(ts) FROM series)"
     " AND close * 1.0001 < high", "quantile cache matches its series"),
    ("UPDATE regime_quantiles SET n_rows = n_rows - 1 WHERE instrument = 'SYN000.SYNTH'",
     "quantile cache matches its series"),
    (f"UPDATE regime_quantiles SET valid_until_ts = fit_end_ts + 1 WHERE fit_end_ts = {LAST}",
     "label has a valid quantile cache"),
    ("DELETE FROM regime_quantiles WHERE instrument = 'SYN000.SYNTH'", "quantile cache is present"),
    ("DELETE FROM regimes WHERE instrument = 'SYN000.SYNTH' AND ts = (SELECT max(ts) FROM regimes)",
     "a label for every bar"),
    ("UPDATE regimes SET label = 1 - label WHERE label < 2 AND ts = (SELECT max(ts) FROM regimes)",
     "label agrees with the cached bands"),
]  # fmt: skip


@pytest.mark.req("QUAL-05", "REG-02")
@pytest.mark.parametrize(("statement", "rule"), FAULTS)
def test_a_planted_label_fault_is_a_named_error(statement: str, rule: str, broken: Make):
    path = broken(statement)
    assert [item.rule for item in check_database(path, strict=False).findings] == [rule]
    with pytest.raises(DataError, match=f"rule '{rule}' is broken at SYN000.SYNTH/1d/volatility/") as caught:
        check_database(path, strict=True)
    assert str(caught.value).endswith("rebuild the regimes and their quantile cache from the present series")


@pytest.mark.req("QUAL-05")
def test_a_label_that_never_occurs_breaks_cardinality(broken: Make):
    found = check_database(broken("UPDATE regimes SET label = 1 WHERE label = 2"), strict=False).findings
    assert [item.rule for item in found] == ["label agrees with the cached bands", "regime label cardinality"]
    assert found[1].rows == ("1d/volatility/label 2",)
    assert found[1].remedy == "use fewer bands or a longer history, then rebuild the regimes"


@pytest.mark.req("QUAL-05")
def test_a_part_of_the_instruments_cannot_tell_cardinality(frames: dict[str, pl.DataFrame]):
    calm = frames["regimes"].filter(pl.col("label") < 2)
    found = [item.rule for item in check_labels(frames["series"], calm, frames["regime_quantiles"], partial=True)]
    assert found == ["a label for every bar"]


@pytest.mark.req("QUAL-05")
def test_edges_that_do_not_rise_are_refused(frames: dict[str, pl.DataFrame]):
    swapped = frames["regime_quantiles"].with_columns(quantile=1 - pl.col("quantile"))
    found = check_labels(frames["series"], frames["regimes"], swapped)
    assert "edges rise with quantiles" in [item.rule for item in found]


@pytest.mark.req("REG-02")
def test_the_fixture_is_clean(frames: dict[str, pl.DataFrame]):
    assert check_labels(frames["series"], frames["regimes"], frames["regime_quantiles"]) == ()


def walk(n: int, seed: int = 3) -> pl.DataFrame:
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).standard_normal(n) * 0.01))
    ts = np.arange(1, n + 1) * NS_PER_DAY
    return pl.DataFrame({"instrument": "A.X", "frequency": "1d", "ts": ts, "known_at": ts, "close": close})


def test_labels_and_edges_equal_a_plain_calculation():
    series = walk(800)
    labels, cache = volatility_regimes(series, quantiles=(0.25, 0.5, 0.75))
    close = series["close"].to_list()
    returns = [np.log(close[t] / close[t - 1]) for t in range(1, len(close))]
    measure = {t: float(np.std(returns[t - 20 : t], ddof=1)) for t in range(20, len(close))}
    for t in (FIRST_FIT, FIRST_FIT + REFIT - 1, FIRST_FIT + REFIT, 799):
        end = FIRST_FIT - 1 if t < FIRST_FIT + REFIT else FIRST_FIT - 1 + REFIT
        edges = np.quantile([measure[k] for k in range(20, end + 1)], [0.25, 0.5, 0.75])
        row = labels.row(t - FIRST_FIT, named=True)
        assert row["ts"] == (t + 1) * NS_PER_DAY
        assert row["measure"] == pytest.approx(measure[t], rel=1e-12)
        assert row["label"] == sum(edge < measure[t] for edge in edges)
        fit = cache.filter(pl.col("fit_end_ts") == (end + 1) * NS_PER_DAY)
        assert fit["edge"].to_list() == pytest.approx(edges.tolist(), rel=1e-12)
        assert fit["n_rows"].unique().to_list() == [end + 1]
    assert len(labels) == 800 - FIRST_FIT


@pytest.mark.req("QUAL-05")
def test_labels_do_not_read_the_future():
    series = walk(1100)
    labels, cache = volatility_regimes(series)
    for cut in (FIRST_FIT + 1, 700, 756, 757, 1000):
        early, fits = volatility_regimes(series.head(cut))
        assert early.equals(labels.head(cut - FIRST_FIT))
        same = cache.filter(pl.col("fit_end_ts").is_in(fits["fit_end_ts"].unique().to_list()))
        assert fits.drop("valid_until_ts").equals(same.drop("valid_until_ts"))


def test_short_series_have_no_labels():
    labels, cache = volatility_regimes(walk(FIRST_FIT))
    assert (len(labels), len(cache)) == (0, 0)


@pytest.mark.parametrize("bad", [(), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5), (0.9, 0.5)])
def test_bad_quantiles_are_refused(bad: tuple[float, ...]):
    with pytest.raises(InputError, match=r"quantiles: got .*; allowed: strictly ascending numbers between 0 and 1"):
        volatility_regimes(walk(10), quantiles=bad)


def test_a_measure_on_an_edge_belongs_below():
    edges = np.array([[1.0, 2.0]] * 4)
    assert label_of(np.array([0.5, 1.0, 1.5, 3.0]), edges).tolist() == [0, 0, 1, 2]


def test_the_hash_depends_on_times_and_closes():
    ts, close = np.array([1, 2]), np.array([1.0, 2.0])
    assert series_hash(ts, close) == series_hash(ts.copy(), close.copy())
    assert series_hash(ts + 1, close) != series_hash(ts, close) != series_hash(ts, close * 2)
