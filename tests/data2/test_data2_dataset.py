"""The combined dataset: 34 columns in order, honest joins, strict and lenient, numeric inputs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from karat.core import NS_PER_DAY, NS_PER_SECOND, DataError, InputError
from karat.data import KEYS, OHLCV, Panel, Provenance, load
from karat.features import TIERS, VIX_REGIME_EDGES
from karat.features._dataset import VIX_REGIME_CODES, build_dataset, dataset_columns, model_inputs

N = 420
VIX_KNOWN = 15 * 60 * NS_PER_SECOND


@pytest.fixture(scope="module")
def prices() -> Panel:
    panel = load("synthetic", n_days=N, seed=5)
    return Panel(panel.frame.drop("signal"), panel.calendar, panel.provenance)


def index_of(prices: Panel, rows: slice = slice(None), name: str = "vix", lag: int = VIX_KNOWN) -> Panel:
    ts = prices.frame["ts"][rows]
    level = 20 + 8 * np.sin(np.arange(N) / 9.0) + np.random.default_rng(0).standard_normal(N)
    frame = pl.DataFrame({"ts": ts, "known_at": ts + lag, "instrument": ["VIX.INDEX"] * len(ts)})
    frame = frame.with_columns(pl.Series(name, level[rows]))
    return Panel(frame, "XNYS", Provenance("test", "index", "none needed"))


@pytest.mark.req("DATA-08")
def test_exactly_34_columns_in_the_stated_order(prices: Panel):
    dataset = build_dataset(prices, index_of(prices))
    assert len(dataset.frame.columns) == 34
    assert dataset.frame.columns[:6] == ["Date", "open", "high", "low", "close", "volume"]
    assert dataset.frame.columns[6:26] == list(TIERS["a20"])
    assert [name.removeprefix("vix_") for name in dataset.frame.columns[26:]] == [
        "close", "sma_10", "sma_20", "percentile_60d", "zscore_20d", "regime", "change_1d", "change_5d",
    ]  # fmt: skip
    assert tuple(dataset.frame.columns) == dataset_columns(include_vix=True)
    assert dataset.frame.schema["Date"] == pl.Date
    assert dataset.frame.null_count().sum_horizontal().item() == 0
    assert dataset.provenance.source == "synthetic + test"


@pytest.mark.req("DATA-08")
def test_without_an_index_there_are_26(prices: Panel):
    dataset = build_dataset(prices)
    assert tuple(dataset.frame.columns) == dataset_columns(include_vix=False)
    assert len(dataset.frame.columns) == 26
    assert dataset.frame.columns[-1] == TIERS["a20"][-1]
    assert set(dataset.dropped) == {"warm-up"}
    assert len(dataset.frame) == N - dataset.dropped["warm-up"]


@pytest.mark.req("DATA-08")
def test_the_join_drops_only_rows_outside_the_overlap(prices: Panel):
    warm = build_dataset(prices).dropped["warm-up"]
    whole = build_dataset(prices, index_of(prices))
    # Features of the index have their first value at its row 59, known after that session's close: bar 60 is the first.
    first = max(warm, 60)
    assert whole.dropped == {"warm-up": warm, "outside overlap": first - warm}
    assert whole.frame["close"].to_list() == prices.frame["close"][first:].to_list()
    part = build_dataset(prices, index_of(prices, slice(100, 300)))
    assert part.frame["close"].to_list() == prices.frame["close"][160:300].to_list()
    assert part.dropped == {"warm-up": warm, "outside overlap": N - warm - 140}
    assert part.frame["Date"][0].isoformat() == build_dataset(prices).frame["Date"][160 - warm].isoformat()


@pytest.mark.req("DATA-08")
def test_an_index_published_after_the_close_is_the_previous_sessions(prices: Panel):
    index = index_of(prices)
    late = build_dataset(prices, index).frame
    assert late["vix_close"].to_list() == index.frame["vix"][N - len(late) - 1 : N - 1].to_list()
    prompt = build_dataset(prices, index_of(prices, lag=0)).frame
    assert prompt["vix_close"].to_list() == index.frame["vix"][N - len(prompt) :].to_list()


@pytest.mark.req("DATA-08")
def test_later_rows_never_change_earlier_ones(prices: Panel):
    whole = build_dataset(prices, index_of(prices))
    for cut in (200, 333):
        early = Panel(prices.frame.head(cut), prices.calendar, prices.provenance)
        frame = build_dataset(early, index_of(prices, slice(0, cut))).frame
        assert frame.equals(whole.frame.head(len(frame)))
    poisoned = index_of(prices).frame.with_columns(
        pl.when(pl.int_range(pl.len()) > 300).then(99.0).otherwise("vix").alias("vix")
    )
    changed = build_dataset(prices, Panel(poisoned, "XNYS", Provenance("test", "index", "none needed")))
    known = int(prices.frame["known_at"][301])
    same = (whole.known_at <= known).sum()
    assert changed.frame.head(same).equals(whole.frame.head(same))
    assert not changed.frame.equals(whole.frame)


def test_an_index_with_a_close_column_is_the_same(prices: Panel):
    assert build_dataset(prices, index_of(prices, name="close")).frame.equals(
        build_dataset(prices, index_of(prices)).frame
    )


def test_the_regime_column_matches_its_edges(prices: Panel):
    frame = build_dataset(prices, index_of(prices)).frame
    expected = np.searchsorted(VIX_REGIME_EDGES, frame["vix_close"].to_numpy(), side="right")
    assert frame["vix_regime"].to_list() == expected.tolist()
    assert len(VIX_REGIME_CODES) == len(VIX_REGIME_EDGES) + 1


def with_hole(prices: Panel, row: int = 200) -> Panel:
    hole = pl.when(pl.int_range(pl.len()) == row).then(float("nan")).otherwise("close").alias("close")
    return Panel(prices.frame.with_columns(hole), prices.calendar, prices.provenance)


@pytest.mark.req("DATA-22", "QUAL-04")
def test_strict_stops_at_a_hole_and_lenient_leaves_it_out(prices: Panel):
    bad = with_hole(prices)
    with pytest.raises(DataError, match=r"rule 'no price is missing' is broken at SYN000.SYNTH"):
        build_dataset(bad, index_of(prices), strict_validation=True)
    dataset = build_dataset(bad, index_of(prices), strict_validation=False)
    assert "no price is missing" in [item.rule for item in dataset.findings]
    assert dataset.dropped["not finite"] == 1
    assert len(dataset.frame) == len(build_dataset(prices, index_of(prices)).frame) - 1
    assert dataset.frame.select(pl.exclude("Date").is_finite().all()).row(0) == (True,) * 33


@pytest.mark.req("DATA-22")
def test_strict_stops_at_a_feature_that_is_not_finite(prices: Panel, monkeypatch: pytest.MonkeyPatch):
    from karat.features import _dataset

    monkeypatch.setattr(_dataset, "check_quality", lambda panel, *, strict: type("Report", (), {"findings": ()}))
    with pytest.raises(
        DataError,
        match=r"dataset: got \{'.*': nan.*; rule 'every value is finite' is broken at 20.*build leniently",
    ):
        build_dataset(with_hole(prices))


def test_refusals(prices: Panel):
    two = load("synthetic", n_days=N, n_instruments=2)
    with pytest.raises(
        InputError, match=r"prices: got .*allowed: a panel of one instrument; build one dataset for each"
    ):
        build_dataset(two)
    closes = Panel(prices.frame.select(*KEYS, "close"), prices.calendar, prices.provenance)
    with pytest.raises(InputError, match=r"prices: .*gap: .*use bars with open, high, low"):
        build_dataset(closes)
    with pytest.raises(InputError, match=r"vix: .*allowed: a column 'vix' or 'close'"):
        build_dataset(prices, index_of(prices, name="level"))
    short = Panel(prices.frame.head(30), prices.calendar, prices.provenance)
    with pytest.raises(DataError, match="rule 'longer than the warm-up' is broken; load a longer history"):
        build_dataset(short)


@pytest.mark.req("QUAL-07", "DATA-08")
def test_disjoint_ranges_state_both(prices: Panel):
    index = index_of(prices).frame.with_columns(pl.col("ts", "known_at") + 3640 * NS_PER_DAY)
    far = Panel(index, "none", Provenance("test", "index", "none needed"))
    with pytest.raises(DataError, match=r"date ranges overlap.*synthetic: 2005-.* to 2006-.*test: 201.-.* to 201"):
        build_dataset(prices, far)


@pytest.mark.req("FEAT-04")
def test_the_base_set_has_25_inputs(prices: Panel):
    frame = build_dataset(prices, index_of(prices)).frame
    values, names, left_out = model_inputs(frame, "base25")
    assert len(names) == 25
    assert set(names) == {*TIERS["a20"], *OHLCV}
    assert values.shape == (len(frame), 25)
    assert left_out == ("Date",)
    with pytest.raises(InputError, match="base25 lacks 1 of its 25 inputs: rsi_14; build the dataset again"):
        model_inputs(frame.drop("rsi_14"), "base25")
    with pytest.raises(InputError, match=r"tier: got 'base26'; allowed: .*did you mean 'base25'"):
        model_inputs(frame, "base26")


@pytest.mark.req("QUAL-08")
def test_inputs_are_float64_and_text_is_left_out(prices: Panel):
    frame = build_dataset(prices, index_of(prices)).frame.with_columns(sector=pl.lit("tech"), halted=pl.lit(True))
    values, names, left_out = model_inputs(frame)
    assert values.dtype == np.float64
    assert values.flags.c_contiguous
    assert left_out == ("Date", "sector")
    assert names == (*dataset_columns(include_vix=True)[1:], "halted")
    assert np.isfinite(values).all()


@pytest.mark.req("QUAL-08")
def test_vix_regime_is_encoded_the_same_in_every_dataset(prices: Panel):
    numeric = build_dataset(prices, index_of(prices)).frame
    words = {code: text for text, code in VIX_REGIME_CODES.items()}
    text = numeric.with_columns(pl.col("vix_regime").cast(pl.Int64).replace_strict(words, return_dtype=pl.String))
    assert np.array_equal(model_inputs(text)[0], model_inputs(numeric)[0])
    reversed_ = model_inputs(text.reverse())[0][::-1]
    assert np.array_equal(reversed_, model_inputs(numeric)[0])
    few = pl.DataFrame({"vix_regime": ["crisis", None]}).cast({"vix_regime": pl.Categorical})
    assert model_inputs(few)[0].ravel() == pytest.approx([3.0, np.nan], nan_ok=True)
    with pytest.raises(InputError, match=r"vix_regime: got 'crises'; allowed: calm, normal, .*did you mean 'crisis'"):
        model_inputs(pl.DataFrame({"vix_regime": ["crises"]}))


@pytest.mark.req("DATA-08")
def test_real_bars_with_the_real_index():
    dataset = build_dataset(load("bundled", dataset="nasdaq"), load("bundled", dataset="vix"))
    # The index starts on 2014-01-03; its 60th session is 2014-03-31, published at 16:15: first known on the next day.
    assert dataset.frame.shape == (1197, 34)
    assert dataset.frame["Date"][0].isoformat() == "2014-04-01"
    assert dataset.frame["Date"][-1].isoformat() == "2018-12-31"
    assert sum(dataset.dropped.values()) + 1197 == len(load("bundled", dataset="nasdaq").frame)
