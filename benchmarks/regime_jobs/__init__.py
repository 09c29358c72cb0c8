"""The jobs of `benchmarks/regimes.py`: one module per job, each with `facts(asked)`; scores and series are shared."""

from __future__ import annotations

from regime_jobs import fit, history, identity, intraday, memory, neural, step, stress
from regime_jobs._scores import FromAnyHistory, baselines, macro_f1, outlook

JOBS = {
    "fit": fit,
    "step": step,
    "stress": stress,
    "neural": neural,
    "history": history,
    "intraday": intraday,
    "memory": memory,
    "identity": identity,
}

__all__ = ["JOBS", "FromAnyHistory", "baselines", "macro_f1", "outlook"]
