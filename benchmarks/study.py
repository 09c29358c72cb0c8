"""Wall time and peak memory of whole studies, started as a user would start them.

    python benchmarks/study.py --json [--studies quickstart panel]

Each study runs in a fresh workspace, cold (empty kernel cache) and warm. `peak_gib` is the largest proportional set
size of the process and its workers together, sampled every 0.2 s: a page that several processes share counts once. The
goals are limits, not peers: quickstart 90 s cold, 45 s warm, 2 GiB; panel 300 s, 3 GiB, on two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
GOALS = {"quickstart": {"cold": 90.0, "warm": 45.0, "gib": 2.0}, "panel": {"cold": 300.0, "warm": 300.0, "gib": 3.0}}


def held(process: psutil.Process) -> int:
    """Return the bytes that a process and its children hold, shared pages divided among them (Linux)."""
    total = 0
    try:
        for item in [process, *process.children(recursive=True)]:
            try:
                total += item.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
    except psutil.NoSuchProcess:
        return 0
    return total


def run(study: str, cache: Path) -> tuple[float, float, str]:
    """Return (seconds, peak GiB, verdict) of one run."""
    env = {**os.environ, "KARAT_CACHE": str(cache)}
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "karat",
            "run",
            str(ROOT / "studies" / f"{study}.yaml"),
        ]
        started, peak = time.perf_counter(), 0
        with subprocess.Popen(
            [*command, "--workspace", folder, "--json"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                peak = max(peak, held(watched))
                time.sleep(0.2)
            seconds = time.perf_counter() - started
            out = process.stdout.read() if process.stdout else ""
    return seconds, peak / 2**30, json.loads(out)["verdict"]


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line (always on)")
    parser.add_argument("--studies", nargs="+", default=sorted(GOALS), choices=sorted(GOALS))
    options = parser.parse_args()
    for study in options.studies:
        with tempfile.TemporaryDirectory() as cache:
            for kind in ("cold", "warm"):
                seconds, gib, verdict = run(study, Path(cache))
                goal = GOALS[study]
                line = {"job": f"{study} {kind}", "seconds": round(seconds, 1), "limit_s": goal[kind]}
                line |= {"peak_gib": round(gib, 2), "limit_gib": goal["gib"], "verdict": verdict}
                line |= {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)}
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
