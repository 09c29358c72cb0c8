"""Measured error rates: worlds that are what they say, lines that repeat, rates that count right."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_factory import InlineExecutor

from karat.core import ConfigError, InputError, Interrupted
from karat.kernels import sharpe
from karat.study import Workspace
from karat.study.rates import (
    CalibrationConfig,
    NoEdge,
    Planted,
    _run,
    error_rates,
    read_calibration,
    read_finished,
    run_campaigns,
    run_worlds,
)
from karat.study.rates._effect import cost_bps, effect_for, gross_sharpe
from karat.study.rates._paths import YEAR, ar1, garch, real_returns, shocks
from karat.study.rates._play import choose, forecast_of, lay_out, naive_verdict, play, scored, shown_in_money
from karat.study.rates._run import Calibration
from karat.study.rates._worlds import POLICY, World, make_world

ROOT = Path(__file__).parents[2]
DAYS = {"train": 300, "valid": 260, "test": 520}
WORLDS = ("sign_flips", "permutation", "resampled", "garch", "volatility", "costs", "drift", "drift_search")


def small(**changes: Any) -> CalibrationConfig:
    """Return a calibration of short worlds and few draws."""
    values: dict[str, Any] = {
        "name": "small",
        "days": DAYS,
        "verdict": {"draws": 200},
        "no_edge": [{"name": "coin", "world": "sign_flips"}],
        "planted": [{"name": "strong", "net_sharpe": 5.0}],
    }
    return CalibrationConfig.parse(values | changes, source="test")


def quiet(_stage: str, _done: int, _total: int) -> None:
    return None


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let worlds run in this process."""
    monkeypatch.setattr(_run, "make_executor", lambda _config: InlineExecutor())


def world_of(world: str, number: int = 0, **changes: Any) -> World:
    config = small(no_edge=[{"name": "w", "world": world, **changes}])
    return make_world(config, config.no_edge[0], number)


@pytest.mark.parametrize("world", WORLDS)
def test_1_a_world_is_the_same_again_and_another_number_is_another(world: str) -> None:
    one, again, other = world_of(world), world_of(world), world_of(world, 1)
    assert (one.returns == again.returns).all()
    assert not np.array_equal(one.returns, other.returns)
    for mine, its in zip(one.candidates, again.candidates):
        assert (mine.median == its.median).all()
    assert len(one.candidates) == 10
    assert one.returns.shape == (sum(DAYS.values()) + 1, 1)
    assert not one.edge


def test_1_the_name_of_a_kind_takes_no_part_and_its_content_does() -> None:
    named = small(no_edge=[{"name": "other", "world": "garch"}])
    assert (make_world(named, named.no_edge[0], 0).returns == world_of("garch").returns).all()
    assert not np.array_equal(world_of("garch", settings=11).returns, world_of("garch").returns)


def test_2_signs_are_a_coins_and_sizes_are_real() -> None:
    returns = world_of("sign_flips").returns[:, 0]
    sizes = np.sort(np.abs(real_returns()))
    assert np.isin(np.abs(returns), sizes).all()
    signs = np.concatenate([np.sign(world_of("sign_flips", k).returns[:, 0]) for k in range(20)])
    assert abs(signs.mean()) < 4.0 / math.sqrt(len(signs))


def test_2_a_permutation_keeps_the_returns_and_loses_their_order() -> None:
    returns = world_of("permutation").returns[:, 0]
    assert np.isin(returns, real_returns()).all()
    assert abs(np.corrcoef(np.abs(returns[1:]), np.abs(returns[:-1]))[0, 1]) < 0.15
    real = np.abs(real_returns())
    assert np.corrcoef(real[1:], real[:-1])[0, 1] > 0.15


def test_2_resampled_features_know_nothing_of_resampled_returns() -> None:
    means = []
    for number in range(30):
        world = world_of("resampled", number)
        means += [float(np.mean(item.median[:-1] * world.returns[1:])) for item in world.candidates[:2]]
    assert abs(np.mean(means)) < 4.0 * np.std(means) / math.sqrt(len(means))


def test_2_who_knows_the_drift_is_long() -> None:
    world = world_of("drift", drift_sharpe=2.0)
    assert all((item.median > 0).mean() > 0.6 for item in world.candidates)


