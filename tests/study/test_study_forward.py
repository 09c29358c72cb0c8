"""`karat freeze` and `karat forward`: a frozen, hashed selection on days that nobody had, each recorded once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import Result
from study_factory import World, csv_data, edit_json, prices, small_study
from typer.testing import CliRunner

from karat.cli._app import app
from karat.core import NS_PER_DAY, DataError, EnvironmentProblem, InputError, Ledger, tree_hash
from karat.data import INNER, LEVELS, Inputs, load
from karat.evidence import pinball, spend_alpha
from karat.features import build, table
from karat.labels import make_labels
from karat.models import load_model
from karat.study import ForwardDays, Frozen, RunResult, _forward, forward, freeze, reproduce
from karat.study._forward import record_day
from karat.study._freeze import read_frozen
from karat.study._story import make_story

DAYS = 1000
STAMPS = load("synthetic", seed=3, n_days=1600).frame["ts"].to_numpy()
KEPT: list[Path] = []


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = int(STAMPS[DAYS - 1]) + NS_PER_DAY // 4

    def __call__(self) -> int:
        return self.now

    def after(self, days: int) -> None:
        """Set it to the evening of the last of so many days of data."""
        self.now = int(STAMPS[days - 1]) + NS_PER_DAY // 4


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands in the evening of the last day of the study's data."""
    made = Clock()
    for place in ("karat.core._ledger", "karat.study._freeze", "karat.study._forward"):
        monkeypatch.setattr(f"{place}.now_ns", made)
    return made


