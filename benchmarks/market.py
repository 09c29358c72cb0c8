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

from market_jobs import FAMILIES, Asked, Inputs, measure


def main() -> None:
    """Run the jobs that were asked for and print a line for each."""
    asked = Asked.parse(__doc__, FAMILIES)
    inputs = Inputs(asked.folder, quick=asked.quick)
    asked.show(lambda family: (measure(job, asked.repeat, asked.peers) for job in FAMILIES[family](inputs)))


if __name__ == "__main__":
    main()