def test_2_who_knows_the_volatility_forecasts_tomorrows() -> None:
    world = world_of("volatility")
    spread, ahead = world.candidates[0].spread[:-1, 0], np.abs(world.returns[1:, 0])
    garch_like = np.corrcoef(spread, ahead)[0, 1]
    assert garch_like > np.corrcoef(world.candidates[0].spread[1:, 0], np.abs(world.returns[:-1, 0]))[0, 1] - 0.2
    assert garch_like > 0.1


def test_3_candidates_of_worlds_without_an_edge_do_not_read_the_future() -> None:
    world = world_of("garch")
    config = small()
    kind = NoEdge(name="w", world="garch")
    later = make_world(config.model_copy(update={"days": config.days.model_copy(update={"test": 600})}), kind, 0)
    assert later.returns.shape != world.returns.shape  # another length is another world: draws are not shared
    from karat.study.rates._worlds import noise_signals, scale_of

    poisoned = world.returns.copy()
    poisoned[500:] = 0.5
    rng = [np.random.default_rng(1) for _ in range(2)]
    plain = [signal for _, signal in noise_signals(rng[0], world.returns, 20)]
    wild = [signal for _, signal in noise_signals(rng[1], poisoned, 20)]
    assert all((mine[:500] == its[:500]).all() for mine, its in zip(plain, wild))
    assert (scale_of(world.returns)[:500] == scale_of(poisoned)[:500]).all()


def test_a_panel_shares_a_factor_and_others_have_one_instrument() -> None:
    returns = world_of("garch", instruments=20).returns
    found = np.corrcoef(returns.T)[np.triu_indices(20, 1)].mean()
    assert returns.shape[1] == 20
    assert found == pytest.approx(0.3, abs=0.12)
    with pytest.raises(ConfigError, match="instruments: got 20; allowed: 1, or more with world: garch"):
        small(no_edge=[{"name": "w", "world": "drift", "instruments": 20}])


def test_signals_have_their_half_life_and_volatility_its_mean() -> None:
    rng = np.random.default_rng(3)
    signals = ar1(rng, 60_000, np.array([1.0, 14.0]), 2)
    assert signals.std(axis=0) == pytest.approx([1.0, 1.0], abs=0.06)
    assert np.corrcoef(signals[1:, 0], signals[:-1, 0])[0, 1] == pytest.approx(0.5, abs=0.02)
    assert np.corrcoef(signals[14:, 1], signals[:-14, 1])[0, 1] == pytest.approx(0.5, abs=0.08)
    z = shocks(rng, 60_000)
    assert z.var() == pytest.approx(1.0, abs=0.05)
    assert garch(z).mean() == pytest.approx(1.0, abs=0.15)


def test_1_the_effect_is_worth_what_is_asked_for_before_costs_by_hand() -> None:
    # an effect so large that the position is full nearly always: E|x| = sqrt(2 / pi), so S = k sqrt(504 / pi) / spread
    k = 0.5
    mean = k * math.sqrt(2.0 / math.pi)
    by_hand = mean / math.sqrt(1.0 - mean**2) * math.sqrt(YEAR)
    assert gross_sharpe(k, POLICY) == pytest.approx(by_hand, rel=0.04)
    assert gross_sharpe(effect_for(2.0, 0.2, POLICY), POLICY) == pytest.approx(2.5, rel=1e-9)
    with pytest.raises(InputError, match="net_sharpe: got 6; no effect is worth that much; lower it or cost_share"):
        effect_for(6, 0.9, POLICY)


@pytest.mark.slow
@pytest.mark.parametrize(("half_life", "real"), [(1.0, "one"), (14.0, "all")])
def test_1_the_effect_is_worth_what_is_asked_for_in_the_market(half_life: float, real: Any) -> None:
    kind = Planted(name="p", net_sharpe=2.0, half_life_days=half_life, real=real)
    config = CalibrationConfig(name="c", planted=(kind,))
    net, gross = [], []
    for number in range(60):
        world = make_world(config, kind, number)
        stage = lay_out(world)
        item = next(item for item in world.candidates if item.real)
        account = scored(stage, item.name, forecast_of(stage, item, stage.test)).simulation
        net.append(account.net_returns)
        gross.append(account.gross_returns)
    made, before = np.concatenate(net), np.concatenate(gross)
    error = math.sqrt(YEAR / len(made))
    assert sharpe(made, periods_per_year=YEAR) == pytest.approx(2.0, abs=4 * error)
    assert 1.0 - made.mean() / before.mean() == pytest.approx(0.2, abs=0.03)
    assert cost_bps(effect_for(2.0, 0.2, POLICY), 0.2, 1.0, POLICY) < cost_bps(
        effect_for(2.0, 0.2, POLICY), 0.2, 14.0, POLICY
    )


