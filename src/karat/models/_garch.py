"""GARCH(1,1) with a constant mean: parameters by `arch`, variances by a forward filter with fixed parameters.

| symbol  | meaning                                                  | shape  | unit      |
|---------|----------------------------------------------------------|--------|-----------|
| r_t     | simple return                                            | (n,)   | per cent  |
| e_t     | r_t - mu                                                 | (n,)   | per cent  |
| h_t     | variance of e_t given everything before t                | (n,)   | per cent² |
| w, a, b | h_{t+1} = w + a e²_t + b h_t                             | scalar |           |
| nu      | degrees of freedom of the standardised t; inf is normal  | scalar | 1         |

Before the sample both e² and h are the sample variance s²: h_0 = w + (a + b) s², the convention of the DEM/GBP
benchmark (Fiorentini, Calzolari and Panattoni, 1996); `arch`'s own default differs.

Invariants:
1. h_{t+1} reads e up to and with t.
2. A fit that does not converge, or on fewer than `MIN_RETURNS` returns, gives the EWMA recursion a = 0.06, b = 0.94, w
   = 0 and says so; it never gives parameters of an unfinished search.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import astuple, dataclass
from typing import Final, Literal

import numpy as np

from karat._words import counted
from karat.models._types import Floats

MIN_RETURNS: Final = 250
_EWMA_A: Final = 0.06
_FALLBACK_NU: Final = 8.0


@dataclass(frozen=True)
class Garch:
    """Parameters on returns in per cent. start: h_0. loglik: NaN where nothing was fitted."""

    mu: float
    omega: float
    alpha: float
    beta: float
    nu: float
    start: float
    loglik: float = math.nan

    def row(self) -> Floats:
        """Return the six parameters as an array."""
        return np.array(astuple(self)[:6])


def fit_garch(percent: Floats, *, normal: bool = False) -> tuple[Garch, str | None]:
    """Return the parameters for (n,) returns in per cent without NaN, and why the fit was replaced, or None."""
    from arch import arch_model
    from arch.utility.exceptions import ConvergenceWarning, DataScaleWarning, StartingValueWarning

    n = len(percent)
    spread = float(np.var(percent)) if n else 0.0
    if n < MIN_RETURNS or spread <= 1e-18 * float(np.mean(percent**2)):
        why = f"{counted(n, 'return')}, fewer than {MIN_RETURNS}" if n < MIN_RETURNS else "the returns do not vary"
        return _fallback(percent, spread), why
    kind: Literal["normal", "t"] = "normal" if normal else "t"
    model = arch_model(percent, mean="Constant", vol="GARCH", p=1, q=1, dist=kind, rescale=False)
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, DataScaleWarning, StartingValueWarning, RuntimeWarning):
            warnings.simplefilter("ignore", category)  # the flag below decides; a warning alone is no result
        result = model.fit(disp="off", backcast=spread, show_warning=False, cov_type="classic")
    values = result.params
    nu = math.inf if normal else float(values["nu"])
    mu, omega, alpha, beta = (float(values[name]) for name in ("mu", "omega", "alpha[1]", "beta[1]"))
    found = Garch(mu, omega, alpha, beta, nu, omega + (alpha + beta) * spread, float(result.loglikelihood))
    if result.convergence_flag != 0 or not np.isfinite([*found.row()[:4], found.loglik]).all():
        return _fallback(percent, spread), f"the optimiser stopped with flag {result.convergence_flag}"
    return found, None


def _fallback(percent: Floats, spread: float) -> Garch:
    mean = float(np.mean(percent)) if len(percent) else 0.0
    return Garch(mean, 0.0, _EWMA_A, 1.0 - _EWMA_A, _FALLBACK_NU, spread if spread > 0.0 else 1.0)


def next_variance(errors: Floats, garch: Garch) -> Floats:
    """Return (n,) h_{t+1}: the variance of the next error, known at t; errors are (n,) per cent without NaN."""
    from scipy.signal import lfilter

    drive = garch.omega + garch.alpha * errors**2
    out, _ = lfilter([1.0], [1.0, -garch.beta], drive, zi=[garch.beta * garch.start])
    return np.asarray(out, dtype=np.float64)


def summed_variance(following: Floats, garch: Garch, bars: int) -> Floats:
    """Return (n,) the variance of the sum of the next `bars` errors; E h_{t+k+1} = w + (a + b) E h_{t+k}."""
    persistence = garch.alpha + garch.beta
    total, ahead = np.zeros_like(following), following
    for _ in range(bars):
        total = total + ahead
        ahead = garch.omega + persistence * ahead
    return total
