"""The fit of a scaling law: Huber loss of the logarithm, summed, from many starts.

| symbol | meaning | shape |
|---|---|---|
| z | ln x less its mean: amounts and exponents then hardly trade against each other | (n, k) |
| t | e, a_1 … a_k, u_1 … u_k: logs of floor and amounts (at the mean scale), b_k = 5 tanh(u_k / 5) | (2k + 1,) |
| r | LSE(e, a_k - b_k z_k) - ln L | (n,) |

Minimises sum Huber(r; d) with d = 0.001. The sum, not the mean: with the mean and usual tolerances the optimiser stops
where it started (Besiroglu and others 2024). For the same reason the objective is divided by 0.001 for the optimiser.
With d = 1 no residual is an outlier: least squares of the logarithm.
Source: Hoffmann and others (2022), appendix D.3.

Invariants:
1. A law fitted to exact values of a law is that law. The order of the runs changes nothing beyond rounding.
2. The grid of starts is fixed: no seed. The best `tries` of it are followed to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np
from scipy.special import huber

from karat.core import InputError
from karat.evidence._shapes import Floats
from karat.evidence.scaling._enough import require_scales
from karat.evidence.scaling._law import ScalingLaw

DELTA: Final = 1e-3
_SCALE: Final = 1e-3
_EXPONENTS: Final = (0.05, 0.2, 0.4, 0.8, 1.5)
_FLOORS: Final = (0.05, 0.3, 0.6, 0.8, 0.95)
_AGREE: Final = 1e-3
STEEPEST: Final = 5.0
"""No exponent is larger: noise without a law would be fitted by a step, and its amount would overflow."""


def fit_law(
    scales: Floats,
    loss: Floats,
    names: Sequence[str] = ("N", "D"),
    *,
    floor: bool = True,
    tries: int = 40,
    delta: float = DELTA,
) -> ScalingLaw:
    """Return the law fitted to losses (n,) of runs at scales (n, k); without `floor` E is zero.

    Leave out runs that had not converged: a few high losses move the exponents far (Besiroglu and others 2024).

    Raises:
        InputError: too few or too narrow scales, scales that move together, or losses that are not positive.

    Example:
        >>> n = np.geomspace(1e3, 1e6, 10)[:, None]
        >>> law = fit_law(n, 1.5 + 20.0 * n[:, 0] ** -0.4, ("n",))
        >>> round(law.floor, 3), round(law.exponents[0], 3)
        (1.5, 0.4)
    """
    require_scales(scales, loss, names)
    if tries < 1 or not delta > 0:
        raise InputError("tries, delta", (tries, delta), allowed="1 or more, a positive number")
    centre = np.log(scales).mean(axis=0)
    problem = Problem(np.log(scales) - centre, np.log(loss), floor=floor, delta=delta)
    starts = problem.starts(tries)
    ends = [problem.minimise(start) for start in starts]
    best = min(ends, key=problem.value)
    least = problem.value(best)
    agreeing = sum(problem.value(end) <= least * (1 + _AGREE) + 1e-15 for end in ends)
    return replace(problem.law(best, names, centre), starts=len(starts), agreeing=agreeing)


class Problem:
    """The objective of one set of runs, with its gradient and its starts."""

    def __init__(self, z: Floats, log_loss: Floats, *, floor: bool, delta: float) -> None:
        """Keep centred log scales (n, k) and log losses (n,)."""
        self.z, self.log_loss, self.floor, self.delta, self.k = z, log_loss, floor, delta, z.shape[1]

    def value(self, t: Floats) -> float:
        """Return the sum of Huber losses."""
        return self._scaled(t)[0] * _SCALE

    def minimise(self, start: Floats) -> Floats:
        """Return where BFGS ends: with five parameters the whole matrix costs less than a memory of it."""
        from scipy.optimize import minimize  # not needed by who only predicts

        found = minimize(self._scaled, start, jac=True, method="BFGS", options={"maxiter": 500, "gtol": 1e-5})
        return np.asarray(found.x, dtype=np.float64)

    def starts(self, tries: int) -> list[Floats]:
        """Return the best `tries` points of the grid, best first."""
        low, middle = float(np.exp(self.log_loss.min())), float(np.exp(np.median(self.log_loss)))
        grid = []
        for part, *exponents in product(_FLOORS if self.floor else (0.0,), *[_EXPONENTS] * self.k):
            amount = np.log((middle - part * low) / self.k)
            head = [np.log(part * low)] if self.floor else []
            grid.append(np.array([*head, *[amount] * self.k, *_free(np.array(exponents))]))
        return sorted(grid, key=self.value)[:tries]

    def start_of(self, law: ScalingLaw, centre: Floats, times: float) -> Floats:
        """Return the parameters of a law with its exponents multiplied, through the same loss at the mean scale."""
        exponents = np.array(law.exponents)
        amounts = np.log(law.amounts) - exponents * centre
        head = [np.log(law.floor)] if self.floor else []
        return np.concatenate([head, amounts, _free(times * exponents)])

    def law(self, t: Floats, names: Sequence[str], centre: Floats) -> ScalingLaw:
        """Return the law that the parameters mean, on scales as they are."""
        head = int(self.floor)
        exponents = self._exponents(t)
        amounts = np.exp(t[head : head + self.k] + exponents * centre)
        level = float(np.exp(t[0])) if self.floor else 0.0
        law = ScalingLaw(tuple(names), level, tuple(amounts.tolist()), tuple(exponents.tolist()))
        return replace(law, objective=self.value(t), delta=self.delta)

    def _terms(self, t: Floats) -> Floats:
        head = int(self.floor)
        falling = t[head : head + self.k] - self._exponents(t) * self.z
        return np.column_stack([np.full(len(self.z), t[0]), falling]) if self.floor else falling

    def _exponents(self, t: Floats) -> Floats:
        return np.asarray(STEEPEST * np.tanh(t[int(self.floor) + self.k :] / STEEPEST), dtype=np.float64)

    def _scaled(self, t: Floats) -> tuple[float, Floats]:
        """Return the objective over the optimiser's scale and its gradient."""
        terms = self._terms(t)
        top = terms.max(axis=1)
        shares = np.exp(terms - top[:, None])
        total = shares.sum(axis=1)
        residual = top + np.log(total) - self.log_loss
        pull = np.clip(residual, -self.delta, self.delta) / _SCALE  # the derivative of the Huber loss
        weights = shares * (pull / total)[:, None]
        bend = 1.0 - (self._exponents(t) / STEEPEST) ** 2
        slopes = -(weights[:, int(self.floor) :] * self.z).sum(axis=0) * bend
        return float(huber(self.delta, residual).sum()) / _SCALE, np.concatenate([weights.sum(axis=0), slopes])


def _free(exponents: Floats) -> Floats:
    """Return u of b = 5 tanh(u / 5)."""
    return np.asarray(STEEPEST * np.arctanh(np.clip(exponents / STEEPEST, -0.999, 0.999)), dtype=np.float64)
