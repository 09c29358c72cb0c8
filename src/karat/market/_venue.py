"""`VenueSpec`: what an event market assumes: costs, delays, queues, margin, and how much it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from karat.core import NS_PER_SECOND, Config, InputError
from karat.data import Events, FilterTerms, Instrument
from karat.kernels.market import Block, Model, Sizes, Terms, bind_orders, bind_rules, layout, new_block, table
from karat.market._fees import Borrow, Fee, Locate, RateFee, TieredFee
from karat.market._impact import AlmgrenChrissImpact, Impact, NoImpact
from karat.market._latency import Latency, NoLatency
from karat.market._queue import FullFills, PartialFills, Queue, RiskAverseQueue
from karat.market._rulebook import filter_words
from karat.market._slippage import NoSlippage, Slippage
from karat.market._venue_rules import NO_RULES, RuleTerms, breaker_record

_RATE: Final = Decimal(layout.RATE_ONE)
_STEP: Final = Decimal("1e-9")
_MATCHERS: Final = {
    layout.BARS: (layout.BAR,),
    layout.DEPTH: (layout.DEPTH_BID, layout.DEPTH_ASK, layout.DEPTH_CLEAR),
    layout.QUOTES: (layout.QUOTE, layout.TRADE, layout.TRADE_BUY, layout.TRADE_SELL),
}
_LEVEL3: Final = frozenset(range(layout.ADD_BID, layout.EXECUTE + 1))
_TRADES: Final = frozenset({layout.TRADE, layout.TRADE_BUY, layout.TRADE_SELL})
_TAKEN: Final[Mapping[int, frozenset[int]]] = {
    **{matcher: frozenset(kinds) for matcher, kinds in _MATCHERS.items()},
    layout.DEPTH: _TRADES.union(_MATCHERS[layout.DEPTH]),
    layout.ORDERS: _TRADES | _LEVEL3 | {layout.DEPTH_CLEAR},
}
_NAMES: Final = {"bars": layout.BARS, "depth": layout.DEPTH, "quotes": layout.QUOTES, "orders": layout.ORDERS}
ROOM: Final = (4_096, 1_024)  # orders and prices of a level-3 book at first; a full one is enlarged
_POLICIES: Final = {
    "none": layout.MARGIN_NONE,
    "check": layout.MARGIN_CHECK,
    "block": layout.MARGIN_BLOCK,
    "liquidate": layout.MARGIN_LIQUIDATE,
    "stop": layout.MARGIN_STOP,
}
_MARGIN: Final = 1_024  # ticks kept free on both sides of the prices seen, so that own orders fit into the book
_WIDEST: Final = 2**24  # ticks of a book: a block of 512 MB
_MOST: Final = 2**62
_DAY_NS: Final = 86_400 * NS_PER_SECOND
Range = tuple[int, int]


class TradingTerms(Config):
    """What one instrument costs and how its orders are matched.

    matching: what its orders are matched on; `auto` takes what the events hold of it. fee, slippage, impact, queue,
    fills (how much of what is offered an order gets): models; instruments of one currency with equal tiers of 30-day
    volume share that volume. entry, response: delays of orders to the venue and of its answers. participation_frac:
    share of a bar's volume that own orders may have together; None for no limit. Bars without a volume have no limit
    either, which is noted. whole_fills: a resting order on level 2 or 3 fills wholly or not at all. mark: what a
    position is worth at: the last trade, or the middle of the best quotes. crossed: what a book that stays crossed
    after its last row of a time does: it is an error, or taken as it is. cutoff_ns: how long before an auction its
    orders must have come.
    initial_margin_frac, maintenance_margin_frac: of the value of a position, to open it and to hold it; without the
    second it is the first. settlement_days: after how many days with rows the proceeds of a sale are settled. borrow:
    what a short position costs, None for nothing. locate: the shares that may be sold short, None for any number.
    rules, filters: what the market's rules and the venue refuse, at
    sending, at arrival and at execution; None for nothing.
    """

    matching: Literal["auto", "bars", "quotes", "depth", "orders"] = "auto"
    fee: Fee = Field(default_factory=RateFee)
    slippage: Slippage = Field(default_factory=NoSlippage)
    impact: Impact = Field(default_factory=NoImpact)
    queue: Queue = Field(default_factory=RiskAverseQueue)
    fills: PartialFills = Field(default_factory=FullFills)
    entry: Latency = Field(default_factory=NoLatency)
    response: Latency = Field(default_factory=NoLatency)
    participation_frac: float | None = Field(default=None, gt=0, le=1)
    whole_fills: bool = False
    mark: Literal["last", "mid"] = "last"
    crossed: Literal["error", "allow"] = "error"
    cutoff_ns: int = Field(default=0, ge=0)
    initial_margin_frac: float = Field(default=1.0, gt=0, le=1)
    maintenance_margin_frac: float | None = Field(default=None, gt=0, le=1)
    settlement_days: int = Field(default=0, ge=0, le=layout.LAGS)
    borrow: Borrow | None = None
    locate: Locate | None = None
    rules: RuleTerms | None = None
    filters: FilterTerms | None = None

    @model_validator(mode="after")
    def _checked(self) -> Self:
        held = self.maintenance_margin_frac
        if held is not None and held > self.initial_margin_frac:
            raise ValueError(
                f"maintenance_margin_frac: got {held}; allowed: at most initial_margin_frac, "
                f"{self.initial_margin_frac}, or opening a position would be a margin call"
            )
        if self.whole_fills and self.fills.kind != "full":
            raise ValueError(
                f"fills: got {self.fills.kind}; allowed: full, with whole_fills; a resting order cannot fill both "
                "wholly and in pieces; leave one of them out"
            )
        return self


class VenueSpec(Config):
    """An event market: cash, terms, seed and room. Money is exact: no amount of it is a float.

    cash: units of each currency at the start; the first is the account's. fx: units of the account's currency for one
    unit of each other one, until an FX row says otherwise. terms: for every instrument without an entry in `terms_of`,
    by instrument id. margin: `none` lets cash become negative, `check` refuses orders that free margin does not cover;
    with `block`, `liquidate` and `stop` also, and equity below the maintenance margins is a margin call: then only what
    reduces a position is taken, everything is closed at the next rows, or the run stops. account: in a `cash` account
    only settled cash buys, and nothing is sold short; it needs a margin other than `none`.
    money_quantum: smallest step of money, one over a whole number. seed: of every random draw, by order. open_orders:
    how many orders may be live or under way at once; one more is refused with a reason. keep_equity: keep the equity
    after every row. breaker_index: id of the instrument whose trades or bars set market-wide halts, which stop every
    instrument whose rules have `circuit_breakers`; None for none.
    """

    cash: Mapping[str, Decimal] = Field(default_factory=lambda: {"USD": Decimal(1_000_000)})
    fx: Mapping[str, Decimal] = Field(default_factory=dict)
    terms: TradingTerms = Field(default_factory=TradingTerms)
    terms_of: Mapping[str, TradingTerms] = Field(default_factory=dict)
    margin: Literal["none", "check", "block", "liquidate", "stop"] = "none"
    account: Literal["margin", "cash"] = "margin"
    money_quantum: Decimal = Field(default=Decimal("1e-8"), gt=0, le=1)
    seed: int = Field(default=42, ge=0, lt=2**63)
    open_orders: int = Field(default=1_024, ge=4, le=2**20)
    keep_equity: bool = True
    breaker_index: str | None = None

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if not self.cash:
            raise ValueError("cash: got no currency; allowed: at least one, e.g. {'USD': 1000000}")
        if self.account == "cash" and self.margin == "none":
            raise ValueError(
                "account: got 'cash' with margin 'none'; allowed: with 'check' or a policy that checks too"
            )
        if 1 % self.money_quantum:
            raise ValueError(f"money_quantum: got {self.money_quantum}; allowed: 1 over a whole number, e.g. 1e-8")
        for name, units in self.cash.items():
            if units % self.money_quantum or abs(units / self.money_quantum) >= _MOST:
                raise ValueError(f"cash.{name}: got {units}; allowed: below 2**62 whole quanta of {self.money_quantum}")
        others = list(self.cash)[1:]
        if sorted(self.fx) != sorted(others):
            raise ValueError(f"fx: got {sorted(self.fx)}; allowed: a rate for each of {others}, and for no other")
        for name, rate in self.fx.items():
            if rate <= 0 or rate % _STEP or rate >= 10**9:
                raise ValueError(f"fx.{name}: got {rate}; allowed: above 0, below 1e9, at most nine decimals")
        return self

    def of(self, instrument: Instrument) -> TradingTerms:
        """Return the terms of an instrument."""
        return self.terms_of.get(instrument.id, self.terms)


def unit_of(spec: VenueSpec, events: Events, number: int) -> int:
    """Return the money quanta of one tick of one lot of an instrument.

    Raises:
        InputError: when that is not a whole number.
    """
    item = events.instruments[number]
    value = events.price_quanta[number] * events.lot_quanta[number] * item.multiplier
    unit = value / spec.money_quantum
    if unit < 1 or unit != int(unit):
        raise InputError(
            "spec.money_quantum",
            spec.money_quantum,
            why=f"one tick of one lot of {item.id} is worth {value} {item.currency}, not a whole number of quanta",
            fix=f"choose a money_quantum that divides {value}, or a coarser quantum for the prices",
        )
    if unit >= _MOST:
        why = f"one tick of one lot of {item.id} is worth {value}, 2**62 quanta or more"
        raise InputError("spec.money_quantum", spec.money_quantum, why=why, fix="choose a coarser money_quantum")
    return int(unit)


def matcher_of(events: Events, number: int, kinds: frozenset[int], matching: str = "auto") -> int | None:
    """Return how an instrument is matched: as `matching` says, or by what it has; None where it has no market data.

    Raises:
        InputError: bars, quotes, depth or single orders beside each other, or single orders matched as something else.
    """
    name = events.instruments[number].id
    if kinds & _LEVEL3:
        return _matched_on_orders(name, kinds, matching)
    found = [matcher for matcher, own in _MATCHERS.items() if kinds & set(own)]
    if layout.BARS in found and len(found) > 1:
        raise InputError("events", f"bars and quotes or depth of {name}", allowed="one kind of market data each")
    if layout.DEPTH in found and layout.QUOTE in kinds:
        raise InputError("events", f"depth and best quotes of {name}", fix="leave the quotes out: depth has them")
    if matching != "auto":
        return _NAMES[matching]
    return layout.DEPTH if layout.DEPTH in found else (found[0] if found else None)


def takes(matcher: int | None, kinds: frozenset[int]) -> bool:
    """Return whether a matcher takes all market data among these kinds."""
    own = _TAKEN.get(matcher or 0, frozenset())
    return all(kind in own or kind >= layout.STATUS for kind in kinds)


def _matched_on_orders(name: str, kinds: frozenset[int], matching: str) -> int:
    if layout.BAR in kinds:
        raise InputError("events", f"bars and single orders of {name}", allowed="one kind of market data each")
    if kinds & {layout.QUOTE, layout.DEPTH_BID, layout.DEPTH_ASK}:
        fix = "leave the others out: single orders have them"
        raise InputError("events", f"single orders and quotes or depth of {name}", fix=fix)
    if matching not in ("auto", "orders"):
        fix = "say 'orders', or karat.data.level2_from_level3(events) gives the same market as level 2"
        raise InputError("terms.matching", matching, why=f"{name} has rows of single orders", fix=fix)
    return layout.ORDERS


def window_of(shown: Range | None, name: str) -> Range:
    """Return (lowest tick, ticks) of a book that holds these prices, with room for orders around them.

    Raises:
        InputError: a range that needs too much memory.
    """
    if shown is None:
        return 0, 1
    low, high = max(0, shown[0] - _MARGIN), shown[1] + _MARGIN
    if high - low >= _WIDEST:
        why, fix = f"the depth of {name} reaches from tick {shown[0]} to {shown[1]}", "leave far levels out"
        raise InputError("events.price", high - low, allowed=f"a range below {_WIDEST} ticks", why=why, fix=fix)
    return low, high - low + 1


def first_block(spec: VenueSpec, events: Events) -> Block:
    """Return the block of a market over these events, before the first of them.

    Raises:
        InputError: an instrument whose currency the spec has no cash for, terms of an unknown instrument, or quanta
            that do not fit.
    """
    ids = [item.id for item in events.instruments]
    for name in spec.terms_of:
        if name not in ids:
            raise InputError("spec.terms_of", name, allowed=ids)
    _check_index(spec, events)
    currencies, seen = list(spec.cash), events.contents
    terms = [_terms(spec, events, number, currencies, seen[number]) for number in range(len(ids))]
    cash = [int(units / spec.money_quantum) for units in spec.cash.values()]
    sizes = Sizes(
        orders=spec.open_orders,
        queue=8 * spec.open_orders + 64,
        fills=16 * spec.open_orders + 8_192,
        news=32 * spec.open_orders + 16_384,
    )
    account = layout.CASH_ACCOUNT if spec.account == "cash" else 0
    block = new_block(terms, cash, sizes=sizes, seed=spec.seed, margin=_POLICIES[spec.margin], account=account)
    for name, rate in spec.fx.items():
        table(block, "currencies")[currencies.index(name), layout.C_RATE] = int(rate * _RATE)
    bind_rules(block)
    bind_orders(block)
    return block


def _terms(
    spec: VenueSpec, events: Events, number: int, currencies: list[str], seen: tuple[frozenset[int], Range | None]
) -> Terms:
    item = events.instruments[number]
    if item.currency not in currencies:
        raise InputError("spec.cash", currencies, why=f"{item.id} trades in {item.currency}", fix="give it cash, or 0")
    own, unit = spec.of(item), unit_of(spec, events, number)
    found = matcher_of(events, number, seen[0], own.matching)
    matcher = found or layout.BARS
    flags = (layout.MARK_MID if own.mark == "mid" else 0) | (layout.WHOLE_ONLY if own.whole_fills else 0)
    tick, lot = events.price_quanta[number], events.lot_quanta[number]
    check_impact(own, item.id, matcher)
    rules, is_index = own.rules, item.id == spec.breaker_index
    schedule, size = _rule_words(rules or NO_RULES, events, number, found) if rules or is_index else ((), 0)
    return Terms(
        schedule=schedule,
        rules_words=size,
        filters=tuple(filter_words(own.filters, tick=tick, lot=lot).tolist()) if own.filters is not None else (),
        breaker=breaker_record() if is_index else (),
        under_breaker=spec.breaker_index is not None and rules is not None and rules.circuit_breakers,
        matcher=matcher,
        unit=unit,
        currency=currencies.index(item.currency),
        participation=None if own.participation_frac is None else _rate(own.participation_frac),
        slippage=own.slippage.record(),
        impact=own.impact.record(),
        queue=own.queue.record(),
        fills=own.fills.record(),
        entry=own.entry.record(),
        response=own.response.record(),
        fee=_fee(spec, own.fee, events, number),
        flags=flags | (layout.MAY_CROSS if own.crossed == "allow" else 0),
        cutoff_ns=own.cutoff_ns,
        initial=_rate(own.initial_margin_frac),
        maintenance=None if own.maintenance_margin_frac is None else _rate(own.maintenance_margin_frac),
        settlement_days=own.settlement_days,
        borrow=own.borrow.rate() if own.borrow is not None else 0,
        locate=own.locate.words() if own.locate is not None else None,
        book=window_of(seen[1], item.id) if matcher in (layout.DEPTH, layout.ORDERS) else None,
        room=ROOM if matcher == layout.ORDERS else None,
    )


def _rule_words(rules: RuleTerms, events: Events, number: int, matcher: int | None) -> tuple[tuple[int, ...], int]:
    """Return the schedule of an instrument's rules and the size of their record, as far as its data can show them."""
    item = events.instruments[number]
    if matcher is None:
        why = f"nothing tells yet whether {item.id} is matched on bars, quotes or depth, and rules depend on it"
        raise InputError("spec.terms.matching", "auto", allowed="'bars', 'quotes' or 'depth'", why=why)
    return rules.words(events.price_quanta[number], on_bars=matcher == layout.BARS)