def test_candidates_that_are_nearly_equal_are_alike_and_all_real() -> None:
    config = small(planted=[{"name": "p", "net_sharpe": 2.0, "real": "all"}])
    world = make_world(config, config.planted[0], 0)
    assert all(item.real for item in world.candidates)
    scales = [item.median[:, 0] / item.spread[:, 0] for item in world.candidates]
    assert np.corrcoef(scales)[np.triu_indices(10, 1)].mean() == pytest.approx(0.9, abs=0.04)
    one = make_world(small(), small().planted[0], 0)
    assert sum(item.real for item in one.candidates) == 1


def test_learners_find_a_strong_effect_and_scatter_about_a_missing_one() -> None:
    config = small(planted=[{"name": "p", "net_sharpe": 5.0, "learned": True}])
    world = make_world(config, config.planted[0], 0)
    known = make_world(small(), small().planted[0], 0)
    size = {item.real: float(np.std(item.median / item.spread)) for item in world.candidates}
    assert size[True] > 1.5 * size[False]
    assert len({float(np.std(item.median / item.spread)) for item in world.candidates}) == 10
    assert known.edge


def test_1_selection_takes_the_lowest_loss_on_valid_and_never_test() -> None:
    config = small()
    world = make_world(config, config.planted[0], 0)
    stage = lay_out(world)
    chosen, rival = choose(stage, world.candidates), shown_in_money(stage)
    assert world.candidates[chosen].real
    other = world.returns.copy()
    other[stage.test[0] + 1 :] *= -1.0
    turned = lay_out(World(world.days, other, world.candidates, world.market, world.edge))
    assert (choose(turned, world.candidates), shown_in_money(turned)) == (chosen, rival)
    assert stage.valid[-1] + 1 < stage.test[0]


def test_2_the_naive_verdict_is_a_t_test_of_the_best() -> None:
    rng = np.random.default_rng(1)
    nothing, good = rng.normal(0.0, 0.01, 500), rng.normal(0.002, 0.01, 500)
    assert naive_verdict([nothing, good], 0.05)
    assert not naive_verdict([nothing - nothing.mean(), np.zeros(500)], 0.05)
    # twenty tries at 5 % find something three times in five: 1 - 0.95^20 = 0.64
    found = [naive_verdict(list(rng.normal(0.0, 0.01, (20, 300))), 0.05) for _ in range(300)]
    assert np.mean(found) == pytest.approx(1 - 0.95**20, abs=0.12)


def test_a_strong_edge_is_accepted_and_the_line_is_json() -> None:
    config = small(planted=[{"name": "p", "net_sharpe": 6.0}], days=DAYS | {"test": 1000})
    facts = play(make_world(config, config.planted[0], 3), config.verdict, 1)
    assert facts["outcome"] == "accepted", facts
    assert facts["gates"] == {"valid": True, "skill": True, "money": True, "sturdy": True}
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_too_few_test_dates_are_invalid() -> None:
    config = small(days=DAYS | {"test": 400})
    assert play(make_world(config, config.planted[0], 0), config.verdict, 1)["outcome"] == "invalid"


def test_1_worlds_are_dealt_out_in_turn_and_more_keep_the_first(here: None, tmp_path: Path) -> None:
    given, place = Calibration(small()), Workspace.at(tmp_path)
    three = run_worlds(given, place, worlds=3, progress=quiet)
    assert [(line["kind"], line["number"]) for line in three] == [("coin", 0), ("coin", 1), ("strong", 0)]
    five = run_worlds(given, place, worlds=5, progress=quiet)
    assert [line for line in five if line in three] == three
    only = run_worlds(given, place, worlds=2, kinds=["planted"], progress=quiet)
    assert [line["kind"] for line in only] == ["strong", "strong"]
    with pytest.raises(InputError, match="kinds: got 'stron'; allowed: no_edge, planted, whole, coin, strong; did you"):
        run_worlds(given, place, worlds=1, kinds=["stron"], progress=quiet)


