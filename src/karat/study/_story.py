"""The report of a run, built from its stored results and run.json alone: a report can be made again at any time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from karat.core import derive_seed, iso_date
from karat.data import HORIZONS, LEVELS, Forecast
from karat.evidence import Check, Gate, Verdict, bootstrap_interval, pit, spend_alpha
from karat.kernels import max_drawdown, sharpe, total_return, volatility
from karat.report import (
    AttributionRow,
    Calibration,
    Costs,
    Curve,
    Equity,
    Estimate,
    Fan,
    FeatureRow,
    FindingRow,
    FoldRow,
    OpeningRow,
    PeriodRow,
    ReliabilityRow,
    RiskRow,
    ScoreRow,
    SeedRow,
    SourceRow,
    Story,
    TrialRow,
    WindowRow,
    write,
)
from karat.study._result import RunResult

_FAN_LENGTH = 120
_SUB_PERIODS = 10
_DRAWS = 1000
_RISK_BLOCK = 20
_WINDOW_BARS = 21


def write_report(folder: Path) -> tuple[Path, Path]:
    """Write report.html and report.md of a run folder; return their paths."""
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
    """Return everything the report shows."""
    manifest = result.manifest
    config, record = manifest["config"], manifest.get("record", {})
    verdict = verdict_of(manifest)
    selection, primary = manifest["selection"], config["primary_horizon"]
    return Story(
        title=config["name"],
        run_id=manifest["run_id"],
        created=record.get("finished", ""),
        verdict=verdict,
        config=config,
        sources=tuple(_sources(manifest)),
        environment=manifest["environment"],
        command=f"karat reproduce {manifest['run_id']}",
        description=config["description"],
        selected=selection["selected"],
        baseline=selection["money_baseline"][primary],
        primary_horizon=primary,
        warnings=tuple(_warnings(manifest, result)),
        findings=tuple(FindingRow(**row) for row in manifest["data"]["findings"]),
        features=tuple(_features(manifest)),
        folds=tuple(_fold(row) for row in manifest["folds"] if row["horizon"] == primary),
        scores=tuple(_scores(result.metrics)),
        fan=_fan(result, primary),
        calibration=_calibration(result),
        equity=_equity(result, selection["money_baseline"][primary]),
        risk=tuple(_risk(result, selection["money_baseline"][primary])),
        costs=Costs(manifest["costs"]["gross_usd"], manifest["costs"]["items"], manifest["costs"]["net_usd"]),
        attribution=tuple(_attribution(result)),
        windows=tuple(_windows(result)),
        periods=tuple(_periods(result)),
        seeds=tuple(SeedRow(selection["selected"], **row) for row in result.frame("seeds").iter_rows(named=True)),
        trials=tuple(_trials(manifest)),
        openings=tuple(_openings(manifest)),
        ledger=record.get("ledger", {}),
    )


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


def _warnings(manifest: Mapping[str, Any], result: RunResult) -> Iterator[str]:
    yield from dict.fromkeys(manifest["notes"])
    if manifest["history"]["fresh"]:
        yield "History before this ledger is unknown: trials made elsewhere are added by prior_trials."
    if result.trades.is_empty():
        yield "No trades: the policy never left cash on the test dates, so nothing about money was tested."
    absent = manifest["features_absent"]
    if absent:
        yield f"{len(absent)} features are absent because this panel cannot serve them: {', '.join(sorted(absent))}."


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


def _calibration(result: RunResult) -> Calibration:
    frame = result.frame("forecast")
    forecast, values = Forecast.from_frame(frame), frame["value"].to_numpy()
    coverage = []
    for k, level in enumerate(LEVELS):
        hit = float((values <= forecast.quantiles[:, k]).mean())
        spread = 1.96 * math.sqrt(max(hit * (1 - hit), 1e-12) / len(values))
        coverage.append(ReliabilityRow(float(level), hit, hit - spread, hit + spread, len(values)))
    return Calibration(forecast.model, pit(values, forecast.quantiles, LEVELS), tuple(coverage))


def _equity(result: RunResult, baseline: str) -> Equity:
    frame = result.equity
    curves = (
        Curve(str(result.manifest["selection"]["selected"]), "selected", frame["selected"].to_numpy()),
        Curve(baseline, "baseline", frame["baseline"].to_numpy()),
        Curve("buy_and_hold", "reference", frame["buy_and_hold"].to_numpy()),
    )
    unique = curves if baseline != "buy_and_hold" else curves[:2]
    low, high = _band(result)
    return Equity(frame["ts"].to_numpy(), unique, low, high)


def _band(result: RunResult) -> tuple[np.ndarray, np.ndarray]:
    """Return the pointwise 95 % band of equity from a circular block bootstrap of the net returns."""
    from karat.core import generator

    net = result.equity["net"].to_numpy()
    rng = generator(result.config["seed"], "report", "band")
    block = max(10, HORIZONS[result.config["primary_horizon"]] * 2)
    starts = rng.integers(0, len(net), size=(500, -(-len(net) // block)))
    index = (starts[:, :, None] + np.arange(block)) % len(net)
    paths = np.cumprod(1.0 + net[index.reshape(500, -1)[:, : len(net)]], axis=1)
    start = float(result.equity["selected"][0]) / (1.0 + float(net[0]))
    low, high = np.quantile(paths, [0.025, 0.975], axis=0)
    return start * low, start * high


def _risk(result: RunResult, baseline: str) -> Iterator[RiskRow]:
    per_year = float(result.manifest["bars_per_year"])
    seed = derive_seed(result.config["seed"], "report", "risk")
    measures: dict[str, Callable[[np.ndarray], float]] = {
        "roi": total_return,
        "sharpe": lambda r: sharpe(r, periods_per_year=per_year),
        "max_drawdown": max_drawdown,
        "volatility": lambda r: volatility(r, periods_per_year=per_year),
    }
    rows = [
        (str(result.manifest["selection"]["selected"]), "selected", "net"),
        (baseline, "baseline", "baseline_net"),
        ("buy_and_hold", "reference", "hold_net"),
    ]
    for name, role, column in rows if baseline != "buy_and_hold" else rows[:2]:
        net = result.equity[column].to_numpy()
        cells = {}
        for key, measure in measures.items():
            value = measure(net)
            found = bootstrap_interval(net, measure, block=_RISK_BLOCK, draws=_DRAWS, level=0.95, seed=seed)
            cells[key] = Estimate(value, found.lower, found.upper)
        yield RiskRow(name, role, cells)  # type: ignore[arg-type]  # the three roles above


def _attribution(result: RunResult) -> Iterator[AttributionRow]:
    for row in result.frame("attribution").iter_rows(named=True):
        costs = row["cost_proportional_usd"] + row["cost_fixed_usd"]
        yield AttributionRow(row["instrument"], row["gross_pnl_usd"], costs, row["net_pnl_usd"])


def _windows(result: RunResult) -> Iterator[WindowRow]:
    """Yield the worst and best 21-bar windows and the deepest drawdown of the selected model."""
    frame = result.equity
    net, base, stamps = frame["net"].to_numpy(), frame["baseline_net"].to_numpy(), frame["ts"].to_numpy()
    if len(net) <= _WINDOW_BARS:
        return
    wealth = np.r_[1.0, np.cumprod(1.0 + net)]
    rolling = wealth[_WINDOW_BARS:] / wealth[:-_WINDOW_BARS] - 1.0
    for kind, at in (("worst", int(rolling.argmin())), ("best", int(rolling.argmax()))):
        first, last = iso_date(int(stamps[at])), iso_date(int(stamps[at + _WINDOW_BARS - 1]))
        other = float(np.prod(1.0 + base[at : at + _WINDOW_BARS]) - 1.0)
        yield WindowRow(kind, f"{kind} {_WINDOW_BARS} bars", first, last, float(rolling[at]), other)  # type: ignore[arg-type]
    depth = wealth / np.maximum.accumulate(wealth) - 1.0
    bottom = int(depth.argmin())
    top = int(wealth[: bottom + 1].argmax())
    if bottom > top:
        first, last = iso_date(int(stamps[top])), iso_date(int(stamps[bottom - 1]))
        other = float(np.prod(1.0 + base[top:bottom]) - 1.0)
        yield WindowRow("drawdown", "deepest drawdown", first, last, float(depth[bottom]), other)


def _periods(result: RunResult) -> Iterator[PeriodRow]:
    frame, per_year = result.equity, float(result.manifest["bars_per_year"])
    net, stamps = frame["net"].to_numpy(), frame["ts"].to_numpy()
    for part in np.array_split(np.arange(len(net)), _SUB_PERIODS):
        worth = sharpe(net[part], periods_per_year=per_year)
        yield PeriodRow(iso_date(int(stamps[part[0]])), iso_date(int(stamps[part[-1]])), worth)


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
