"""Price bands, compiled: reference price, bands, limit state, straddle and pause of one instrument.

Words and units: `_rules_layout`. `r` is the address of the record.

Invariants:
1. What is true at an instant does not depend on when it was asked: every deadline (a trade that leaves the window, the
   minimum time of a reference price, a doubling, 15 s in a limit state, the end of a pause) is settled in order.
2. A deadline is settled after the market data of its own instant: settling goes up to, and not including, `before`.
3. The reference price and the bands do not move in a limit state.

The window's trades lie in a ring. Up to half its entries, each instant has its own and the mean is exact; from there on
trades within `2 window / capacity` of an entry's first trade join it and leave with it, so that the ring never
overflows; MERGED counts them.
"""

from __future__ import annotations

from karat.kernels._jit import compiled
from karat.kernels._memory import load, store
from karat.kernels.market._rules_layout import (
    ACTIVE,
    ASK,
    B_HALTS,
    B_SINCE,
    B_UNTIL,
    BAND_HIGH_BPS,
    BAND_LOW_AMOUNT,
    BID,
    BPS,
    CAPACITY,
    CATEGORY,
    CHANGE_BPS,
    CLOSE_NS,
    COUNT,
    DOUBLE_FIRST,
    DOUBLE_FIRST_NS,
    DOUBLE_LAST,
    DOUBLE_LAST_NS,
    ENTRY,
    FALLBACK,
    FALLBACK_COUNT,
    FAR,
    FIXED_SINCE,
    HALTS_SEEN,
    HEAD,
    HOLD,
    HOLD_NS,
    LAST_NS,
    LIMIT,
    LIMIT_NS,
    LIMIT_SIDE,
    LOWER,
    LULD,
    MERGED,
    MWCB_BYTES,
    NEXT,
    NONE,
    NORMAL,
    OPEN_NS,
    OUTWARD,
    PAUSE,
    PAUSE_NS,
    PAUSE_UNTIL,
    REFERENCE,
    REFERENCE_COUNT,
    REFERENCE_SINCE,
    RING,
    ROUND_MODE,
    ROUND_UNIT,
    STATE,
    STATE_SINCE,
    STRADDLE,
    SUM,
    UPPER,
    USED,
    WINDOW_NS,
)