def check_impact(terms: TradingTerms, name: str, matcher: int) -> None:
    """Refuse permanent impact on displayed depth.

    Raises:
        InputError: impact that moves later prices, for an instrument with a book.
    """
    impact = terms.impact
    if matcher in (layout.DEPTH, layout.ORDERS) and isinstance(impact, AlmgrenChrissImpact) and impact.gamma_ticks:
        why = f"orders in {name} walk displayed depth: the walk is their impact, and none is added on top of it"
        fix = "set gamma_ticks to 0, or give quotes or bars"
        raise InputError("spec.terms.impact.gamma_ticks", impact.gamma_ticks, allowed="0", why=why, fix=fix)


def _check_index(spec: VenueSpec, events: Events) -> None:
    """Refuse an index that is not there, is matched on depth, or that nobody's rules listen to."""
    if spec.breaker_index is None:
        return
    found = {item.id: item for item in events.instruments}
    if spec.breaker_index not in found:
        raise InputError("spec.breaker_index", spec.breaker_index, allowed=list(found))
    number = list(found).index(spec.breaker_index)
    matching = spec.of(found[spec.breaker_index]).matching
    if matcher_of(events, number, events.contents[number][0], matching) in (layout.DEPTH, layout.ORDERS):
        why = "the values of an index are trades or bars, not a book"
        raise InputError("spec.breaker_index", spec.breaker_index, why=why, fix="give it trades or bars")
    if not any((rules := spec.of(item).rules) is not None and rules.circuit_breakers for item in events.instruments):
        why = "no instrument has rules that its halts could stop"
        raise InputError(
            "spec.breaker_index", spec.breaker_index, why=why, fix="set rules in the terms, or leave it out"
        )


def _fee(spec: VenueSpec, fee: Fee, events: Events, number: int) -> Model:
    """Return the fee's record in quanta of money and lots; the tiers of 30 days begin on the day of the first row."""
    quanta, lots = int(1 / spec.money_quantum), 1 / Fraction(events.lot_quanta[number])
    more: dict[str, Any] = {}
    if isinstance(fee, TieredFee) and len(events):
        more = {"first_day": int(events.ts[0]) // _DAY_NS}
    return fee.record(quanta_per_unit=quanta, lots_per_unit=lots, **more)


def _rate(share: float) -> int:
    return round(Decimal(repr(share)) * _RATE)
