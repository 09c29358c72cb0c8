"""How fast is the market beside a bare loop that does as little as the job allows, and beside the best other tools.

    python benchmarks/market.py --json [--peers] [--quick] [--jobs bars sweep rebalance] [--repeat 9]

One JSON line per job: `job, karat_s, limit_s, peer, peer_s, check_equal` and the job's own figures. Times are medians
of runs taken in turn (two runs a turn, the second timed) on the same arrays: machines are shared, quote the ratios.
`limit` is a single-pass loop written for the job in `market_jobs`: reachable, not proven optimal. `load` is the
machine's load average: what two threads gain (`sweep`) says something only where it is low.

Inputs: Parquet files in the folder that PERF_DATA names; without it the same numbers are made from the same seeds.
--quick: small inputs, two runs. --peers: other tools run in their own environment, whose Python KARAT_PEERS names.
"""

from __future__ import annotations

import argparse
import json
import os

from market_jobs import FAMILIES, Inputs, line, measure


def main() -> None:
    """Run the jobs that were asked for and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of text")
    parser.add_argument("--peers", action="store_true", help="time the other tools too (KARAT_PEERS: their Python)")
    parser.add_argument("--quick", action="store_true", help="small inputs and two runs: does it work, not how fast")
    parser.add_argument("--jobs", nargs="+", choices=sorted(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--repeat", type=int, default=9)
    given = parser.parse_args()
    peers = os.environ.get("KARAT_PEERS")
    if given.peers and not peers:
        parser.error("--peers: KARAT_PEERS must name the Python of the peers' own environment")
    inputs = Inputs(os.environ.get("PERF_DATA"), quick=given.quick)
    for family in given.jobs:
        for job in FAMILIES[family](inputs):
            facts = measure(job, 2 if given.quick else given.repeat, peers if given.peers else None)
            print(json.dumps(facts) if given.json else line(facts), flush=True)


if __name__ == "__main__":
    main()
