"""Matching on bars: the path of a bar, what it reaches in which order, and what cannot be known.

A bar says open, high, low, close and volume, not the order of prices. The path is open, nearer extreme, other extreme,
close; where both extremes are equally near, an up or flat bar goes to its low first, a down bar to its high.

Invariants:
1. An order that arrived after the bar's start sees only its close; the open is for those who were there.
2. A limit fills at its price only where the path goes beyond it (touch must be asked for), never worse than its price.
3. Of two legs of a list that the rest of the bar can both reach, the stop is taken; the difference is counted.
4. All own orders of a bar share its participation; no volume, no fill.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import call4, load, load_half, store
from karat.kernels.market._account import mark, stop_with
from karat.kernels.market._assumptions import impact_ticks, slippage_ticks
from karat.kernels.market._chance import begin_chance, portion, take_chance
from karat.kernels.market._execute import end, end_one, room, tell
from karat.kernels.market._layout import (
    DAY_OVER,
    DOOMED,
    E_BAR,
    E_PRICE,
    E_QUEUE_FULL,
    E_SIZE,
    E_TIME,
    EXPIRED,
    EXPIRED_NEWS,
    FAR,
    FILLED,
    FOK,
    GROUP_CANCEL,
    H_DISTURBED,
    H_ERROR,
    H_HOOK_ORDER,
    H_INTRABAR,
    H_OPEN_ORDERS,
    H_SEED,
    H_SEQUENCE,
    HAS_STATUS,
    I_AMBIGUOUS,
    I_AMBIGUOUS_MONEY,
    I_BAR_END,
    I_BAR_LEFT,
    I_BAR_START,
    I_CUTOFF,
    I_FILLS_KIND,
    I_FLAGS,
    I_HEAD,
    I_IMPACT_AT,
    I_IMPACT_KIND,
    I_LAST,
    I_LIVE,
    I_PARTICIPATION,
    I_PLACE,
    I_REST_HIGH,
    I_REST_LOW,
    I_RING,
    I_RULES,
    I_SESSION_CLOSE,
    I_SESSION_OPEN,
    I_SLIP_AT,
    I_SLIP_KIND,
    I_STATUSES,
    I_UNIT,
    I_WITHOUT_VOLUME,
    IOC,
    LIMIT,
    LIMIT_ON_OPEN,
    LIVE,
    MARKET,
    MARKET_ON_CLOSE,
    MARKET_ON_OPEN,
    NONE,
    O_ARRIVED,
    O_BAR,
    O_FILLED,
    O_FLAGS,
    O_GROUP_MODE,
    O_ID,
    O_NEXT,
    O_PENDING,
    O_PRICE,
    O_QTY,
    O_RING,
    O_SEQUENCE,
    O_SIDE,
    O_STATE,
    O_STOP,
    O_TIF,
    O_TRIGGERED,
    O_TYPE,
    OPEN,
    PARTIAL,
    PENDING_NEW,
    R_ALL_OR_NONE,
    R_AUCTION_MISSED,
    R_IMMEDIATE,
    R_OTHER_LEG,
    RATE_ONE,
    STATUSES,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TOUCH,
    TRAILING,
    TRIGGERED,
    V_A,
    V_B,
    V_C,
    V_D,
    V_INSTRUMENT,
    V_PRICE,
    V_QTY,
    V_TS,
)
from karat.kernels.market._orders import order_at, slot_of, trading, trail, words
from karat.kernels.market._queue import push
from karat.kernels.market._shift import shift_ticks

UNLIMITED = 2**60


@exported(words(6))
def slipped(s: int, i: int, o: int, price: int, lots: int, impact: int) -> int:
    """Return the price of a market-like fill: moved against the trader by slippage and impact, at least one tick."""
    side = load(o, O_SIDE)
    at, seed = s + 8 * load(i, I_SLIP_AT), load(s, H_SEED)
    ticks = slippage_ticks(load(i, I_SLIP_KIND), at, side, price, lots, seed, load(o, O_ID))
    if impact:
        ticks += impact_ticks(load(i, I_IMPACT_KIND), s + 8 * load(i, I_IMPACT_AT), price, lots)
    return max(1, price + side * ticks)


@compiled(words(1))
def stop_like(o: int) -> int:
    """Return 1 where the order protects: a stop, a stop-limit or a trailing stop."""
    kind = load(o, O_TYPE)
    return 1 if kind == STOP or kind == STOP_LIMIT or kind == TRAILING else 0


@compiled(words(1))
def as_market(o: int) -> int:
    """Return 1 where the order now takes any price, 2 where it takes a limit or better, 0 where it still waits."""
    kind = load(o, O_TYPE)
    if kind == MARKET or kind == MARKET_ON_OPEN or kind == MARKET_ON_CLOSE:
        return 1
    if kind == LIMIT or kind >= LIMIT_ON_OPEN:
        return 2
    if load(o, O_TRIGGERED):
        return 2 if kind == STOP_LIMIT else 1
    return 0


@exported(words(4))
def trigger(s: int, i: int, o: int, ts: int) -> int:
    """Set a waiting order off; in a cancelling list that ends the other legs."""
    store(o, O_TRIGGERED, 1)
    tell(s, o, ts, TRIGGERED, 0, load(o, O_STOP), 0)
    slot, leg = slot_of(s, o), load(o, O_RING)
    while leg != slot:
        other = order_at(s, leg)
        leg = load(other, O_RING)
        if stop_like(o) and load(o, O_GROUP_MODE) == GROUP_CANCEL and load(other, O_STATE) < FILLED:
            if load(other, O_STATE) == PENDING_NEW:
                store(other, O_PENDING, load(other, O_PENDING) | DOOMED)
            else:
                end_one(s, i, other, EXPIRED, EXPIRED_NEWS, R_OTHER_LEG, ts)
    return 1


@exported(words(6))
def _take(s: int, i: int, o: int, place: int, maker: int, ts: int) -> int:
    """Fill what the order may still have of the bar, at once or not at all where it says so.

    One that takes any price gets the place moved by slippage and by the impact of what it takes. An order that chance
    or a rule has kept from its lots has had its chance of this bar.
    """
    left, wanted, piecewise = load(i, I_BAR_LEFT), room(s, i, o, load(o, O_QTY)), load(i, I_FILLS_KIND)
    if load(o, O_TIF) == FOK and min(left, wanted) < load(o, O_QTY) - load(o, O_FILLED):
        return end(s, i, o, EXPIRED, EXPIRED_NEWS, R_ALL_OR_NONE, ts)
    if left <= 0:
        return 0
    store(i, I_PLACE, place)
    begin_chance(i, o)
    got, offered = 1, min(left, wanted)
    while got > 0:
        lots = portion(s, i, o, min(left, wanted))
        price = slipped(s, i, o, place, max(lots, 0), 1) if as_market(o) == 1 else place
        got = take_chance(s, i, o, lots, price, maker, place, ts)
        left, wanted = left - got, room(s, i, o, load(o, O_QTY))
        store(i, I_BAR_LEFT, left)
        if piecewise == 0 or left <= 0:
            break
    if offered > 0 and (got <= 0 or piecewise):
        store(o, O_BAR, load(i, I_BAR_END) + 1)
    return 1


@compiled(words(2))
def _reached(o: int, price: int) -> int:
    """Return 1 where a price sets the order off or, once it is a limit, lets it trade."""
    side, phase, kind = load(o, O_SIDE), as_market(o), load(o, O_TYPE)
    if phase == 1:
        return 1
    if phase == 2:
        gain = side * (load(o, O_PRICE) - price)
        return 1 if gain > 0 or (gain == 0 and (load(o, O_FLAGS) & TOUCH or kind >= LIMIT_ON_OPEN)) else 0
    beyond = side * (price - load(o, O_STOP))
    if kind == TAKE_PROFIT:
        return 1 if beyond <= 0 else 0
    return 1 if beyond >= 0 and load(o, O_STOP) != 0 else 0


@exported(words(5))
def at_point(s: int, i: int, o: int, price: int, ts: int) -> int:
    """Let an order meet one known price: the open, or the close for those who came later."""
    if load(o, O_TYPE) == TRAILING and load(o, O_TRIGGERED) == 0:
        trail(o, price)
    if not _reached(o, price):
        return 0
    if as_market(o) == 0:
        trigger(s, i, o, ts)
    return _take(s, i, o, price, 0, ts) if _reached(o, price) else 0


@exported(words(5))
def _in_auction(i: int, o: int, start: int, end_ts: int, at_close: int) -> int:
    """Return 1 where an order for the open or the close takes part in this bar's auction."""
    kind = load(o, O_TYPE)
    for_open = kind == MARKET_ON_OPEN or kind == LIMIT_ON_OPEN
    if for_open == (at_close == 1):
        return 0
    cutoff, opened, closed = load(i, I_CUTOFF), load(i, I_SESSION_OPEN), load(i, I_SESSION_CLOSE)
    if for_open:
        inside = opened == NONE or start <= opened < end_ts
        return 1 if inside and load(o, O_ARRIVED) <= start - cutoff else 0
    inside = closed == NONE or start < closed <= end_ts
    return 1 if inside and load(o, O_ARRIVED) <= end_ts - cutoff else 0


