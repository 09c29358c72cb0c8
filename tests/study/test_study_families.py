"""Families, trials and alpha: what the ledger counts by itself, whatever things are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from study_factory import World, csv_data, edit_json, p_values, prices, small_study, trials_of

from karat.core import DataError, Ledger
from karat.data import Panel, Provenance, load, resample
from karat.study import StudyConfig, _pipeline, families, write_report
from karat.study._history import fingerprints, read_history, store_series
from karat.study._story import _warnings

WEAK = {"source": "synthetic", "params": {"seed": 5, "n_days": 1000, "edge_sharpe": 1.5}}
ONE = [{"name": "linear_quantile"}]
TWO = [{"name": "linear_quantile"}, {"name": "climatology", "params": {"min_rows": 100}}]


def alpha_of(result: Any) -> float:
    return float(result.manifest["verdict"]["alpha_spent"])


def test_one_more_setting_raises_the_count_and_never_lowers_p(quick: World) -> None:
    first = quick.first(data=WEAK, models=ONE)
    second = quick.run(data=WEAK, models=TWO)
    assert first.manifest["selection"]["trial"] == second.manifest["selection"]["trial"], "the same model is selected"
    assert (trials_of(first), trials_of(second)) == (1, 2)
    assert all(after >= before for before, after in zip(p_values(first), p_values(second)))
    again = quick.run(data=WEAK, models=ONE)
    assert trials_of(again) == 2
    assert all(after >= before for before, after in zip(p_values(first), p_values(again)))


def test_a_second_opening_spends_less_alpha(quick: World) -> None:
    first, second = quick.first(data=WEAK, models=ONE), quick.run(data=WEAK, models=TWO)
    assert (first.manifest["verdict"]["openings"], second.manifest["verdict"]["openings"]) == (1, 2)
    share = 6 / np.pi**2
    assert alpha_of(first) == pytest.approx(0.025 * share)
    assert alpha_of(second) == pytest.approx(0.025 * share / 4)
    assert [row[0] for row in second.manifest["history"]["openings"]] == [first.run_id, second.run_id]


def test_an_identical_rerun_adds_nothing_to_what_is_counted(quick: World) -> None:
    first = quick.first()
    before = quick.kinds()
    folder, hashes = first.folder, dict(first.manifest["results"])
    again = quick.run()
    after = quick.kinds()
    assert after.pop("verdict") == before.pop("verdict") + 1 == 2
    assert after == before
    assert (again.folder, dict(again.manifest["results"])) == (folder, hashes)
    assert (trials_of(again), again.manifest["verdict"]["openings"]) == (1, 1)
    assert again.manifest["verdict"] == first.manifest["verdict"]


def test_names_of_study_model_and_words_are_no_new_trial(quick: World) -> None:
    quick.first()
    before = quick.kinds()
    renamed = [{"name": "linear_quantile", "label": "mine"}]
    again = quick.run(name="another-name", description="words", models=renamed, executor={"workers": 1})
    after = quick.kinds()
    assert (trials_of(again), again.manifest["verdict"]["openings"]) == (1, 1)
    assert {kind: after[kind] - before[kind] for kind in after if after[kind] != before[kind]} == {
        "study": 1,
        "verdict": 1,
    }
    assert quick.verify()


def test_a_renamed_study_with_one_more_setting_is_counted_with_the_first(quick: World) -> None:
    quick.first(data=WEAK, models=ONE)
    second = quick.run(name="fresh_start", data=WEAK, models=TWO)
    assert (trials_of(second), second.manifest["verdict"]["openings"]) == (2, 2)
    assert {trial["study"] for trial in second.manifest["history"]["trials"]} == {"small", "fresh_start"}


def test_renamed_files_and_instruments_are_the_same_family(quick: World, tmp_path: Path) -> None:
    frame = prices()
    first = quick.run(data=csv_data(tmp_path / "first.csv", frame), features=["ret_1", "ret_5"])
    file = quick.run(data=csv_data(tmp_path / "second.csv", frame), features=["ret_1", "ret_5"])
    assert (trials_of(file), file.manifest["verdict"]["openings"]) == (1, 2), "the same trial, opened again"
    name = quick.run(data=csv_data(tmp_path / "third.csv", frame, "XYZ.XNYS"), features=["ret_1", "ret_5"])
    assert name.manifest["verdict"]["openings"] == 3
    dearer = frame.with_columns(pl.col("open", "high", "low", "close") * 100)
    memory = {"source": "frame", "params": {"frame": dearer, "instrument": "XYZ.XNYS", "licence": "own data"}}
    scaled = quick.run(data=memory, features=["ret_1", "ret_5"])
    assert scaled.manifest["verdict"]["openings"] == 4
    assert len(scaled.manifest["history"]["family"]) == 4
    assert trials_of(scaled) == 3
    assert first.manifest["history"]["fresh"]
    assert not scaled.manifest["history"]["fresh"]


def test_other_data_is_another_family(quick: World) -> None:
    quick.first()
    other = quick.run(data={"source": "synthetic", "params": {"seed": 4, "n_days": 1000, "edge_sharpe": 3.0}})
    assert (trials_of(other), other.manifest["verdict"]["openings"]) == (1, 1)
    assert other.manifest["history"]["family"] == [other.run_id]
    assert alpha_of(other) == pytest.approx(0.025 * 6 / np.pi**2)


def test_a_fresh_ledger_says_that_history_before_it_is_unknown(quick: World) -> None:
    words = "History before this ledger is unknown"
    assert any(words in line for line in _warnings(quick.first()))
    assert not any(words in line for line in _warnings(quick.run(seed=7)))


def test_picking_a_seed_is_a_new_trial(quick: World, plugins: Path) -> None:
    chance: dict[str, Any] = {"models": [{"name": "toy_chance"}], "plugins": ["toy_chance"]}
    quick.run(**chance)
    picked = quick.run(**chance, seed=43, seeds=1)
    assert trials_of(picked) == 2
    steady = [{"name": "linear_quantile"}]
    quick.run(models=steady)
    assert trials_of(quick.run(models=steady, seed=43)) == 3, "a model without chance has no seeds to pick from"


def test_an_abandoned_study_counts_its_trials(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """The process is gone."""

    def killed(_run: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(_pipeline, "open_tests", killed)
        with pytest.raises(Killed):
            quick.run(data=WEAK, models=[{"name": "logistic"}])
    alone = World(quick.root.with_name("other")).run(data=WEAK, models=ONE)
    after = quick.run(data=WEAK, models=ONE)
    assert (trials_of(after), after.manifest["verdict"]["openings"]) == (2, 1)
    assert [trial["series"] is None for trial in after.manifest["history"]["trials"]] == [True, False]
    for before, now in zip(p_values(alone), p_values(after)):
        assert now == pytest.approx(1 - (1 - before) ** 2), "a trial without a series counts as an independent one"
    finished = quick.run(data=WEAK, models=[{"name": "logistic"}])
    assert trials_of(finished) == 2
    assert all(trial["series"] for trial in finished.manifest["history"]["trials"])


@pytest.mark.parametrize("how", ["deleted", "cut", "changed"])
def test_a_series_that_is_gone_counts_as_an_independent_trial(quick: World, how: str) -> None:
    first = quick.first(data=WEAK, models=[{"name": "logistic"}])
    path = quick.place.series / first.manifest["history"]["trials"][0]["series"]
    if how == "deleted":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        frame = pl.read_parquet(path)
        frame.with_columns(pl.col("money") * 0).write_parquet(path)
    second = quick.run(data=WEAK, models=ONE)
    assert trials_of(second) == 2
    assert second.manifest["verdict"]["trials"] == 1
    checks = {check["name"]: check["value"] for check in second.manifest["verdict"]["gates"][1]["checks"]}
    assert checks["trials counted as independent"] == 1.0


def test_prior_trials_add(quick: World) -> None:
    plain = quick.first(data=WEAK)
    stated = quick.run(data=WEAK, verdict={"draws": 400, "prior_trials": 9})
    assert trials_of(stated) == trials_of(plain) + 9
    assert all(after > before for before, after in zip(p_values(plain), p_values(stated)))


def test_what_is_declared_makes_new_trials(quick: World) -> None:
    quick.first(data=WEAK)
    for changes in (
        {"verdict": {"draws": 400, "alpha": 0.1}},
        {"policy": {"cap": 1.0}},
        {"market": {"proportional_bps": 5.0}},
    ):
        before = len({entry.payload["trial"] for entry in quick.entries("trial")})
        quick.run(data=WEAK, **changes)
        assert len({entry.payload["trial"] for entry in quick.entries("trial")}) == before + 1


def test_families_are_listed_as_they_are_counted(quick: World) -> None:
    quick.first(data=WEAK, models=ONE)
    quick.run(name="again", data=WEAK, models=TWO)
    other = {"source": "synthetic", "params": {"seed": 4, "n_days": 1000, "edge_sharpe": 3.0}}
    quick.run(name="elsewhere", data=other)
    with Ledger.open(quick.place.ledger, role="research") as ledger:
        first, second = families(ledger)
    assert (first.studies, first.trials, first.openings) == (("small", "again"), 2, 2)
    assert (second.studies, second.trials, second.openings) == (("elsewhere",), 1, 1)
    assert (first.next_share, second.next_share) == pytest.approx((6 / np.pi**2 / 9, 6 / np.pi**2 / 4))


@pytest.mark.parametrize("how", ["emptied", "one less", "more prior"])
def test_a_report_cannot_be_made_without_the_trials(quick: World, how: str) -> None:
    result = quick.first(data=WEAK, models=TWO)

    def edit(values: dict[str, Any]) -> None:
        if how == "more prior":
            values["config"]["verdict"]["prior_trials"] = 5
        else:
            del values["history"]["trials"][0 if how == "emptied" else 1 :]  # all, or all but the first

    edit_json(result.folder / "run.json", edit)
    with pytest.raises(DataError, match="every trial that the verdict counted is in it.*karat reproduce"):
        write_report(result.folder)


def test_a_trial_run_twice_keeps_the_series_of_the_run_that_is_judged(quick: World) -> None:
    result = quick.first()
    (trial,) = result.manifest["history"]["trials"]
    other = pl.read_parquet(quick.place.series / trial["series"]).with_columns(pl.col("money") + 1.0)
    file, digest = store_series(quick.place.series, trial["id"], other)
    with Ledger.open(quick.place.ledger, role="research") as ledger:
        ledger.append("series", {"run_id": "other", "trial": trial["id"], "file": file, "content": digest})
        history = read_history(ledger, result.run_id, quick.place.series)
    assert history.trials[0].series == trial["series"]


def marks(panel: Panel, share: float = 0.5) -> set[str]:
    stamps = panel.frame["ts"].unique().sort().to_list()
    return set(fingerprints(panel, stamps[int(len(stamps) * (1 - share))], stamps[-1]))


@pytest.fixture(scope="module")
def nasdaq() -> Panel:
    return load("bundled", dataset="nasdaq")


@pytest.mark.parametrize("scale", ["2d", "3d", "5d", "week"])
def test_bars_resampled_elsewhere_share_marks_with_daily_ones(nasdaq: Panel, scale: str) -> None:
    assert marks(nasdaq) & marks(resample(nasdaq, scale))


def test_marks_do_not_depend_on_names_units_or_the_rest_of_the_panel(nasdaq: Panel) -> None:
    frame = nasdaq.frame
    other = frame.with_columns(pl.lit("OTHER.X").alias("instrument"), pl.col("close") * 0.01)
    assert marks(Panel(other, nasdaq.calendar, nasdaq.provenance)) >= set(sorted(marks(nasdaq))[:500])
    cut = Panel(frame.tail(1500), nasdaq.calendar, nasdaq.provenance)
    assert marks(nasdaq) & marks(cut, share=0.99)


@pytest.mark.req("EVAL-13")
def test_stocks_that_differ_never_share_a_mark() -> None:
    panel = load("bundled", dataset="sp500_stocks")
    names = panel.instruments
    halves = [panel.frame.filter(pl.col("instrument").is_in(part)) for part in (names[:10], names[10:])]
    one, two = (Panel(half, panel.calendar, panel.provenance) for half in halves)
    assert not marks(one) & marks(two)
    assert marks(one) & marks(panel)
    assert len(marks(panel)) == 4096


def test_marks_are_a_stored_format() -> None:
    """Other marks for the same prices would part new studies from the families that ledgers already hold."""
    days = np.arange(4, dtype=np.int64) * 86_400_000_000_000
    columns = {"ts": days, "known_at": days, "instrument": ["A.X"] * 4, "close": [100.0, 101.0, 99.0, 102.5]}
    panel = Panel(pl.DataFrame(columns), "24/7", Provenance("test", "counted", "CC0-1.0"))
    moves = [10_000, -19_802, 35_354]  # millionths: 101/100, 99/101, 102.5/99, less one
    mark, whole = 0, 2**64 - 1
    for move in [*moves, None]:
        mark = (mark + 0x9E3779B97F4A7C15) & whole
        mark = ((mark ^ (mark >> 30)) * 0xBF58476D1CE4E5B9) & whole
        mark = ((mark ^ (mark >> 27)) * 0x94D049BB133111EB) & whole
        mark ^= mark >> 31
        mark = mark if move is None else (mark + move) & whole
    assert fingerprints(panel, 0, int(days[-1])) == [f"{mark >> 16:012x}"]


def test_a_price_that_stands_still_leaves_no_mark() -> None:
    days = np.arange(40, dtype=np.int64) * 86_400_000_000_000
    frame = pl.DataFrame({"ts": days, "known_at": days, "instrument": ["A.X"] * 40, "close": [1.0] * 39 + [2.0]})
    assert fingerprints(Panel(frame, "24/7", Provenance("test", "counted", "CC0-1.0")), 0, int(days[-1])) == []


@pytest.mark.req("DATA-10")
@pytest.mark.parametrize(("bars", "days"), [("3d", 2900), ("week", 4800)])
def test_a_study_on_resampled_bars_joins_the_family_of_daily_ones(quick: World, bars: str, days: int) -> None:
    data = {"source": "synthetic", "params": {"seed": 3, "n_days": days, "edge_sharpe": 3.0}}
    splits = {"test_frac": 0.55, "select_folds": 1, "test_folds": 1, "valid_bars": 40}
    quick.first(data=data, splits=splits)
    coarse = quick.run(data=data | {"bars": bars}, splits=splits)
    assert (trials_of(coarse), coarse.manifest["verdict"]["openings"]) == (2, 2)


def test_identity_of_a_study_leaves_out_names_only() -> None:
    plain = StudyConfig.parse(small_study(), source="a").identity()
    assert StudyConfig.parse(small_study(verdict={"draws": 400, "prior_trials": 1}), source="a").identity() != plain
