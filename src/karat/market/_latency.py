"""Latency models: how long a message needs on its way. Compiled formula: `karat.kernels.market._assumptions`."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from karat._words import counted
from karat.kernels.market._kinds import (
    LATENCY_CONSTANT,
    LATENCY_LOGNORMAL,
    LATENCY_NONE,
    LATENCY_RECORDED,
    USER,
)
from karat.market._model import Assumption, Record, UserFunction


class NoLatency(Assumption):
    """Messages arrive at the moment they leave."""

    kind: Literal["none"] = "none"

    def record(self) -> Record:
        """Return (LATENCY_NONE, no words)."""
        return LATENCY_NONE, ()


class ConstantLatency(Assumption):
    """Every message needs `latency_ns`."""

    kind: Literal["constant"] = "constant"
    latency_ns: int = Field(ge=0, le=10**18)

    def record(self) -> Record:
        """Return (LATENCY_CONSTANT, ns)."""
        return LATENCY_CONSTANT, (self.latency_ns,)


class LogNormalLatency(Assumption):
    """exp(mu + sigma z) units, at least 1 ns; the unit of the plan's mu 3.9 and sigma 0.3 is read as ms (median 49).

    mu, sigma: of the logarithm of the latency in units. unit_ns: ns of a unit.
    """

    kind: Literal["log_normal"] = "log_normal"
    mu: float = Field(default=3.9, ge=-50, le=50)
    sigma: float = Field(default=0.3, ge=0, le=10)
    unit_ns: float = Field(default=1e6, gt=0, le=1e18)

    def record(self) -> Record:
        """Return (LATENCY_LOGNORMAL, mu, sigma, unit)."""
        return LATENCY_LOGNORMAL, (self.mu, self.sigma, self.unit_ns)


class RecordedLatency(Assumption):
    """Latency measured at times: a message that leaves at ts needs that of the last measurement at or before ts.

    ts_ns: strictly ascending. latency_ns: one for each. Before the first measurement the first one holds.
    """

    kind: Literal["recorded"] = "recorded"
    ts_ns: tuple[int, ...] = Field(min_length=1)
    latency_ns: tuple[int, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if len(self.ts_ns) != len(self.latency_ns):
            raise ValueError(
                f"latency_ns: got {counted(len(self.latency_ns), 'value')}; ts_ns has {len(self.ts_ns)}; give one each"
            )
        if any(a >= b for a, b in pairwise(self.ts_ns)):
            raise ValueError("ts_ns: times must ascend strictly; sort them and keep one measurement for each")
        if min(self.latency_ns) < 0:
            raise ValueError(f"latency_ns: got {min(self.latency_ns)}; allowed: 0 or more; correct the clock offset")
        return self

    def record(self) -> Record:
        """Return (LATENCY_RECORDED, n, ts, ns, ts, ns ...)."""
        pairs = (word for pair in zip(self.ts_ns, self.latency_ns) for word in pair)
        return LATENCY_RECORDED, (len(self.ts_ns), *pairs)


class UserLatency(UserFunction):
    """The function gets (order id, purpose, ts, random word) and returns ns; below 0 counts as 0."""

    kind: Literal["user"] = "user"

    def record(self) -> Record:
        """Return (USER, address)."""
        return USER, (self.address,)


Latency = Annotated[
    NoLatency | ConstantLatency | LogNormalLatency | RecordedLatency | UserLatency, Field(discriminator="kind")
]
