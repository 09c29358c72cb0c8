"""How often the verdict accepts: the planted study and the same study without an edge, over seeds of the market.

    python benchmarks/verdicts.py --json [--seeds 20] [--studies planted noise]

Each world runs the whole study, data to verdict, in a fresh workspace. One JSON line per world, then a summary per
study with the exact two-sided 95 % binomial interval (Clopper and Pearson, 1934).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from scipy.stats import binomtest

from karat.study import StudyConfig, Workspace, run_study

ROOT = Path(__file__).resolve().parent.parent
GOALS = {"planted": "accepted in at least 17 of 20", "noise": "accepted in at most 2 of 20"}


def world(study: str, seed: int) -> dict[str, Any]:
    """Run one study on the market of one seed and return its outcome."""
    values = yaml.safe_load((ROOT / "studies" / f"{study}.yaml").read_text(encoding="utf-8"))
    values["data"]["params"]["seed"] = seed
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = run_study(StudyConfig.parse(values, source=study), Workspace.at(folder), progress=lambda *_: None)
        facts = result.to_dict()
        gates = {gate["name"]: [gate["passed"], gate["p_value"]] for gate in facts["gates"]}
    line = {"study": study, "seed": seed, "verdict": facts["verdict"], "selected": facts["selected"], "gates": gates}
    return line | {"seconds": round(time.perf_counter() - started, 1)}


def main() -> int:
    """Run the worlds and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line (always on)")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--studies", nargs="+", default=["planted", "noise"], choices=sorted(GOALS))
    options = parser.parse_args()
    for study in options.studies:
        outcomes = []
        for seed in range(options.first, options.first + options.seeds):
            line = world(study, seed)
            outcomes.append(line["verdict"])
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        accepted = outcomes.count("accepted")
        low, high = binomtest(accepted, len(outcomes)).proportion_ci(0.95)
        summary = {"study": study, "worlds": len(outcomes), "accepted": accepted, "goal": GOALS[study],
                   "interval_95": [round(low, 3), round(high, 3)]}  # fmt: skip
        sys.stdout.write(json.dumps(summary) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
