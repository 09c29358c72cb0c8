"""Regimes by day: labels of the one service, known before the day, whatever comes later."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from study_factory import small_study

from karat.core import NS_PER_DAY, ConfigError, InputError
from karat.data import Panel, load
from karat.features.regimes import FOLLOWING, REGIMES, label, spec_of
from karat.study import StudyConfig, check_names
from karat.study._regimes import BANDS, UNNAMED, regime_days

DAYS = 800
ONE = load("synthetic", seed=5, n_days=DAYS)
SEVERAL = load("synthetic", seed=5, n_days=DAYS, n_instruments=3, correlation=0.5)
STAMPS = np.unique(SEVERAL.frame["ts"].to_numpy())


def with_columns(panel: Panel, **daily: np.ndarray) -> Panel:
    """Return the panel with columns of one value a day."""
    values = pl.DataFrame({"ts": STAMPS, **daily})
    frame = panel.frame.join(values, on="ts", how="left", maintain_order="left")
    return Panel(frame, panel.calendar, panel.provenance)


def full(panel: Panel, seed: int = 1) -> Panel:
    """Return the panel with all that any system reads."""
    random = np.random.default_rng(seed)
    level = 20.0 * np.exp(np.cumsum(random.normal(0, 0.05, DAYS)))
    return with_columns(panel, vix=level, market_return=random.normal(0, 0.01, DAYS))


def days_of(panel: Panel, system: str) -> np.ndarray:
    """Return the regime of every bar."""
    return regime_days(panel, system, seed=42).at(STAMPS)


def test_studies_may_name_every_system_that_follows_its_past() -> None:
    assert set(FOLLOWING) == {name for name, spec in REGIMES.items() if spec.follows_past}
    assert {"volatility", "liquidity", "rotation", "vix", "vix_high", "change", "hidden"} <= set(FOLLOWING)


@pytest.mark.req("REG-01")
@pytest.mark.parametrize("system", FOLLOWING)
def test_1_of_one_instrument_it_is_the_label_of_the_service_a_bar_later(system: str) -> None:
    panel = full(ONE)
    labels = label(panel, system, bands=BANDS.get(system)).frame["name"].fill_null(UNNAMED).to_list()
    found = days_of(panel, system)
    assert found.tolist() == [UNNAMED, *labels[:-1]]
    assert {*found} - {UNNAMED} <= {*spec_of(system).states}
    assert (found != UNNAMED).sum() > 200


@pytest.mark.parametrize("system", FOLLOWING)
@pytest.mark.parametrize("panel", [ONE, SEVERAL], ids=["one", "several"])
def test_1_the_day_itself_and_later_days_change_nothing(system: str, panel: Panel) -> None:
    panel = full(panel)
    cut, before = STAMPS[650], days_of(panel, system)
    shaken = [pl.col(name) * (1.5 + pl.col("ts") // 86_400_000_000_000 % 3) for name in panel.values]
    late = [pl.when(pl.col("ts") >= cut).then(value).otherwise(pl.col(value.meta.output_name())) for value in shaken]
    wild = Panel(panel.frame.with_columns(late), panel.calendar, panel.provenance)
    after = days_of(wild, system)
    assert (before[:651] == after[:651]).all()
    assert (before[651:] != after[651:]).any(), "the change is large enough to be seen"
    short = Panel(panel.frame.filter(pl.col("ts") < cut), panel.calendar, panel.provenance)
    assert (regime_days(short, system, seed=42).at(STAMPS[:650]) == before[:650]).all()


def test_2_the_market_of_several_is_their_mean_return_and_their_traded_value() -> None:
    panel = full(SEVERAL)
    wide = {
        name: panel.frame.pivot("instrument", index="ts", values=name).sort("ts").drop("ts") for name in panel.values
    }
    close = wide["close"].to_numpy()
    index = np.cumprod(np.r_[1.0, 1.0 + (close[1:] / close[:-1] - 1.0).mean(axis=1)])
    traded = (close * wide["volume"].to_numpy()).sum(axis=1)
    market = pl.DataFrame(
        {
            "ts": STAMPS,
            "known_at": panel.frame.group_by("ts").agg(pl.col("known_at").max()).sort("ts")["known_at"],
            "instrument": ["MARKET"] * DAYS,
            "high": index * (wide["high"].to_numpy() / close).mean(axis=1),
            "low": index * (wide["low"].to_numpy() / close).mean(axis=1),
            "close": index,
            "volume": traded / index,
            "vix": wide["vix"].to_numpy().mean(axis=1),
            "market_return": wide["market_return"].to_numpy().mean(axis=1),
        }
    )
    alone = Panel(market, panel.calendar, panel.provenance)
    for system in FOLLOWING:
        assert (days_of(panel, system) == days_of(alone, system)).mean() > 0.995, system  # sums may round otherwise


def test_2_a_bar_without_any_return_is_skipped() -> None:
    gap = pl.when(pl.col("ts") == STAMPS[600]).then(None).otherwise(pl.col("close")).alias("close")
    holed = Panel(SEVERAL.frame.with_columns(gap), SEVERAL.calendar, SEVERAL.provenance)
    found = days_of(holed, "volatility")
    assert found[601] == UNNAMED
    assert (found[[600, 603]] != UNNAMED).all()


@pytest.mark.parametrize("system", ["vix", "volatility"])
def test_3_a_label_that_was_not_known_yet_is_not_used(system: str) -> None:
    levels = with_columns(SEVERAL, vix=np.resize([10.0, 25.0], DAYS))
    late = pl.when((pl.col("ts") == STAMPS[709]) & (pl.col("instrument") == levels.instruments[1]))
    known = late.then(int(STAMPS[712])).otherwise(pl.col("known_at")).alias("known_at")
    slow = Panel(levels.frame.with_columns(known), levels.calendar, levels.provenance)
    found, usual = (days_of(panel, system) for panel in (slow, levels))
    wanted = usual.copy()
    wanted[710:712] = usual[709]  # the label of bar 709 is known on day 712
    assert usual[710] != usual[709] or system != "vix"
    assert found.tolist() == wanted.tolist()


def test_3_an_instrument_that_is_always_late_delays_the_labels_and_takes_none_away() -> None:
    late = pl.when(pl.col("instrument") == SEVERAL.instruments[1]).then(pl.col("known_at") + 3 * NS_PER_DAY)
    frame = SEVERAL.frame.with_columns(known_at=late.otherwise("known_at"))
    found = days_of(Panel(frame, SEVERAL.calendar, SEVERAL.provenance), "volatility")
    usual = days_of(SEVERAL, "volatility")
    assert (found != UNNAMED).sum() >= (usual != UNNAMED).sum() - 3
    assert set(found) == set(usual)


def test_first_terciles_by_hand() -> None:
    returns = np.diff(np.log(ONE.frame["close"].to_numpy()))
    spread = np.array([returns[t - 20 : t].std(ddof=1) for t in range(20, DAYS)])  # that of bar t
    edges = np.quantile(spread[:484], [1 / 3, 2 / 3])  # 504 rows, the first 20 without a measure
    wanted = np.array(spec_of("volatility").states)[np.searchsorted(edges, spread[484:736])]
    assert days_of(ONE, "volatility")[505:757].tolist() == wanted.tolist(), "252 rows between fits"


def test_levels_of_the_vix_are_those_of_the_day_before() -> None:
    levels = np.resize([10.0, 15.0, 19.99, 20.0, 29.0, 30.0, 80.0], DAYS)
    seen = days_of(with_columns(SEVERAL, vix=levels), "vix")
    calm, normal, elevated, crisis = spec_of("vix").states
    assert seen[:8].tolist() == [UNNAMED, calm, normal, normal, elevated, elevated, crisis, crisis]


def test_a_panel_without_the_column_has_no_such_regimes() -> None:
    with pytest.raises(InputError, match=r"regime: got 'vix'; it reads vix; the panel has .*joins: \[\{source"):
        regime_days(SEVERAL, "vix", seed=42)
    with pytest.raises(InputError, match=r"regime: got 'rotation'; it reads market_return; .*name: market_return"):
        regime_days(SEVERAL, "rotation", seed=42)
    closes = Panel(ONE.frame.drop("volume"), ONE.calendar, ONE.provenance)
    with pytest.raises(InputError, match=r"regime: got 'liquidity'; it reads volume; .*volume: csv, parquet, sqlite"):
        regime_days(closes, "liquidity", seed=42)


def test_a_study_names_systems_of_the_registry() -> None:
    def named(by_regime: str, *systems: str) -> StudyConfig:
        both = {"classes": "temperature", "by_regime": by_regime}
        return StudyConfig.parse(small_study(calibration=both, regimes=list(systems)), source="test")

    check_names(named("hidden", "hidden", "change"))
    allowed = r"allowed: volatility, liquidity, .*hidden"
    with pytest.raises(
        ConfigError, match=rf"calibration\.by_regime: got 'hiden'; {allowed}.*; did you mean 'hidden'\?"
    ):
        check_names(named("hiden"))
    with pytest.raises(ConfigError, match=r"regimes.0: got 'none'; allowed: volatility"):
        check_names(named("none", "none"))
    for name in set(REGIMES) - set(FOLLOWING):
        with pytest.raises(ConfigError, match=rf"regimes.0: got '{name}'; .*fitted on Train once"):
            check_names(named("none", name))
