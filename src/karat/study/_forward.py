"""`forward`: a frozen selection on the days that came after it, each recorded once.

A forward day is a date whose bars were known after the freeze and are later than everything that the study had, and
whose label has ended. Models and maps are the frozen ones; they forecast, the study's policy and market trade, and each
day's numbers go into the ledger.

Invariants:
1. A day at or before the freeze, or one that cannot be known yet, is refused by the function that records it; data
   that hold a bar of the future are refused as a whole.
2. Everything the study had is unchanged: its data are the beginning of the new data, to the bit.
3. A day that is in the ledger is never written again; computed again it has to give the recorded numbers.
4. Models, maps and configuration are those of the freeze, by hash.
5. Nothing here is a trial or an opening of `Test`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import DataError, InputError, Ledger, iso, iso_date, now_ns, set_all_seeds
from karat.data import Forecast, Inputs, Panel, Table
from karat.evidence import Forward, ForwardTest, judge_forward
from karat.features import table
from karat.labels import make_labels, usable
from karat.models import load_model
from karat.study._config import StudyConfig
from karat.study._context import Progress, venue_of
from karat.study._environment import source_hash
from karat.study._freeze import Frozen, read_card, read_frozen
from karat.study._maps import Maps
from karat.study._plugins import model_plugins
from karat.study._prepare import prepare_dataset
from karat.study._regimes import NONE, regime_days
from karat.study._result import FORWARD, RunResult
from karat.study._rivals import SCALE
from karat.study._score import Scored, average_seeds, scale_of, score, skill_terms
from karat.study._story import write_report
from karat.study._workspace import Workspace

_NUMBERS: Final = ("net", "loss")
_CLOSE: Final = {"rtol": 1e-9, "atol": 1e-12}


@dataclass(frozen=True)
class ForwardDays:
    """The forward days of a frozen selection that are in the ledger, how many are new, and what they say."""

    run_id: str
    days: tuple[Mapping[str, Any], ...]
    new: int
    found: Forward

    def to_dict(self) -> dict[str, Any]:
        """Return what `karat forward --json` prints and the run's forward.json holds."""
        ends = [iso_date(self.days[k]["ts"]) for k in (0, -1)] if self.days else []
        return {"run_id": self.run_id, "first_and_last": ends, "new": self.new, **self.found.to_dict()}


def forward(
    result: RunResult, workspace: Workspace, *, data: Mapping[str, Any] | None = None, progress: Progress
) -> ForwardDays:
    """Score a frozen selection on the days after its freeze, record those that are new, and test what was fixed.

    data: parameters of the study's source that changed since, such as a path or a number of days; `data.end` is left
    out.

    Raises:
        InputError: not frozen, or no day after the freeze. DataError: models, configuration, earlier data or a recorded
        day are not what they were; a day that cannot be known yet.
    """
    frozen = read_frozen(result, workspace)
    progress("forward", 0, 2)
    config = _config(result, data or {})
    chosen, baselines = _scored(frozen, config)
    progress("forward", 1, 2)
    rows = _rows(chosen, baselines)
    with Ledger.open(workspace.ledger, role="research") as ledger:
        days, new = _recorded(ledger, frozen, rows)
    found = judge_forward(frozen.test, *_series(days), frozen.entry.payload["shown_on_valid"])
    outcome = ForwardDays(result.run_id, tuple(days), new, found)
    text = json.dumps(outcome.to_dict(), indent=1, allow_nan=False)
    (result.folder / FORWARD).write_text(text, encoding="utf-8")
    write_report(result.folder)
    progress("forward", 2, 2)
    return outcome


def standing(ledger: Ledger, run_id: str) -> Forward | None:
    """Return where a frozen selection stands by what the ledger alone says, None without a forward day."""
    frozen = ledger.find(f"frozen:{run_id}")
    days = _days(ledger, run_id)
    if frozen is None or not days:
        return None
    return judge_forward(ForwardTest(**frozen.payload["test"]), *_series(days), frozen.payload["shown_on_valid"])


def record_day(ledger: Ledger, frozen: Frozen, row: Mapping[str, Any]) -> None:
    """Write one forward day into the ledger, once.

    Raises:
        DataError: a day at or before the freeze, one that lies in the future, or other numbers than were recorded.
    """
    if is_new(ledger, frozen, row):
        payload = {"run_id": frozen.run_id, "frozen": frozen.entry.hash, "sources": source_hash(), **row}
        ledger.append_once(_key(frozen.run_id, row["ts"]), "forward", payload)


