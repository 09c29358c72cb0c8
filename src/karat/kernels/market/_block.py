"""Make, enlarge, copy and read the market's block: plain Python and numpy, no compiled code.

Invariants:
1. A block is one array of int64 without addresses in it: `block.copy()` is a snapshot, and writing it back resumes.
2. Enlarging a block keeps everything in it: what follows is the same as if it had been that large from the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from karat.kernels.market import _layout as at
from karat.kernels.market._kinds import FEE_TIERED, PIECES
from karat.kernels.market._l3_layout import LEVELS, ORDERS, l3_words
from karat.kernels.market._rules_layout import MWCB_BYTES

Block = NDArray[np.int64]
Model = tuple[int, tuple[int | float, ...]]
NO_MODEL: Model = (0, ())


@dataclass(frozen=True)
class Terms:
    """What one instrument costs and how it is matched; prices in ticks, quantities in lots, rates in 1e-9.

    unit: money quanta of one tick of one lot. participation: share of a bar's volume that own orders may have, None
    for no limit. Models are (kind id, parameters) as in `_assumptions`. book: (lowest tick, number of ticks) of the
    level-2 window. room: (orders, price levels) of the level-3 book; a market with one needs `bind_orders`. schedule,
    rules_words: dated parameters of the market's rules and the size of their record, filters: the record of a venue's
    filters; a market with any of them needs `bind_rules`. breaker: the record of market-wide halts, of the one
    instrument whose prices set them, which needs rules of its own; under_breaker: halted by it. cutoff_ns: how long
    before an auction its orders must have arrived. maintenance: None for the initial margin. settlement_days: after
    which proceeds of a sale are settled. borrow: rate a year. locate: (lots, expires ts, recalled ts), None where any
    may be sold short.
    """

    matcher: int = at.BARS
    unit: int = 1
    currency: int = 0
    participation: int | None = None
    maker: int = 0
    taker: int = 0
    per_lot: int = 0
    minimum_fee: int = 0
    slippage: Model = NO_MODEL
    impact: Model = NO_MODEL
    queue: Model = NO_MODEL
    entry: Model = NO_MODEL
    response: Model = NO_MODEL
    fee: Model = NO_MODEL
    fills: Model = NO_MODEL
    flags: int = 0
    cutoff_ns: int = 0
    initial: int = at.RATE_ONE
    maintenance: int | None = None
    settlement_days: int = 0
    borrow: int = 0
    locate: tuple[int, int, int] | None = None
    book: tuple[int, int] | None = None
    room: tuple[int, int] | None = None
    schedule: tuple[int, ...] = ()
    rules_words: int = 0
    filters: tuple[int, ...] = ()
    breaker: tuple[int, ...] = ()
    under_breaker: bool = False


@dataclass(frozen=True)
class Sizes:
    """How many orders, scheduled things, unread fills and unread messages a block has room for."""

    orders: int = 256
    queue: int = 1_024
    fills: int = 4_096
    news: int = 8_192


def new_block(
    terms: Sequence[Terms],
    cash: Sequence[int],
    *,
    sizes: Sizes | None = None,
    seed: int = 0,
    margin: int = at.MARGIN_NONE,
    account: int = 0,
) -> Block:
    """Return the block of a market before its first event.

    cash: start of each currency in its quanta; the first is the account's. margin: one of the policies
    MARGIN_*. account: CASH_ACCOUNT where only settled cash buys.
    """
    if account == at.CASH_ACCOUNT:  # it pays in full and sells nothing short
        terms = [replace(one, initial=at.RATE_ONE, locate=(0, at.FAR, at.FAR)) for one in terms]
    pieces = PIECES if any(one.fills[0] for one in terms) else 1
    sizes = _sizes(sizes or Sizes(), pieces)
    slots = 1 << (2 * sizes.orders - 1).bit_length()
    starts, end = _starts(terms, len(cash), sizes, slots)
    block = np.zeros(end, dtype=np.int64)
    block[[at.H_MAGIC, at.H_WORDS, at.H_SEED, at.H_NOW]] = at.MAGIC, end, seed, -at.FAR
    block[[at.H_CURRENCIES, at.H_INSTRUMENTS, at.H_ORDERS]] = len(cash), len(terms), sizes.orders
    block[at.H_PIECES] = pieces
    block[[at.H_QUEUE, at.H_FILLS, at.H_NEWS, at.H_MAP_MASK]] = sizes.queue, sizes.fills, sizes.news, slots - 1
    block[at.H_AT_CURRENCIES : at.H_AT_MAP + 1] = [starts[name] for name in _TABLES]
    block[[at.H_GRAVE, at.H_FREE_ORDER, at.H_TARGET_TS, at.H_MARGIN_POLICY]] = -1, 0, -at.FAR, margin
    block[at.H_ACCOUNT] = account
    block[[at.H_DUE, at.H_DAY_DUE, at.H_RECALL_DUE]] = _dues(terms)
    money = block[starts["currencies"] :][: len(cash) * at.CURRENCY].reshape(-1, at.CURRENCY)
    money[:, at.C_CASH] = money[:, at.C_START] = cash
    money[:, at.C_RATE] = at.RATE_ONE
    orders = table(block, "orders")
    orders[:, at.O_NEXT] = np.arange(1, sizes.orders + 1)
    orders[-1, at.O_NEXT] = -1
    orders[:, at.O_STATE] = at.FILLED
    where = starts["models"]
    for number, one in enumerate(terms):
        where = _write_terms(block, number, one, where)
    _share_tiers(block, terms)
    _put_under_breaker(block, terms)
    return block


def table(block: Block, name: str) -> NDArray[np.int64]:
    """Return a view of a table, one row a record: currencies, instruments, orders, fills or news.

    Of fills and news only the rows that were written and not yet cleared.
    """
    start, count, width = {
        "currencies": (at.H_AT_CURRENCIES, at.H_CURRENCIES, at.CURRENCY),
        "instruments": (at.H_AT_INSTRUMENTS, at.H_INSTRUMENTS, at.INSTRUMENT),
        "orders": (at.H_AT_ORDERS, at.H_ORDERS, at.ORDER),
        "queue": (at.H_AT_QUEUE, at.H_QUEUE_LENGTH, at.QUEUED),
        "fills": (at.H_AT_FILLS, at.H_FILLS_LENGTH, at.FILL),
        "news": (at.H_AT_NEWS, at.H_NEWS_LENGTH, at.NEWS),
    }[name]
    first, rows = int(block[start]), int(block[count])
    return block[first : first + rows * width].reshape(rows, width)


def mark_read(block: Block, name: str) -> None:
    """Let the unread fills or news have been read: their room is free again."""
    block[at.H_FILLS_LENGTH if name == "fills" else at.H_NEWS_LENGTH] = 0


_TABLES = ("currencies", "instruments", "orders", "queue", "fills", "news", "map")


def _dues(terms: Sequence[Terms]) -> tuple[int, int, int]:
    """Return when the account is first looked after: at the first of both, for a new day, for a recall."""
    day = -at.FAR if any(one.settlement_days or one.borrow for one in terms) else at.FAR
    recall = min((one.locate[2] for one in terms if one.locate is not None), default=at.FAR)
    return min(day, recall), day, recall


def _sizes(sizes: Sizes, pieces: int) -> Sizes:
    """Return the sizes with room for the pieces that one step can give every order, and for the answers to them."""
    if pieces == 1:
        return sizes
    return replace(
        sizes,
        fills=max(sizes.fills, 5 * pieces * sizes.orders),
        queue=sizes.queue + pieces * sizes.orders,
    )


def _put_under_breaker(block: Block, terms: Sequence[Terms]) -> None:
    """Let the index and the instruments that it can halt know where the breaker's record lies."""
    rows = table(block, "instruments")
    index = next((number for number, one in enumerate(terms) if one.breaker), None)
    if index is None:
        return
    block[at.H_INDEX] = index + 1
    for number, one in enumerate(terms):
        if number != index and one.under_breaker:
            rows[number, at.I_BREAKER] = rows[index, at.I_BREAKER]
        if one.under_breaker:
            tie_breaker(block, rows[number])


