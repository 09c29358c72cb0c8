"""Market impact: models for fills that do not walk a book, the Almgren-Chriss schedule, implementation shortfall.

| symbol | meaning | unit |
|---|---|---|
| X, N, T, tau = T / N | quantity to trade, intervals, time, length of an interval | lots, 1, time, time |
| x_k, n_k | quantity left after interval k, traded in it | lots |
| sigma | volatility of the price | price / sqrt(time) |
| eps, eta, gamma | half spread, temporary and permanent impact | price, price time / lot, price / lot |
| eta~ | eta - gamma tau / 2 | price time / lot |
| lambda | risk aversion | 1 / money |
| kappa | urgency: cosh(kappa tau) = 1 + lambda sigma^2 tau^2 / (2 eta~) | 1 / time |
| E, V | expected cost of the schedule and its variance | money, money^2 |

Source: Almgren and Chriss 2000, "Optimal execution of portfolio transactions", equations 4, 5, 18 to 20. Compiled
formulas of the models: `karat.kernels.market._assumptions`. Impact is not added where an order walks a displayed book.

Invariants:
1. The schedule starts at X, ends at 0, never rises, and sells the same in each interval for lambda = 0.
2. The four parts of a shortfall add up to paper return less real return exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from karat.core import Config, InputError
from karat.kernels.market._kinds import IMPACT_ALMGREN_CHRISS, IMPACT_LINEAR, IMPACT_NONE, IMPACT_SQUARE_ROOT, USER
from karat.market._model import Assumption, Record, UserFunction

Floats = NDArray[np.float64]
_DIGITS: Final = 2_000
"""Enough for an exact sum of products of floats, whose decimals have at most 17 digits between 1e-324 and 1e308."""


class NoImpact(Assumption):
    """Size does not matter."""

    kind: Literal["none"] = "none"

    def record(self) -> Record:
        """Return (IMPACT_NONE, no words)."""
        return IMPACT_NONE, ()


class LinearImpact(Assumption):
    """price * impact_frac * Q / volume_lots: impact_frac is what trading one day's volume moves the price by."""

    kind: Literal["linear"] = "linear"
    impact_frac: float = Field(ge=0, le=10)
    volume_lots: float = Field(gt=0)

    def record(self) -> Record:
        """Return (IMPACT_LINEAR, fraction, volume)."""
        return IMPACT_LINEAR, (self.impact_frac, self.volume_lots)


class SquareRootImpact(Assumption):
    """price * y * sigma_frac * sqrt(Q / volume_lots): sigma_frac and volume_lots of one day, y of order one."""

    kind: Literal["square_root"] = "square_root"
    y: float = Field(default=1.0, ge=0, le=100)
    sigma_frac: float = Field(ge=0, le=1)
    volume_lots: float = Field(gt=0)

    def record(self) -> Record:
        """Return (IMPACT_SQUARE_ROOT, y * sigma, volume)."""
        return IMPACT_SQUARE_ROOT, (self.y * self.sigma_frac, self.volume_lots)


class AlmgrenChrissImpact(Assumption):
    """epsilon_ticks + eta_ticks * Q for the fill itself, gamma_ticks * Q for every later price.

    eta_ticks: ticks a lot when traded within one interval, eta / tau. gamma_ticks: ticks a lot, for good.
    """

    kind: Literal["almgren_chriss"] = "almgren_chriss"
    epsilon_ticks: float = Field(default=0.0, ge=0)
    eta_ticks: float = Field(default=0.0, ge=0)
    gamma_ticks: float = Field(default=0.0, ge=0)

    def record(self) -> Record:
        """Return (IMPACT_ALMGREN_CHRISS, epsilon, eta / tau, gamma)."""
        return IMPACT_ALMGREN_CHRISS, (self.epsilon_ticks, self.eta_ticks, self.gamma_ticks)


class UserImpact(UserFunction):
    """The function gets (price in ticks, lots, 0, 0) and returns ticks; below 0 counts as 0."""

    kind: Literal["user"] = "user"

    def record(self) -> Record:
        """Return (USER, address)."""
        return USER, (self.address,)


Impact = Annotated[
    NoImpact | LinearImpact | SquareRootImpact | AlmgrenChrissImpact | UserImpact, Field(discriminator="kind")
]


class ScheduleTerms(Config):
    """Inputs of an Almgren-Chriss schedule; symbols of the module's table.

    quantity X, time T, intervals N, sigma, epsilon, eta, gamma, risk_aversion lambda.
    """

    quantity: float = Field(gt=0)
    time: float = Field(gt=0)
    intervals: int = Field(ge=1, le=100_000)
    sigma: float = Field(ge=0)
    epsilon: float = Field(default=0.0, ge=0)
    eta: float = Field(gt=0)
    gamma: float = Field(default=0.0, ge=0)
    risk_aversion: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if self.eta_tilde <= 0:
            least = self.gamma * self.time / self.intervals / 2
            raise ValueError(
                f"eta: got {self.eta:.12g}; it must be above gamma * tau / 2 = {least:.12g}; add intervals"
            )
        return self

    @property
    def eta_tilde(self) -> float:
        """Temporary impact less half of the permanent impact of one interval."""
        return self.eta - self.gamma * self.time / self.intervals / 2