@exported(words(7))
def _point(s: int, i: int, price: int, ts: int, start: int, end_ts: int, at_close: int) -> int:
    """Let every order that may see this point meet it, first come first served; the impatient end here."""
    last = load(s, H_SEQUENCE)  # orders that enter now see the rest of the path, not this point
    slot = load(i, I_HEAD)
    store(s, H_DISTURBED, 0)
    done = -1
    while slot >= 0:
        o = order_at(s, slot)
        after, sequence = load(o, O_NEXT), load(o, O_SEQUENCE)
        if sequence > done and sequence < last:
            done = sequence
            kind = load(o, O_TYPE)
            early = load(o, O_ARRIVED) <= start
            if kind >= MARKET_ON_OPEN:
                if _in_auction(i, o, start, end_ts, at_close):
                    at_point(s, i, o, price, ts)
                    if load(o, O_STATE) == LIVE or load(o, O_STATE) == PARTIAL:
                        end(s, i, o, EXPIRED, EXPIRED_NEWS, R_AUCTION_MISSED, ts)
            elif early != (at_close == 1):
                at_point(s, i, o, price, ts)
                if load(o, O_TIF) >= IOC and (load(o, O_STATE) == LIVE or load(o, O_STATE) == PARTIAL):
                    reason = R_ALL_OR_NONE if load(o, O_TIF) == FOK else R_IMMEDIATE
                    end(s, i, o, EXPIRED, EXPIRED_NEWS, reason, ts)
        slot = after
        if load(s, H_DISTURBED):  # the list changed under us: begin again, past what was done
            slot = load(i, I_HEAD)
            store(s, H_DISTURBED, 0)
    return 0


