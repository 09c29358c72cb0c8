"""Power: how large an effect this much data can show, and how much data an effect needs.

| symbol | meaning |
|---|---|
| d | standardised effect: mean over standard deviation, or difference of two means over the common one |
| n | independent values, of each group where there are two |
| m | tests that share alpha (Bonferroni) |

Invariants:
1. A test that is significant in the wrong direction has not found the effect: only the right tail counts.
2. Values are independent. Of overlapping horizons only n / overlap are: pass that number.
3. `required_n` and `detectable_effect` are inverse to each other up to whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, Literal

from scipy.special import ndtri

from karat.core import InputError

Design = Literal["paired", "two-sample"]
DESIGNS: Final = ("paired", "two-sample")


def detectable_effect(
    n: int, *, design: Design = "paired", alpha: float = 0.05, power: float = 0.8, tests: int = 1
) -> float:
    """Return the smallest d that a two-sided t-test on n values (a group) finds with this power.

    Source: Cohen (1988), by the noncentral t in statsmodels.

    Raises:
        InputError: fewer than three values, an unknown design, or probabilities outside (0, 1).

    Example:
        >>> round(detectable_effect(64, design="two-sample"), 2)
        0.5
    """
    if n < 3:
        raise InputError("n", n, allowed="3 or more")
    test = _test(design, alpha, power, tests)
    low = high = float(ndtri(power) + ndtri(1.0 - alpha / tests / 2.0)) / math.sqrt(n)  # the normal's, always too small
    while test(high, n) < power:
        low, high = high, 1.2 * high
    while high / low > 1.0 + 1e-12:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if test(middle, n) >= power else (middle, high)
    return high


def required_n(
    effect: float, *, design: Design = "paired", alpha: float = 0.05, power: float = 0.8, tests: int = 1
) -> int:
    """Return the number of values (a group) at which a two-sided t-test finds the effect d with this power.

    Raises:
        InputError: an effect of zero, an unknown design, or probabilities outside (0, 1).

    Example:
        >>> required_n(0.5, design="two-sample")
        64
    """
    if not (math.isfinite(effect) and effect != 0):
        raise InputError("effect", effect, allowed="a finite number other than 0", why="no data can show nothing")
    test = _test(design, alpha, power, tests)
    low, high = 2, 3
    while test(abs(effect), high) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if test(abs(effect), middle) >= power else (middle, high)
    return high


def required_periods(
    sharpe_annual: float, periods_per_year: float, *, alpha: float = 0.025, power: float = 0.8, trials: int = 1
) -> int:
    """Return the number of periods after which an annual Sharpe ratio is told from zero: `detectable_sharpe` inverted.

    Raises:
        InputError: a ratio, periods or trials that are not positive, probabilities outside (0, 1).

    Example:
        >>> required_periods(0.886, 252)
        2520
    """
    if not (sharpe_annual > 0 and periods_per_year > 0 and trials >= 1):
        seen = (sharpe_annual, periods_per_year, trials)
        raise InputError("sharpe_annual, periods_per_year, trials", seen, allowed="positive numbers")
    _require_shares(alpha, power)
    level = -math.expm1(math.log1p(-alpha) / trials)
    reach = float(ndtri(1.0 - level) + ndtri(power)) / sharpe_annual
    return math.ceil(periods_per_year * reach**2)


def _test(design: str, alpha: float, power: float, tests: int) -> Callable[[float, int], float]:
    """Return the power of the test as a function of d and n."""
    if design not in DESIGNS:
        raise InputError("design", design, allowed=list(DESIGNS))
    if tests < 1:
        raise InputError("tests", tests, allowed="1 or more")
    _require_shares(alpha, power)
    from statsmodels.stats.power import TTestIndPower, TTestPower  # a second to import

    solver = TTestPower() if design == "paired" else TTestIndPower()

    def reached(effect: float, n: int) -> float:
        # both tails would be NaN in statsmodels where the wrong one is too thin for scipy's noncentral t
        return float(solver.power(effect, n, alpha / tests / 2, alternative="larger"))

    return reached


def _require_shares(alpha: float, power: float) -> None:
    if not (0 < alpha < 1 and 0 < power < 1):
        raise InputError("alpha, power", (alpha, power), allowed="between 0 and 1")