def is_new(ledger: Ledger, frozen: Frozen, row: Mapping[str, Any]) -> bool:
    """Return whether a forward day is not in the ledger yet; one that is has the same numbers there.

    Raises:
        DataError: as `record_day`.
    """
    entry, day = frozen.entry, iso_date(row["ts"])
    if row["ts"] <= entry.payload["last_ns"] or row["known_at"] <= entry.ts_ns:
        seen = f"known at {iso(row['known_at'])}, frozen at {iso(entry.ts_ns)}"
        raise DataError("forward day", "later than the freeze", rows=[day], seen=seen, fix="leave it out")
    _require_known(row["known_at"], day)
    known = ledger.find(_key(frozen.run_id, row["ts"]))
    if known is None:
        return True
    pairs = _numbers(known.payload, row)
    moved = [name for name, was, now in pairs if not np.isclose(was, now, equal_nan=True, **_CLOSE)]
    if moved:
        rule, fix = "computed again, a recorded day gives the same numbers", "restore the data that were there then"
        raise DataError("forward day", rule, rows=[day], seen=f"other values of {', '.join(moved)}", fix=fix)
    return False


def _require_known(known_at: int, day: str) -> None:
    """Refuse bars of the future: they would be made up, and so would the labels that end with them."""
    if known_at > now_ns():
        seen = f"known at {iso(known_at)}, now is {iso(now_ns())}"
        raise DataError("forward day", "known by now", rows=[day], seen=seen, fix="give data that exist")


def _key(run_id: str, ts: int) -> str:
    return f"forward:{run_id}:{ts}"


def _config(result: RunResult, data: Mapping[str, Any]) -> StudyConfig:
    config = result.study
    block = config.data.model_copy(update={"params": {**config.data.params, **data}, "end": None})
    return config.model_copy(update={"data": block})


def _scored(frozen: Frozen, config: StudyConfig) -> tuple[Scored, dict[str, Scored]]:
    """Return the selection and every baseline on the forward days."""
    dataset = prepare_dataset(config)
    last = int(dataset.panel.frame["known_at"].to_numpy().max())
    _require_known(last, iso_date(last))
    _require_same_past(frozen, dataset.panel)
    every = table(dataset.panel, dataset.features)
    labels = usable(every, make_labels(dataset.panel, config.primary_horizon)).frame
    late = (pl.col("ts") > frozen.entry.payload["last_ns"]) & (pl.col("known_at") > frozen.entry.ts_ns)
    known = dataset.panel.frame.select("ts", "instrument", "known_at")
    judged = labels.select("ts", "instrument", "value").join(known, on=["ts", "instrument"], how="left").filter(late)
    if judged.is_empty():
        allowed = f"bars known after the freeze, {iso(frozen.entry.ts_ns)}, whose labels have ended"
        fix = "wait, or name newer data: --data path=FILE"
        raise InputError("data", f"known up to {iso(last)}", allowed=allowed, why="there is no forward day", fix=fix)
    inputs, venue = _inputs(every, judged, config.primary_horizon), venue_of(config, dataset.panel)
    system = config.calibration.by_regime
    regime = None if system == NONE else regime_days(dataset.panel, system, seed=config.seed).at(inputs.ts)
    found = {}
    for number, row in enumerate(read_card(frozen.folder)):
        forecast = _forecast(frozen.folder / str(number), row, inputs, config, regime)
        found[row["title"]] = score(row["title"], forecast, judged, venue)
    chosen = found.pop(frozen.entry.payload["selected"])
    return chosen, found


def _require_same_past(frozen: Frozen, panel: Panel) -> None:
    past = Panel(panel.frame.filter(pl.col("ts") <= frozen.entry.payload["last_ns"]), panel.calendar, panel.provenance)
    if past.content_hash != frozen.entry.payload["data"]:
        rule = "what the study had is the beginning of the new data, to the bit"
        fix = "append to the data that were frozen; a source that revises its past cannot be tested forward"
        seen = f"{past.content_hash[:16]}, frozen {frozen.entry.payload['data'][:16]}"
        raise DataError("data", rule, rows=[f"up to {iso_date(frozen.entry.payload['last_ns'])}"], seen=seen, fix=fix)