def test_2_a_measurement_in_parts_is_read_as_one_and_stops_before_a_gap(here: None, tmp_path: Path) -> None:
    given, place = (
        Calibration(small(campaigns=[{"name": "tries", "settings": 2, "studies": 1}])),
        Workspace.at(tmp_path),
    )
    assert read_finished(given, place) == ([], [])
    parts = run_worlds(given, place, worlds=2, kinds=["coin"], progress=quiet)
    parts += run_worlds(given, place, worlds=1, kinds=["strong"], progress=quiet)
    tried = run_campaigns(given, place, campaigns=1, progress=quiet)
    assert read_finished(given, place) == (parts, tried)
    assert read_finished(given, place, kinds=["planted"]) == (parts[2:], [])
    before = set(place.worlds.iterdir())
    run_worlds(given, place, worlds=5, kinds=["coin"], progress=quiet)
    second = {name: value for name, value in parts[1].items() if name not in ("kind", "number")}
    (gone,) = (path for path in before if json.loads(path.read_text(encoding="utf-8")) == second)
    gone.unlink()
    assert [line["number"] for line in read_finished(given, place, kinds=["coin"])[0]] == [0]


def test_2_finished_worlds_are_not_made_again_and_broken_ones_are(
    here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, place = Calibration(small()), Workspace.at(tmp_path)
    first = run_worlds(given, place, worlds=2, progress=quiet)
    made: list[Any] = []
    real = _run.play
    monkeypatch.setattr(_run, "play", lambda *args: made.append(args) or real(*args))
    assert run_worlds(given, place, worlds=2, progress=quiet) == first
    assert made == []
    next(place.worlds.iterdir()).write_text("{", encoding="utf-8")
    assert run_worlds(given, place, worlds=2, progress=quiet) == first
    assert len(made) == 1
    run_worlds(Calibration(small(verdict={"draws": 300})), place, worlds=2, progress=quiet)
    assert len(made) == 3, "another verdict is another world"


def test_3_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(InlineExecutor):
        def map(self, function: Any, tasks: Any) -> Any:
            yield next(super().map(function, tasks))
            raise KeyboardInterrupt

    monkeypatch.setattr(_run, "make_executor", lambda _config: Stopped())
    place, seen = Workspace.at(tmp_path), []
    with pytest.raises(Interrupted, match="resume with: karat calibrate x"):
        run_worlds(
            Calibration(small()), place, worlds=2, progress=lambda *said: seen.append(said), resume="karat calibrate x"
        )
    assert seen == [("worlds", 0, 2), ("worlds", 0, 2), ("worlds", 1, 2)]
    assert len(list(place.worlds.iterdir())) == 1


def line(kind: str, outcome: str, *, real: bool = True, naive: bool = False, **more: Any) -> dict[str, Any]:
    passed = outcome == "accepted"
    gates = {"valid": True, "skill": passed, "money": passed, "sturdy": True}
    p_values = {"skill": 0.001, "money": 0.001 if passed else 0.03}
    facts = {"kind": kind, "number": 0, "outcome": outcome, "gates": gates, "p_values": p_values}
    facts["shown_on_valid"] = "cash" if real else "last_sign"
    return {**facts, "real": real, "naive": naive, **more}


def test_rates_count_what_they_say() -> None:
    lines = [line("coin", "accepted", naive=True), *[line("coin", "rejected")] * 3]
    lines += [line("strong", "accepted")] * 2 + [line("strong", "rejected"), line("strong", "rejected", real=False)]
    found = error_rates(small(), lines, [])
    coin, strong = found["kinds"]
    assert (coin["accepted"]["count"], coin["accepted"]["of"]) == (1, 4)
    # one of four, Clopper and Pearson: 1 - (1 - p)^4 = 0.05 and (1 - p)^4 + 4 p (1 - p)^3 = 0.05
    assert coin["accepted"]["lower"] == pytest.approx(1 - 0.95**0.25)
    upper = coin["accepted"]["upper"]
    assert (1 - upper) ** 4 + 4 * upper * (1 - upper) ** 3 == pytest.approx(0.05)
    assert coin["outcomes"] == {"accepted": 1, "rejected": 3, "indistinguishable": 0, "invalid": 0}
    assert (coin["gates"]["skill"]["count"], coin["gates"]["valid"]["count"], coin["naive"]["count"]) == (1, 4, 1)
    assert found["no_edge"]["worlds"] == 4
    assert (coin["shown_on_valid"]["count"], strong["shown_on_valid"]["count"]) == (0, 1)
    assert coin["at_whole_alpha"]["count"] == 4, "0.03 is below 0.05 times 6 over pi squared"
    assert (strong["selected_real"]["count"], strong["false_rejection"]["count"]) == (3, 1)
    assert strong["false_rejection"]["of"] == 3, "rejecting what is worth nothing is right"
    assert "false_rejection" not in coin


def test_rates_of_panels_and_campaigns() -> None:
    config = small(campaigns=[{"name": "tries", "studies": 5}])
    tried = [{"kind": "tries", "number": k, "accepted": 2 if k == 0 else None, "judged": 5} for k in range(4)]
    found = error_rates(
        config, [line("coin", "rejected", stacked=True), line("coin", "rejected", stacked=False)], tried
    )
    assert found["kinds"][0]["stacked"]["rate"] == 0.5
    assert found["campaigns"][0]["ever_accepted"]["count"] == 1
    assert error_rates(config, [], []) == {"kinds": [], "no_edge": None, "campaigns": []}


def test_the_shipped_files_are_valid_and_cover_what_is_promised() -> None:
    given = read_calibration(ROOT / "studies" / "calibration.yaml").config
    assert {kind.world for kind in given.no_edge} == set(WORLDS)
    assert all(kind.settings >= 10 for kind in (*given.no_edge, *given.planted))
    goals = {
        (kind.net_sharpe, kind.settings, kind.real, kind.half_life_days)
        for kind in given.planted
        if kind.half_life_days in (1.0, 14.0)
    }
    assert goals == {
        (worth, count, real, half_life)
        for worth, count in ((2.0, 100), (1.5, 10))
        for real in ("one", "all")
        for half_life in (1.0, 14.0)
    }
    for learned in (False, True):
        curve = [kind.net_sharpe for kind in given.planted if kind.learned == learned and kind.half_life_days == 5.0]
        assert curve == [0.5, 1.0, 1.5, 2.0, 3.0]
    assert all(kind.cost_share <= 0.2 for kind in given.planted)
    assert (given.days.test, given.verdict.draws, given.worlds) == (2520, 10_000, 100)
    whole = read_calibration(ROOT / "studies" / "calibration_whole.yaml")
    assert [(kind.name, kind.edge) for kind in whole.config.whole] == [("planted", True), ("noise", False)]
    assert whole.studies["planted"].data.params["edge_sharpe"] > 0 == whole.studies["noise"].data.params["edge_sharpe"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"no_edge": [{"name": "x", "world": "garch", "settings": 9}]}, "settings: got 9; allowed: 10 or more"),
        ({"no_edge": [{"name": "x", "world": "gach"}]}, "world: got 'gach'; allowed: .*did you mean 'garch'"),
        ({"no_edge": [], "planted": []}, "no_edge: got no worlds at all; name one kind in no_edge, planted or whole"),
        (
            {"no_edge": [{"name": "x", "world": "garch"}] * 2},
            "name: got x twice; each kind needs its own name",
        ),
        ({"days": {"valid": 100}}, "days.valid: got 100; allowed: 250 or more"),
        ({"wolds": 3}, "unknown key; allowed: .*did you mean 'worlds'"),
    ],
)
def test_bad_files_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small(**changes)