def tie_breaker(block: Block, row: Block) -> None:
    """Write into an instrument's record of rules how far it is from there to the breaker's."""
    block[int(row[at.I_RULES]) + MWCB_BYTES] = 8 * (int(row[at.I_BREAKER]) - int(row[at.I_RULES]))


def _share_tiers(block: Block, terms: Sequence[Terms]) -> None:
    """Let instruments of one currency with the same tiered fee count one volume: it is the account's."""
    rows = table(block, "instruments")
    first: dict[object, int] = {}
    for number, one in enumerate(terms):
        if one.fee[0] == FEE_TIERED:
            rows[number, at.I_FEE_AT] = rows[first.setdefault((one.currency, one.fee[1]), number), at.I_FEE_AT]


def _starts(terms: Sequence[Terms], currencies: int, sizes: Sizes, slots: int) -> tuple[dict[str, int], int]:
    """Return where each table begins and where the block ends; what the caller reads and clears comes last."""
    starts: dict[str, int] = {}
    end = at.HEADER
    for name, words in (
        ("currencies", currencies * at.CURRENCY),
        ("instruments", len(terms) * at.INSTRUMENT),
        ("orders", sizes.orders * at.ORDER),
        ("queue", (sizes.queue + 1) * at.QUEUED),
        ("map", slots),
        ("models", sum(_words_of(one) for one in terms)),
        ("fills", sizes.fills * at.FILL),
        ("news", sizes.news * at.NEWS),
    ):
        starts[name] = end
        end += words
    return starts, end


