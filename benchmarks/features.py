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

from feature_jobs import FAMILIES, Bars, run
from market_jobs import Asked


def main() -> None:
    """Run the jobs that were asked for and print a line for each."""
    asked = Asked.parse(__doc__, FAMILIES, repeat=5)
    bars = Bars(asked.folder, quick=asked.quick)
    asked.show(lambda family: run(family, bars, asked.repeat, asked.peers))


if __name__ == "__main__":
    main()
