"""What a Sharpe ratio is worth: probabilistic and deflated forms, track record, power, spending of the error level.

| symbol | meaning | unit |
|---|---|---|
| SR | Sharpe ratio per period, never annualised inside | 1/sqrt(period) |
| n | periods | |
| g3, g4 | skewness, raw kurtosis (3 for a normal) | |
| N | independent trials | |
| V | variance of the trials' SR, per period | 1/period |

Invariants:
1. Inputs and outputs named `_annual` or taking `periods_per_year` are annual, everything else is per period.
2. NaN rows are dropped; a series whose Sharpe ratio is undefined gives NaN, never a number.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy.special import ndtr, ndtri

from karat.core import InputError
from karat.evidence._shapes import Floats
from karat.kernels import kurtosis, sharpe, skewness, volatility

EULER_GAMMA: Final = 0.5772156649015329
MATCH_CAP: Final = 10.0
"""Largest factor by which a series is scaled to another's risk: a nearly flat one must not be blown up without end."""
_ROUNDING: Final = 1e-12


def psr(sharpe_ratio: float, n: int, *, benchmark: float = 0.0, skew: float = 0.0, raw_kurtosis: float = 3.0) -> float:
    """Return the probabilistic Sharpe ratio: the confidence that the true ratio is above `benchmark`, in [0, 1].

    Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR^2)), all per period.
    Source: Bailey and Lopez de Prado (2012), eq. 4.

    Raises:
        InputError: fewer than two periods.

    Example:
        >>> round(psr(0.458, 24, skew=-2.448, raw_kurtosis=10.164), 3)
        0.913
    """
    if n < 2:
        raise InputError("n", n, allowed="2 or more periods")
    return float(ndtr((sharpe_ratio - benchmark) * math.sqrt(n - 1) / _spread(sharpe_ratio, skew, raw_kurtosis)))


def expected_max_sharpe(trials: float, variance: float) -> float:
    """Return the Sharpe ratio per period that the best of N skill-less trials is expected to show.

    sqrt(V) ((1 - gamma) z(1 - 1/N) + gamma z(1 - 1/(N e))), zero for one trial.
    Source: Bailey and Lopez de Prado (2014), eq. 5.

    Raises:
        InputError: less than one trial, or a negative variance.
    """
    if not trials >= 1:
        raise InputError("trials", trials, allowed="1 or more")
    if not variance >= 0:
        raise InputError("variance", variance, allowed="0 or more")
    if trials == 1:
        return 0.0
    first, second = ndtri(1.0 - 1.0 / trials), ndtri(1.0 - 1.0 / (trials * math.e))
    return float(math.sqrt(variance) * ((1.0 - EULER_GAMMA) * first + EULER_GAMMA * second))


def dsr(
    sharpe_ratio: float,
    n: int,
    *,
    trials: float,
    variance: float,
    skew: float = 0.0,
    raw_kurtosis: float = 3.0,
) -> float:
    """Return the deflated Sharpe ratio: `psr` against what the best of N skill-less trials would show.

    `variance` is V, that of the trials' Sharpe ratios per period. Source: Bailey and Lopez de Prado (2014).
    """
    benchmark = expected_max_sharpe(trials, variance)
    return psr(sharpe_ratio, n, benchmark=benchmark, skew=skew, raw_kurtosis=raw_kurtosis)


