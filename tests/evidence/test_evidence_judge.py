"""The verdict: each gate by itself, each outcome, what adding trials and openings does, and bad cases."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from karat.core import InputError
from karat.evidence import PRINTED, Case, Check, TrialSeries, Verdict, judge, spend_alpha
from karat.evidence._gates import gate_money

DAY = 86_400 * 10**9


def trial(k: int, n: int = 1200, edge: float = 0.0, skill: float | None = None) -> TrialSeries:
    rng = np.random.default_rng(100 + k)
    skills = rng.normal(edge if skill is None else skill, 1.0, n)
    return TrialSeries(f"t{k}", f"model {k}", np.arange(n) * DAY, skills, rng.normal(edge * 0.01, 0.01, n))


def case(*, n: int = 1200, edge: float = 0.15, skill: float | None = None, others: int = 3, **change: object) -> Case:
    trials = (trial(0, n, edge, skill), *(trial(k, n) for k in range(1, others + 1)))
    base = np.random.default_rng(5).normal(0.0002, 0.01, n)
    net = trials[0].money + base
    facts: dict[str, object] = {
        "selected": "t0",
        "trials": trials,
        "unstored": 0,
        "prior_trials": 0,
        "opening": 1,
        "horizon_bars": 1,
        "bars_per_year": 252.0,
        "guards": (Check("purging", "0 problems", "none", True),),
        "dates": trials[0].dates,
        "net": net,
        "net_double_cost": net - 1e-5,
        "net_delayed": net - 2e-5,
        "baseline_net": base,
        "seed_sharpes": (1.0, 2.0, float("nan"), 1.5, 0.5),
        "seed": 1,
        "draws": 400,
    }
    return Case(**{**facts, **change})


def check_of(verdict: Verdict, gate: int, start: str) -> Check:
    return next(check for check in verdict.gates[gate].checks if check.name.startswith(start))


def test_2_accepted_when_all_gates_pass_and_only_provisionally() -> None:
    verdict = judge(case())
    assert verdict.outcome == "accepted"
    assert [gate.passed for gate in verdict.gates] == [True] * 4
    assert verdict.provisional
    assert verdict.forward_days == 0
    assert verdict.reason.startswith("Accepted, provisionally: model 0 knows something about location that the best")
    assert verdict.alpha_spent == spend_alpha(0.025, 1)
    assert verdict.gates[1].threshold == "p <= 0.0152"
    low, high = verdict.net_excess_interval
    assert low < verdict.net_excess_sharpe < high


def test_1_invalid_when_a_guard_fails_and_nothing_else_is_judged() -> None:
    guards = (Check("purging", "3 spans overlap", "none", False), Check("determinism", None, "equal", None))
    verdict = judge(case(guards=guards))
    assert verdict.outcome == "invalid"
    assert [gate.passed for gate in verdict.gates] == [False, None, None, None]
    assert "gate 0 failed: purging; not evaluated: determinism" in verdict.reason
    assert verdict.gates[2].reason == "not judged, because gate 0 failed"
    assert not verdict.provisional


@pytest.mark.parametrize(
    ("change", "name"), [({"n": 499}, "test dates"), ({"n": 600, "horizon_bars": 13}, "independent horizons")]
)
def test_1_invalid_when_there_is_too_little_data(change: dict[str, int], name: str) -> None:
    verdict = judge(case(**change))
    assert verdict.outcome == "invalid"
    assert name in verdict.reason
    assert check_of(verdict, 0, name).passed is False


def test_1_just_enough_data_is_enough() -> None:
    assert judge(case(n=500, horizon_bars=10)).gates[0].passed


def test_a_guard_that_was_not_evaluated_is_printed_and_does_not_decide() -> None:
    verdict = judge(case(guards=(Check("static ids", None, "none", None, "not evaluated"),)))
    assert verdict.outcome == "accepted"
    assert verdict.gates[0].reason == "every guard that was evaluated holds; not evaluated: static ids"


def test_3_rejected_when_the_upper_bound_is_below_the_minimum() -> None:
    verdict = judge(case(edge=-0.1))
    assert verdict.outcome == "rejected"
    assert verdict.net_excess_interval[1] < 0.5
    assert verdict.reason.endswith("a year, less than the 0.5 that would be worth having.")
    assert judge(case(edge=-0.1, min_sharpe=0.001)).outcome in ("rejected", "indistinguishable")


def test_4_indistinguishable_names_what_is_lacking_and_what_could_have_been_seen() -> None:
    both = judge(case(edge=0.02, n=900))
    assert both.outcome == "indistinguishable"
    assert "that it knows more about location" in both.reason
    assert "nor that it earns more than the best baseline after costs at the same risk" in both.reason
    named = judge(case(edge=0.02, n=900, baseline_name="buy_and_hold", skill_baseline_name="ewma"))
    assert "location than ewma" in named.reason
    assert "more than buy_and_hold" in named.reason
    assert f"detected an annual Sharpe of {both.detectable_sharpe:.2f} at 80 % power" in both.reason
    no_skill = judge(case(skill=0.0))
    assert no_skill.outcome == "indistinguishable"
    assert no_skill.gates[2].passed
    assert "nor" not in no_skill.reason
    no_money = judge(case(edge=0.01, skill=0.2))
    assert no_money.gates[1].passed
    assert no_money.gates[2].passed is False
    assert "earns more than the best baseline" in no_money.reason


@pytest.mark.parametrize(
    ("comparison", "earning", "beyond"),
    [
        ("cash", "earns more than cash after costs (p = ", "of model 0 over cash is below"),
        (
            "share",
            "earns more after costs than what it shares with garch_t (p = ",
            "beyond what it shares with garch_t",
        ),
        ("risk", "earns more than garch_t after costs at the same risk (p = ", "of model 0 over garch_t is below"),
    ],
)
def test_the_words_and_the_facts_say_what_money_was_compared_with(comparison: str, earning: str, beyond: str) -> None:
    facts = {"comparison": comparison, "baseline_name": "cash" if comparison == "cash" else "garch_t"}
    accepted = judge(case(**facts, skill_baseline_name="ewma"))
    assert accepted.outcome == "accepted"
    assert earning in accepted.reason
    assert earning in judge(case(edge=0.01, skill=0.2, **facts)).reason
    assert beyond in judge(case(edge=-0.1, **facts)).reason
    said = accepted.to_dict()
    assert (said["money_baseline"], said["money_comparison"]) == (facts["baseline_name"], comparison)
    assert said["skill_baseline"] == "ewma"


def test_4_fragile_when_only_the_last_gate_fails() -> None:
    verdict = judge(case(net_double_cost=np.full(1200, -1e-4) + np.tile([1e-5, -1e-5], 600)))
    assert verdict.outcome == "indistinguishable"
    assert verdict.reason.startswith("Indistinguishable, fragile: skill and money are shown, but model 0 does not")
    assert "net Sharpe at twice the costs" in verdict.reason


@pytest.mark.req("EVAL-14")
@pytest.mark.parametrize(("others", "opening"), [(0, 1), (4, 2)])
def test_4_an_edge_of_the_detectable_size_passes_gate_2_four_times_in_five(others: int, opening: int) -> None:
    """Simulated power of the gate itself, independent trials, where the formula is not merely cautious but exact."""
    n, runs, passed = 500, 80, 0
    worth = judge(case(others=others, n=n, opening=opening, draws=100)).detectable_sharpe
    for seed in range(runs):
        rng = np.random.default_rng([seed, others, opening])
        money = rng.normal(0.0, 0.01, (n, others + 1))
        money[:, 0] += 0.01 * worth / np.sqrt(252.0)
        trials = tuple(
            TrialSeries(f"t{k}", "", np.arange(n) * DAY, money[:, k], money[:, k]) for k in range(others + 1)
        )
        passed += bool(gate_money(case(n=n, opening=opening, draws=1200, seed=seed, trials=trials)).passed)
    low, high = stats.binom.ppf([0.001, 0.999], runs, 0.80)
    assert low <= passed <= high


def test_gate_3_delay_decides_from_five_bars_up() -> None:
    late = np.full(1200, -1e-4) + np.tile([1e-5, -1e-5], 600)
    short = judge(case(net_delayed=late))
    assert short.outcome == "accepted"
    assert check_of(short, 3, "net Sharpe entered 1 bar later").threshold == PRINTED
    long = judge(case(net_delayed=late, horizon_bars=5, delay_bars=2))
    assert check_of(long, 3, "net Sharpe entered 2 bars later").passed is False
    absent = judge(case(net_delayed=None, horizon_bars=5))
    assert check_of(absent, 3, "net Sharpe entered").note == "not evaluated"


def test_gate_3_sub_periods_and_seeds() -> None:
    facts = case()
    bad = facts.net.copy()
    bad[: 4 * 120] = -0.001
    verdict = judge(case(net=bad))
    assert check_of(verdict, 3, "sub-periods").value <= 6
    assert verdict.gates[3].passed is False
    seeds = judge(case(seed_sharpes=(-1.0, float("nan"), 3.0)))
    assert check_of(seeds, 3, "net Sharpe of the median seed").value == 0.0
    assert seeds.gates[3].passed is False
    none = judge(case(seed_sharpes=()))
    assert check_of(none, 3, "net Sharpe of the median seed").passed is None
    assert none.gates[3].passed


def test_gate_3_prints_neighbours_and_regimes_and_never_decides_by_them() -> None:
    verdict = judge(case())
    for name in ("neighbouring parameters", "regimes"):
        assert check_of(verdict, 3, name) == Check(name, None, PRINTED, None, "not evaluated")
    assert check_of(verdict, 3, "net Sharpe without the best 1 %").value < check_of(verdict, 3, "net Sharpe at").value
    bad = {"neighbours": (Check("share", 0.0, PRINTED, None),), "regimes": (Check("crisis", -9.0, PRINTED, None),)}
    shown = judge(case(**bad))
    assert {"share", "crisis"} <= {check.name for check in shown.gates[3].checks}
    assert (shown.outcome, shown.gates[3].passed) == (verdict.outcome, verdict.gates[3].passed)
    with pytest.raises(InputError, match=r"neighbours, regimes: got \['share'\]; .*they never decide"):
        case(neighbours=(Check("share", 0.0, "> 0", False),))


@pytest.mark.req("EVAL-20")
def test_gate_3_the_declared_capital_decides_where_it_is_known() -> None:
    name = "net Sharpe at the declared capital"
    blind = check_of(judge(case(capital_note="the data have no volume")), 3, name)
    assert blind == Check(name, None, "> 0", None, "not evaluated: the data have no volume")
    small = judge(case(net_at_capital=case().net - 1e-6, capital_note="1,000 USD"))
    assert small.outcome == "accepted"
    assert check_of(small, 3, name).note == "1,000 USD"
    eaten = judge(case(net_at_capital=np.full(1200, -1e-4) + np.tile([1e-5, -1e-5], 600)))
    assert eaten.reason.startswith("Indistinguishable, fragile")
    assert check_of(eaten, 3, name).passed is False


def test_a_forecaster_that_never_trades_is_not_accepted() -> None:
    flat = np.zeros(1200)
    still = TrialSeries("t0", "still", np.arange(1200) * DAY, flat, flat)
    verdict = judge(case(trials=(still,), net=flat, net_double_cost=flat, net_delayed=flat, baseline_net=flat))
    assert verdict.outcome == "indistinguishable"
    assert verdict.gates[1].p_value == 1.0
    assert check_of(verdict, 2, "probabilistic").note == "not evaluated: the net excess returns never vary"
    json.dumps(verdict.to_dict(), allow_nan=False)


def test_figures_that_never_decide() -> None:
    rng = np.random.default_rng(1)
    verdict = judge(case(loss=rng.normal(1.0, 0.1, 1200), baseline_loss=rng.normal(1.1, 0.1, 1200)))
    compared = check_of(verdict, 1, "Diebold-Mariano")
    assert compared.value < -5
    assert "is below that of the best baseline" in compared.note
    worse = judge(case(loss=rng.normal(1.1, 0.1, 1200), baseline_loss=rng.normal(1.0, 0.1, 1200)))
    assert "is not below that of" in check_of(worse, 1, "Diebold-Mariano").note
    same = judge(case(loss=np.ones(1200), baseline_loss=np.ones(1200)))
    assert check_of(same, 1, "Diebold-Mariano").value is None
    assert 0.5 < check_of(verdict, 2, "deflated").value <= check_of(verdict, 2, "probabilistic").value
    assert check_of(verdict, 2, "probability of backtest overfitting").value < 0.1
    assert 0 < check_of(verdict, 2, "minimum track record").value < 5
    assert all(check.passed is None for gate in verdict.gates[1:3] for check in gate.checks)


def test_figures_of_one_trial_and_of_a_losing_one() -> None:
    alone = judge(case(others=0))
    assert check_of(alone, 2, "deflated").note == "one trial: nothing to deflate"
    assert check_of(alone, 2, "probability of backtest").note.startswith("not evaluated: fewer than two trials")
    counted = judge(case(others=0, unstored=3, edge=-0.02))
    assert check_of(counted, 2, "deflated").value is None
    assert check_of(counted, 2, "minimum track record").note.endswith("is not positive")


def test_many_trials_use_fewer_blocks_for_overfitting() -> None:
    series = trial(0)
    many = tuple(TrialSeries(f"x{k}", "x", series.dates, series.skill, series.money + 1e-6 * k) for k in range(201))
    verdict = judge(case(trials=(series, *many), draws=100))
    assert "10 blocks" in check_of(verdict, 2, "probability of backtest").note


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 6), st.floats(-0.1, 0.4), st.integers(0, 1000))
def test_adding_trials_raises_the_count_and_never_lowers_p(more: int, edge: float, seed: int) -> None:
    first = case(edge=0.08, n=600, seed=seed, draws=150)
    extra = tuple(trial(50 + k, 600, edge) for k in range(more))
    second = case(edge=0.08, n=600, seed=seed, draws=150, trials=(*first.trials, *extra))
    before, after = judge(first), judge(second)
    assert after.family_trials == before.family_trials + more
    for k in (1, 2):
        assert after.gates[k].p_value >= before.gates[k].p_value


def test_counted_trials_and_openings_only_make_it_harder() -> None:
    plain, counted = judge(case(edge=0.09)), judge(case(edge=0.09, unstored=2, prior_trials=30))
    assert (plain.trials, plain.family_trials, counted.family_trials) == (4, 4, 36)
    assert counted.gates[2].p_value > plain.gates[2].p_value
    assert counted.detectable_sharpe > plain.detectable_sharpe
    again = judge(case(edge=0.09, opening=2))
    assert again.alpha_spent == pytest.approx(plain.alpha_spent / 4)
    assert again.openings == 2
    assert again.gates[2].p_value == plain.gates[2].p_value


def test_an_opening_whose_level_the_draws_cannot_reach_says_so() -> None:
    verdict = judge(case(opening=9))
    assert verdict.outcome == "indistinguishable"
    assert "400 draws cannot reach a p-value this small, so opening 9 cannot pass" in verdict.gates[1].reason


def test_series_of_other_studies_are_aligned_by_date() -> None:
    facts = case(n=800)
    shifted = TrialSeries("old", "old", facts.dates + 300 * DAY, trial(7, 800).skill, trial(7, 800).money)
    apart = TrialSeries("far", "far", facts.dates + 5000 * DAY, trial(8, 800).skill, trial(8, 800).money)
    verdict = judge(case(n=800, trials=(*facts.trials, shifted, apart)))
    assert verdict.family_trials == 6
    assert check_of(verdict, 1, "trials with a series").value == 5
    assert check_of(verdict, 1, "trials counted as independent").value == 1


def test_5_the_same_case_gives_the_same_verdict_and_plain_json() -> None:
    first, second = judge(case()), judge(case())
    assert first == second
    facts = json.loads(json.dumps(first.to_dict(), allow_nan=False))
    assert facts["outcome"] == "accepted"
    assert [gate["name"] for gate in facts["gates"]] == ["valid", "skill", "money", "sturdy"]
    assert facts["gates"][0]["checks"][0] == {
        "name": "purging",
        "value": "0 problems",
        "threshold": "none",
        "passed": True,
        "note": "",
    }


def test_numpy_numbers_become_plain() -> None:
    assert Check("x", np.float64("nan"), "", None).to_dict()["value"] is None
    assert type(Check("x", np.float64(2.0), "", None).to_dict()["value"]) is float


def test_a_selected_trial_without_dates_in_the_test_is_refused() -> None:
    apart = trial(0, 600)
    moved = TrialSeries("t0", "moved", apart.dates + 9000 * DAY, apart.skill, apart.money)
    with pytest.raises(InputError, match="series: got '0 values of the selected'; allowed: two or more"):
        judge(case(n=600, trials=(moved,)))
    invalid = judge(case(n=400, trials=(TrialSeries("t0", "m", apart.dates + 9000 * DAY, apart.skill, apart.money),)))
    assert invalid.to_dict()["net_excess_interval"] == [None, None]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"selected": "t1x"}, "selected: got 't1x'; it is not among the trials; allowed: t0, t1, .* did you mean 't1'"),
        ({"opening": 0}, "opening: got 0; allowed: 1 or more"),
        ({"unstored": -1}, "unstored: got -1; allowed: 0 or more"),
        ({"prior_trials": -5}, "prior_trials: got -5; allowed: 0 or more"),
        ({"horizon_bars": 0}, "horizon_bars: got 0; allowed: 1 or more"),
        ({"draws": 5}, "draws: got 5; allowed: 100 or more"),
        ({"alpha": 1.0}, "alpha: got 1.0; allowed: between 0 and 1"),
        ({"min_sharpe": 0.0}, "min_sharpe: got 0.0; allowed: a positive number"),
        ({"bars_per_year": float("inf")}, "bars_per_year: got inf; allowed: a positive number"),
        ({"net": np.zeros(3)}, r"net: got 'shape \(3,\)'; allowed: \(1200,\): one value per date"),
        ({"baseline_net": np.full(1200, np.nan)}, "baseline_net: got 'values that are not finite'; allowed: finite n"),
        ({"loss": np.full(1200, np.inf)}, "loss: got 'values that are not finite'; allowed: finite numbers or NaN"),
        ({"seed_sharpes": (float("inf"),)}, "seed_sharpes: got .*allowed: finite numbers, NaN for a seed that never"),
        ({"dates": np.zeros(1200, dtype=np.int64)}, "dates: got 'dates out of order or repeated'; allowed: strictly"),
        ({"dates": np.zeros(1, dtype=np.int64)}, r"dates: got 'shape \(1,\)'; allowed: \(n,\) with two dates or more"),
        ({"trials": (trial(0), trial(0))}, r"trials: got \['t0'\]; a trial is listed twice; allowed: one series per"),
    ],
)
def test_bad_cases_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        case(**change)


def test_bad_trial_series_are_named() -> None:
    with pytest.raises(InputError, match=r"trials\[a\].money: got 'shape \(2,\)'; allowed: \(3,\): one value per date"):
        TrialSeries("a", "a", np.arange(3), np.zeros(3), np.zeros(2))


def test_a_verdict_without_trials_is_refused_and_too_little_data_says_how_much_more() -> None:
    with pytest.raises(InputError, match="trials: got 'none'; a verdict counts what was tried; allowed: one or more"):
        case(trials=())
    few = judge(case(n=300))
    assert few.outcome == "invalid"
    assert check_of(few, 0, "test dates").note == "200 more dates would be enough"
    long = judge(case(n=600, horizon_bars=20))
    assert check_of(long, 0, "test dates").passed
    assert check_of(long, 0, "independent horizons").note == "400 more dates would be enough"


@pytest.mark.parametrize("edge", [-0.1, 0.0, 0.05, 0.15])
def test_5_figures_that_are_left_out_change_nothing_else(edge: float) -> None:
    whole, short = judge(case(edge=edge)), judge(case(edge=edge, printed=False))
    assert (short.outcome, short.reason, short.net_excess_interval) == (
        whole.outcome,
        whole.reason,
        whole.net_excess_interval,
    )
    for mine, its in zip(short.gates, whole.gates, strict=True):
        assert (mine.passed, mine.p_value, mine.statistic) == (its.passed, its.p_value, its.statistic)
        assert set(mine.checks) <= set(its.checks)
    assert len(short.gates[2].checks) < len(whole.gates[2].checks)


@pytest.mark.parametrize("edge", [-0.1, 0.0, 0.03, 0.05, 0.15])
@pytest.mark.parametrize("seed", range(4))
def test_5_draws_that_end_early_change_no_gate(edge: float, seed: int) -> None:
    given = {"edge": edge, "seed": seed, "draws": 2000}
    whole, short = judge(case(**given)), judge(case(**given, sure_above=0.03))
    assert short.outcome == whole.outcome
    for mine, its in zip(short.gates, whole.gates, strict=True):
        assert mine.passed == its.passed
        if mine.p_value is None and its.p_value is not None:
            assert its.p_value > 0.03
            assert mine.reason == "not shown: p is above 0.03"
        else:
            assert mine.p_value == its.p_value
    if edge < 0:
        assert short.gates[1].p_value is None