@compiled(words(3))
def _place(o: int, at: int, to: int) -> int:
    """Return the price between `at` and `to` where the leg reaches the order, NONE where it does not."""
    if _reached(o, at):
        return at
    if not _reached(o, to):
        return NONE
    return load(o, O_PRICE) if as_market(o) == 2 else load(o, O_STOP)


@compiled(words(1))
def _sort(o: int) -> int:
    """Return 1 where the order takes a gain, 2 where it stops a loss, 0 where it takes any price already."""
    phase = as_market(o)
    if phase == 1:
        return 0
    return 1 if phase == 2 or load(o, O_TYPE) == TAKE_PROFIT else 2


@compiled(words(2))
def _walking(i: int, o: int) -> int:
    """Return 1 where the order sees the path of this bar, had no chance in it, and still has lots to trade."""
    live = load(o, O_STATE) == LIVE or load(o, O_STATE) == PARTIAL
    here = load(o, O_ARRIVED) <= load(i, I_BAR_START) and load(o, O_TYPE) < MARKET_ON_OPEN
    here = here and load(o, O_BAR) != load(i, I_BAR_END) + 1
    return 1 if live and here and load(o, O_FILLED) < load(o, O_QTY) else 0


@exported(words(4))
def _rival(s: int, i: int, o: int, at: int) -> int:
    """Return the slot of the oldest leg of the other sort that the rest of the bar reaches too, -1 for none."""
    slot, leg, best, oldest = slot_of(s, o), load(o, O_RING), -1, FAR
    low, high = min(at, load(i, I_REST_LOW)), max(at, load(i, I_REST_HIGH))
    while leg != slot:
        other = order_at(s, leg)
        if _walking(i, other) and _sort(other) + _sort(o) == 3 and load(other, O_SEQUENCE) < oldest:
            if _reached(other, low) or _reached(other, high):
                best, oldest = leg, load(other, O_SEQUENCE)
        leg = load(other, O_RING)
    return best