@dataclass(frozen=True, slots=True)
class ImpactSchedule:
    """An optimal schedule: left (N + 1,) and traded (N,) in lots, kappa in 1 / time, E and V in money, money^2."""

    left: Floats
    traded: Floats
    kappa: float
    expected_cost: float
    variance: float


def almgren_chriss(terms: ScheduleTerms) -> ImpactSchedule:
    """Return the schedule that minimises E + lambda V; see the module for the symbols.

    Example:
        >>> terms = ScheduleTerms(quantity=1e6, time=5, intervals=5, sigma=0.95, eta=2.5e-6, risk_aversion=1e-6)
        >>> float(almgren_chriss(terms).left[0])
        1000000.0
    """
    tau = terms.time / terms.intervals
    step = np.arange(terms.intervals + 1, dtype=np.float64)
    urgency = terms.risk_aversion * terms.sigma**2 / terms.eta_tilde
    # arccosh(1 + u) = 2 arcsinh(sqrt(u / 2)), which keeps its digits for a small u
    kappa = 2.0 * math.asinh(tau * math.sqrt(urgency) / 2.0) / tau
    left = terms.quantity * (1.0 - step / terms.intervals) if kappa == 0 else terms.quantity * _decay(kappa, tau, step)
    left[0], left[-1] = terms.quantity, 0.0
    traded = -np.diff(left)
    expected = (
        0.5 * terms.gamma * terms.quantity**2
        + terms.epsilon * float(traded.sum())
        + terms.eta_tilde / tau * float((traded**2).sum())
    )
    return ImpactSchedule(left, traded, kappa, expected, terms.sigma**2 * tau * float((left[1:] ** 2).sum()))


def _decay(kappa: float, tau: float, step: Floats) -> Floats:
    """Return sinh(kappa (T - t)) / sinh(kappa T), written so that a large kappa does not overflow."""
    passed, rest = kappa * tau * step, kappa * tau * (step[-1] - step)
    ratio = np.exp(-passed) * np.expm1(-2.0 * rest) / np.expm1(-2.0 * kappa * tau * step[-1])
    return np.asarray(ratio, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Implementation shortfall and its parts, in money; above 0 is a loss. `bps` is of the paper value at decision."""

    delay: Decimal
    impact: Decimal
    opportunity: Decimal
    fees: Decimal
    total: Decimal
    bps: float


class ExecutedOrder(Config):
    """One order and what became of it; prices in units of currency, quantities in units.

    side: +1 buy, -1 sell. decision_price: when it was decided. arrival_price: when it reached the market. fills:
    (quantity, price) each. close_price: at which what was not filled is valued.
    """

    side: Literal[1, -1]
    ordered: float = Field(gt=0)
    decision_price: float = Field(gt=0)
    arrival_price: float = Field(gt=0)
    close_price: float = Field(gt=0)
    fills: tuple[tuple[float, float], ...] = ()
    fees: float = 0.0


def implementation_shortfall(execution: ExecutedOrder) -> Shortfall:
    """Return the shortfall against the paper portfolio of Perold 1988, split by the times between which it arose.

    delay = (arrival - decision) * filled, impact = (average - arrival) * filled, opportunity = (close - decision) *
    unfilled, each times the side; total = paper return - real return = delay + impact + opportunity + fees.

    Raises:
        InputError: a fill without quantity, or more filled than ordered.
    """
    with localcontext(prec=_DIGITS):
        return _split(execution)


def _split(execution: ExecutedOrder) -> Shortfall:
    side, ordered, fees = execution.side, _exact(execution.ordered), _exact(execution.fees)
    fills = [(_exact(quantity), _exact(price)) for quantity, price in execution.fills]
    filled = sum((quantity for quantity, _ in fills), Decimal(0))
    if any(quantity <= 0 for quantity, _ in fills):
        raise InputError("fills", min(execution.fills), allowed="quantities above 0")
    if filled > ordered:
        raise InputError("fills", float(filled), allowed=f"{execution.ordered} or less in all, the quantity ordered")
    decision, arrival, close = map(_exact, (execution.decision_price, execution.arrival_price, execution.close_price))
    paid = sum((quantity * price for quantity, price in fills), Decimal(0))
    total = side * (close - decision) * ordered - (side * (close * filled - paid) - fees)
    return Shortfall(
        delay=side * (arrival - decision) * filled,
        impact=side * (paid - arrival * filled),
        opportunity=side * (close - decision) * (ordered - filled),
        fees=fees,
        total=total,
        bps=float(total / (decision * ordered) * 10_000),
    )


def _exact(value: float) -> Decimal:
    """Return the decimal that a float is written as: 50.1 means fifty and one tenth."""
    return Decimal(repr(value))
