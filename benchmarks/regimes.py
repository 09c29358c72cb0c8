"""Regimes: speed of the hidden Markov fit and of one step, what labels say of known crises, and of held-out days.

    python benchmarks/regimes.py --json [--peers] [--quick] [--jobs fit step stress neural] [--repeat 9]

`fit`: 50 iterations of EM, 6 states, 5,000 x 3, diagonal, beside a loop in numba with fast maths (`limit`) and, with
--peers, hmmlearn's scaling mode from the same start (KARAT_PEERS names a Python that has it; runs are taken in turn).
`step`: one row online, median and 99th percentile of wall and of processor time. `stress`: five seeds on Nasdaq and S&P
500, 1999 to 2018, filtered, past only, yearly refits, beside "VIX above its expanding 80 % quantile" (VIX since 1990
from KARAT_DATA, joined as-of on when it was known). `neural`: the classifier on held-out days beside its baselines.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from math import exp, log, pi
from pathlib import Path
from typing import Any

import numba
import numpy as np
from market_jobs import Job, line, measure

from karat.data import Panel, load
from karat.evidence import compare_regimes
from karat.features.regimes import (
    STRESSED,
    RegimeFrame,
    as_train,
    describe,
    label,
    make_regime,
    misses,
    stress_table,
)
from karat.kernels import HiddenMarkov, fit_states, step_state

STATES, ITERATIONS, FLOOR = 6, 50, 1e-6
SEEDS = range(5)
HELD_OUT = 0.4


@numba.njit(fastmath=True)
def bare_em(x, states, iterations, mean, variance, transition, start):  # type: ignore[no-untyped-def]
    """Iterate EM in place and return the last log likelihood: as little as the job allows."""
    n, size = x.shape
    density, alpha = np.empty((n, states)), np.empty((n, states))
    beta, ahead, constant, likelihood = np.empty(states), np.empty(states), np.empty(states), 0.0
    for _ in range(iterations):
        likelihood, inverse = 0.0, 1.0 / variance
        for k in range(states):
            constant[k] = 0.0
            for d in range(size):
                constant[k] -= 0.5 * log(2 * pi * variance[k, d])
        for t in range(n):
            peak = -1e300
            for k in range(states):
                s = constant[k]
                for d in range(size):
                    z = x[t, d] - mean[k, d]
                    s -= 0.5 * z * z * inverse[k, d]
                density[t, k] = s
                peak = max(peak, s)
            total = 0.0
            for k in range(states):
                density[t, k] = exp(density[t, k] - peak)
                s = start[k] if t == 0 else 0.0
                if t > 0:
                    for j in range(states):
                        s += alpha[t - 1, j] * transition[j, k]
                alpha[t, k] = s * density[t, k]
                total += alpha[t, k]
            likelihood += peak + log(total)
            for k in range(states):
                alpha[t, k] /= total
        counts, weight = np.zeros((states, states)), np.zeros(states)
        first, second = np.zeros((states, size)), np.zeros((states, size))
        beta[:] = 1.0
        for t in range(n - 1, -1, -1):
            total = 0.0
            for k in range(states):
                total += alpha[t, k] * beta[k]
            for k in range(states):
                gamma = alpha[t, k] * beta[k] / total
                weight[k] += gamma
                for d in range(size):
                    first[k, d] += gamma * x[t, d]
                    second[k, d] += gamma * x[t, d] * x[t, d]
                if t == 0:
                    start[k] = gamma
            if t > 0:
                whole = 0.0
                for k in range(states):
                    ahead[k] = density[t, k] * beta[k]
                for j in range(states):
                    s = 0.0
                    for k in range(states):
                        s += transition[j, k] * ahead[k]
                    beta[j] = s
                    whole += s * alpha[t - 1, j]
                for j in range(states):
                    for k in range(states):
                        counts[j, k] += alpha[t - 1, j] * transition[j, k] * ahead[k] / whole
                for j in range(states):
                    beta[j] /= whole
        for k in range(states):
            transition[k] = counts[k] / counts[k].sum()
            for d in range(size):
                mean[k, d] = first[k, d] / weight[k]
                variance[k, d] = max(second[k, d] / weight[k] - mean[k, d] ** 2, 1e-6)
    return likelihood


def fit_job(quick: bool) -> Job:
    """Return the job `fit`: the same start on every side."""
    rng = np.random.default_rng(0)
    n, iterations = (500, 5) if quick else (5000, ITERATIONS)
    path = np.cumsum(rng.random(n) < 0.05) % STATES
    x = rng.normal(rng.normal(0, 2, (STATES, 3))[path], rng.uniform(0.5, 1.5, (STATES, 3))[path])
    mean, variance = x[rng.integers(0, n, STATES)].copy(), np.ones((STATES, 3)) * x.var(axis=0)
    transition, start = np.full((STATES, STATES), 0.04) + 0.76 * np.eye(STATES), np.full(STATES, 1 / STATES)
    first = HiddenMarkov(start, transition, mean, variance)

    def karat() -> float:
        found = fit_states(x, first, floor=FLOOR, max_iterations=iterations, tolerance=-np.inf)
        return float(found.history[-1])

    def limit() -> float:
        given = (mean.copy(), variance.copy(), transition.copy(), start.copy())
        return float(bare_em(x, STATES, iterations, *given))

    def check(ours: float, theirs: float, peer: dict[str, float] | None) -> bool:
        told = peer is None or abs(peer["log_likelihood"] / ours - 1) < 1e-9
        return abs(theirs / ours - 1) < 1e-9 and told

    arrays = {"x": x, "mean": mean, "variance": variance, "transition": transition, "start": start}
    return Job("hmm_fit", karat, limit, check, ("hmm", {**arrays, "iterations": np.array(iterations)}))


def kernel_step(n: int) -> dict[str, Any]:
    """Return the time of `step_state`, six states and two coordinates, from Python."""
    rng = np.random.default_rng(0)
    start, transition = np.full(STATES, 1 / STATES), np.full((STATES, STATES), 0.04) + 0.76 * np.eye(STATES)
    model = HiddenMarkov(start, transition, rng.normal(size=(STATES, 2)), np.ones((STATES, 2)))
    x, now, taken = rng.normal(size=(n, 2)), None, []
    for row in x:
        began = time.perf_counter_ns()
        now, _ = step_state(row, model, now)
        taken.append(time.perf_counter_ns() - began)
    median, high = np.percentile(taken, [50, 99]) / 1e3
    return {"job": "step_state", "median_us": round(median, 1), "p99_us": round(high, 1)}


def step_facts(quick: bool) -> Iterator[dict[str, Any]]:
    """Yield the time of one row through the public model, after its fit."""
    panel = load("bundled", dataset="nasdaq")
    yield kernel_step(2_000 if quick else 20_000)
    rows = list(panel.frame[3000 : 3300 if quick else 5000].iter_rows(named=True))
    for name in ("volatility", "liquidity", "change", "hidden", "neural"):
        model = make_regime(name, refits=None).fit(as_train(panel, int(panel.frame["ts"][2999])))
        taken = []
        for row in rows:
            began, busy = time.perf_counter_ns(), time.thread_time_ns()
            model.step(row["ts"], row)
            taken.append((time.perf_counter_ns() - began, time.thread_time_ns() - busy))
        (median, _), (high, high_cpu) = np.percentile(taken[50:], [50, 99], axis=0) / 1e3
        facts: dict[str, Any] = {"job": f"step_{name}", "median_us": round(median, 1), "p99_us": round(high, 1)}
        yield facts | {"p99_cpu_us": round(high_cpu, 1), "load": round(os.getloadavg()[0], 2)}


def vix_labels(panel: Panel) -> RegimeFrame | None:
    """Return the baseline's labels of a panel's days, None without the folder of real data."""
    path = Path(os.environ.get("KARAT_DATA", "../shared/data")) / "vix" / "vix-daily.csv.gz"
    if not path.is_file():
        return None
    # the index is known a quarter of an hour after the shares' close
    vix = load(
        "csv",
        path=path,
        licence="PDDL",
        instrument="VIX.INDEX",
        off_session="drop",
        columns={"CLOSE": "vix"},
        lag="15m",
    )
    found = label(vix, "vix_high")
    values = found.frame.select("known_at", "state", "name", "probability").sort("known_at")
    frame = panel.frame.select("ts", "known_at", "instrument").join_asof(values, on="known_at", strategy="backward")
    return RegimeFrame("vix_high", found.states, frame)


def stress_facts(quick: bool) -> Iterator[dict[str, Any]]:
    """Yield the table of crises for each series and seed, and for the baseline."""
    for dataset in ("nasdaq", "sp500"):
        panel = load("bundled", dataset=dataset)
        sides: list[tuple[str, RegimeFrame | None, tuple[str, ...]]] = [("vix_high", vix_labels(panel), ("high",))]
        for seed in SEEDS[:1] if quick else SEEDS:
            sides.append((f"hidden, seed {seed}", label(panel, "hidden", seed=seed), STRESSED))
        for name, labels, stressed in sides:
            facts: dict[str, Any] = {"job": "stress", "series": dataset, "regime": name}
            if labels is None:
                yield facts | {"not_run": "KARAT_DATA names no folder with vix/vix-daily.csv.gz"}
                continue
            table = stress_table(labels, stressed)
            shares = describe(labels).states["share"].to_list()
            rounded = {key: round(value, 4) for key, value in table.items()}
            yield facts | rounded | {"shares": [round(value, 3) for value in shares], "missed": misses(table)}


def neural_facts(quick: bool) -> Iterator[dict[str, Any]]:
    """Yield macro-F1 of held-out days for the classifier, its baselines and yesterday's state, and the profiles."""
    from sklearn.metrics import f1_score

    from karat.features.regimes._measures import LOUDNESS, MARKET_STATE
    from karat.features.regimes._neural import AHEAD, rule_sides, rule_states

    def macro(true: np.ndarray, found: np.ndarray) -> float:
        return round(float(f1_score(true, found, average="macro", labels=range(8), zero_division=0)), 3)

    for dataset in ("nasdaq", "sp500"):
        panel = load("bundled", dataset=dataset)
        frame, warm = panel.frame, MARKET_STATE.window - 1
        x = MARKET_STATE.of({name: frame[name].to_numpy() for name in MARKET_STATE.columns})
        cut = int(len(x) * (1 - HELD_OUT))
        states = np.concatenate([np.full(warm, -1), rule_states(rule_sides(x[warm:], None))])
        true, held_out = states[cut + AHEAD :], slice(cut, len(x) - AHEAD)
        past, loudness = states[warm:cut], x[:, LOUDNESS]
        edges = np.quantile(loudness[warm:cut], np.arange(1, 8) / 8)
        band = np.searchsorted(edges, loudness)
        best = np.array(
            [np.bincount(past[AHEAD:][band[warm : cut - AHEAD] == k], minlength=8).argmax() for k in range(8)]
        )
        close = frame["close"].to_numpy()
        after = np.append(close[1:] / close[:-1] - 1.0, np.nan)
        for seed in SEEDS[:1] if quick else SEEDS:
            found = label(panel, "neural", train_until=int(frame["ts"][cut - 1]), seed=seed)
            codes = found.frame["state"].fill_null(-1).to_numpy()
            shape = describe(RegimeFrame(found.regime, found.states, found.frame[cut:]))
            differ = compare_regimes(after[cut:], codes[cut:], found.states, seed=seed)
            yield {
                "job": "neural",
                "series": dataset,
                "seed": seed,
                "macro_f1": macro(true, codes[held_out]),
                "majority": macro(true, np.full(len(true), np.bincount(past).argmax())),
                "volatility_quantiles": macro(true, best[band[held_out]]),
                "state_of_today": macro(true, states[held_out]),
                "least_share": round(min(shape.states["share"].to_list()), 4),
                "changes": round(shape.changes, 4),
                "volatility_p": differ.volatility_p,
                "mean_p": differ.mean_p,
                "profiles": {p.name: [p.n, round(p.mean * 1e4, 1), round(p.volatility * 1e4)] for p in differ.profiles},
            }


REPORTS = {"step": step_facts, "stress": stress_facts, "neural": neural_facts}


def main() -> None:
    """Run the jobs that were asked for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of text")
    parser.add_argument("--peers", action="store_true", help="time hmmlearn too (KARAT_PEERS: the Python that has it)")
    parser.add_argument("--quick", action="store_true", help="small inputs, one seed: does it work, not how fast")
    parser.add_argument("--jobs", nargs="+", choices=["fit", *REPORTS], default=["fit", *REPORTS])
    parser.add_argument("--repeat", type=int, default=9)
    given = parser.parse_args()
    peers = os.environ.get("KARAT_PEERS")
    if given.peers and not peers:
        parser.error("--peers: KARAT_PEERS must name the Python of the peers' own environment")
    for job in given.jobs:
        if job == "fit":
            repeat = 2 if given.quick else given.repeat
            lines = iter([measure(fit_job(given.quick), repeat, peers if given.peers else None)])
        else:
            lines = REPORTS[job](given.quick)
        for facts in lines:
            print(json.dumps(facts) if given.json else line(facts), flush=True)


if __name__ == "__main__":
    main()