@exported(words(5))
def _reach(s: int, i: int, o: int, place: int, ts: int) -> int:
    """Execute an order that the path has reached at a place."""
    rival = _rival(s, i, o, place) if _sort(o) else -1
    if rival >= 0:
        other = order_at(s, rival)
        gain = other if _sort(o) == 2 else o
        if gain == o:
            o, place = other, load(other, O_STOP)
        target = load(gain, O_PRICE) if as_market(gain) == 2 else load(gain, O_STOP)
        lots = min(room(s, i, o, load(o, O_QTY)), room(s, i, gain, load(gain, O_QTY)))
        lots = min(lots, load(i, I_BAR_LEFT))
        money = load(o, O_SIDE) * (place - target) * lots * load(i, I_UNIT)
        store(i, I_AMBIGUOUS, load(i, I_AMBIGUOUS) + 1)
        store(i, I_AMBIGUOUS_MONEY, load(i, I_AMBIGUOUS_MONEY) + money)
    if as_market(o) == 0:
        trigger(s, i, o, ts)
        if as_market(o) == 2 and (rival < 0 or not _reached(o, place)):
            return 0  # a limit from here on
    return _take(s, i, o, place, 1 if as_market(o) == 2 and place == load(o, O_PRICE) else 0, ts)


@exported(words(5))
def _leg(s: int, i: int, at: int, to: int, ts: int) -> int:
    """Walk one leg of the path: whoever lies nearest on the way executes first, stops before limits, then the older."""
    while not load(s, H_ERROR):
        best, where, rank = -1, NONE, FAR
        slot = load(i, I_HEAD)
        while slot >= 0:
            o = order_at(s, slot)
            able = load(i, I_BAR_LEFT) > 0 or as_market(o) == 0  # without volume, stops are still set off
            if able and _walking(i, o):
                place = _place(o, at, to)
                if place != NONE:
                    order = 2 * abs(place - at) + (0 if stop_like(o) and as_market(o) != 2 else 1)
                    if order < rank:
                        best, where, rank = slot, place, order
            slot = load(o, O_NEXT)
        if best < 0:
            break
        store(i, I_PLACE, where)
        _reach(s, i, order_at(s, best), where, ts)
        at = where
    return to


@exported(words(4))
def _trail_all(s: int, i: int, price: int, start: int) -> int:
    slot = load(i, I_HEAD)
    while slot >= 0:
        o = order_at(s, slot)
        if load(o, O_TYPE) == TRAILING and load(o, O_TRIGGERED) == 0 and load(o, O_ARRIVED) <= start:
            trail(o, price)
        slot = load(o, O_NEXT)
    return 0


@exported(words(6))
def _walk(s: int, i: int, price: int, first: int, second: int, close: int) -> int:
    """Walk the legs open, first extreme, second extreme, close."""
    start, ts = load(i, I_BAR_START), load(i, I_BAR_END)
    for k in range(3):
        to = first if k == 0 else second if k == 1 else close
        low, high = min(to, close), max(to, close)
        if k == 0:
            low, high = min(low, second), max(high, second)
        store(i, I_REST_LOW, low)
        store(i, I_REST_HIGH, high)
        _leg(s, i, price, to, ts)
        _trail_all(s, i, to, start)
        price = to
    return 0


