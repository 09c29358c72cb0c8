"""Compiled recursions and the measures of performance and risk: arrays and scalars in, arrays and scalars out.

Kernels know nothing of frames, configuration, logging or files (what loads them does). They import numpy, scipy and
numba only, so that training, reinforcement learning, evidence and reports share one implementation. Importing this
package does not import numba: only a process that compiles does.
"""

from karat.kernels._bundle import bundles_compiled
from karat.kernels._checks import finite_above, increasing, places
from karat.kernels._hmm import (
    MAX_STATES,
    HiddenMarkov,
    MarkovFit,
    filter_states,
    fit_states,
    most_probable_path,
    smooth_states,
    step_state,
)
from karat.kernels._jit import address_of, bound
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
from karat.kernels._rebalance import OutOfRange, prepare, rebalance, rebalance_many
from karat.kernels._rebalanced import BORROW, RATE_ONE, REJECT, SCALE, Fills, Rebalanced, Terms
from karat.kernels._resample import block_counts, block_rows
from karat.kernels._runs import RunPrior, run_lengths
from karat.kernels._signals import Decisions, many_crossings, mean_crossings, moving_means
from karat.kernels._threads import each

__all__ = [
    "BORROW",
    "MAX_STATES",
    "RATE_ONE",
    "REJECT",
    "SCALE",
    "Decisions",
    "Fills",
    "HiddenMarkov",
    "MarkovFit",
    "OutOfRange",
    "Rebalanced",
    "RunPrior",
    "Terms",
    "address_of",
    "annual_return",
    "annual_turnover",
    "block_counts",
    "block_rows",
    "bound",
    "bundles_compiled",
    "calmar",
    "cvar",
    "drawdowns",
    "each",
    "filter_states",
    "finite_above",
    "fit_states",
    "hit_rate",
    "increasing",
    "information_ratio",
    "kurtosis",
    "many_crossings",
    "max_drawdown",
    "max_drawdown_periods",
    "mean_crossings",
    "most_probable_path",
    "moving_means",
    "places",
    "prepare",
    "profit_factor",
    "rebalance",
    "rebalance_many",
    "run_lengths",
    "sharpe",
    "skewness",
    "smooth_states",
    "sortino",
    "step_state",
    "total_return",
    "value_at_risk",
    "volatility",
]