@compiled("int64(int64, int64, int64, int64, int64, int64, int64)")
def band_edge(total: int, count: int, bps: int, most: int, side: int, unit: int, mode: int) -> int:
    """Return the lower (side -1) or upper (+1) edge in ticks, a multiple of `unit`, never below 0.

    The reference price is total / count ticks; the band is `bps` of it, at most `most` ticks where that is not 0. mode:
    HALF_UP rounds to the nearest unit, a half upwards; OUTWARD rounds away from the reference price. Exact.
    """
    parts = count * BPS
    amount = min(total * bps, most * parts) if most > 0 else total * bps
    edge = max(total * BPS + side * amount, 0)
    whole = parts * unit
    if mode == OUTWARD:
        return (-(-edge // whole) if side > 0 else edge // whole) * unit
    return (2 * edge + whole) // (2 * whole) * unit


@compiled("int64(int64, int64)")
def set_bands(r: int, now: int) -> int:
    """Write the bands that the reference price gives at `now`; return 1 if they moved."""
    before_lower, before_upper = load(r, LOWER), load(r, UPPER)
    reference = load(r, REFERENCE)
    lower, upper = NONE, NONE
    if reference != NONE and now < load(r, CLOSE_NS):
        category = load(r, CATEGORY)
        first = now < load(r, OPEN_NS) + load(r, DOUBLE_FIRST_NS)
        last = now >= load(r, CLOSE_NS) - load(r, DOUBLE_LAST_NS)
        doubled = (load(r, DOUBLE_FIRST) if first else 0) | (load(r, DOUBLE_LAST) if last else 0)
        times = 1 + (doubled >> category & 1)
        bps = times * load(r, BAND_HIGH_BPS + category)
        most = times * load(r, BAND_LOW_AMOUNT) if category == 2 else 0
        count, unit, mode = load(r, REFERENCE_COUNT), load(r, ROUND_UNIT), load(r, ROUND_MODE)
        lower = band_edge(reference, count, bps, most, -1, unit, mode)
        upper = band_edge(reference, count, bps, most, 1, unit, mode)
    store(r, LOWER, lower)
    store(r, UPPER, upper)
    return int(lower != before_lower or upper != before_upper)


@compiled("int64(int64, int64)")
def judge(r: int, now: int) -> int:
    """Set the state that the last quote has against the bands; a pause is left alone."""
    if load(r, STATE) == PAUSE:
        return 0
    bid, ask, lower, upper = load(r, BID), load(r, ASK), load(r, LOWER), load(r, UPPER)
    side, state = 0, NORMAL
    if lower != NONE:
        crossed = bid != NONE and ask != NONE and bid > ask
        if ask == lower and not crossed:
            side = -1
        elif bid == upper and not crossed:
            side = 1
        elif (bid != NONE and bid < lower) or (ask != NONE and ask > upper):
            state = STRADDLE
    if side != 0:
        state = LIMIT
    if state != load(r, STATE) or side != load(r, LIMIT_SIDE):
        store(r, STATE, state)
        store(r, LIMIT_SIDE, side)
        store(r, STATE_SINCE, now)
    return 0


@compiled("int64(int64, int64, int64, int64)")
def set_reference(r: int, now: int, total: int, count: int) -> int:
    """Make total / count the reference price from `now` on."""
    store(r, REFERENCE, total)
    store(r, REFERENCE_COUNT, count)
    store(r, REFERENCE_SINCE, now)
    return 0


@compiled("int64(int64, int64)")
def expire(r: int, now: int) -> int:
    """Drop the entries whose first trade is a window old or older."""
    capacity, window = load(r, CAPACITY), load(r, WINDOW_NS)
    head, used = load(r, HEAD), load(r, USED)
    while used > 0 and load(r, RING + ENTRY * head) + window <= now:
        store(r, SUM, load(r, SUM) - load(r, RING + ENTRY * head + 1))
        store(r, COUNT, load(r, COUNT) - load(r, RING + ENTRY * head + 2))
        head = 0 if head + 1 == capacity else head + 1
        used -= 1
    store(r, HEAD, head)
    store(r, USED, used)
    return 0


@compiled("int64(int64, int64, int64)")
def push(r: int, now: int, price: int) -> int:
    """Take one trade into the window."""
    expire(r, now)
    capacity, used = load(r, CAPACITY), load(r, USED)
    last = RING + ENTRY * ((load(r, HEAD) + used - 1) % capacity)
    room = 0 if used < capacity // 2 - 1 else 2 * load(r, WINDOW_NS) // capacity + 1
    if used > 0 and now - load(r, last) <= room:
        store(r, MERGED, load(r, MERGED) + int(now != load(r, last)))
        store(r, last + 1, load(r, last + 1) + price)
        store(r, last + 2, load(r, last + 2) + 1)
    else:
        last = RING + ENTRY * ((load(r, HEAD) + used) % capacity)
        store(r, last, now)
        store(r, last + 1, price)
        store(r, last + 2, 1)
        store(r, USED, used + 1)
    store(r, SUM, load(r, SUM) + price)
    store(r, COUNT, load(r, COUNT) + 1)
    return 0


@compiled("int64(int64, int64)")
def propose(r: int, now: int) -> int:
    """Let the window's mean replace the reference price where it may; return 1 if it did."""
    if load(r, HOLD) <= now:
        store(r, HOLD, FAR)
    total, count = load(r, SUM), load(r, COUNT)
    old, old_count = load(r, REFERENCE), load(r, REFERENCE_COUNT)
    if old == NONE or count == 0:
        return 0
    # |total / count - old / old_count| >= change x old / old_count, over the common denominator
    base, change = old * count, load(r, CHANGE_BPS)
    needed = base // BPS * change - (-(base % BPS) * change) // BPS
    if abs(total * old_count - base) < needed:
        return 0
    ready = load(r, REFERENCE_SINCE) + load(r, HOLD_NS)
    if now < ready:
        store(r, HOLD, ready)
        return 0
    set_reference(r, now, total, count)
    return 1


@compiled("int64(int64, int64)")
def deadline(r: int, now: int) -> int:
    """Return the first instant after `now` at which time alone changes something."""
    state, close_ns = load(r, STATE), load(r, CLOSE_NS)
    first = close_ns if now < close_ns else FAR
    if state == PAUSE:
        return int(min(first, load(r, PAUSE_UNTIL)))
    if state == LIMIT:
        return int(min(first, load(r, STATE_SINCE) + load(r, LIMIT_NS)))
    first = min(first, load(r, HOLD))
    if load(r, USED) > 0:
        first = min(first, load(r, RING + ENTRY * load(r, HEAD)) + load(r, WINDOW_NS))
    if load(r, REFERENCE) == NONE:
        first = min(first, load(r, FIXED_SINCE) + load(r, WINDOW_NS))
    early = load(r, OPEN_NS) + load(r, DOUBLE_FIRST_NS)
    if now < early:
        first = min(first, early)
    late = close_ns - load(r, DOUBLE_LAST_NS)
    return int(min(first, late) if now < late else first)


@compiled("int64(int64, int64)")
def review(r: int, now: int) -> int:
    """Bring state, reference price, bands and the next deadline in line after anything changed at `now`."""
    judge(r, now)
    state = load(r, STATE)
    if state in (NORMAL, STRADDLE):
        expire(r, now)
        moved = propose(r, now)
        if set_bands(r, now) + moved > 0:
            judge(r, now)
    store(r, NEXT, deadline(r, now))
    return 0


@compiled("int64(int64, int64, int64)")
def pause(r: int, now: int, until: int) -> int:
    """Begin a pause; one that would reach into the last minutes of the session has no end."""
    if load(r, REFERENCE) != NONE:
        store(r, FALLBACK, load(r, REFERENCE))
        store(r, FALLBACK_COUNT, load(r, REFERENCE_COUNT))
    if until > load(r, CLOSE_NS) - load(r, LAST_NS):
        until = FAR
    if load(r, STATE) != PAUSE:
        store(r, STATE, PAUSE)
        store(r, STATE_SINCE, now)
        store(r, PAUSE_UNTIL, until)
    store(r, PAUSE_UNTIL, max(until, load(r, PAUSE_UNTIL)))
    store(r, LIMIT_SIDE, 0)
    store(r, NEXT, deadline(r, now))
    return 0


@compiled("int64(int64, int64, int64)")
def fresh(r: int, now: int, next_ns: int) -> int:
    """Forget window, reference price, bands, pause and quote state: the session opens, reopens or ends at `now`."""
    store(r, STATE, NORMAL)
    store(r, STATE_SINCE, now)
    store(r, LIMIT_SIDE, 0)
    store(r, PAUSE_UNTIL, NONE)
    for word in (REFERENCE, REFERENCE_SINCE, LOWER, UPPER):
        store(r, word, NONE)
    for word in (SUM, COUNT, HEAD, USED):
        store(r, word, 0)
    store(r, FIXED_SINCE, now)
    store(r, HOLD, FAR)
    store(r, NEXT, next_ns)
    return 0


@compiled("int64(int64, int64)")
def step(r: int, at: int) -> int:
    """Settle the deadline at `at`."""
    state = load(r, STATE)
    if at >= load(r, CLOSE_NS):
        return int(fresh(r, at, FAR))
    if state == LIMIT:
        return int(pause(r, at, at + load(r, PAUSE_NS)))
    if state == PAUSE:
        fresh(r, at, FAR)
    expire(r, at)
    if load(r, REFERENCE) == NONE and at >= load(r, FIXED_SINCE) + load(r, WINDOW_NS):
        if load(r, COUNT) > 0:
            set_reference(r, at, load(r, SUM), load(r, COUNT))
        else:
            set_reference(r, at, load(r, FALLBACK), load(r, FALLBACK_COUNT))
    return int(review(r, at))


@compiled("int64(int64, int64)")
def settle(r: int, before: int) -> int:
    """Settle every deadline earlier than `before`, and take note of a market-wide halt."""
    skip = load(r, MWCB_BYTES)
    since = NONE
    if skip != 0 and load(r + skip, B_HALTS) != load(r, HALTS_SEEN):
        since = load(r + skip, B_SINCE)
        store(r, HALTS_SEEN, load(r + skip, B_HALTS))
        while load(r, NEXT) < since:
            step(r, load(r, NEXT))
        if load(r, ACTIVE) & LULD:
            pause(r, since, load(r + skip, B_UNTIL))
    while load(r, NEXT) < before:
        step(r, load(r, NEXT))
    return 0
