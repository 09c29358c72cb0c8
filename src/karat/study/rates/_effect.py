"""How large an effect is that is worth a given Sharpe ratio after costs, through the policy that everybody trades.

| symbol | meaning | unit |
|---|---|---|
| x | signal, N(0, 1), known when the position is taken | |
| k | information coefficient: r = s (k x + sqrt(1 - k^2) z), z independent of x with variance 1 | |
| e | edge of the forecast E[r | x] in units of its own spread: k x / sqrt(1 - k^2) | |
| g | direction of the policy: clip(e / full_edge, -1, 1), 0 below flat_edge | |
| S | annual Sharpe ratio of g (k x + sqrt(1 - k^2) z) | |
| c | costs as a share of gross profit | |

The policy holds g times a volatility target over s sqrt(1 - k^2), so that s and the target cancel: before costs a day
earns E[g k x] with variance E[g^2 (k^2 x^2 + 1 - k^2)] - E[g k x]^2. Costs hardly move, so they take c of the mean and
nothing of the spread: S after costs is (1 - c) times S before, which is solved for k. The price of trading in basis
points that takes just c follows from the turnover of a long path.

Invariants:
1. `effect_for` gives the k whose long-run Sharpe ratio after costs is the one asked for; a long simulated path through
   the real policy and market agrees (a test).
"""

from __future__ import annotations

import functools
import math
from typing import Final

import numpy as np
from scipy.optimize import brentq

from karat.core import InputError, generator
from karat.portfolio import PolicySpec
from karat.study.rates._paths import YEAR, Floats, ar1, shocks, sigmas

_X: Final = np.linspace(-8.0, 8.0, 4001)
_LONG_DAYS: Final = 100_000


@functools.lru_cache(maxsize=64)
def effect_for(net_sharpe: float, cost_share: float, policy: PolicySpec) -> float:
    """Return k.

    Raises:
        InputError: a Sharpe ratio that no effect reaches.
    """
    wanted = net_sharpe / (1.0 - cost_share)
    if gross_sharpe(0.9, policy) < wanted:
        raise InputError("net_sharpe", net_sharpe, why="no effect is worth that much", fix="lower it or cost_share")
    return float(brentq(lambda k: gross_sharpe(k, policy) - wanted, 1e-6, 0.9, xtol=1e-12))


def gross_sharpe(k: float, policy: PolicySpec) -> float:
    """Return S before costs of an effect."""
    mean, spread = _moments(k, policy)
    return mean / spread * math.sqrt(YEAR)


@functools.lru_cache(maxsize=64)
def cost_bps(k: float, cost_share: float, half_life_days: float, policy: PolicySpec) -> float:
    """Return the proportional costs of a trade, in basis points, that take `cost_share` of gross profit."""
    rng = generator(0, "rates", "turnover")
    z, x = shocks(rng, _LONG_DAYS), ar1(rng, _LONG_DAYS, half_life_days, 1)
    size = _size(k, sigmas(z), policy)
    weights = _direction(k * x / math.sqrt(1.0 - k * k), policy) * size
    traded = float(np.abs(np.diff(weights, axis=0)).mean())
    daily = policy.vol_target_frac / math.sqrt(YEAR) / math.sqrt(1.0 - k * k)
    return cost_share * _moments(k, policy)[0] * daily / traded * 1e4


def _size(k: float, sigma: Floats, policy: PolicySpec) -> Floats:
    return np.minimum(policy.vol_target_frac / (sigma * math.sqrt((1.0 - k * k) * YEAR)), policy.cap)


def _moments(k: float, policy: PolicySpec) -> tuple[float, float]:
    density = np.exp(-0.5 * _X**2)
    density /= density.sum()
    g = _direction(k * _X / math.sqrt(1.0 - k * k), policy)
    mean = float(density @ (g * k * _X))
    square = float(density @ (g**2 * (k**2 * _X**2 + 1.0 - k**2)))
    return mean, math.sqrt(square - mean**2)


def _direction(edge: Floats, policy: PolicySpec) -> Floats:
    return np.asarray(np.clip(edge / policy.full_edge, -1.0, 1.0) * (np.abs(edge) >= policy.flat_edge))
