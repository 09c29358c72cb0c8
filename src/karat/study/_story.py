"""The report of a run, built from its stored results and run.json alone: a report can be made again at any time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from karat.core import DataError, iso_date
from karat.data import Forecast
from karat.evidence import Check, Gate, Verdict, spend_alpha, with_forward
from karat.report import (
    Estimate,
    Fan,
    FeatureRow,
    FindingRow,
    FoldRow,
    OpeningRow,
    ScoreRow,
    SeedRow,
    SourceRow,
    Story,
    TrialRow,
    write,
)
from karat.study._result import RunResult
from karat.study._story_calibration import calibration, figures, maps
from karat.study._story_money import attributed, costs, equity, periods, risk, windows
from karat.study._written import require_written

_FAN_LENGTH = 120


def write_report(folder: Path) -> tuple[Path, Path]:
    """Write report.html and report.md of a run folder; return their paths.

    Raises:
        DataError: a folder that lacks what a report shows, or shows a verdict without its trials.
    """
    return write(make_story(RunResult(folder)), folder)


def verdict_of(manifest: Mapping[str, Any]) -> Verdict:
    """Rebuild the verdict from run.json."""
    values = dict(manifest["verdict"])
    gates = []
    for gate in values.pop("gates"):
        checks = tuple(Check(**check) for check in gate["checks"])
        gates.append(Gate(**{**gate, "checks": checks}))
    low, high = (math.nan if bound is None else float(bound) for bound in values.pop("net_excess_interval"))
    for name in ("net_excess_sharpe", "detectable_sharpe"):
        values[name] = math.nan if values[name] is None else values[name]
    return Verdict(**values, gates=tuple(gates), net_excess_interval=(low, high))


def make_story(result: RunResult) -> Story:
    """Return everything the report shows.

    Raises:
        DataError: the folder lacks something, or run.json the trials that the verdict counted.
    """
    require_written(result)
    _require_trials(result.manifest)
    manifest, record = result.manifest, result.manifest.get("record", {})
    config, selection = manifest["config"], manifest["selection"]
    primary = config["primary_horizon"]
    baseline = manifest["verdict"]["money_baseline"]
    return Story(
        title=config["name"],
        run_id=manifest["run_id"],
        created=record.get("finished", ""),
        verdict=with_forward(verdict_of(manifest), result.forward),
        forward=result.forward,
        config=config,
        sources=tuple(_sources(manifest)),
        environment=manifest["environment"],
        command=f"karat reproduce {manifest['run_id']}",
        description=config["description"],
        selected=selection["selected"],
        baseline=baseline,
        primary_horizon=primary,
        warnings=tuple(_warnings(result)),
        findings=tuple(FindingRow(**row) for row in manifest["data"]["findings"]),
        features=tuple(_features(manifest)),
        folds=tuple(_fold(row) for row in manifest["folds"] if row["horizon"] == primary),
        scores=tuple(_scores(result.metrics)),
        fan=_fan(result, primary),
        calibration=calibration(result),
        figures=tuple(figures(result)),
        maps=tuple(maps(result)),
        equity=equity(result, baseline),
        risk=tuple(risk(result, baseline)),
        costs=costs(result),
        attribution=tuple(attributed(result)),
        windows=tuple(windows(result)),
        periods=tuple(periods(result)),
        seeds=tuple(SeedRow(selection["selected"], **row) for row in result.frame("seeds").iter_rows(named=True)),
        trials=tuple(_trials(manifest)),
        openings=tuple(_openings(manifest)),
        ledger=record.get("ledger", {}),
    )


def _require_trials(manifest: Mapping[str, Any]) -> None:
    """Refuse a report that would show a verdict without the trials it rests on."""
    trials = [trial["id"] for trial in manifest["history"]["trials"]]
    counted = len(trials) + manifest["config"]["verdict"]["prior_trials"]
    if counted != manifest["verdict"]["family_trials"] or manifest["selection"]["trial"] not in trials:
        seen = f"{counted}, the verdict counted {manifest['verdict']['family_trials']}"
        fix = f"restore run.json from a copy, or make it again: karat reproduce {manifest['run_id']}"
        raise DataError("run.json", "every trial that the verdict counted is in it", seen=seen, fix=fix)


def _sources(manifest: Mapping[str, Any]) -> Iterator[SourceRow]:
    data = manifest["data"]
    provenance = data["provenance"]
    yield SourceRow(
        name=provenance["source"],
        origin=provenance["origin"],
        licence=provenance["licence"],
        content_hash=data["content_hash"],
        rows=data["rows"],
        instruments=tuple(data["instruments"]),
        first=iso_date(data["first_ns"]),
        last=iso_date(data["last_ns"]),
        calendar=data["calendar"],
        prices=provenance["prices"],
        preprocessing=tuple(provenance["preprocessing"]),
        notes=tuple(data["notes"]),
    )


def _warnings(result: RunResult) -> Iterator[str]:
    manifest = result.manifest
    yield from dict.fromkeys(manifest["notes"])
    if manifest["history"]["fresh"]:
        yield "History before this ledger is unknown: trials made elsewhere are added by prior_trials."
    yield from result.warnings


def _features(manifest: Mapping[str, Any]) -> Iterator[FeatureRow]:
    for row in manifest["features"]:
        yield FeatureRow(**row)
    for name, reason in manifest["features_absent"].items():
        yield FeatureRow(name, absent=reason)


def _fold(row: Mapping[str, Any]) -> FoldRow:
    def block(name: str) -> tuple[tuple[str, str], int]:
        span = row[name]
        return (("", ""), 0) if span is None else ((iso_date(span[0]), iso_date(span[1])), span[2])

    (train, n_train), (valid, n_valid), (test, n_test) = block("train"), block("valid"), block("test")
    return FoldRow(row["index"], row["role"], train, n_train, valid, n_valid, test, n_test)


def _scores(metrics: pl.DataFrame) -> Iterator[ScoreRow]:
    keys = ["model", "role", "horizon", "scope"]
    for key, part in metrics.group_by(keys, maintain_order=True):
        cells = {row["metric"]: _estimate(row) for row in part.iter_rows(named=True)}
        model, role, horizon, scope = (str(item) for item in key)
        yield ScoreRow(model=model, role=role, horizon=horizon, n=int(part["n"][0]), scope=scope, **cells)  # type: ignore[arg-type]


def _estimate(row: Mapping[str, Any]) -> Estimate:
    low, high = (math.nan if row[name] is None else float(row[name]) for name in ("low", "high"))
    return Estimate(float(row["value"]), low, high)


def _fan(result: RunResult, horizon: str) -> Fan:
    frame = result.frame("forecast")
    name = str(frame["instrument"][0])
    tail = frame.filter(pl.col("instrument") == name).tail(_FAN_LENGTH)
    forecast = Forecast.from_frame(tail)
    return Fan(forecast.model, name, horizon, forecast.ts, tail["value"].to_numpy(), forecast.quantiles)


def _trials(manifest: Mapping[str, Any]) -> Iterator[TrialRow]:
    selected = manifest["selection"]["trial"]
    gates = {gate["number"]: gate["p_value"] for gate in manifest["verdict"]["gates"]}
    for trial in manifest["history"]["trials"]:
        chosen = trial["id"] == selected
        p_values = {"skill_p": gates.get(1), "money_p": gates.get(2)} if chosen else {}
        found = {key: math.nan if value is None else float(value) for key, value in p_values.items()}
        yield TrialRow(
            id=trial["id"],
            name=trial["name"],
            study=trial["study"],
            run_id=trial["run_id"],
            horizon=trial["horizon"],
            stored=trial["series"] is not None,
            selected=chosen,
            **found,
        )


def _openings(manifest: Mapping[str, Any]) -> Iterator[OpeningRow]:
    history, alpha = manifest["history"], manifest["config"]["verdict"]["alpha"] / 2
    for number, (run_id, study) in enumerate(history["openings"], start=1):
        current = run_id == manifest["run_id"]
        yield OpeningRow(number, run_id, study, spend_alpha(alpha, number), current)
