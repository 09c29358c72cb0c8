"""How often the guards cry wolf: every guard of `karat guard` on clean studies, with an exact binomial bound.

    python benchmarks/false_alarms.py --json [--studies 200] [--first 1] [--guards data future splits ids labels ...]

A clean study is a synthetic market without any planted fault: one to six instruments, with and without an edge, with
and without regimes, one of four horizons, one of three models. One JSON line per study, then a summary with the upper
95 % bound of the share of studies in which any guard failed (Clopper and Pearson, 1934). The guards `determinism` and
`params` are left out unless named: they start processes, or have nothing to draw.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from scipy.stats import beta

from karat.core import generator
from karat.study import GUARDS, StudyConfig, run_guards

GOAL = 0.05
USUAL = [name for name in GUARDS if name not in ("determinism", "params")]
FEATURES = (["ret_1", "ret_5", "signal"], ["a20"], ["a20", "-bollinger_b", "signal"], ["base25"])
MODELS = ("linear_quantile", "logistic", "lightgbm")
HORIZONS = ("1d", "2d", "5d", "week")


def clean_study(seed: int) -> dict[str, Any]:
    """Return the study of one seed: a draw from everything that a clean study may be."""
    rng = generator(seed, "clean study")
    horizon = str(rng.choice(HORIZONS))
    params = {
        "seed": seed,
        "n_days": int(rng.integers(900, 1600)),
        "n_instruments": int(rng.integers(1, 7)),
        "edge_sharpe": float(rng.choice([0.0, 1.0, 3.0])),
        "correlation": float(rng.uniform(0.0, 0.8)),
        "regimes": bool(rng.integers(2)),
    }
    return {
        "name": f"clean-{seed}",
        "data": {"source": "synthetic", "params": params},
        "features": FEATURES[int(rng.integers(len(FEATURES)))],
        "horizons": [horizon],
        "primary_horizon": horizon,
        "splits": {"test_frac": 0.4, "select_folds": 1, "test_folds": 2, "valid_bars": 120},
        "models": [{"name": str(rng.choice(MODELS))}],
        "seed": seed,
        "seeds": 1,
    }


def alarms(study: dict[str, Any], guards: Sequence[str]) -> list[str]:
    """Return the checks that failed on a study, as `guard: check: note`."""
    config = StudyConfig.parse(study, source=study["name"])
    return [
        f"{report.guard}: {check.name}: {check.note}"
        for report in run_guards(guards, config)
        for check in report.checks
        if check.passed is False
    ]


def upper_bound(found: int, of: int) -> float:
    """Return the one-sided 95 % upper bound of a share (Clopper and Pearson, 1934)."""
    return 1.0 if found == of else float(beta.ppf(0.95, found + 1, of - found))


def main() -> int:
    """Run the studies and print the lines; exit 1 where the bound is above the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line (always on)")
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--guards", nargs="+", default=USUAL, choices=sorted(GUARDS))
    options = parser.parse_args()
    found = []
    for seed in range(options.first, options.first + options.studies):
        started = time.perf_counter()
        failed = alarms(clean_study(seed), options.guards)
        found.append(bool(failed))
        line = {"seed": seed, "alarms": failed, "seconds": round(time.perf_counter() - started, 1)}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    bound = upper_bound(sum(found), len(found))
    summary = {"studies": len(found), "with_alarm": sum(found), "upper_95": round(bound, 4), "goal": f"<= {GOAL}"}
    sys.stdout.write(json.dumps(summary | {"guards": options.guards}) + "\n")
    return 0 if bound <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
