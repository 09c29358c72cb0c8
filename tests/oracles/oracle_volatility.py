"""Plain loops for the variance recursions: written from the formulas, one bar at a time."""

from __future__ import annotations

import math


def ewma_variance(returns: list[float], decay: float, prior: float, weight: float) -> list[float]:
    """v_t = (sum_i l^i r²_{t-i} + w l^n p) / (sum_i l^i + w l^n) over the n returns seen so far, NaN not seen."""
    out, seen = [], []
    for r in returns:
        if not math.isnan(r):
            seen.append(r)
        n = len(seen)
        top = weight * decay**n * prior + sum(decay ** (n - 1 - i) * x * x for i, x in enumerate(seen))
        bottom = weight * decay**n + sum(decay ** (n - 1 - i) for i in range(n))
        out.append(top / bottom)
    return out


def garch_next(errors: list[float], omega: float, alpha: float, beta: float, start: float) -> list[float]:
    """h_{t+1} = w + a e²_t + b h_t from h_0 = start."""
    out, h = [], start
    for e in errors:
        h = omega + alpha * e * e + beta * h
        out.append(h)
    return out


def garch_sum(following: float, omega: float, persistence: float, bars: int) -> float:
    """Sum of E h_{t+k}, k = 1 .. bars, by the closed form around the unconditional variance."""
    unconditional = omega / (1.0 - persistence)
    return sum(unconditional + persistence**k * (following - unconditional) for k in range(bars))