@exported(words(3))
def _faulty(i: int, v: int, row: int) -> int:
    """Return the error of a bar, or 0."""
    opened, high = load(load(v, V_PRICE), row), load(load(v, V_A), row)
    low, close = load(load(v, V_B), row), load(load(v, V_C), row)
    start, ts = load(load(v, V_D), row), load(load(v, V_TS), row)
    if start < load(i, I_BAR_END):
        return E_TIME
    if start >= ts or low > min(opened, close) or high < max(opened, close):
        return E_BAR
    if low <= 0:
        return E_PRICE
    return E_SIZE if load(load(v, V_QTY), row) < -1 else 0


@exported(words(2))
def _session(i: int, start: int) -> int:
    """Return the status in force at a bar's start, and note the session's open and close, NONE where none is known."""
    count, best = load(i, I_STATUSES), -1
    for k in range(max(0, count - STATUSES), count):
        if load(i, I_RING + 4 * (k % STATUSES)) <= start:
            best = k % STATUSES
    at = I_RING + 4 * best
    store(i, I_SESSION_OPEN, load(i, at + 2) if best >= 0 else NONE)
    store(i, I_SESSION_CLOSE, load(i, at + 3) if best >= 0 else NONE)
    return load(i, at + 1) if best >= 0 else OPEN


@compiled(words(3))
def _stands_still(s: int, i: int, start: int) -> int:
    """Return 1 where the market's rules let nothing execute in a bar that starts now."""
    return 1 if load(i, I_RULES) and call4(load(s, H_HOOK_ORDER), s, i, 0, start) else 0


@exported(words(4))
def bar(s: int, i: int, v: int, row: int) -> int:
    """Match one bar; return 1, or 0 with the error noted and nothing changed where the bar is faulty."""
    error = _faulty(i, v, row)
    if error:
        return stop_with(s, error, row, load(load(v, V_TS), row))
    opened, high = load(load(v, V_PRICE), row), load(load(v, V_A), row)
    low, close = load(load(v, V_B), row), load(load(v, V_C), row)
    start, ts, volume = load(load(v, V_D), row), load(load(v, V_TS), row), load(load(v, V_QTY), row)
    moved = shift_ticks(i, low)
    opened, high, low, close = opened + moved, high + moved, low + moved, close + moved
    store(i, I_BAR_START, start)
    store(i, I_BAR_END, ts)
    if load(i, I_LIVE) > 0 and trading(_session(i, start)) and not _stands_still(s, i, start):
        rate = load(i, I_PARTICIPATION)
        left = UNLIMITED if volume != 0 else 0
        if volume < 0:
            store(i, I_WITHOUT_VOLUME, load(i, I_WITHOUT_VOLUME) + 1)
        elif rate >= 0:
            left = volume // RATE_ONE * rate + volume % RATE_ONE * rate // RATE_ONE
        store(i, I_BAR_LEFT, left)
        store(i, I_PLACE, opened)
        store(s, H_INTRABAR, 1)
        _point(s, i, opened, start, start, ts, 0)
        _trail_all(s, i, opened, start)
        to_high, to_low = high - opened, opened - low
        high_first = to_high < to_low or (to_high == to_low and close < opened)
        _walk(s, i, opened, high if high_first else low, low if high_first else high, close)
        store(i, I_PLACE, close)
        _point(s, i, close, ts, start, ts, 1)
        store(s, H_INTRABAR, 0)
    close = load(load(v, V_C), row)
    close += shift_ticks(i, close)  # own fills in this bar included
    store(i, I_LAST, close)
    if load(i, I_FLAGS) & HAS_STATUS == 0 and load(s, H_OPEN_ORDERS) > 0:
        number = load_half(load(v, V_INSTRUMENT), row) if load(v, V_INSTRUMENT) else 0
        if not push(s, ts, DAY_OVER, number, 0, 0):
            return stop_with(s, E_QUEUE_FULL, row, ts)
    return mark(s, i, close)
