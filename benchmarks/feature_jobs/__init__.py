"""The jobs of `benchmarks/features.py`: one module per family, each with `jobs(bars)` or `facts(bars)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from market_jobs import measure

from feature_jobs import alpha158, indicators, online, store, tier
from feature_jobs._bars import Bars

FAMILIES = {"indicators": indicators, "alpha158": alpha158, "tier": tier, "online": online, "store": store}

__all__ = ["FAMILIES", "Bars", "run"]


def run(family: str, bars: Bars, repeat: int, peers: str | None) -> Iterator[dict[str, Any]]:
    """Yield the facts of each job of a family."""
    module = FAMILIES[family]
    if hasattr(module, "facts"):
        alone = {"limit_s": None, "peer": None, "peer_s": None}
        yield from ({**facts, **alone} for facts in module.facts(bars, repeat))
    else:
        for job in module.jobs(bars, peers):
            yield measure(job, repeat, peers)
