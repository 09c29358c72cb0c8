"""`RulesEngine`: the compiled rules for one instrument, fed event by event or in batches, live or from history.

Invariants:
1. One engine: every answer comes from the compiled rules that the simulation uses.
2. Answers depend on the events so far and not on how they are cut into calls.
3. Time runs forward: an earlier instant is an error, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from karat.core import InputError, iso
from karat.data import MARKET_RULES, MarketRules
from karat.kernels.market import _rules_layout as words
from karat.market._reasons import REASONS, Reason
from karat.market._rulebook import Listing, breaker_words, rule_schedule

STATES: Final = ("normal", "limit", "straddle", "pause")
EVENT_KINDS: Final = ("session", "status", "trade", "opening", "quote", "index", "order", "execution")
_BITS: Final = {words.SSR: "short_sale", words.LULD: "price_bands", words.TICK: "ticks", words.DAILY: "daily_limits"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Answer to an order or an execution: `allowed`, and the reason with its code, rule and plain words."""

    reason: Reason

    @property
    def allowed(self) -> bool:
        """Whether no rule objects."""
        return self.reason.code == words.OK

    @property
    def code(self) -> int:
        """The reason's code, 0 if allowed."""
        return self.reason.code


class RulesEngine:
    """The rules of one instrument. Prices are whole ticks of `listing.quantum`, times UTC ns, sides +1 buy and -1 sell.

    None stands for an empty side of a quote.

    Example:
        >>> engine = RulesEngine(Listing(ring=8))
        >>> day = 1_717_421_400_000_000_000  # 2024-06-03 09:30 in New York
        >>> engine.start(day, day + 23_400 * 10**9, prior_close=2000)
        ('short_sale', 'price_bands', 'ticks')
        >>> engine.trade(day + 10**9, 1801), engine.short_restricted(day + 10**9)
        (None, False)
        >>> engine.trade(day + 2 * 10**9, 1800), engine.short_restricted(day + 2 * 10**9)
        (None, True)
        >>> engine.order(day + 2 * 10**9, -1, 1790, short=True, bid=1790, ask=1795).reason.name
        'short_at_bid'
    """

    def __init__(self, listing: Listing | None = None, *, rules: MarketRules = MARKET_RULES) -> None:
        from karat.kernels.market import _rules as kernel

        self.listing = Listing() if listing is None else listing
        self._kernel: Any = kernel
        size = words.rules_words(self.listing.ring)
        breaker, schedule = breaker_words(rules), rule_schedule(self.listing, rules)
        self._block = np.concatenate([np.zeros(size, dtype=np.int64), breaker, schedule])
        self._question = np.zeros(words.QUESTION_WORDS, dtype=np.int64)
        self._r = int(self._block.ctypes.data)
        self._m = self._r + 8 * size
        self._p = self._m + 8 * words.BREAKER_WORDS
        self._now = words.NONE
        self._breaker = False
        kernel.rules_reset(self._r)
        self._block[words.MWCB_BYTES] = 8 * size

    def start(
        self, open_ns: int, close_ns: int, prior_close: int | None, index_prior: int | None = None
    ) -> tuple[str, ...]:
        """Begin a session; return the rules that can be applied in it.

        prior_close: regular close of the listing market on the day before, None if unknown. index_prior: the index's.

        Raises:
            InputError: a close that is not after the open, or sessions out of order.
        """
        if close_ns <= open_ns:
            raise InputError("session.close_ns", iso(close_ns), allowed=f"after the open, {iso(open_ns)}")
        if open_ns < int(self._block[words.OPEN_NS]):
            raise InputError("session.open_ns", iso(open_ns), allowed="sessions in order of time")
        active = self._kernel.rules_start(self._r, self._p, open_ns, close_ns, prior_close or 0)
        self._breaker = bool(self._kernel.breaker_start(self._m, open_ns, close_ns, index_prior or 0))
        on = tuple(name for bit, name in _BITS.items() if active & bit)
        return (*on, "circuit_breakers") if self._breaker else on

    def status(self, ts: int, status: int) -> None:
        """Take a status: 0 closed, 1 pre-open, 2 open, 3 closing auction, 4 halted, 5 paused, 6 cancel only."""
        if not 0 <= status <= words.CANCEL_ONLY:
            raise InputError("status", status, allowed=f"0 to {words.CANCEL_ONLY}")
        self._at(ts)
        self._kernel.rules_status(self._r, status)

    def trade(self, ts: int, price: int) -> None:
        """Take a trade of the consolidated tape."""
        self._at(ts)
        self._kernel.rules_trade(self._r, ts, _positive("trade.price", price))

    def opening(self, ts: int, price: int) -> None:
        """Take the official opening or reopening trade of the listing market, in place of `trade`."""
        self._at(ts)
        self._kernel.rules_open(self._r, ts, _positive("opening.price", price))

    def quote(self, ts: int, bid: int | None, ask: int | None) -> str:
        """Take a national best quote; return the state of the price bands."""
        self._at(ts)
        return STATES[self._kernel.rules_quote(self._r, ts, _word(bid), _word(ask))]

    def index(self, ts: int, value: int) -> int:
        """Take a value of the index; return the level of the market-wide halt that it starts, 0 if none."""
        self._at(ts)
        return int(self._kernel.rules_index(self._m, ts, _positive("index.value", value)))

    def clock(self, ts: int) -> str:
        """Let time pass up to and including `ts`; return the state of the price bands."""
        self._at(ts)
        return STATES[self._kernel.rules_clock(self._r, ts)]

    def order(
        self,
        ts: int,
        side: int,
        price: int | None = None,
        *,
        short: bool = False,
        exempt: bool = False,
        bid: int | None = None,
        ask: int | None = None,
    ) -> Verdict:
        """Say whether an order may be sent or displayed; no price is a market order. Without a quote, the last one."""
        self._at(ts)
        best = self._best(bid, ask)
        market, limit = int(price is None), 0 if price is None else price
        question = (_side(side), int(short), int(exempt), market, limit, *best, 0)
        code = self._kernel.rules_order(self._r, ts, self._asked(question))
        return Verdict(REASONS[code])

    def execution(
        self,
        ts: int,
        side: int,
        price: int,
        *,
        short: bool = False,
        exempt: bool = False,
        displayed_above: bool = False,
        bid: int | None = None,
        ask: int | None = None,
    ) -> Verdict:
        """Say whether an order may execute at a price; `displayed_above`: it was first displayed above the bid."""
        self._at(ts)
        best, above = self._best(bid, ask), int(displayed_above)
        question = (_side(side), int(short), int(exempt), 0, price, *best, above)
        code = self._kernel.rules_execution(self._r, ts, self._asked(question))
        return Verdict(REASONS[code])

    def replay(self, events: Iterable[Mapping[str, Any]]) -> list[int | None]:
        """Feed events in order; return a reason code for each order and execution, None for the rest.

        An event is a mapping with `kind` (one of EVENT_KINDS) and the arguments of the method of that name; a session
        has those of `start`.

        Raises:
            InputError: an unknown kind, or what the methods refuse.
        """
        return [self._one(dict(event)) for event in events]

    def short_restricted(self, ts: int) -> bool:
        """Return whether short sales must be above the national best bid at `ts`."""
        return bool(self._kernel.rules_ssr(self._r, ts))

    @property
    def breaker_covered(self) -> bool:
        """Whether market-wide halts can be told in this session: the date is covered and the index's close is known."""
        return self._breaker

    @property
    def bands(self) -> tuple[int, int] | None:
        """Lower and upper price band in ticks as of the last event, None when there are none."""
        lower = int(self._block[words.LOWER])
        return None if lower == words.NONE else (lower, int(self._block[words.UPPER]))

    @property
    def reference_price(self) -> Fraction | None:
        """Reference price in ticks, None before the opening trade."""
        total, count = int(self._block[words.REFERENCE]), int(self._block[words.REFERENCE_COUNT])
        return None if total == words.NONE else Fraction(total, count)

    @property
    def merged_trades(self) -> int:
        """Trades of this session that share a window entry with another instant; 0 means the means were exact."""
        return int(self._block[words.MERGED])

    @property
    def last_quote(self) -> tuple[int | None, int | None]:
        """The last national best quote."""
        bid, ask = int(self._block[words.BID]), int(self._block[words.ASK])
        return None if bid == words.NONE else bid, None if ask == words.NONE else ask

    def snapshot(self) -> bytes:
        """Return the state as bytes: equal states are equal bytes."""
        return self._block.tobytes()

    def _one(self, event: dict[str, Any]) -> int | None:
        kind = event.pop("kind", None)
        if kind not in EVENT_KINDS:
            raise InputError("event.kind", kind, allowed=EVENT_KINDS)
        answer = (self.start if kind == "session" else getattr(self, str(kind)))(**event)
        return answer.code if isinstance(answer, Verdict) else None

    def _asked(self, question: Sequence[int]) -> int:
        """Write a question down for the kernel, in the order of the Q_ words; return its address."""
        self._question[:] = question
        return int(self._question.ctypes.data)

    def _best(self, bid: int | None, ask: int | None) -> Sequence[int]:
        """Return the given quote as words, or the last one where none is given."""
        if bid is None and ask is None:
            return int(self._block[words.BID]), int(self._block[words.ASK])
        return _word(bid), _word(ask)

    def _at(self, ts: int) -> None:
        if ts < self._now:
            raise InputError("ts", iso(ts), allowed=f"{iso(self._now)} or later", why="time runs back")
        self._now = ts


def _word(price: int | None) -> int:
    return words.NONE if price is None else price


def _side(side: int) -> int:
    if side not in (-1, 1):
        raise InputError("side", side, allowed="+1 buy, -1 sell")
    return side


def _positive(name: str, price: int) -> int:
    if price <= 0:
        raise InputError(name, price, allowed="a positive number of ticks")
    return price
