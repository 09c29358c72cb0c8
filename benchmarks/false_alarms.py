"""How often the guards cry wolf: every guard of `karat guard` on clean studies, with exact binomial bounds.

    python benchmarks/false_alarms.py [--studies 200] [--first 1] [--workers 2] [--out FILE] [--guards ids] [--json]

A clean study has no planted fault: a synthetic market of one to eight instruments, with an edge or without, in one of
six worlds (see `WORLDS`), with drawn features, labels, bars, splits, model, policy and market. `--out` holds one JSON
line per study; a study that has its line there, made by the same sources with the same guards, is not run again. The
upper bounds are one-sided at 95 % (Clopper and Pearson, 1934), of studies in which any check of a guard failed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import polars as pl

from karat.core import content_hash, generator
from karat.data import load
from karat.evidence import exact_rate
from karat.study import QUESTIONS, StudyConfig, measured_on, run_guards

GOAL = 0.05
WORLDS = {
    "plain": "instruments of one law, listed for all of the time",
    "mixed": "volatilities from a third to three times, volumes over three decades",
    "listed": "instruments that begin later and end earlier than others",
    "late": "rows that are known hours after their close",
    "vix": "the VIX joined as of when it was known, 2014 to 2018",
    "endless": "a market that never closes",
}
FEATURES = (["ret_1", "ret_5", "signal"], ["a20"], ["a20", "-bollinger_b", "signal"], ["base25"], ["a20", "regulatory"])
MODELS = ("linear_quantile", "logistic", "lightgbm", "arima")
HORIZONS = ("1d", "2d", "3d", "5d", "week")
HOUR = 3_600_000_000_000
PRICES = ("open", "high", "low", "close")


def clean_study(seed: int) -> dict[str, Any]:
    """Return the study of one seed: a draw from everything that a clean study may be; its `world` is not a study's."""
    rng = generator(seed, "clean study")
    world = str(rng.choice(list(WORLDS)))
    horizon, other = (str(name) for name in rng.choice(HORIZONS, 2, replace=False))
    features = list(FEATURES[int(rng.integers(len(FEATURES)))])
    bars = "2d" if world == "plain" and rng.random() < 0.3 else "1d"
    params = {
        "seed": seed,
        "n_days": int(rng.integers(1400, 1900)) * (2 if bars == "2d" else 1),
        "n_instruments": int(rng.integers(1, 9)),
        "edge_sharpe": float(rng.choice([0.0, 1.0, 3.0])),
        "half_life_days": float(rng.choice([1.0, 5.0, 20.0])),
        "df": float(rng.choice([3.0, 5.0, 30.0])),
        "volatility": float(rng.choice([0.08, 0.16, 0.5])),
        "correlation": float(rng.uniform(0.0, 0.8)),
        "regimes": bool(rng.integers(2)),
    }
    data: dict[str, Any] = {"source": "synthetic", "params": params, "bars": bars}
    extra: dict[str, Any] = {}
    if world == "endless":
        params["calendar"] = "24/7"
    if world == "vix":
        params |= {"start": "2014-01-03", "n_days": 1230}
        features.append("vix8")
        extra["joins"] = [{"source": "bundled", "params": {"dataset": "vix"}, "column": "vix", "name": "vix"}]
    return {
        "name": f"clean-{seed}",
        "data": data,
        "features": features,
        "horizons": [horizon, other] if rng.integers(2) else [horizon],
        "primary_horizon": horizon,
        "splits": {
            "test_frac": 0.45 if world == "vix" else 0.4,
            "select_folds": 1,
            "test_folds": int(rng.integers(1, 4)),
            "valid_bars": int(rng.choice([60, 120, 250])),
            "embargo_bars": int(rng.integers(0, 6)),
        },
        "models": [{"name": str(rng.choice(MODELS, p=[0.35, 0.3, 0.3, 0.05]))}],
        "policy": {"mode": str(rng.choice(["long_flat_short", "long_flat"]))},
        "market": {
            "fill": str(rng.choice(["next_open", "next_close"])),
            "cash": str(rng.choice(["borrow", "scale", "reject"])),
            "delay_bars": int(rng.integers(0, 2)),
            "proportional_bps": float(rng.choice([0.0, 1.0, 5.0])),
        },
        "seed": seed,
        "seeds": 1,
        "world": world,
        **extra,
    }


