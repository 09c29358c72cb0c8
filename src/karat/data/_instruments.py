"""`Instrument`: what is traded, in which currency, on which calendar, in which smallest steps.

Invariants:
1. An id is `SYMBOL.VENUE`; it routes data and is never a feature.
2. `tick`, `lot` and `multiplier` are exact decimals: prices and quantities of orders are whole multiples of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from karat.core import InputError, instrument_id

ASSET_CLASSES: Final = (
    "commodity",
    "crypto",
    "equity",
    "etf",
    "fx",
    "index",
    "macro",
    "rate",
    "synthetic",
    "volatility",
)


@dataclass(frozen=True)
class Instrument:
    """The facts of one instrument.

    tick: smallest price step, in `currency`. lot: smallest quantity step, in units. multiplier: units of the underlying
    that one unit stands for (50 for a future on 50 times an index). tradable: whether orders can be sent for it (an
    index or a published rate cannot be traded itself).

    Example:
        >>> Instrument("SPY.XNYS", asset_class="etf").tick
        Decimal('0.01')
    """

    id: str
    asset_class: str = "equity"
    currency: str = "USD"
    calendar: str = "XNYS"
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal("1")
    tradable: bool = True
    multiplier: Decimal = Decimal("1")

    def __post_init__(self) -> None:
        instrument_id(self.id)
        if self.asset_class not in ASSET_CLASSES:
            raise InputError("instrument.asset_class", self.asset_class, allowed=ASSET_CLASSES)
        for name in ("tick", "lot", "multiplier"):
            value = getattr(self, name)
            if not isinstance(value, Decimal) or not value.is_finite() or value <= 0:
                raise InputError(f"instrument.{name}", value, allowed="a positive Decimal")
        if len(self.currency) not in (3, 4) or not self.currency.isalpha() or not self.currency.isupper():
            raise InputError("instrument.currency", self.currency, allowed="an ISO 4217 or crypto code, e.g. USD, USDT")

    @property
    def symbol(self) -> str:
        """The part before the venue."""
        return self.id.rpartition(".")[0]

    @property
    def venue(self) -> str:
        """The part after the symbol."""
        return self.id.rpartition(".")[2]
