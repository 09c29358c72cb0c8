"""Fees, funding, borrow and locates: parameters in money and basis points, records in quanta and 1e-9 rates.

Compiled formulas: `karat.kernels.market._charges`. `cost` is the same fee in exact decimal arithmetic, before rounding
to the currency's quantum; `compare_fees` uses it to find the cheaper venue.

Invariants:
1. A tier holds from its volume on: 30-day volume equal to it is inside. Tiers ascend and start at 0.
2. A negative rate is a rebate and is computed as the mirror image of a fee.
3. Nothing is rounded on the way into a record: what does not fit its integer unit is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Final, Literal, Protocol, Self

from pydantic import Field, model_validator

from karat.core import Config, InputError
from karat.kernels.market._kinds import BUCKETS, FEE_NONE, FEE_PER_SHARE, FEE_RATE, FEE_TIERED, USER
from karat.market._model import RATE_ONE, RATES_PER_BPS, Assumption, Record, UserFunction, whole

_BPS: Final = Decimal(10_000)
_LIMIT_BPS: Final = 10_000
QUANTA: Final = 10**8
"""Quanta of a unit of currency, unless the spec declares another quantum."""


class NoFee(Assumption):
    """Trading is free."""

    kind: Literal["none"] = "none"

    def record(self, *, quanta_per_unit: int = QUANTA, lots_per_unit: int | Fraction = 1) -> Record:
        """Return (FEE_NONE, no words)."""
        return FEE_NONE, ()

    def cost(self, trade: FeeQuery, *, maker: bool) -> Decimal:
        """Return 0."""
        return Decimal(0)


class RateFee(Assumption):
    """A share of the value traded, negative for a rebate; an order pays `minimum` units of currency at least."""

    kind: Literal["rate"] = "rate"
    maker_bps: float = Field(default=0.0, ge=-_LIMIT_BPS, le=_LIMIT_BPS)
    taker_bps: float = Field(default=0.0, ge=-_LIMIT_BPS, le=_LIMIT_BPS)
    minimum: float = Field(default=0.0, ge=0, le=1e6)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        _rates(self.maker_bps, self.taker_bps)
        return self

    def record(self, *, quanta_per_unit: int = QUANTA, lots_per_unit: int | Fraction = 1) -> Record:
        """Return (FEE_RATE, minimum, maker rate, taker rate)."""
        return FEE_RATE, (_money("minimum", self.minimum, quanta_per_unit), *_rates(self.maker_bps, self.taker_bps))

    def cost(self, trade: FeeQuery, *, maker: bool) -> Decimal:
        """Return the fee of a trade in units of currency."""
        fee = trade.notional * _decimal(self.maker_bps if maker else self.taker_bps) / _BPS
        return max(fee, _decimal(self.minimum)) if self.minimum else fee


class PerShareFee(Assumption):
    """An amount for each share (unit of quantity), negative for a rebate.

    maker, taker: units of currency a share. minimum: of an order. cap_frac: most that is paid, as a share of the value
    traded; `None` means no cap. The minimum is stronger than the cap.
    """

    kind: Literal["per_share"] = "per_share"
    maker: float = Field(default=0.0, ge=-1000, le=1000)
    taker: float = Field(default=0.005, ge=-1000, le=1000)
    minimum: float = Field(default=0.0, ge=0, le=1e6)
    cap_frac: float | None = Field(default=None, gt=0, le=1)

    def record(self, *, quanta_per_unit: int = QUANTA, lots_per_unit: int | Fraction = 1) -> Record:
        """Return (FEE_PER_SHARE, minimum, maker and taker quanta of 1e6 lots, cap in 1e-9).

        Raises:
            InputError: an amount that is not a whole number of quanta for 1e6 lots.
        """
        maker, taker = (
            _money(name, value * 1e6 / lots_per_unit, quanta_per_unit)
            for name, value in (("maker", self.maker), ("taker", self.taker))
        )
        cap = 0 if self.cap_frac is None else round(self.cap_frac * RATE_ONE)
        return FEE_PER_SHARE, (_money("minimum", self.minimum, quanta_per_unit), maker, taker, cap)

    def cost(self, trade: FeeQuery, *, maker: bool) -> Decimal:
        """Return the fee of a trade in units of currency."""
        fee = trade.quantity * _decimal(self.maker if maker else self.taker)
        if self.cap_frac is not None:
            fee = min(fee, trade.notional * _decimal(self.cap_frac))
        return max(fee, _decimal(self.minimum)) if self.minimum else fee


class FeeTier(Config):
    """Rates from a 30-day volume on: volume in units of currency, rates in basis points of the value traded."""

    volume: float = Field(ge=0, le=1e12)
    maker_bps: float = Field(ge=-_LIMIT_BPS, le=_LIMIT_BPS)
    taker_bps: float = Field(ge=-_LIMIT_BPS, le=_LIMIT_BPS)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        _rates(self.maker_bps, self.taker_bps)
        return self


class TieredFee(Assumption):
    """Maker and taker rates by the account's own volume of 30 days, counted by UTC days.

    tiers: ascending by volume, the first from 0. includes_today: whether today and the 29 days before count, which is
    up to date at every fill, or the 30 days before today, as venues do that set the tier once a day. volume_before:
    what was traded on each of the last days before the start, the latest last, at most 30.
    """

    kind: Literal["tiered"] = "tiered"
    tiers: tuple[FeeTier, ...] = Field(min_length=1, max_length=64)
    includes_today: bool = True
    minimum: float = Field(default=0.0, ge=0, le=1e6)
    volume_before: tuple[float, ...] = Field(default=(), max_length=30)

    @model_validator(mode="after")
    def _checked(self) -> Self:
        volumes = [tier.volume for tier in self.tiers]
        if volumes[0] != 0:
            raise ValueError(f"tiers: got a first volume of {volumes[0]:.12g}; allowed: 0; every account needs a tier")
        if any(a >= b for a, b in pairwise(volumes)):
            raise ValueError(f"tiers: got volumes {volumes}; they must ascend strictly; sort them")
        if any(volume < 0 for volume in self.volume_before):
            raise ValueError(f"volume_before: got {min(self.volume_before):.12g}; allowed: 0 or more")
        return self

    def record(self, *, quanta_per_unit: int = QUANTA, lots_per_unit: int | Fraction = 1, first_day: int = 0) -> Record:
        """Return (FEE_TIERED, head, 31 daily buckets, tiers); first_day: day of the start, days since 1970-01-01."""
        buckets = [0] * BUCKETS
        for back, volume in enumerate(reversed(self.volume_before), start=1):
            buckets[(first_day - back) % BUCKETS] = _money("volume_before", volume, quanta_per_unit)
        head = (len(self.tiers), int(self.includes_today), _money("minimum", self.minimum, quanta_per_unit))
        rows = (
            word
            for tier in self.tiers
            for word in (_money("volume", tier.volume, quanta_per_unit), *_rates(tier.maker_bps, tier.taker_bps))
        )
        return FEE_TIERED, (*head, first_day, sum(buckets), *buckets, *rows)

    def tier(self, volume: Decimal) -> FeeTier:
        """Return the tier of an account with this 30-day volume."""
        return [tier for tier in self.tiers if _decimal(tier.volume) <= volume][-1]

    def cost(self, trade: FeeQuery, *, maker: bool) -> Decimal:
        """Return the fee of a trade in units of currency, at the tier of the volume before it."""
        tier = self.tier(trade.volume_30d)
        fee = trade.notional * _decimal(tier.maker_bps if maker else tier.taker_bps) / _BPS
        return max(fee, _decimal(self.minimum)) if self.minimum else fee


class UserFee(UserFunction):
    """The function gets (value in quanta, lots, 1 for maker, day) and returns quanta; an order pays `minimum` units."""

    kind: Literal["user"] = "user"
    minimum: float = Field(default=0.0, ge=0, le=1e6)

    def record(self, *, quanta_per_unit: int = QUANTA, lots_per_unit: int | Fraction = 1) -> Record:
        """Return (USER, address, minimum)."""
        return USER, (self.address, _money("minimum", self.minimum, quanta_per_unit))


Fee = Annotated[NoFee | RateFee | PerShareFee | TieredFee | UserFee, Field(discriminator="kind")]


class Borrow(Config):
    """What a short position costs: `rate_frac` of its value for a year of 365 days, accrued by the nanosecond.

    The value is that of the last mark when a span ends: at a fill, a split, and the first row of a UTC day.
    """

    rate_frac: float = Field(default=0.003, ge=0, le=9)

    def rate(self) -> int:
        """Return the rate of a year in 1e-9."""
        return round(Decimal(repr(self.rate_frac)) * RATE_ONE)


class Locate(Config):
    """Shares a lender has promised: none can be sold short beyond them, after they expire, or once they are recalled.

    quantity_lots: 0 bans short sales. expires_ns: from when on nothing more may be sold short; what is short may stay.
    recalled_ns: when the lender wants them back and the position is bought in. `None` for never.
    """

    quantity_lots: int = Field(ge=0, lt=2**62)
    expires_ns: int | None = None
    recalled_ns: int | None = None

    def words(self) -> tuple[int, int, int]:
        """Return the locate record: lots, expiry, recall."""
        never = 2**62
        expires = never if self.expires_ns is None else self.expires_ns
        return self.quantity_lots, expires, never if self.recalled_ns is None else self.recalled_ns


@dataclass(frozen=True, slots=True)
class FeeQuery:
    """What a fee is asked for: value and quantity of one order, and the account's volume of 30 days, all 0 or more."""

    notional: Decimal
    quantity: Decimal = Decimal(0)
    volume_30d: Decimal = Decimal(0)