def test_a_whole_study_needs_a_market_made_from_a_seed(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("name: c\nwhole: [{name: w, study: s.yaml, edge: false}]\n", encoding="utf-8")
    text = "name: s\ndata: {source: bundled, params: {dataset: nasdaq}}\nmodels: [{name: logistic}]\n"
    (tmp_path / "s.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="data.source: got 'bundled'; each world needs its own market; allowed: synth"):
        read_calibration(tmp_path / "c.yaml")


def test_a_whole_study_is_run_data_to_verdict(
    here: None, inline: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study_factory import small_study, write_study

    from karat.study import _publish

    monkeypatch.setattr(_publish, "write_report", lambda _folder: None)
    write_study(tmp_path / "s.yaml", small_study())
    (tmp_path / "c.yaml").write_text("name: c\nwhole: [{name: w, study: s.yaml, edge: true}]\n", encoding="utf-8")
    place = Workspace.at(tmp_path / "workspace")
    given = read_calibration(tmp_path / "c.yaml")
    one, two = run_worlds(given, place, worlds=2, progress=quiet)
    assert {"outcome", "gates", "p_values", "naive", "money_baseline", "shown_on_valid"} <= set(one)
    assert one["net_excess_sharpe"] != two["net_excess_sharpe"], "each world has a market of its own"
    assert list(place.scratch.iterdir()) == []
    assert not place.ledger.exists(), "no world is part of another's family"
