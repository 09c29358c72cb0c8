"""Queue and partial-fill models: who is before a resting order, and in how many pieces an order is filled."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from karat.kernels.market._kinds import (
    PARTIAL_NONE,
    PARTIAL_POISSON_BETA,
    QUEUE_LOG,
    QUEUE_NONE,
    QUEUE_POWER,
    QUEUE_RISK_AVERSE,
    USER,
)
from karat.market._model import Assumption, Record, UserFunction


class NoQueue(Assumption):
    """Nobody is before the order: it is hit by the first trade at its price."""

    kind: Literal["none"] = "none"

    def record(self) -> Record:
        """Return (QUEUE_NONE, no words)."""
        return QUEUE_NONE, ()


class RiskAverseQueue(Assumption):
    """All that is shown at entry is before the order; cancels are behind it, only trades bring it forward."""

    kind: Literal["risk_averse"] = "risk_averse"

    def record(self) -> Record:
        """Return (QUEUE_RISK_AVERSE, no words)."""
        return QUEUE_RISK_AVERSE, ()


class PowerQueue(Assumption):
    """Cancels happen behind the order with probability f(back) / (f(back) + f(front)), f(x) = x ** exponent."""

    kind: Literal["power"] = "power"
    exponent: float = Field(default=2.0, gt=0, le=20)

    def record(self) -> Record:
        """Return (QUEUE_POWER, exponent)."""
        return QUEUE_POWER, (self.exponent,)


class LogQueue(Assumption):
    """As `PowerQueue` with f(x) = ln(1 + x)."""

    kind: Literal["log"] = "log"

    def record(self) -> Record:
        """Return (QUEUE_LOG, no words)."""
        return QUEUE_LOG, ()


class UserQueue(UserFunction):
    """The function gets (front in 1e-6 lots, lots before, lots now, lots traded) and returns the new front."""

    kind: Literal["user"] = "user"

    def record(self) -> Record:
        """Return (USER, address)."""
        return USER, (self.address,)


Queue = Annotated[NoQueue | RiskAverseQueue | PowerQueue | LogQueue | UserQueue, Field(discriminator="kind")]


class FullFills(Assumption):
    """An order takes at once all that the market offers it."""

    kind: Literal["full"] = "full"

    def record(self) -> Record:
        """Return (PARTIAL_NONE, no words)."""
        return PARTIAL_NONE, ()


class PoissonBetaFills(Assumption):
    """Each chance to trade gives Poisson(mean) pieces, each Beta(a, b) of what is still open, at least one lot.

    With the defaults no piece comes in 5 % of the chances, and 58 % of an order is filled by one chance on average.
    """

    kind: Literal["poisson_beta"] = "poisson_beta"
    mean: float = Field(default=3.0, gt=0, le=30)
    a: float = Field(default=2.0, ge=0.01, le=1000)
    b: float = Field(default=5.0, ge=0.01, le=1000)

    def record(self) -> Record:
        """Return (PARTIAL_POISSON_BETA, mean, a, b)."""
        return PARTIAL_POISSON_BETA, (self.mean, self.a, self.b)


class UserFills(UserFunction):
    """The function gets (lots open, piece, order id, random word) and returns lots; they are cut to what is open."""

    kind: Literal["user"] = "user"

    def record(self) -> Record:
        """Return (USER, address)."""
        return USER, (self.address,)


PartialFills = Annotated[FullFills | PoissonBetaFills | UserFills, Field(discriminator="kind")]