def _words_of(terms: Terms) -> int:
    models = (terms.slippage, terms.impact, terms.queue, terms.entry, terms.response, terms.fee, terms.fills)
    book = 0 if terms.book is None else 2 * (at.BOOK + 2 * terms.book[1])
    book += 0 if terms.room is None else 2 * l3_words(*terms.room)
    rules = len(terms.schedule) + terms.rules_words + len(terms.filters) + len(terms.breaker)
    return sum(len(parameters) for _, parameters in models) + at.MONEY + book + rules


def _write_terms(block: Block, number: int, terms: Terms, where: int) -> int:
    row = table(block, "instruments")[number]
    for price in (at.I_LAST, at.I_BID, at.I_ASK, at.I_MARK, at.I_PRIOR_CLOSE):
        row[price] = at.NONE
    row[[at.I_HEAD, at.I_TAIL, at.I_BAR_END]] = -1, -1, -at.FAR
    row[[at.I_STATUS, at.I_NUMBER, at.I_MATCHER]] = at.OPEN, number, terms.matcher
    row[[at.I_BUY_LOW, at.I_SELL_LOW, at.I_BUY_HIGH, at.I_SELL_HIGH]] = at.FAR, at.FAR, at.NONE, at.NONE
    row[[at.I_UNIT, at.I_CURRENCY, at.I_MAKER, at.I_TAKER]] = terms.unit, terms.currency, terms.maker, terms.taker
    row[[at.I_PER_LOT, at.I_MIN_FEE, at.I_FLAGS]] = terms.per_lot, terms.minimum_fee, terms.flags
    row[[at.I_CUTOFF, at.I_INITIAL]] = terms.cutoff_ns, terms.initial
    row[at.I_PARTICIPATION] = -1 if terms.participation is None else terms.participation
    for kind, place, model in (
        (at.I_SLIP_KIND, at.I_SLIP_AT, terms.slippage),
        (at.I_IMPACT_KIND, at.I_IMPACT_AT, terms.impact),
        (at.I_QUEUE_KIND, at.I_QUEUE_AT, terms.queue),
        (at.I_ENTRY_KIND, at.I_ENTRY_AT, terms.entry),
        (at.I_RESPONSE_KIND, at.I_RESPONSE_AT, terms.response),
        (at.I_FEE_KIND, at.I_FEE_AT, terms.fee),
        (at.I_FILLS_KIND, at.I_FILLS_AT, terms.fills),
    ):
        row[kind], row[place] = model[0], where
        for parameter in model[1]:
            block[where] = np.float64(parameter).view(np.int64) if isinstance(parameter, float) else parameter
            where += 1
    row[at.I_MONEY] = where
    lots, expires, recalled = terms.locate or (-1, at.FAR, at.FAR)
    block[where + at.M_MAINTENANCE] = terms.initial if terms.maintenance is None else terms.maintenance
    block[[where + at.M_LAG, where + at.M_BORROW]] = terms.settlement_days, terms.borrow
    block[where + at.M_LOCATED : where + at.M_RECALLED + 1] = lots, expires, recalled
    where += at.MONEY
    for place, words in (
        (at.I_SCHEDULE, terms.schedule),
        (at.I_FILTERS, terms.filters),
        (at.I_BREAKER, terms.breaker),
    ):
        if words:
            row[place] = where
            block[where : where + len(words)] = words
            where += len(words)
    if terms.rules_words:
        row[at.I_RULES] = where
        where += terms.rules_words
    if terms.book is not None:
        for place in (at.I_BOOK, at.I_LOCAL_BOOK):
            row[place] = where
            block[where + at.B_LOW], block[where + at.B_SLOTS] = terms.book
            block[where + at.B_BID] = block[where + at.B_ASK] = at.NONE
            where += at.BOOK + 2 * terms.book[1]
    if terms.room is not None:
        for place in (at.I_VENUE_ORDERS, at.I_LOCAL_ORDERS):
            row[place] = where
            block[where + ORDERS], block[where + LEVELS] = terms.room
            where += l3_words(*terms.room)
    return where
