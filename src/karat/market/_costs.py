"""What trading costs in a month, by cause: fees, funding, borrow, slippage, impact.

| symbol | meaning | unit |
|---|---|---|
| n, d | trades a day, days of the month | 1 |
| A | value of one trade | USD |
| fee, slip | rates of the value | bps |
| r_f, r_b | funding rate of 8 hours, borrow rate of a year of 365 days | fraction |
| h | hours a trade is held | h |
| Y, sigma, V | square-root impact: factor, volatility and USD volume of a day | 1, fraction, USD |

For one trade: fees A fee, funding A r_f h / 8, borrow A r_b h / 8760, slippage A slip, impact A Y sigma sqrt(A / V).

Invariants:
1. The parts add up to the total exactly, for a trade and for the month.
2. The month is n * d times the trade.

The plan's $1,800 a month at 100 trades a day comes without inputs: it is $0.60 a trade over 30 days. The defaults are
inputs that give it: $1,000 a trade, 4 bps of fees ($0.40), 1 bp of funding for 8 hours ($0.10), half a basis point each
of slippage and impact ($0.05 + $0.05). They are an example, not a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field

from karat.core import Config


class VariableCosts(Config):
    """Inputs of the monthly cost; symbols of the module's table. Negative fees and funding are income."""

    trades_per_day: int = Field(default=100, ge=0)
    days: int = Field(default=30, ge=1, le=31)
    trade_usd: float = Field(default=1_000.0, gt=0)
    fee_bps: float = Field(default=4.0, ge=-10_000, le=10_000)
    funding_frac: float = Field(default=0.0001, ge=-1, le=1)
    borrow_frac: float = Field(default=0.0, ge=0, le=9)
    hold_hours: float = Field(default=8.0, ge=0)
    slippage_bps: float = Field(default=0.5, ge=0, lt=10_000)
    impact_y: float = Field(default=1.0, ge=0, le=100)
    sigma_frac: float = Field(default=0.02, ge=0, le=1)
    volume_usd: float = Field(default=160_000_000.0, gt=0)


@dataclass(frozen=True, slots=True)
class CostParts:
    """Costs in USD by cause; below 0 is income."""

    fees: Decimal
    funding: Decimal
    borrow: Decimal
    slippage: Decimal
    impact: Decimal

    @property
    def total(self) -> Decimal:
        """Sum of the parts."""
        return self.fees + self.funding + self.borrow + self.slippage + self.impact

    def times(self, n: int) -> CostParts:
        """Return the parts of `n` such trades."""
        return CostParts(*(n * part for part in (self.fees, self.funding, self.borrow, self.slippage, self.impact)))


def trade_costs(spec: VariableCosts) -> CostParts:
    """Return what one trade costs; see the module for the formulas. Parts are exact to 1e-12 USD."""
    value, hours = _exact(spec.trade_usd), _exact(spec.hold_hours)
    size = (value / _exact(spec.volume_usd)).sqrt()
    parts = (
        value * _exact(spec.fee_bps) / 10_000,
        value * _exact(spec.funding_frac) * hours / 8,
        value * _exact(spec.borrow_frac) * hours / 8_760,
        value * _exact(spec.slippage_bps) / 10_000,
        value * _exact(spec.impact_y) * _exact(spec.sigma_frac) * size,
    )
    return CostParts(*(part.quantize(Decimal("1e-12")) for part in parts))


def monthly_costs(spec: VariableCosts) -> CostParts:
    """Return what a month of such trades costs.

    Example:
        >>> round(monthly_costs(VariableCosts()).total, 2)
        Decimal('1800.00')
    """
    return trade_costs(spec).times(spec.trades_per_day * spec.days)


def _exact(value: float) -> Decimal:
    return Decimal(repr(value))
