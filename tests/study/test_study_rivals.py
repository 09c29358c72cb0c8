"""What has to be beaten: planted baselines that are worth something, lucky ones that are not, copies, and a peeker."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from scipy import stats
from study_factory import World as Place
from study_factory import csv_data, prices

from karat.data import MEDIAN
from karat.study import _judge
from karat.study._rivals import CASH, Rival, hardest_in_money, hardest_in_skill, mean_above_zero, shown_on_valid
from karat.study._score import Scored
from karat.study.rates import CalibrationConfig
from karat.study.rates._play import Stage, baselines_on, choose, lay_out, play, shown_in_money
from karat.study.rates._worlds import World, make_world

DAYS = 756


def account(net: np.ndarray, name: str = "m") -> Scored:
    """Return as much of a model as a comparison in money reads."""
    return cast(Scored, SimpleNamespace(net=net, name=name))


def noise(seed: int, mean: float = 0.0, days: int = DAYS) -> np.ndarray:
    """Return daily net returns with a standard deviation of 1 %."""
    return np.random.default_rng(seed).normal(mean, 0.01, days)


def market(drift: float = 1.0, number: int = 0, world: str = "drift") -> tuple[World, Stage]:
    """Return a small rising market, laid out."""
    days = {"train": 300, "valid": 504, "test": 520}
    kind = {"name": "w", "world": world, "drift_sharpe": drift}
    config = CalibrationConfig.parse({"name": "c", "days": days, "no_edge": [kind]}, source="test")
    made = make_world(config, config.no_edge[0], number)
    return made, lay_out(made)


def turned(stage: Stage) -> Stage:
    """Return the same market with every return of Test the other way round."""
    other = stage.world.returns.copy()
    other[stage.test[0] + 1 :] *= -1.0
    return lay_out(dataclasses.replace(stage.world, returns=other))


@pytest.mark.req("EVAL-14")
def test_1_valid_shows_a_planted_baseline_and_not_luck() -> None:
    good = noise(1, mean=0.0015)
    nets = {"ewma": np.zeros(DAYS), "last_sign": noise(2), "garch_t": noise(3), "buy_and_hold": good}
    name, p_value = shown_on_valid(nets)
    single = stats.ttest_1samp(good, 0.0, alternative="greater").pvalue
    assert name == "buy_and_hold"
    assert p_value == pytest.approx(1.0 - (1.0 - single) ** 3), "the one that never trades is no try"
    assert shown_on_valid({"last_sign": noise(2), "buy_and_hold": noise(3)})[0] == CASH
    assert shown_on_valid({"ewma": np.zeros(DAYS)}) == (CASH, 1.0)
    assert shown_on_valid({"a": -good, "b": -good - 1.0})[0] == CASH
    assert mean_above_zero(np.zeros(5)) == 1.0


@pytest.mark.req("EVAL-14")
def test_1_the_best_of_four_without_worth_is_shown_one_time_in_twenty() -> None:
    found = [shown_on_valid({str(k): noise(1000 + 4 * i + k) for k in range(4)})[0] for i in range(1000)]
    shown = sum(name != CASH for name in found)
    assert 0.03 < shown / 1000 < 0.07
    uncounted = sum(min(mean_above_zero(noise(1000 + 4 * i + k)) for k in range(4)) <= 0.05 for i in range(1000))
    assert uncounted / 1000 == pytest.approx(1 - 0.95**4, abs=0.04), "what one t-test of the best would say"


@pytest.mark.req("EVAL-14")
def test_money_is_compared_with_cash_where_no_baseline_is_alike_or_shown() -> None:
    good, baselines = account(noise(1, 0.001)), {"ewma": account(np.zeros(DAYS))}
    rival = hardest_in_money(good, baselines, CASH)
    assert (rival.name, rival.comparison) == (CASH, "cash")
    assert (rival.series == good.net).all()


@pytest.mark.req("EVAL-14")
def test_a_shown_baseline_has_to_be_beaten_at_the_same_risk() -> None:
    strong = noise(2, 0.002)
    good, baselines = account(noise(1, 0.001)), {"buy_and_hold": account(strong)}
    rival = hardest_in_money(good, baselines, "buy_and_hold")
    assert (rival.name, rival.comparison) == ("buy_and_hold", "risk")
    np.testing.assert_allclose(rival.series, strong.std() / good.net.std() * good.net - strong, atol=1e-15)
    assert hardest_in_money(good, baselines, CASH).comparison != "risk"


@pytest.mark.req("EVAL-14")
def test_a_copy_of_a_baseline_is_worth_nothing_at_any_leverage_nor_is_being_short_of_it_paid() -> None:
    rising = noise(2, 0.002)
    baselines = {"buy_and_hold": account(rising), "last_sign": account(noise(3))}
    for leverage in (0.3, 1.0, 7.1):
        rival = hardest_in_money(account(leverage * rising), baselines, CASH)
        assert (rival.name, rival.comparison) == ("buy_and_hold", "share")
        assert (rival.series == 0.0).all()
    short = hardest_in_money(account(-rising), {"buy_and_hold": account(rising)}, CASH)
    assert (short.series == -rising).all()
    itself = account(rising)
    assert hardest_in_money(itself, {"buy_and_hold": itself}, "buy_and_hold").comparison == "cash"


@pytest.mark.req("EVAL-14")
def test_knowing_the_drift_passes_a_comparison_with_cash_and_not_the_hardest() -> None:
    _, stage = market(drift=3.0)
    baselines = baselines_on(stage, stage.test)
    item = dataclasses.replace(baselines["buy_and_hold"], name="rise")
    alone = mean_above_zero(item.net)
    rival = hardest_in_money(item, baselines, CASH)
    assert alone < 0.01
    assert rival.comparison == "share"
    assert mean_above_zero(rival.series) > 0.5


Pick = Callable[[Stage], str]


def reads_test(pick: Pick) -> bool:
    """Return whether a choice of the baseline changes with what happens on Test."""
    stages = [market(drift=5.0, number=k)[1] for k in range(3)]
    return any(pick(stage) != pick(turned(stage)) for stage in stages)


def picked_on_test(stage: Stage) -> str:
    """Choose the baseline on the days that judge: the planted fault."""
    return shown_on_valid({name: item.net for name, item in baselines_on(stage, stage.test).items()})[0]


@pytest.mark.req("EVAL-14")
def test_1_a_baseline_picked_on_test_is_caught() -> None:
    assert shown_in_money(market(drift=5.0)[1]) != CASH, "Valid shows one, so that there is something to change"
    assert not reads_test(shown_in_money)
    assert reads_test(picked_on_test)


@pytest.mark.req("EVAL-14")
def test_2_skill_has_one_scale_for_every_baseline() -> None:
    _, stage = market()
    baselines = baselines_on(stage, stage.test)
    item = baselines["last_sign"]
    median = {name: its.forecast.quantiles[:, MEDIAN] for name, its in baselines.items()}
    inner = baselines["ewma"].forecast.quantiles[:, 2:21]
    scale = (inner[:, -1] - inner[:, 0]) / (2 * stats.norm.ppf(0.95))
    y, found = item.values, {}
    for name in set(baselines) - {"last_sign"}:
        found[name] = 2 * (y - median[name]) * (median["last_sign"] - median[name]) / scale**2
    least = min(found, key=lambda name: found[name].mean() / found[name].std())
    rival, terms = hardest_in_skill(item, baselines)
    assert rival == least
    np.testing.assert_allclose(terms, found[least], rtol=1e-9)


def test_a_search_finds_the_drift_and_is_not_accepted() -> None:
    exposures = []
    for number in range(8):
        made, stage = market(drift=3.0, number=number, world="drift_search")
        item = made.candidates[choose(stage, made.candidates)]
        exposures.append(float(np.sign(item.median[stage.test]).mean()))
        names = {candidate.name.split("_")[0] for candidate in made.candidates}
        assert names == {"constant", "wandering", "trend"}
    assert sum(value > 0.5 for value in exposures) >= 6, exposures
    made, _ = market(drift=3.0, world="drift_search")
    settings = CalibrationConfig.parse(
        {"name": "c", "verdict": {"draws": 200}, "no_edge": [{"name": "w", "world": "garch"}]}, source="test"
    ).verdict
    facts = play(made, settings, 1)
    assert facts["naive"]
    assert not facts["gates"]["skill"]
    assert not facts["gates"]["money"]


@pytest.mark.req("EVAL-23")
def test_a_study_records_what_valid_showed_before_test_opens_and_holds_to_it(
    quick: Place, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: set[str] = set()
    monkeypatch.setattr(_judge, "hardest_in_money", lambda *given: used.add(given[2]) or hardest_in_money(*given))
    frame = prices(1000).drop("signal")
    rise = pl.Series(np.exp(0.004 * np.arange(len(frame))))
    frame = frame.with_columns(pl.col(name) * rise for name in ("open", "high", "low", "close"))
    result = quick.run(data=csv_data(tmp_path / "rising.csv", frame), features=["ret_1", "ret_5"])
    shown = result.manifest["selection"]["shown_on_valid"]["1d"]
    assert shown["baseline"] != CASH
    assert shown["p_value"] < 1e-4
    assert quick.entries("freeze")[0].payload["shown_on_valid"]["1d"] == shown
    verdict = result.manifest["verdict"]
    assert (verdict["money_baseline"], verdict["money_comparison"]) == (shown["baseline"], "risk")
    assert verdict["outcome"] != "accepted"
    assert used == {shown["baseline"]}


@pytest.mark.req("EVAL-23", "REP-02")
def test_a_report_says_so_where_cash_is_hardest_to_beat(quick: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_judge, "hardest_in_money", lambda item, *_: Rival(CASH, "cash", item.net))
    result = quick.run()
    shown = result.manifest["selection"]["shown_on_valid"]["1d"]
    assert shown["baseline"] == CASH
    assert shown["p_value"] > 0.05
    assert result.manifest["verdict"]["money_baseline"] == CASH
    assert "earns more than cash after costs" in result.manifest["verdict"]["reason"]
    assert np.ptp(result.equity["baseline"].to_numpy()) == 0.0
    assert math.isclose(result.manifest["verdict"]["net_excess_sharpe"], _sharpe(result.equity["net"].to_numpy()))


def _sharpe(net: np.ndarray) -> float:
    return float(net.mean() / net.std(ddof=1) * math.sqrt(252.0))
