"""The jobs of `benchmarks/market.py`: one module per family, each with `jobs(inputs)`, and what they share.

A new family is a module and a line in `FAMILIES`.
"""

from collections.abc import Callable

from market_jobs import advance, bars, callback, decision, level2, level3, orders, rebalance, signals, sweep
from market_jobs._command import Asked
from market_jobs._inputs import Inputs
from market_jobs._measure import Job, measure, seconds

FAMILIES: dict[str, Callable[[Inputs], list[Job]]] = {
    "bars": bars.jobs,
    "sweep": sweep.jobs,
    "rebalance": rebalance.jobs,
    "level2": level2.jobs,
    "level3": level3.jobs,
    "callback": callback.jobs,
    "advance": advance.jobs,
    "decision": decision.jobs,
    "orders": orders.jobs,
    "signals": signals.jobs,
}

__all__ = ["FAMILIES", "Asked", "Inputs", "Job", "measure", "seconds"]
