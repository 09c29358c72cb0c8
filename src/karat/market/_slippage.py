"""Slippage models: ticks by which a fill is worse than the price it was due at; never better, never past a limit."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from karat.kernels.market._kinds import SLIPPAGE_BPS, SLIPPAGE_NONE, SLIPPAGE_TICKS, USER
from karat.market._model import RATES_PER_BPS, Assumption, Record, UserFunction, whole


class NoSlippage(Assumption):
    """Fills happen at the price they are due at."""

    kind: Literal["none"] = "none"

    def record(self) -> Record:
        """Return (SLIPPAGE_NONE, no words)."""
        return SLIPPAGE_NONE, ()


class TickSlippage(Assumption):
    """Every fill is `slippage_ticks` worse."""

    kind: Literal["ticks"] = "ticks"
    slippage_ticks: int = Field(ge=0, le=10**9)

    def record(self) -> Record:
        """Return (SLIPPAGE_TICKS, ticks)."""
        return SLIPPAGE_TICKS, (self.slippage_ticks,)


class BpsSlippage(Assumption):
    """Every fill is `slippage_bps` of its price worse, rounded up to whole ticks."""

    kind: Literal["bps"] = "bps"
    slippage_bps: float = Field(ge=0, lt=10_000)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        whole("slippage_bps", self.slippage_bps, RATES_PER_BPS, "bps")
        return self

    def record(self) -> Record:
        """Return (SLIPPAGE_BPS, rate in 1e-9)."""
        return SLIPPAGE_BPS, (whole("slippage_bps", self.slippage_bps, RATES_PER_BPS, "bps"),)


class UserSlippage(UserFunction):
    """The function gets (side, price in ticks, lots, random word) and returns ticks; below 0 counts as 0."""

    kind: Literal["user"] = "user"

    def record(self) -> Record:
        """Return (USER, address)."""
        return USER, (self.address,)


Slippage = Annotated[NoSlippage | TickSlippage | BpsSlippage | UserSlippage, Field(discriminator="kind")]
