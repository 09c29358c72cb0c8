"""Worlds and campaigns a second on one core: the speed of `karat calibrate` without its processes.

    python benchmarks/rates.py --json [--kinds garch curve_2] [--worlds 5] [--beside OTHER/src]

One JSON line a kind of studies/calibration.yaml, and one a kind of campaign. `seconds` is processor time of one world,
the median of several, after a first one that pays for imports. `--beside`: the package of another commit, run in turn
with this one, world by world in processes of their own; `ratio` is its time over this one's, `same` whether all
results are equal.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "studies" / "calibration.yaml"
_WORKER = """
import json, sys, time
from karat.study import Workspace
from karat.study.rates import _run
given, place = _run.read_calibration(sys.argv[1]), Workspace.at(sys.argv[2])
kinds = {kind.name: kind for kind in given.config.kinds}
campaigns = {kind.name: kind for kind in given.config.campaigns}
for line in sys.stdin:
    name, number = line.split()
    if name in kinds:
        task = _run._world(given, kinds[name], int(number), place)
    else:
        task = _run.CampaignTask(given.config, campaigns[name], int(number))
    started = time.process_time()
    found = task.run()
    print(json.dumps([time.process_time() - started, found], sort_keys=True), flush=True)
"""


class Worker:
    """A process that makes worlds with the package of one folder."""

    def __init__(self, source: Path, scratch: str) -> None:
        threads = dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(FILE), scratch],
            env=os.environ | threads | {"PYTHONPATH": str(source)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def make(self, name: str, number: int) -> tuple[float, Any]:
        """Return processor seconds and what was found."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name} {number}\n")
        self._process.stdin.flush()
        seconds, found = json.loads(self._process.stdout.readline())
        return float(seconds), found

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def measured(name: str, worlds: int, workers: list[Worker]) -> dict[str, Any]:
    """Return the line of one kind; the first worker is this package, a second one the other."""
    for worker in workers:
        worker.make(name, worlds)
    turns = [[worker.make(name, number) for worker in workers] for number in range(worlds)]
    times = [statistics.median(seconds for seconds, _ in column) for column in zip(*turns, strict=True)]
    line = {"job": name, "seconds": round(times[0], 4), "per_second": round(1.0 / times[0], 2), "worlds": worlds}
    if len(workers) > 1:
        line |= {"beside": round(times[1], 4), "ratio": round(times[1] / times[0], 2)}
        line["same"] = all(mine[1] == its[1] for mine, its in turns)
    return line


def main() -> int:
    """Run and print."""
    from karat.study.rates import read_calibration

    config = read_calibration(FILE).config
    names = [kind.name for kind in (*config.kinds, *config.campaigns)]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line (always on)")
    parser.add_argument("--kinds", nargs="+", default=names, choices=names)
    parser.add_argument("--worlds", type=int, default=5)
    parser.add_argument("--beside", type=Path, help="the src folder of another commit")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        sources = [ROOT / "src", *([options.beside.resolve()] if options.beside else [])]
        workers = [Worker(source, scratch) for source in sources]
        for name in options.kinds:
            line = measured(name, options.worlds, workers) | {"load_before": round(os.getloadavg()[0], 2)}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        for worker in workers:
            worker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