def _inputs(every: Table, judged: pl.DataFrame, horizon: str) -> Inputs:
    """Return the rows to forecast for, and a table that ends with the last of them."""
    cut = every.take(np.flatnonzero(every.known_at <= judged["known_at"].to_numpy().max()).astype(np.int64))
    names = np.asarray(cut.instruments, dtype=np.str_)[cut.code]
    keys = pl.DataFrame({"ts": cut.ts, "instrument": names.tolist()}).with_row_index("row")
    rows = keys.join(judged, on=["ts", "instrument"], how="semi")["row"].to_numpy().astype(np.int64)
    return Inputs(cut, np.sort(rows), horizon)


def _forecast(
    place: Path, row: Mapping[str, Any], inputs: Inputs, config: StudyConfig, regime: np.ndarray | None
) -> Forecast:
    """Return the averaged and calibrated forecast of one frozen model."""
    plugins = model_plugins(config.plugins)
    parts = []
    for seed in row["seeds"]:
        set_all_seeds(seed)
        parts.append(load_model(place / f"model-{seed}", plugins=plugins).predict(inputs))
    forecast = average_seeds(parts)
    if row["learned_ns"] is None:
        return forecast
    return Maps.load(place, "map", row["learned_ns"]).calibrate(forecast, regime)


def _rows(chosen: Scored, baselines: Mapping[str, Scored]) -> list[dict[str, Any]]:
    """Return one row of plain numbers for each forward day."""
    scale = scale_of(baselines[SCALE].forecast)
    skill = {name: skill_terms(chosen, baseline, scale) for name, baseline in baselines.items()}
    loss = chosen.by_date("pinball")
    stamps, known = chosen.forecast.ts, chosen.forecast.known_at
    order = np.argsort(known, kind="stable")
    latest = dict(zip(stamps[order].tolist(), known[order].tolist()))
    return [
        {
            "ts": int(ts),
            "known_at": int(latest[int(ts)]),
            "net": float(chosen.net[k]),
            "nets": {name: float(its.net[k]) for name, its in sorted(baselines.items())},
            "loss": _plain(loss[k]),
            "skill": {name: _plain(terms[k]) for name, terms in sorted(skill.items())},
        }
        for k, ts in enumerate(chosen.dates)
        if int(ts) in latest
    ]


def _recorded(ledger: Ledger, frozen: Frozen, rows: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], int]:
    """Record the days that are new, all or none, and return all of them, in order, and how many were new.

    Raises:
        DataError: as `record_day`, a recorded day that the data no longer have, or a new one before a recorded one.
    """
    before = {row["ts"] for row in _days(ledger, frozen.run_id)}
    gone = sorted(before - {row["ts"] for row in rows})
    if gone:
        seen, fix = f"data without {counted(len(gone), 'recorded day')}", "give data that hold every recorded day"
        days = list(map(iso_date, gone))
        raise DataError("forward day", "a recorded day stays in the data", seen=seen, rows=days, fix=fix)
    new = [row for row in rows if is_new(ledger, frozen, row)]
    early = [iso_date(row["ts"]) for row in new if before and row["ts"] < max(before)]
    if early:
        rule, fix = "a new day follows the recorded ones", "restore the data that were there then"
        seen = f"{early[0]}, recorded until {iso_date(max(before))}"
        raise DataError("forward day", rule, seen=seen, rows=early, fix=fix)
    for row in new:
        record_day(ledger, frozen, row)
    return _days(ledger, frozen.run_id), len(new)


def _days(ledger: Ledger, run_id: str) -> list[Mapping[str, Any]]:
    rows = (entry.payload for entry in ledger.entries("forward"))
    return sorted((row for row in rows if row["run_id"] == run_id), key=lambda row: row["ts"])


def _series(days: Sequence[Mapping[str, Any]]) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, np.ndarray]]:
    """Return skill by baseline, the net returns, and those of every baseline."""
    skill, nets = (
        {name: np.array([day[part][name] for day in days], dtype=np.float64) for name in days[0][part]}
        for part in ("skill", "nets")
    )
    return skill, np.array([day["net"] for day in days], dtype=np.float64), nets


def _numbers(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    pairs = [(name, was[name], now[name]) for name in _NUMBERS]
    pairs += [
        (f"{part} of {name}", was[part].get(name), value)
        for part in ("skill", "nets")
        for name, value in now[part].items()
    ]
    return [(name, _number(before), _number(after)) for name, before, after in pairs]


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
