"""Choosing the neural classifier's settings on the first 60 % of Nasdaq and S&P 500 (1999 to about 2010) alone.

    python benchmarks/regime_selection.py --json [--quick]

The procedure is decision 012. Each setting of the grid is fitted on the first 40, 60 and 80 % of these rows and judged
on the fifth that follows; the three fifths are pooled. A setting may be chosen where, on both series, labels change on
at most 4 % of days and macro-F1 is above the majority and the volatility quantiles. Of these the largest share of the
rarest state on the worst series and seed wins, and among those within half a percentage point of it, the best macro-F1
beyond the state of today. The first three run again with sixteen networks and seeds 0 to 2; the rule ranks those.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from regime_jobs import FromAnyHistory, baselines, macro_f1, outlook

from karat.data import load
from karat.features.regimes._measures import MARKET_STATE
from karat.features.regimes._neural import NeuralPlan

SERIES = ("nasdaq", "sp500")
SHARE = 0.6
FOLDS = (0.4, 0.6, 0.8)
MOST_CHANGES = 0.04
NEAR = 0.005
GRID = {"side": (0.3, 0.35, 0.4, 0.45, 0.5), "band": (0.15, 0.2, 0.25, 0.3), "balance": (0.5, 1.0)}
FEW, MANY = 4, 16
ODDS = (2.0, 3.0, 5.0, 8.0, 12.0)
FINALISTS, SEEDS = 3, range(3)


def rows_of(dataset: str) -> np.ndarray:
    """Return (T, 17) the measures of the first 60 % of days that have any: nothing later is read."""
    frame = load("bundled", dataset=dataset).frame
    frame = frame[: int(len(frame) * SHARE)]
    return MARKET_STATE.of({name: frame[name].to_numpy() for name in MARKET_STATE.columns})[MARKET_STATE.window - 1 :]


def judged(x: np.ndarray, plan: NeuralPlan, all_odds: Sequence[float], seed: int) -> Iterator[dict[str, Any]]:
    """Yield for each odds what the pooled fifths say of one setting."""
    parts: dict[float, list[dict[str, np.ndarray]]] = {odds: [] for odds in all_odds}
    for begin in FOLDS:
        cut, end = int(len(x) * begin), int(len(x) * (begin + 0.2))
        model = FromAnyHistory(seed, plan=plan)
        model.fit(x[:cut])
        chance = model.probabilities(x[:end])
        sides = baselines(x[:end], cut, model)
        for odds in all_odds:
            codes = model.held_codes(chance, odds)
            parts[odds].append({**sides, "label": codes[cut:], "true": outlook(sides["today"])})
    for odds, found in parts.items():
        pooled = {key: np.concatenate([part[key] for part in found]) for key in found[0]}
        label, known = pooled["label"], pooled["true"] >= 0
        moved = sum(int((np.diff(part["label"]) != 0).sum()) for part in found)
        scores = {
            f"f1_{key}": round(macro_f1(pooled["true"][known], pooled[key][known]), 4)
            for key in ("label", "today", "majority", "volatility")
        }
        share = np.bincount(label, minlength=8) / len(label)
        changes = moved / (len(label) - len(found))
        yield {"odds": odds, "least_share": round(share.min(), 4), "changes": round(changes, 4), **scores}


def runs(
    plans: Sequence[NeuralPlan], seeds: Sequence[int], all_odds: Sequence[float], *, members: int
) -> Iterator[dict[str, Any]]:
    """Yield a line for each setting, series and seed."""
    data = {name: rows_of(name) for name in SERIES}
    for plan, seed, (name, x) in itertools.product(plans, seeds, data.items()):
        plan = replace(plan, members=members)
        for line in judged(x, plan, all_odds, seed):
            yield {**asdict(plan), "series": name, "seed": seed, **line}


def ranked(lines: Sequence[dict[str, Any]]) -> list[tuple[NeuralPlan, dict[str, float]]]:
    """Return the settings that may be chosen, best first, by the rule above."""
    fields = list(asdict(NeuralPlan()))
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for each in lines:
        groups.setdefault(tuple(each[field] for field in fields), []).append(each)
    found = []
    for key, group in groups.items():
        above = all(each["f1_label"] > max(each["f1_majority"], each["f1_volatility"]) for each in group)
        if above and max(each["changes"] for each in group) <= MOST_CHANGES:
            gain = float(np.mean([each["f1_label"] - each["f1_today"] for each in group]))
            worst = min(each["least_share"] for each in group)
            plan = NeuralPlan(**dict(zip(fields, key, strict=True)))
            found.append((plan, {"least_share": worst, "f1_beyond_today": round(gain, 4)}))
    best = max((facts["least_share"] for _, facts in found), default=0.0)
    near = [each for each in found if each[1]["least_share"] >= best - NEAR]
    rest = [each for each in found if each[1]["least_share"] < best - NEAR]
    near.sort(key=lambda each: -each[1]["f1_beyond_today"])
    return near + sorted(rest, key=lambda each: -each[1]["least_share"])


def main() -> None:
    """Run the grid, then the finalists, and print every line and the choice."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines, the only form there is")
    parser.add_argument("--quick", action="store_true", help="one setting, two members: does it work")
    given = parser.parse_args()
    plans = [NeuralPlan(**dict(zip(GRID, values, strict=True))) for values in itertools.product(*GRID.values())]
    first = _printed(runs(plans[-1:] if given.quick else plans, [0], ODDS, members=2 if given.quick else FEW))
    finalists = [plan for plan, _ in ranked(first)[:FINALISTS]]
    last = []
    for plan in finalists:
        members, seeds = (2, SEEDS[:1]) if given.quick else (MANY, SEEDS)
        last += _printed(runs([plan], seeds, [plan.odds], members=members))
    for place, (plan, facts) in enumerate(ranked(last)):
        print(json.dumps({"place": place + 1, **asdict(plan), **facts}), flush=True)


def _printed(lines: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = []
    for each in lines:
        kept.append(each)
        print(json.dumps(each), flush=True)
    return kept


if __name__ == "__main__":
    main()
