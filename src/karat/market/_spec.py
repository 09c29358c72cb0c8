"""`MarketSpec`: what trading costs, when orders are filled, and in which quanta prices, lots and money are counted."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from karat.core import Config
from karat.kernels import BORROW, RATE_ONE, REJECT, SCALE

Fill = Literal["next_open", "next_close", "same_close"]
Cash = Literal["borrow", "scale", "reject"]
POLICIES: Final[dict[str, int]] = {"borrow": BORROW, "scale": SCALE, "reject": REJECT}
_BPS: Final = Decimal(RATE_ONE) / 10_000
_LARGEST: Final = 2**62


class Quanta(NamedTuple):
    """Smallest steps: `tick` of a price, `lot` of a quantity, `money` of cash; unit = tick * lot / money, whole."""

    tick: Decimal
    lot: Decimal
    money: Decimal
    unit: int

    def of_money(self, usd: float) -> int:
        """Return the nearest whole number of money quanta, half away from zero."""
        return int((_exact(usd) / self.money).to_integral_value(ROUND_HALF_UP))


class MarketSpec(Config):
    """Terms of a simulation of targets on bars.

    capital_usd: cash at the start. proportional_bps: cost of each fill in basis points of its value, half a spread
    and commission together. fixed_usd: cost of each fill, whatever its size. slippage_bps: by how much the price of a
    fill is worse than the bar's own, in basis points of it. delay_bars: bars by which every fill is later than `fill`
    says.

    fill: `next_open`, at the open of the bar after the decision (its close where the bars have no open, which is
    noted); `next_close`, at that bar's close; `same_close`, at the very close that the decision has seen: nobody gets
    that price reliably, so it must be asked for by name and is flagged in the result.

    cash: what happens when buys cost more than there is: `borrow`, cash becomes negative, which is noted; `scale`,
    sales come first and all buys of the bar are cut to the same share; `reject`, sales come first and buys are
    refused once the cash does not cover them, in the order of the instruments.

    price_quantum, lot_quantum, money_quantum: the steps in which prices (USD), quantities (units) and money (USD) are
    counted; the market computes with whole numbers of them. price_quantum suits adjusted series, which have no tick of
    their own. lot_quantum: None is the power of ten that is 1e-4 units at a capital of 1,000,000 USD and grows with
    the capital. money_quantum: None is price_quantum times lot_quantum; of that product it must be a whole part.
    """

    capital_usd: float = Field(default=1_000_000.0, gt=0)
    proportional_bps: float = Field(default=1.0, ge=0, lt=10_000)
    fixed_usd: float = Field(default=0.0, ge=0)
    slippage_bps: float = Field(default=0.0, ge=0, lt=10_000)
    fill: Fill = "next_open"
    delay_bars: int = Field(default=0, ge=0, le=1_000)
    cash: Cash = "borrow"
    price_quantum: float = Field(default=1e-5, gt=0)
    lot_quantum: float | None = Field(default=None, gt=0)
    money_quantum: float | None = Field(default=None, gt=0)

    @property
    def quanta(self) -> Quanta:
        """The steps as exact decimals: each is the decimal number that was written down."""
        tick = _exact(self.price_quantum)
        lot = (
            _exact(self.lot_quantum)
            if self.lot_quantum
            else Decimal(1).scaleb(_exact(self.capital_usd).adjusted() - 10)
        )
        money = _exact(self.money_quantum) if self.money_quantum else tick * lot
        return Quanta(tick, lot, money, int(tick * lot / money))

    @property
    def rate(self) -> int:
        """`proportional_bps` in units of 1e-9, the nearest."""
        return int((_exact(self.proportional_bps) * _BPS).to_integral_value(ROUND_HALF_UP))

    @property
    def slip(self) -> int:
        """`slippage_bps` in units of 1e-9, the nearest."""
        return int((_exact(self.slippage_bps) * _BPS).to_integral_value(ROUND_HALF_UP))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        quanta = self.quanta
        if quanta.unit < 1 or quanta.tick * quanta.lot != quanta.unit * quanta.money:
            raise ValueError(
                f"money_quantum: got {quanta.money}; allowed: a whole part of price_quantum * lot_quantum, "
                f"{quanta.tick * quanta.lot}"
            )
        largest = max(quanta.of_money(self.capital_usd), quanta.of_money(self.fixed_usd))
        if largest >= _LARGEST:
            raise ValueError(
                f"capital_usd: {largest} quanta of {quanta.money}; allowed: below 2**62; coarsen lot_quantum"
            )
        return self


def _exact(value: float) -> Decimal:
    return Decimal(repr(float(value)))
