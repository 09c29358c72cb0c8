"""How fast are the features beside TA-Lib, beside a bare loop, and against the clock.

    python benchmarks/features.py --json [--peers] [--quick] [--jobs indicators alpha158 tier online store] [--repeat 5]

One JSON line per job: `job, karat_s, limit_s, peer, peer_s, check_equal` and the job's own figures. Times are medians
of runs taken in turn in one process (two runs a turn, the second timed): machines are shared, quote the ratios. For
`indicators` the limit is TA-Lib itself on as many threads, for `alpha158` a single-pass loop. `tier`, `online` and
`store` have none: a cold process from Parquet to Parquet, the time of one bar, and of serving the newest values.

Inputs: the Parquet files in the folder that PERF_DATA names; without it the same numbers are made from the same seeds.
--quick: small inputs, two runs. --peers: qlib's own 158 features, in the environment whose Python KARAT_PEERS names.
"""

from __future__ import annotations

import argparse
import json
import os

from feature_jobs import FAMILIES, Bars, run
from market_jobs import line


def main() -> None:
    """Run the jobs that were asked for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of text")
    parser.add_argument("--peers", action="store_true", help="time qlib too (KARAT_PEERS: its Python)")
    parser.add_argument("--quick", action="store_true", help="small inputs and two runs: does it work, not how fast")
    parser.add_argument("--jobs", nargs="+", choices=sorted(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    peers = os.environ.get("KARAT_PEERS") if given.peers else None
    if given.peers and not peers:
        parser.error("--peers: KARAT_PEERS must name the Python of the peers' own environment")
    bars = Bars(os.environ.get("PERF_DATA"), quick=given.quick)
    for family in given.jobs:
        for facts in run(family, bars, 2 if given.quick else given.repeat, peers):
            print(json.dumps(facts) if given.json else line(facts), flush=True)


if __name__ == "__main__":
    main()
