"""Bar by bar: every registered feature equals its batch, over long runs, restarts and holes; faults are planted."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from features_factory import PROVENANCE, bars, panel

from karat.core import DataError, InputError
from karat.data import Panel
from karat.features import FEATURES, TIERS, FeatureSpec, OnlineFeatures, build, check_online

Floats = np.ndarray


def planted(compute: object, *, lookback: int = 0, lag: int = 0, recursive: bool = False) -> FeatureSpec:
    return FeatureSpec("planted", ("close",), lookback, "custom", "price", "test", "test", compute, lag, recursive)  # type: ignore[arg-type]


@pytest.mark.req("FEAT-50")
@pytest.mark.parametrize("family", sorted({spec.category for spec in FEATURES.values()}))
def test_every_feature_bar_by_bar_is_its_batch(family: str) -> None:
    names = [name for name, spec in FEATURES.items() if spec.category == family]
    report = check_online(panel(560, instruments=("A.XNYS", "B.XNYS")), names)
    assert report.passed, report.evidence
    assert report.worst <= 1e-12
    assert (report.n_features, report.n_bars) == (len(names), 1120)


@pytest.mark.req("FEAT-50")
def test_after_five_thousand_bars_they_still_agree() -> None:
    report = check_online(panel(5200), list(FEATURES))
    assert report.passed, report.evidence
    assert report.worst <= 1e-12


@pytest.mark.req("FEAT-50")
def test_holes_in_any_column_are_passed_over_alike() -> None:
    frame = bars(500)
    for k, name in enumerate(("open", "volume", "vix", "index", "close")):
        hole = (pl.int_range(pl.len()) % 37 == k) | pl.int_range(pl.len()).is_in([0, 201 + k, 202 + k])
        frame = frame.with_columns(pl.when(hole).then(None).otherwise(name).alias(name))
    report = check_online(Panel(frame, "XNYS", PROVENANCE), ["a500", "alpha158", "vix8"])
    assert report.passed, report.evidence


def standing(price: float) -> pl.DataFrame:
    """A walk of 300 bars, then 900 at one price: without volume at first, with some later."""
    moves = pl.int_range(pl.len()) < 300
    still = [
        pl.when(moves).then(pl.col(name)).otherwise(price).alias(name) for name in ("open", "high", "low", "close")
    ]
    silent = pl.when(pl.int_range(pl.len()).is_between(300, 800)).then(0.0).otherwise("volume").alias("volume")
    return bars(1200).with_columns(*still, silent)


def ticks(size: float) -> pl.DataFrame:
    """A price of about 20 in ticks of a size, so that moves, ranges and volumes are often equal."""
    near = (pl.col("open", "high", "low", "close") / 100.0) ** 0.1 * 20.0
    whole = (near / size).round() * size
    return bars(1500).with_columns(whole, volume=(pl.col("volume") / 2e6).round() * 1e6)


ODD = {
    **{f"stands at {price}": standing(price) for price in (77.7, 10.1, 0.1, 50.0)},
    **{f"ticks of {size}": ticks(size) for size in (1.0, 0.1, 0.05)},
    "small prices": bars(700).with_columns(pl.col("open", "high", "low", "close") * 1e-9),
    "a split": bars(700).with_columns(
        pl.when(pl.int_range(pl.len()) < 350).then(name).otherwise(pl.col(name) / 1000.0).alias(name)
        for name in ("open", "high", "low", "close")
    ),
    "a wrong print": bars(700).with_columns(close=pl.when(pl.int_range(pl.len()) == 350).then(1.0).otherwise("close")),
}


@pytest.mark.req("FEAT-50")
@pytest.mark.parametrize("odd", ODD)
def test_where_prices_stand_still_tie_or_jump_bar_by_bar_is_the_batch(odd: str) -> None:
    report = check_online(Panel(ODD[odd], "XNYS", PROVENANCE), [name for name in FEATURES if name != "signal"])
    assert report.passed, report.evidence
    assert report.worst <= 1e-12


def test_a_negative_zero_stays_one_beside_a_row_that_is_not_finite() -> None:
    for first in (-0.0, np.inf):
        frame = bars(20).with_columns(signal=pl.Series([first, *[-0.0] * 19]))
        found = build(Panel(frame, "XNYS", PROVENANCE), ["signal"]).frame["signal"].to_numpy()
        assert np.signbit(found[1:]).all()


def test_a_function_of_ones_own_runs_over_its_window() -> None:
    def mean_of_five(columns: dict[str, Floats]) -> Floats:
        return np.convolve(columns["close"], np.full(5, 0.2))[: len(columns["close"])]

    def shortened(columns: dict[str, Floats]) -> Floats:
        made = mean_of_five(columns)
        made[:4] = np.nan
        return made

    assert check_online(panel(90), [planted(shortened, lookback=4), "ret_1"]).passed
    assert check_online(panel(90), [planted(shortened, lookback=4, lag=3), "a20"]).passed


def test_a_function_that_reads_further_back_than_it_says_is_caught() -> None:
    report = check_online(panel(90), ["ret_1", planted(lambda columns: np.cumsum(columns["close"]), lookback=3)])
    assert not report.passed
    assert report.offending == ("planted",)
    assert report.evidence[0].startswith("planted is ")
    assert "bar by bar" in report.evidence[0]


def test_a_batch_that_knows_more_than_the_bar_is_caught() -> None:
    report = check_online(panel(90), [planted(lambda columns: columns["close"] / columns["close"].mean())])
    assert report.offending == ("planted",)
    assert report.worst > 1e-12


def test_a_recursive_function_has_no_step() -> None:
    message = "features: got 'planted'; a Python function of its whole history has no step; write it as an expression"
    with pytest.raises(InputError, match=message):
        OnlineFeatures([planted(lambda columns: np.cumsum(columns["close"]), recursive=True)])


@pytest.mark.req("FEAT-50")
def test_a_state_is_bytes_and_goes_on_elsewhere() -> None:
    frame = panel(200).frame
    first, second = OnlineFeatures("a20"), OnlineFeatures("a20")
    rows = [dict(zip(first.columns, row, strict=True)) for row in frame.select(first.columns).rows()]
    for row in rows[:120]:
        first.update(row)
    state = first.state()
    second.restore(state)
    wanted = [first.update(row) for row in rows[120:]]
    np.testing.assert_array_equal(wanted, [second.update(row) for row in rows[120:]])
    first.restore(state)
    np.testing.assert_array_equal(wanted, [first.update(row) for row in rows[120:]])


def test_a_state_of_other_definitions_is_refused() -> None:
    state = OnlineFeatures("a20").state()
    seen = rf"state: got '{len(state):,} bytes with the mark {state.hex()[:12]}'; rule 'made by the same definitions "
    for other, what in ((["ret_1"], "1 feature"), (["a20", "-ret_1"], "19 features")):
        with pytest.raises(DataError, match=rf"{seen}of {what}, mark [0-9a-f]{{12}}' is broken; restore it"):
            OnlineFeatures(other).restore(state)
    cut = rf"state: got '{len(state) - 8:,} bytes'; rule 'a state has {len(state):,} bytes' is broken; store all that"
    with pytest.raises(DataError, match=cut):
        OnlineFeatures("a20").restore(state[:-8])
    with pytest.raises(
        DataError, match="state: got '0 bytes with the mark '; rule 'made by the same definitions of 20 features"
    ):
        OnlineFeatures("a20").restore(b"")
    with pytest.raises(InputError, match=r"state: got 'str'; allowed: the bytes that state\(\) returned"):
        OnlineFeatures("a20").restore("state")  # type: ignore[arg-type]


def test_a_state_of_a_function_of_other_columns_is_refused() -> None:
    def of(name: str) -> FeatureSpec:
        return FeatureSpec("mine", (name,), 0, "custom", "price", "x", "here", lambda columns: columns[name])

    state = OnlineFeatures([of("close")]).state()
    OnlineFeatures([of("close")]).restore(state)
    with pytest.raises(DataError, match="made by the same definitions of 1 feature"):
        OnlineFeatures([of("volume")]).restore(state)


def test_a_bar_of_another_shape_or_of_words_is_refused() -> None:
    live = OnlineFeatures(["close_location"])
    with pytest.raises(
        InputError, match=r"bar: got 'float64 of shape \(1,\)'; allowed: numbers of shape \(3,\): high, low,"
    ):
        live.update(np.ones(1))
    with pytest.raises(InputError, match=r"bar: got 'object of shape \(3,\)'; allowed: numbers of shape \(3,\)"):
        live.update(np.array([1.0, "two", 3.0], dtype=object))
    with pytest.raises(InputError, match=r"bar.high: got '1.5x'; allowed: a number, NaN where it is missing"):
        live.update({"close": 1.0, "high": "1.5x", "low": 1.0})  # type: ignore[dict-item]
    for bar in ([1.0, 2.0, 3.0], None):
        with pytest.raises(
            InputError, match="bar: got '.*'; allowed: a mapping of high, low, close, or an array of th"
        ):
            live.update(bar)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"bar.ts: got 8640.*; allowed: days since 1970-01-01; pass \(ts - 1\)"):
        OnlineFeatures(["weekday"]).update({"ts": 86_400_000_000_000})


def test_a_bar_without_a_column_is_refused() -> None:
    with pytest.raises(
        InputError, match=r"bar: got \['open'\]; close is missing; allowed: close; join .* \(close: csv, parq"
    ):
        OnlineFeatures(["ret_1"]).update({"open": 1.0})


def test_the_order_of_values_is_that_of_the_selection() -> None:
    live = OnlineFeatures(["volume", "close", "open"])
    assert live.names == ("volume", "close", "open")
    assert live.update({"open": 1.0, "close": 2.0, "volume": 3.0}).tolist() == [3.0, 2.0, 1.0]


def test_a_missing_value_touches_only_what_reads_it() -> None:
    live = OnlineFeatures(["ret_1", "volume"])
    nan = float("nan")
    got = [live.update({"close": c, "volume": v}) for c, v in [(1.0, 5.0), (nan, 6.0), (2.0, nan)]]
    np.testing.assert_array_equal(got, [[nan, 5.0], [nan, 6.0], [1.0, nan]])


def test_live_equals_built_for_each_tier() -> None:
    made_of = panel(330)
    for tier in TIERS:
        made = build(made_of, tier)
        assert OnlineFeatures(tier).names == made.names
