"""Regimes: speed of the hidden Markov fit and of one step, what labels say of known crises, and of held-out days.

    python benchmarks/regimes.py --json [--peers] [--quick] [--jobs fit step stress neural history ...] [--repeat 9]

`fit`: 50 iterations of EM, 6 states, 5,000 x 3, diagonal, beside a loop in numba with fast maths (`limit`) and, with
--peers, hmmlearn's scaling mode from the same start (KARAT_PEERS names a Python that has it; runs are taken in turn).
`step`: one row online, median and 99th percentile of wall and of processor time. `stress`: five seeds on Nasdaq and S&P
500, 1999 to 2018, filtered, past only, yearly refits, beside "VIX above its expanding 80 % quantile" (VIX since 1990
from KARAT_DATA, joined as-of on when it was known). `neural`: the classifier on held-out days beside its baselines,
with KARAT_DATA also on series that no regime was made with. `history`: the same after fits on 300 to 4,000 rows.
`intraday`: changes within a day, labels recomputed at every bar (D-08). `memory`: changes of bands whose edges have a
memory. `identity`: alarms about instruments on panels of one law, planted names that are caught, and real stocks.
"""

from __future__ import annotations

from market_jobs import Asked
from regime_jobs import JOBS


def main() -> None:
    """Run the jobs that were asked for and print a line for each."""
    asked = Asked.parse(__doc__, JOBS)
    asked.show(lambda job: JOBS[job].facts(asked))


if __name__ == "__main__":
    main()