class Costed(Protocol):
    """A fee model that can tell its fee outside the kernel."""

    def cost(self, trade: FeeQuery, *, maker: bool) -> Decimal:
        """Return the fee of a trade in units of currency."""


@dataclass(frozen=True, slots=True)
class VenueFee:
    """What a trade would cost at a venue, units of currency and basis points of its value."""

    venue: str
    fee: Decimal
    fee_bps: Decimal


def compare_fees(
    venues: Mapping[str, Costed], trades: Mapping[str, FeeQuery], *, maker_frac: float = 0.0
) -> list[VenueFee]:
    """Return what a trade costs at each venue, the cheapest first; venues of equal cost by name.

    venues: fee model of each. trades: the trade as each venue sees it, because the 30-day volume is a venue's own.
    maker_frac: share of the trade that is expected to rest.

    Raises:
        InputError: no venue, a venue without a trade, a trade without value, or a share outside 0 to 1.
    """
    if not venues:
        raise InputError("venues", "none", allowed="one or more")
    if not 0 <= maker_frac <= 1:
        raise InputError("maker_frac", maker_frac, allowed="0 to 1")
    found = []
    for name, model in venues.items():
        if name not in trades or trades[name].notional <= 0:
            raise InputError("trades", name, allowed="a trade with value above 0 for each venue")
        resting = _decimal(maker_frac)
        fee = resting * model.cost(trades[name], maker=True) + (1 - resting) * model.cost(trades[name], maker=False)
        found.append(VenueFee(name, fee, fee / trades[name].notional * _BPS))
    return sorted(found, key=lambda item: (item.fee, item.venue))


def _rates(maker_bps: float, taker_bps: float) -> tuple[int, int]:
    return whole("maker_bps", maker_bps, RATES_PER_BPS, "bps"), whole("taker_bps", taker_bps, RATES_PER_BPS, "bps")


def _money(field: str, value: float, quanta_per_unit: int) -> int:
    """Return an amount in quanta.

    Raises:
        InputError: it is not a whole number of quanta, or does not fit.
    """
    exact = _decimal(value) * quanta_per_unit
    quanta = int(exact.to_integral_value())
    if abs(exact - quanta) > Decimal("1e-6") or abs(quanta) >= 2**62:
        raise InputError(field, value, allowed=f"whole multiples of 1/{quanta_per_unit}, below 2**62 of them")
    return quanta


def _decimal(value: float) -> Decimal:
    return Decimal(repr(float(value)))
