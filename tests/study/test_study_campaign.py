"""An automated researcher: counted as a ledger counts, stopped early where nothing can change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karat.core import Ledger
from karat.evidence import spend_alpha
from karat.study._history import read_history
from karat.study.rates import CalibrationConfig, CampaignConfig, _campaign
from karat.study.rates._campaign import run_campaign

DAYS = {"train": 260, "valid": 250, "test": 500}


def small(draws: int = 400, alpha: float = 0.2) -> CalibrationConfig:
    """Return a calibration for campaigns on short worlds."""
    values = {"name": "c", "days": DAYS, "verdict": {"draws": draws, "alpha": alpha}}
    return CalibrationConfig.parse(values | {"campaigns": [{"name": "unused"}]}, source="test")


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("number", range(3))
def test_2_stopping_early_gives_the_same_end_as_judging_everything(number: int, learns: bool) -> None:
    kind = CampaignConfig(name="c", settings=3, studies=8, learns=learns, rename=True)
    short = run_campaign(small(), kind, number)
    whole = run_campaign(small(), kind, number, in_full=True)
    assert short["accepted"] == whole["accepted"]
    assert short["judged"] <= whole["judged"] <= 8
    assert whole["trials"] == 3 * whole["judged"]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Run a campaign of four renamed studies; return the trials and the opening that each was judged with."""
    asked: list[tuple[int, int]] = []

    def noted(_config: object, _tried: object, trials: tuple[object, ...], opening: int, _seed: int) -> bool:
        asked.append((len(trials), opening))
        return False

    monkeypatch.setattr(_campaign, "_skill_passes", noted)
    run_campaign(small(draws=1000), CampaignConfig(name="c", settings=2, studies=4, rename=True), 1)
    return asked


def test_1_every_study_is_one_more_opening_whatever_it_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted(monkeypatch) == [(2, 1), (4, 2), (6, 3), (8, 4)]


def test_1_a_family_that_is_lost_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: marks that differ from study to study, as if a new name could start history anew."""
    fresh = iter(range(10))
    monkeypatch.setattr(_campaign, "fingerprints", lambda *_: [str(next(fresh))])
    assert counted(monkeypatch) == [(2, 1)] * 4


def test_1_the_family_is_the_ledgers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, set[str]] = {}
    real = _campaign.connected
    monkeypatch.setattr(_campaign, "connected", lambda run, marks: seen.update(marks) or real(run, marks))
    found = run_campaign(small(), CampaignConfig(name="c", settings=2, studies=3, rename=True), 0)
    with Ledger.open(tmp_path / "ledger.sqlite", role="research") as ledger:
        for run, marks in seen.items():
            ledger.append("study", {"run_id": run, "name": f"study {run}"})
            ledger.append("family", {"run_id": run, "marks": sorted(marks)})
            for k in range(2):
                facts = {"run_id": run, "trial": f"{run}-{k}", "name": "", "study": run, "horizon": "1d"}
                ledger.append("trial", facts)
            ledger.append("open", {"run_id": run, "cell": "x"})
        history = read_history(ledger, str(found["judged"]), tmp_path)
    assert (history.opening, len(history.trials)) == (found["openings"], found["trials"]) == (3, 6)


def test_studies_that_no_p_value_can_pass_are_not_made() -> None:
    found = run_campaign(small(draws=200, alpha=0.05), CampaignConfig(name="c", settings=2, studies=100), 0)
    assert spend_alpha(0.025, found["judged"]) >= 1 / 201 > spend_alpha(0.025, found["judged"] + 1)


def test_a_learner_moves_towards_what_did_best_on_test() -> None:
    who: Any = _campaign._start(small(), 3)
    kind = CampaignConfig(name="c", settings=4, learns=True)
    fresh = _campaign._settings(who, kind, 2, 3)
    best = np.random.default_rng(1).normal(size=who.spread.shape)
    who.best = 1.0, best
    learned = _campaign._settings(who, kind, 2, 3)
    alike = [np.corrcoef((item.median / item.spread)[:, 0], best[:, 0])[0, 1] for item in learned]
    assert min(alike[:2]) > 0.5 > max(abs(value) for value in alike[2:])
    assert (learned[3].median == fresh[3].median).all()
