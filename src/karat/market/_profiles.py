"""Named `VenueSpec`s: how much to assume, from nothing to the cautious end. Every number says where it comes from.

| profile | number | value | source |
|---|---|---|---|
| frictionless | fees, slippage, delays, queue | 0 | a definition: what nobody pays or waits for |
| frictionless | cash | 1,000,000 USD | assumed |
| us_stocks_retail | fee | 0.005 USD a share, at least 1 USD, at most 1 % | IBKR, fixed, no regulatory fees |
| us_stocks_retail | initial margin | 50 % | Regulation T, 12 CFR 220.12 |
| us_stocks_retail | maintenance margin | 25 % | FINRA rule 4210(c), for long positions; short ones need 30 % |
| us_stocks_retail | settlement | 1 day | SEC rule 15c6-1(a), from 2024-05-28 |
| us_stocks_retail | borrow | 0.3 % a year | assumed, an easy name |
| us_stocks_retail | margin call | closes everything at the next rows | assumed, as brokers do by machine |
| us_stocks_retail | slippage | 1 basis point, rounded up to a tick | assumed |
| us_stocks_retail | participation | 5 % of a bar's volume | assumed |
| us_stocks_retail | cut-off of auctions | 10 minutes | assumed, as NYSE closes entry at 15:50 |
| us_stocks_retail | delays | 0: an order is at the venue before its bar begins | assumed |
| us_stocks_retail | cash | 100,000 USD | assumed |
| crypto_perpetual | fee | maker 0.02 %, taker 0.05 % | Binance, USD-margined futures, regular account |
| crypto_perpetual | delay of orders | exp(3.9 + 0.3 z) ms, median 49 ms | the plan's mu and sigma; ms is assumed |
| crypto_perpetual | delay of answers | the same | assumed |
| crypto_perpetual | queue | power, exponent 2 | assumed; the formula is hftbacktest's |
| crypto_perpetual | initial margin | 10 % | assumed |
| crypto_perpetual | maintenance margin, margin call | 5 %, closes everything at the next rows | assumed |
| crypto_perpetual | cash | 100,000 USDT | assumed |
| pessimistic | fee | 0.10 %, maker and taker | assumed |
| pessimistic | slippage | 5 basis points, rounded up to a tick | assumed |
| pessimistic | participation | 1 % of a bar's volume | assumed |
| pessimistic | delays | exp(3.9 + 0.3 z) ms for orders and for answers | as crypto_perpetual |
| pessimistic | queue | all that is shown is before the order | the cautious end of hftbacktest's models |
| pessimistic | initial margin, cash | 100 %, 1,000,000 USD | assumed |

All have the seed 42. A delay matters on bars: an order decided at the end of a bar comes after the start of the next
one where that start is the same instant, and then it sees only that bar's close.

Invariants:
1. A profile is a plain `VenueSpec`: what it assumes can be read, copied and changed.
2. Every number of a profile stands in the table above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from karat.core import InputError
from karat.market._fees import Borrow, NoFee, PerShareFee, RateFee
from karat.market._latency import LogNormalLatency
from karat.market._queue import NoQueue, PowerQueue, RiskAverseQueue
from karat.market._slippage import BpsSlippage
from karat.market._venue import TradingTerms, VenueSpec


@dataclass(frozen=True)
class Profile:
    """A named venue: what it is for in one sentence, and its spec."""

    name: str
    title: str
    spec: VenueSpec


def _terms_of_us_stocks() -> TradingTerms:
    return TradingTerms(
        fee=PerShareFee(maker=0.005, taker=0.005, minimum=1.0, cap_frac=0.01),
        slippage=BpsSlippage(slippage_bps=1),
        participation_frac=0.05,
        cutoff_ns=600_000_000_000,
        initial_margin_frac=0.5,
        maintenance_margin_frac=0.25,
        settlement_days=1,
        borrow=Borrow(rate_frac=0.003),
    )


def _terms_of_perpetuals() -> TradingTerms:
    return TradingTerms(
        fee=RateFee(maker_bps=2, taker_bps=5),
        queue=PowerQueue(exponent=2),
        entry=LogNormalLatency(mu=3.9, sigma=0.3, unit_ns=1e6),
        response=LogNormalLatency(mu=3.9, sigma=0.3, unit_ns=1e6),
        initial_margin_frac=0.1,
        maintenance_margin_frac=0.05,
    )


def _cautious_terms() -> TradingTerms:
    return TradingTerms(
        fee=RateFee(maker_bps=10, taker_bps=10),
        slippage=BpsSlippage(slippage_bps=5),
        queue=RiskAverseQueue(),
        entry=LogNormalLatency(mu=3.9, sigma=0.3, unit_ns=1e6),
        response=LogNormalLatency(mu=3.9, sigma=0.3, unit_ns=1e6),
        participation_frac=0.01,
    )


_ALL: Final = (
    Profile(
        "frictionless",
        "no costs, no delays, first in every queue: an upper bound",
        VenueSpec(terms=TradingTerms(fee=NoFee(), queue=NoQueue())),
    ),
    Profile(
        "us_stocks_retail",
        "US stocks on bars from a margin account: a fee a share, a basis point of slippage, 5 % of the volume",
        VenueSpec(cash={"USD": Decimal(100_000)}, terms=_terms_of_us_stocks(), margin="liquidate"),
    ),
    Profile(
        "crypto_perpetual",
        "perpetual futures in USDT: maker and taker fees, delays of about 49 ms each way, a place in the queue",
        VenueSpec(cash={"USDT": Decimal(100_000)}, terms=_terms_of_perpetuals(), margin="liquidate"),
    ),
    Profile(
        "pessimistic",
        "the cautious end of every assumption",
        VenueSpec(terms=_cautious_terms(), margin="check"),
    ),
)
PROFILES: Final[Mapping[str, Profile]] = MappingProxyType({profile.name: profile for profile in _ALL})
"""Name to profile."""


def profile(name: str) -> VenueSpec:
    """Return the spec of a named profile.

    Raises:
        InputError: there is none of that name.

    Example:
        >>> profile("us_stocks_retail").terms.initial_margin_frac
        0.5
    """
    if name not in PROFILES:
        raise InputError("profile", name, allowed=list(PROFILES))
    return PROFILES[name].spec