@pytest.fixture
def frozen(clock: Clock, quick: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """A workspace with a run whose selection is frozen."""
    if not KEPT:
        KEPT.append(tmp_path_factory.mktemp("frozen") / "workspace")
        made = World(KEPT[0])
        put_away(made, made.run(), days=126)
    shutil.copytree(KEPT[0], quick.root)
    return quick


def put_away(world: World, result: RunResult, days: int = 252) -> Frozen:
    """Freeze a run."""
    return freeze(result, world.place, days=days, progress=lambda *_: None)


def later(world: World, clock: Clock, days: int) -> ForwardDays:
    """Score the frozen run when so many days of data exist."""
    clock.after(days)
    return forward(world.latest(), world.place, data={"n_days": days}, progress=lambda *_: None)


def said(world: World, *words: str) -> Result:
    """Run a verb of the command in this process."""
    return CliRunner().invoke(app, [*words, "--workspace", str(world.root)])


@pytest.mark.req("EVAL-12")
def test_a_freeze_is_one_entry_with_every_hash(frozen: World, clock: Clock) -> None:
    result, (entry,) = frozen.latest(), frozen.entries("frozen")
    kinds = frozen.kinds()
    assert entry.ts_ns == clock.now
    assert entry.payload["model_hash"] == tree_hash(frozen.root / "frozen" / result.run_id, "**/*")
    assert entry.payload["config_hash"] == result.manifest["config_hash"]
    assert entry.payload["data"] == result.manifest["data"]["content_hash"]
    assert entry.payload["known_ns"] == entry.payload["last_ns"] == int(STAMPS[DAYS - 1])
    assert entry.payload["trial"] == result.manifest["selection"]["trial"]
    assert entry.payload["outcome"] == result.verdict
    assert entry.payload["test"]["level"] == spend_alpha(0.05, 1)
    again = put_away(frozen, result)
    assert again.entry == entry, "once, with the test that was fixed first"
    assert again.test.days == 126
    assert frozen.kinds() == kinds
    assert frozen.verify()


@pytest.mark.req("EVAL-12")
def test_forward_days_are_recorded_once_and_tested_when_all_are_there(frozen: World, clock: Clock) -> None:
    before = (frozen.latest().folder / "run.json").read_bytes(), frozen.kinds()
    first = later(frozen, clock, DAYS + 60)
    assert (len(first.days), first.new, first.found.state) == (59, 59, "waiting"), "the last label has not ended"
    assert {row["ts"] for row in first.days} == set(STAMPS[DAYS : DAYS + 59].tolist())
    same = later(frozen, clock, DAYS + 60)
    assert (same.new, same.days, same.found) == (0, first.days, first.found)
    grown = later(frozen, clock, DAYS + 140)
    assert (len(grown.days), grown.new) == (139, 80)
    assert grown.days[:59] == first.days
    assert grown.found.state in ("confirmed", "not confirmed")
    last = later(frozen, clock, DAYS + 150)
    assert (last.found.skill_p, last.found.money_p) == (grown.found.skill_p, grown.found.money_p), "tested once"
    result = frozen.latest()
    assert (result.folder / "run.json").read_bytes() == before[0]
    assert frozen.kinds() == before[1] | {"forward": 149}, "no trial, no opening"
    assert result.forward == last.found
    assert result.to_dict()["forward"]["days"] == 149
    story = make_story(result)
    assert story.verdict.forward_days == 149
    assert story.verdict.provisional == (result.verdict == "accepted" and last.found.state != "confirmed")
    assert story.forward == last.found
    assert frozen.verify()


def test_the_report_shows_the_forward_days(clock: Clock, world: World) -> None:
    result = world.run(small_study())
    put_away(world, result, days=126)
    found = later(world, clock, DAYS + 140)
    twin = (world.latest().folder / "report.md").read_text(encoding="utf-8")
    assert "Frozen forward days" in twin
    assert "139" in twin
    assert found.found.text.split(":")[0] in twin
    again = world.run(small_study())
    assert again.forward == found.found, "a repeated run keeps its forward days"


@pytest.mark.req("EVAL-12")
def test_the_recorded_numbers_are_those_of_the_frozen_model(frozen: World, clock: Clock) -> None:
    found = later(frozen, clock, DAYS + 60)
    panel = load("synthetic", seed=3, n_days=DAYS + 60, edge_sharpe=3.0)
    every = table(panel, build(panel, ["ret_1", "ret_5", "signal"]))
    rows = np.arange(DAYS, DAYS + 59)
    model = load_model(frozen.root / "frozen" / frozen.latest().run_id / "0" / "model-42")
    quantiles = model.predict(Inputs(every, rows, "1d")).quantiles
    labels = make_labels(panel, "1d").frame["value"].to_numpy()[rows]
    losses = pinball(labels, quantiles[:, INNER], LEVELS[INNER])
    assert np.allclose([row["loss"] for row in found.days], losses, rtol=1e-9)
    assert set(found.days[0]["skill"]) == {"climatology", "ewma", "garch_t", "last_sign", "buy_and_hold"}
    assert found.days[0]["net"] == 0.0
    assert np.count_nonzero([row["net"] for row in found.days]) > 40


def test_without_a_later_day_there_is_nothing_to_score(frozen: World, clock: Clock) -> None:
    with pytest.raises(InputError, match=r"there is no forward day; .*known after the freeze"):
        forward(frozen.latest(), frozen.place, progress=lambda *_: None)
    clock.after(DAYS + 60)
    with pytest.raises(InputError, match="there is no forward day"):
        forward(frozen.latest(), frozen.place, data={"n_days": DAYS + 1}, progress=lambda *_: None)
    assert "forward" not in frozen.kinds()


@pytest.mark.req("EVAL-12")
def test_days_that_existed_at_the_freeze_are_no_forward_days(clock: Clock, quick: World) -> None:
    result = quick.run()
    clock.after(DAYS + 30)  # a month of days passes before somebody freezes
    put_away(quick, result)
    found = later(quick, clock, DAYS + 60)
    assert {row["ts"] for row in found.days} == set(STAMPS[DAYS + 30 : DAYS + 59].tolist())


@pytest.mark.req("EVAL-12")
def test_a_day_at_or_before_the_freeze_and_one_of_the_future_are_refused(frozen: World, clock: Clock) -> None:
    found = later(frozen, clock, DAYS + 60)
    held, row = read_frozen(frozen.latest(), frozen.place), dict(found.days[0])
    fresh = {name: row[name] for name in ("net", "nets", "loss", "skill")}
    with Ledger.open(frozen.place.ledger, role="research") as ledger:
        for ts, known in ((int(STAMPS[DAYS - 1]), clock.now), (int(STAMPS[DAYS + 200]), held.entry.ts_ns)):
            with pytest.raises(DataError, match="later than the freeze"):
                record_day(ledger, held, {"ts": ts, "known_at": known, **fresh})
        with pytest.raises(DataError, match="known by now"):
            record_day(ledger, held, {"ts": clock.now + 1, "known_at": clock.now + 1, **fresh})
    with pytest.raises(DataError, match="known by now"):
        forward(frozen.latest(), frozen.place, data={"n_days": DAYS + 90}, progress=lambda *_: None)
    assert frozen.kinds()["forward"] == 59


@pytest.mark.req("EVAL-12")
@pytest.mark.parametrize("part", ["model", "card", "configuration"])
def test_what_was_edited_after_the_freeze_is_found(frozen: World, clock: Clock, part: str) -> None:
    result = frozen.latest()
    folder = frozen.root / "frozen" / result.run_id
    if part == "model":
        path = folder / "1" / "model-42" / "model.json"
        path.write_text(path.read_text(encoding="utf-8") + " ", encoding="utf-8")
    elif part == "card":
        edit_json(folder / "frozen.json", lambda values: values["models"].pop())
    else:
        edit_json(result.folder / "run.json", lambda values: values["config"]["policy"].update(cap=1.0))
    what = "configuration" if part == "configuration" else "models and maps"
    with pytest.raises(DataError, match=f"{what} as they were frozen"):
        later(frozen, clock, DAYS + 60)
    assert "forward" not in frozen.kinds()


def test_a_past_that_was_revised_is_found(frozen: World, clock: Clock) -> None:
    clock.after(DAYS + 60)
    data = {"n_days": DAYS + 60, "seed": 4}
    with pytest.raises(DataError, match="what the study had is the beginning of the new data"):
        forward(frozen.latest(), frozen.place, data=data, progress=lambda *_: None)


def test_a_recorded_day_that_was_revised_or_taken_away_is_found(clock: Clock, quick: World, tmp_path: Path) -> None:
    path, whole = tmp_path / "prices.csv", prices(DAYS + 60)
    data = csv_data(path, whole.head(DAYS))
    result = quick.run(data=data, features=["ret_1", "ret_5"])
    put_away(quick, result)

    def score(frame: pl.DataFrame) -> ForwardDays:
        frame.write_csv(path)
        return forward(quick.latest(), quick.place, progress=lambda *_: None)

    clock.after(DAYS + 60)
    assert score(whole.head(DAYS + 40)).new == 39
    with pytest.raises(DataError, match="got 'data without 10 recorded days'; rule 'a recorded day stays in the data'"):
        score(whole.head(DAYS + 30))
    day = whole["date"][DAYS + 20]
    revised = whole.with_columns(close=pl.when(pl.col("date") == day).then(pl.col("low")).otherwise(pl.col("close")))
    with pytest.raises(DataError, match="computed again, a recorded day gives the same numbers"):
        score(revised)
    assert quick.kinds()["forward"] == 39, "nothing is recorded where something is refused"
    assert score(whole).new == 20
    assert quick.kinds()["forward"] == 59


def test_a_day_that_turns_up_late_is_found(frozen: World, clock: Clock) -> None:
    found = later(frozen, clock, DAYS + 60)
    held, row = read_frozen(frozen.latest(), frozen.place), dict(found.days[10])
    between = {name: row[name] for name in ("known_at", "net", "nets", "loss", "skill")} | {"ts": row["ts"] - 1}
    with (
        Ledger.open(frozen.place.ledger, role="research") as ledger,
        pytest.raises(
            DataError, match=r"got '\S{10}, recorded until \S{10}'; rule 'a new day follows the recorded ones'"
        ),
    ):
        _forward._recorded(ledger, held, [*found.days, between])
    assert frozen.kinds()["forward"] == 59


def test_only_a_run_as_it_was_can_be_frozen(clock: Clock, quick: World, tmp_path: Path) -> None:
    path, whole = tmp_path / "prices.csv", prices(DAYS + 60)
    result = quick.run(data=csv_data(path, whole.head(DAYS)), features=["ret_1", "ret_5"])
    with pytest.raises(InputError, match=r"days: got 60; .*126 or more"):
        put_away(quick, result, days=60)
    clock.now -= 2 * NS_PER_DAY
    with pytest.raises(EnvironmentProblem, match="a freeze before its verdict would make old days new"):
        put_away(quick, result)
    clock.now += 2 * NS_PER_DAY
    with pytest.raises(InputError, match=r"its selection is not frozen; .*karat freeze"):
        forward(result, quick.place, progress=lambda *_: None)
    whole.write_csv(path)
    with pytest.raises(InputError, match=r"configuration, data and code now give run .*run the study again"):
        put_away(quick, result)
    whole.head(DAYS).write_csv(path)
    model = next(quick.place.cells.glob("*/model/model.json"))
    for model in quick.place.cells.glob("*/model"):
        shutil.rmtree(model.parent)
    with pytest.raises(DataError, match="a frozen model forecasts what the ledger recorded of its cell"):
        put_away(quick, result)
    assert "frozen" not in quick.kinds()


@pytest.mark.req("EVAL-12")
def test_each_freeze_of_a_family_has_less_to_spend(frozen: World) -> None:
    other = frozen.run(models=[{"name": "linear_quantile"}, {"name": "climatology", "params": {"min_rows": 100}}])
    second = put_away(frozen, other)
    assert (second.test.rank, second.test.level) == (2, spend_alpha(0.05, 2))


def test_maps_are_frozen_with_the_models(clock: Clock, quick: World) -> None:
    changes: dict[str, Any] = {
        "calibration": {"classes": "temperature", "quantiles": "conformal"},
        "splits": {"test_frac": 0.505, "select_folds": 1, "test_folds": 2, "valid_bars": 230},
    }
    held = put_away(quick, quick.run(**changes))
    assert len(list(held.folder.glob("*/map-quantiles.json"))) == 6
    assert later(quick, clock, DAYS + 60).new == 59


def test_reproduce_reads_the_forward_days_from_the_ledger(frozen: World, clock: Clock) -> None:
    later(frozen, clock, DAYS + 60)
    result = frozen.latest()
    assert reproduce(result, frozen.place, progress=lambda *_: None).equal
    edit_json(result.folder / "forward.json", lambda values: values.update(state="confirmed"))
    outcome = reproduce(RunResult(result.folder), frozen.place, progress=lambda *_: None)
    assert [row.what for row in outcome.rows if row.equal is False] == ["forward days"]
    (result.folder / "forward.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="karat forward"):
        _ = RunResult(result.folder).forward


def test_the_command_freezes_and_scores(clock: Clock, quick: World) -> None:
    quick.run()
    refused = said(quick, "freeze", "latest", "--days", "0")
    assert refused.exit_code == 2, refused.output
    outcome = said(quick, "freeze", "latest", "--days", "126")
    assert outcome.exit_code == 0, outcome.output
    assert "freeze 1 of its family" in outcome.stdout
    clock.after(DAYS + 60)
    outcome = said(quick, "forward", "latest", "--data", f"n_days={DAYS + 60}")
    assert outcome.exit_code == 0, outcome.output
    assert "forward days: 59, 59 of them new" in outcome.stdout
    facts = json.loads(said(quick, "forward", "latest", "--data", f"n_days={DAYS + 60}", "--json").stdout)
    assert (facts["days"], facts["new"], facts["state"]) == (59, 0, "waiting")
    assert json.loads(said(quick, "freeze", "latest", "--json").stdout)["test"]["days"] == 126
    for word in ("n_days", "=3", "n_days=["):
        assert said(quick, "forward", "latest", "--data", word).exit_code == 2