def min_track_record(
    sharpe_ratio: float,
    *,
    benchmark: float = 0.0,
    confidence: float = 0.95,
    skew: float = 0.0,
    raw_kurtosis: float = 3.0,
) -> float:
    """Return the number of periods after which `psr` reaches `confidence`; infinite where the ratio is not above.

    1 + (1 - g3 SR + (g4 - 1) / 4 SR^2) (z / (SR - SR*))^2. Source: Bailey and Lopez de Prado (2012), eq. 11.

    Raises:
        InputError: a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise InputError("confidence", confidence, allowed="between 0 and 1")
    if not sharpe_ratio > benchmark:
        return math.nan if math.isnan(sharpe_ratio) else math.inf
    spread = _spread(sharpe_ratio, skew, raw_kurtosis)
    return float(1.0 + (spread * ndtri(confidence) / (sharpe_ratio - benchmark)) ** 2)


def moments(returns: Floats) -> tuple[float, int, float, float]:
    """Return Sharpe ratio per period, number of values, skewness and raw kurtosis of returns (n,); NaN is dropped."""
    return (
        sharpe(returns, periods_per_year=1.0),
        int(np.isfinite(returns).sum()),
        skewness(returns),
        kurtosis(returns),
    )


def detectable_sharpe(n: int, periods_per_year: float, *, alpha: float, power: float = 0.8, trials: int = 1) -> float:
    """Return the annual Sharpe ratio that n periods can tell from zero, one-sided at `alpha`, with the given power.

    (z(1 - alpha') + z(power)) sqrt(periods_per_year / n), where alpha' = 1 - (1 - alpha)^(1 / trials) as if the
    trials were independent: the cautious case. For independent returns, Lo (2002).

    Raises:
        InputError: n, trials or periods_per_year not positive, alpha or power outside (0, 1).

    Example:
        >>> round(detectable_sharpe(2520, 252, alpha=0.025), 3)
        0.886
    """
    if n < 1 or trials < 1 or not periods_per_year > 0:
        raise InputError("n, trials, periods_per_year", (n, trials, periods_per_year), allowed="positive numbers")
    if not (0 < alpha < 1 and 0 < power < 1):
        raise InputError("alpha, power", (alpha, power), allowed="between 0 and 1")
    level = -math.expm1(math.log1p(-alpha) / trials)
    return float((ndtri(1.0 - level) + ndtri(power)) * math.sqrt(periods_per_year / n))


def spend_alpha(alpha: float, opening: int) -> float:
    """Return the level that the j-th opening of `Test` may spend: alpha (6 / pi^2) / j^2, which sums to alpha.

    Raises:
        InputError: an opening below 1 or alpha outside (0, 1).

    Example:
        >>> round(spend_alpha(0.025, 1), 4), round(spend_alpha(0.025, 2), 4)
        (0.0152, 0.0038)
    """
    if opening < 1:
        raise InputError("opening", opening, allowed="1 or more")
    if not 0 < alpha < 1:
        raise InputError("alpha", alpha, allowed="between 0 and 1")
    return alpha * 6.0 / math.pi**2 / opening**2


def matched_excess(net: Floats, baseline_net: Floats, *, cap: float = MATCH_CAP) -> Floats:
    """Return the net returns at the baseline's risk, less the baseline's, (n,) simple returns per bar.

    `net` (n,) is multiplied by the ratio of the two standard deviations over the whole series, at most by `cap`.
    Where either never moves there is no risk to match and the factor is 1. NaN in either gives NaN there. Known
    only after the last bar: for judging, never for trading. See docs/decisions/004-matched-risk.md.

    Raises:
        InputError: different shapes or a cap that is not positive.

    Example:
        >>> matched_excess(np.array([0.02, -0.02]), np.array([0.01, -0.01])).tolist()
        [0.0, 0.0]
    """
    net, baseline_net = _two(net, baseline_net)
    if not cap > 0:
        raise InputError("cap", cap, allowed="a positive number")
    both = np.isfinite(net) & np.isfinite(baseline_net)
    if not both.any() or np.ptp(net[both]) == 0 or np.ptp(baseline_net[both]) == 0:
        return net - baseline_net
    mine, its = (volatility(series[both], periods_per_year=1.0, ddof=0) for series in (net, baseline_net))
    return min(its / mine, cap) * net - baseline_net


def hedged_excess(net: Floats, baseline_net: Floats) -> Floats:
    """Return the net returns less their share of the baseline's, (n,) simple returns per bar.

    net - max(b, 0) x baseline_net, with b = covariance / variance of the baseline over the whole series: the mean is
    Jensen's alpha (1968), but a position against the baseline is not paid for. What is left of a multiple of the
    baseline is 0 exactly. A baseline that never moves has no share. NaN in either gives NaN there. Known only after the
    last bar: for judging, never for trading. See docs/decisions/009-power-of-the-gates.md.

    Raises:
        InputError: different shapes.

    Example:
        >>> hedged_excess(np.array([0.02, -0.02, 0.01]), np.array([0.01, -0.01, 0.005])).tolist()
        [0.0, 0.0, 0.0]
    """
    net, baseline_net = _two(net, baseline_net)
    both = np.isfinite(net) & np.isfinite(baseline_net)
    gaps = np.where(both, 0.0, np.nan)
    if not both.any() or np.ptp(baseline_net[both]) == 0:
        return net + gaps
    mine, its = (series[both] - series[both].mean() for series in (net, baseline_net))
    left = net - max(float(mine @ its) / float(its @ its), 0.0) * baseline_net
    if np.ptp(left[both]) <= _ROUNDING * np.ptp(net[both]):
        return gaps
    return np.asarray(left)


def _two(net: Floats, baseline_net: Floats) -> tuple[Floats, Floats]:
    net, baseline_net = np.asarray(net, dtype=np.float64), np.asarray(baseline_net, dtype=np.float64)
    if net.shape != baseline_net.shape or net.ndim != 1:
        raise InputError("baseline_net", f"shape {baseline_net.shape}", allowed=f"{net.shape}: as net, one dimension")
    return net, baseline_net


def _spread(sharpe_ratio: float, skew: float, raw_kurtosis: float) -> float:
    square = 1.0 - skew * sharpe_ratio + (raw_kurtosis - 1.0) / 4.0 * sharpe_ratio**2
    # Any distribution has g4 >= g3^2 + 1, which keeps the square at or above (1 - g3 SR / 2)^2.
    return math.sqrt(max(square, 1e-12))
