"""Compiled recursions and the measures of performance and risk: arrays and scalars in, arrays and scalars out.

Kernels know nothing of frames, configuration, logging or files, and import numpy, scipy and numba only, so that
training, reinforcement learning, evidence and reports share one implementation. Importing this package does not
import numba: the first call of a compiled kernel does.
"""

from karat.kernels._measures import (
    annual_return,
    annual_turnover,
    calmar,
    cvar,
    drawdowns,
    hit_rate,
    information_ratio,
    kurtosis,
    max_drawdown,
    max_drawdown_periods,
    profit_factor,
    sharpe,
    skewness,
    sortino,
    total_return,
    value_at_risk,
    volatility,
)
from karat.kernels._rebalance import Rebalanced, Terms, prepare, rebalance

__all__ = [
    "Rebalanced",
    "Terms",
    "annual_return",
    "annual_turnover",
    "calmar",
    "cvar",
    "drawdowns",
    "hit_rate",
    "information_ratio",
    "kurtosis",
    "max_drawdown",
    "max_drawdown_periods",
    "prepare",
    "profit_factor",
    "rebalance",
    "sharpe",
    "skewness",
    "sortino",
    "total_return",
    "value_at_risk",
    "volatility",
]
