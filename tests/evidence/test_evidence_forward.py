"""The test of forward days: asked once, of the first days only, at the level that was fixed at the freeze."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from karat.core import InputError
from karat.evidence import Forward, ForwardTest, Verdict, exact_rate, judge_forward, with_forward

Series = dict[str, np.ndarray]

TEST = ForwardTest(days=126, rank=1, level=0.03, horizon_bars=1, bars_per_year=252.0, draws=400, seed=7)


def days(n: int, *, skill: float = 0.0, money: float = 0.0, seed: int = 1) -> tuple[Series, np.ndarray, Series, str]:
    """Return skill terms and net returns of n days with these means over deviations, of baselines, and cash."""
    rng = np.random.default_rng(seed)
    terms = rng.normal(skill, 1.0, n)
    return {"easy": terms + 0.5, "hard": terms}, rng.normal(money, 1.0, n) * 0.01, {"flat": np.zeros(n)}, "cash"


@pytest.mark.req("EVAL-12")
def test_1_nothing_is_tested_before_the_last_day_that_was_asked_for() -> None:
    found = judge_forward(TEST, *days(125, skill=2.0, money=2.0))
    assert (found.state, found.days, found.needed) == ("waiting", 125, 126)
    assert (found.skill_p, found.money_p, found.rival, found.net_excess_sharpe) == (None, None, None, None)
    assert found.text == "125 of 126 frozen forward days; nothing is tested before the last of them."


@pytest.mark.req("EVAL-12")
def test_2_days_after_the_last_one_change_nothing_but_their_number() -> None:
    skill, net, flat, shown = days(300, skill=0.4, money=0.4)
    early = {name: terms[:126] for name, terms in skill.items()}, net[:126], {"flat": flat["flat"][:126]}
    first = judge_forward(TEST, *early, shown)
    skill["hard"][126:], net[126:] = -5.0, -0.5
    later = judge_forward(TEST, skill, net, flat, shown)
    assert first.state == "confirmed"
    assert later == dataclasses.replace(first, days=300)
    assert later.rival == "hard"
    assert later.text.startswith("Confirmed on the first 126 frozen forward days: p = 0.00")


@pytest.mark.parametrize(("skill", "money"), [(0.5, 0.0), (0.0, 0.5), (0.0, 0.0)])
def test_both_are_needed_and_what_is_worth_nothing_is_seldom_confirmed(skill: float, money: float) -> None:
    confirmed = sum(
        judge_forward(TEST, *days(126, skill=skill, money=money, seed=seed)).state == "confirmed" for seed in range(300)
    )
    assert exact_rate(confirmed, 300).lower <= TEST.level, confirmed


def test_an_edge_is_found() -> None:
    found = [judge_forward(TEST, *days(126, skill=0.4, money=0.4, seed=seed)).state for seed in range(50)]
    assert found.count("confirmed") > 45


def test_a_selection_that_never_trades_is_not_confirmed() -> None:
    skill, _, flat, shown = days(126, skill=1.0)
    found = judge_forward(TEST, skill, np.zeros(126), flat, shown)
    assert (found.state, found.money_p, found.net_excess_sharpe) == ("not confirmed", 1.0, None)


def test_missing_terms_are_left_out() -> None:
    skill, net, flat, shown = days(126, skill=0.5, money=0.5)
    skill["hard"][::10] = np.nan
    assert judge_forward(TEST, skill, net, flat, shown).state == "confirmed"
    nothing = {"hard": np.full(126, np.nan)}
    assert judge_forward(TEST, nothing, net, flat, shown).skill_p == 1.0


def test_money_is_shown_against_what_is_hardest_to_beat() -> None:
    """A multiple of a baseline is worth nothing of its own; a baseline that Valid showed is met at the same risk."""
    skill, net, flat, _ = days(126, skill=0.5, money=0.5)
    held = {"flat": flat["flat"], "hold": net / 2.0}
    share = judge_forward(TEST, skill, net, held, "cash")
    assert (share.state, share.money_rival, share.money_comparison) == ("not confirmed", "hold", "share")
    other = {"hold": days(126, money=0.9, seed=2)[1]}
    assert judge_forward(TEST, skill, net, other, "cash").state == "confirmed"
    risk = judge_forward(TEST, skill, net, other, "hold")
    assert (risk.state, risk.money_rival, risk.money_comparison) == ("not confirmed", "hold", "risk")


def test_bad_input_says_what_would_do() -> None:
    with pytest.raises(InputError, match=r"days: got 125; .*allowed: 126 or more"):
        dataclasses.replace(TEST, days=125)
    with pytest.raises(InputError, match="rank, level"):
        dataclasses.replace(TEST, rank=0)
    skill, net, flat, shown = days(126)
    for bad in ((skill, net[1:], flat), ({}, net, flat), (skill, net, {"flat": flat["flat"][1:]})):
        with pytest.raises(InputError, match="one value a day in each"):
            judge_forward(TEST, *bad, shown)


def verdict(outcome: str, reason: str) -> Verdict:
    """Return a verdict without gates."""
    return Verdict(outcome, reason, (), outcome == "accepted", 1, 1, 1, 0.05, 0.015, 1.0, (0.5, 1.5), 1.0)  # type: ignore[arg-type]


@pytest.mark.req("EVAL-12")
def test_provisional_ends_only_with_a_confirmation() -> None:
    accepted = verdict("accepted", "Accepted, provisionally: it survives. No frozen forward days exist yet.")
    waiting, bad, good = (
        Forward(state, 130, 126, 0.03, *[None] * 6, f"{state}.")  # type: ignore[arg-type]
        for state in ("waiting", "not confirmed", "confirmed")
    )
    assert with_forward(accepted, None) is accepted
    for found in (waiting, bad):
        shown = with_forward(accepted, found)
        assert (shown.provisional, shown.forward_days) == (True, 130)
        assert shown.reason == f"Accepted, provisionally: it survives. {found.text}"
    final = with_forward(accepted, good)
    assert (final.provisional, final.outcome) == (False, "accepted")
    assert final.reason == "Accepted: it survives. confirmed."
    other = with_forward(verdict("rejected", "Rejected: no."), good)
    assert (other.outcome, other.provisional, other.reason) == ("rejected", False, "Rejected: no."), "a no stays a no"


def test_the_sentence_that_forward_days_replace_is_the_judge_s() -> None:
    from pathlib import Path

    import karat.evidence

    folder = Path(karat.evidence.__file__).parent
    assert "No frozen forward days exist yet." in (folder / "_judge.py").read_text(encoding="utf-8")