def written(study: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the study without its world, its data in a file where the world is not the source's own."""
    plain = {key: value for key, value in study.items() if key != "world"}
    if study["world"] not in ("mixed", "listed", "late"):
        return plain
    params, rng = study["data"]["params"], generator(study["seed"], "world", study["world"])
    frame = load("synthetic", **params).frame
    names = frame["instrument"].unique(maintain_order=True).to_list()
    if study["world"] == "mixed":
        wide = {name: float(3.0 ** rng.uniform(-1, 1)) for name in names}
        traded = {name: float(10.0 ** rng.uniform(-1, 2)) for name in names}
        power = pl.col("instrument").replace_strict(wide, return_dtype=pl.Float64)
        prices = [(100.0 * (pl.col(name) / 100.0) ** power).alias(name) for name in PRICES]
        times = pl.col("instrument").replace_strict(traded, return_dtype=pl.Float64)
        frame = frame.with_columns(*prices, volume=(pl.col("volume") * times).round())
    elif study["world"] == "listed":
        dates = frame["ts"].unique().sort().to_list()
        first = {name: dates[int(rng.choice([0.0, 0.3]) * rng.random() * len(dates))] for name in names[1:]}
        last = {name: dates[-1 - int(rng.choice([0.0, 0.5]) * rng.random() * len(dates))] for name in names[1:]}
        first[names[0]], last[names[0]] = dates[0], dates[-1]
        begins, ends = (pl.col("instrument").replace_strict(x, return_dtype=pl.Int64) for x in (first, last))
        frame = frame.filter(pl.col("ts").is_between(begins, ends))
    else:
        frame = frame.with_columns(known_at=pl.col("ts") + int(rng.integers(1, 30)) * HOUR)
    path = folder / "market.parquet"
    frame.write_parquet(path)
    made = {**study["data"], "source": "parquet", "params": {"path": str(path), "licence": "CC0-1.0"}}
    return plain | {"data": made}


def guarded(seed: int, guards: Sequence[str]) -> dict[str, Any]:
    """Return the line of one study: what failed, as `guard: check: note`, and the seconds of each guard."""
    study = clean_study(seed)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="karat-clean-") as folder:
        config = StudyConfig.parse(written(study, Path(folder)), source=study["name"])
        reports = list(run_guards(guards, config))
    failed = [
        f"{report.guard}: {check.name}: {check.note}"
        for report in reports
        for check in report.checks
        if check.passed is False
    ]
    silent = sorted({check.name for report in reports for check in report.checks if check.passed is None})
    return {
        "seed": seed,
        "world": study["world"],
        "alarms": failed,
        "undecided": silent,
        "seconds": round(time.perf_counter() - started, 2),
        "guards": {report.guard: round(report.seconds, 2) for report in reports},
    }


def lines_of(seeds: Sequence[int], guards: Sequence[str], workers: int, out: Path | None) -> Iterator[dict[str, Any]]:
    """Yield the line of every study, those of an earlier run first."""
    made_by = {"sources": measured_on()["sources"], "asked": content_hash(sorted(guards))[:12]}
    kept = {}
    if out is not None and out.exists():
        for line in map(json.loads, out.read_text(encoding="utf-8").splitlines()):
            if line["seed"] in seeds and {key: line[key] for key in made_by} == made_by:
                kept[line["seed"]] = line
    yield from kept.values()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # inherited by the workers
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(guarded, seed, guards) for seed in seeds if seed not in kept]
        for done in as_completed(waiting):
            line = done.result() | made_by
            if out is not None:
                with out.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(line) + "\n")
            yield line


def summary(lines: Sequence[dict[str, Any]], guards: Sequence[str]) -> dict[str, Any]:
    """Return the alarms of all studies and of each guard with their bounds, and what a guard takes."""
    per_guard = {}
    for guard in guards:
        seconds = [line["guards"][guard] for line in lines]
        found = sum(any(text.startswith(f"{guard}: ") for text in line["alarms"]) for line in lines)
        took = {"mean_s": round(sum(seconds) / len(seconds), 2), "longest_s": max(seconds)}
        per_guard[guard] = {"alarms": found, "upper_95": round(exact_rate(found, len(lines)).upper, 4), **took}
    whole = exact_rate(sum(bool(line["alarms"]) for line in lines), len(lines))
    return {
        "studies": whole.of,
        "with_alarm": whole.count,
        "upper_95": round(whole.upper, 4),
        "goal": f"<= {GOAL}",
        "mean_s": round(sum(line["seconds"] for line in lines) / len(lines), 2),
        "guards": per_guard,
    }


def main() -> int:
    """Run the studies and print what came of them; exit 1 where the bound of all together is above the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--guards", nargs="+", default=list(QUESTIONS), choices=sorted(QUESTIONS))
    parser.add_argument("--json", action="store_true", help="one JSON object per study and one for all")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.studies)
    lines = []
    for line in lines_of(seeds, options.guards, options.workers, options.out):
        lines.append(line)
        text = f"{line['seed']:>4}  {line['world']:<8}{line['seconds']:>6.1f} s  {'; '.join(line['alarms']) or 'quiet'}"
        sys.stdout.write((json.dumps(line) if options.json else text) + "\n")
        sys.stdout.flush()
    found = summary(lines, options.guards) | {"measured_on": measured_on(), "command": " ".join(sys.argv)}
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for name, row in found["guards"].items():
            sys.stdout.write(f"{name:<12}{row['alarms']:>4} alarms, upper {row['upper_95']:.4f}, {row['mean_s']:.2f} s")
            sys.stdout.write(f", at most {row['longest_s']:.2f} s\n")
        sys.stdout.write(f"{found['with_alarm']} of {found['studies']} studies, upper {found['upper_95']:.4f}")
        sys.stdout.write(f" (goal {found['goal']}), {found['mean_s']:.1f} s a study\n")
    return 0 if found["upper_95"] <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
