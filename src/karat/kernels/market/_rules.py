"""The market's rules, compiled: short-sale price test, price bands, market-wide halts, ticks and daily limits.

One engine for simulation and pre-trade: the caller feeds the market (`rules_start`, `rules_status`, `rules_trade`,
`rules_quote`, `rules_index`) and asks (`rules_order` at send and again at arrival, `rules_execution` for each fill).
`r`, `p`, `m`, `q` are addresses of a record, a schedule, a breaker and a question; words and units: `_rules_layout`.
Checks return 0 or a reason code. What bars show of the rules: `_rules_bars`.

Invariants:
1. Instants must not run back; events of one instant come in the order of the market's events.
2. All comparisons are between integers: 10 % is `10,000 price <= 9,000 prior`, never a product of floats.
3. The short-sale test counts trades from open to close only, both included, and holds from the trigger to the end of
   the next session's day (`SSR_AFTER_NS` after its close); a new trigger starts it again.
4. A check changes nothing but the settling of deadlines that have passed.
"""

from __future__ import annotations

from karat.kernels._jit import compiled
from karat.kernels._memory import load, store
from karat.kernels.market._bands import band_edge, fresh, push, review, set_bands, set_reference, settle
from karat.kernels.market._rules_layout import (
    ACTIVE,
    ALWAYS,
    ASK,
    B_CLOSE_NS,
    B_COVERED,
    B_CUTOFF_NS,
    B_DONE,
    B_FROM,
    B_HALT_NS,
    B_HALTS,
    B_LEVEL,
    B_LEVEL_1,
    B_OPEN_NS,
    B_PRIOR,
    B_SESSIONS,
    B_SINCE,
    B_UNTIL,
    BID,
    BPS,
    CANCEL_ONLY,
    CATEGORY,
    CLOSE_NS,
    CLOSED,
    CLOSING_AUCTION,
    CONTINUOUS,
    DAILY,
    DAILY_BPS,
    EVER,
    EVER_MERGED,
    FALLBACK,
    FALLBACK_COUNT,
    FAR,
    FIRST_TRADE_OPENS,
    FIXED_SINCE,
    HALF_UP,
    HALTED,
    HALTS_SEEN,
    LIMIT_HIGH,
    LIMIT_LOW,
    LOWER,
    LULD,
    MERGED,
    MWCB_BYTES,
    NEXT,
    NONE,
    OK,
    ON,
    OPEN_NS,
    PAUSE,
    PAUSED,
    PRE_OPEN,
    PRIOR,
    Q_ABOVE,
    Q_ASK,
    Q_BID,
    Q_EXEMPT,
    Q_MARKET,
    Q_PRICE,
    Q_SHORT,
    Q_SIDE,
    R_CANCEL_ONLY,
    R_CLOSED,
    R_DAILY_LOWER,
    R_DAILY_UPPER,
    R_HALTED,
    R_LULD_LOWER,
    R_LULD_PAUSE,
    R_LULD_UPPER,
    R_MWCB_1,
    R_PAUSED,
    R_PRE_OPEN,
    R_PRICE,
    R_SSR,
    R_TICK,
    REFERENCE,
    ROUND_UNIT,
    ROW,
    SESSIONS,
    SINCE,
    SSR,
    SSR_AFTER_NS,
    SSR_BPS,
    SSR_SINCE,
    SSR_UNTIL,
    STATE,
    STATUS,
    TICK,
    TICK_FROM,
    TICK_LOW_STEP,
    TICK_STEP,
    UNTESTED,
    UPPER,
    WINDOW_NS,
)


@compiled("int64(int64)")
def rules_reset(r: int) -> int:
    """Make a record new: no session, no restriction, market open. Sets every word but MWCB_BYTES and the ring."""
    for word in range(ROW):
        store(r, word, 0)
    for word in (OPEN_NS, CLOSE_NS, PRIOR, SSR_UNTIL, SSR_SINCE, BID, ASK, FALLBACK, FALLBACK_COUNT):
        store(r, word, NONE)
    for word in (ACTIVE, MERGED, HALTS_SEEN, CATEGORY, SESSIONS, ALWAYS, EVER, EVER_MERGED, UNTESTED):
        store(r, word, 0)
    store(r, STATUS, CONTINUOUS)
    return int(fresh(r, NONE, FAR))


@compiled("int64(int64, int64, int64, int64, int64)")
def rules_start(r: int, p: int, open_ns: int, close_ns: int, prior: int) -> int:
    """Begin a session, at any time up to its open; return the rules in force, as bits SSR, LULD, TICK, DAILY.

    prior: regular close of the listing market on the day before, in ticks; NONE or 0 if unknown, and then the rules
    that need it are not in force. A second call for the same session changes nothing.
    """
    if open_ns == load(r, OPEN_NS):
        return int(load(r, ACTIVE))
    settle(r, open_ns)
    row = -1
    for k in range(load(p, 0)):
        if load(p, 1 + ROW * k + SINCE) <= open_ns:
            row = 1 + ROW * k
    for word in range(ROW):
        store(r, word, load(p, row + word) if row > 0 else 0)
    active = load(r, ON) if prior > 0 else load(r, ON) & TICK
    if load(r, SSR_UNTIL) == FAR:  # triggered in the session before: it ends with the day of this one
        store(r, SSR_UNTIL, close_ns + load(r, SSR_AFTER_NS))
    store(r, EVER_MERGED, load(r, EVER_MERGED) + load(r, MERGED))
    store(r, SESSIONS, load(r, SESSIONS) + 1)
    store(r, ALWAYS, load(r, ALWAYS) & active if load(r, SESSIONS) > 1 else active)
    store(r, EVER, load(r, EVER) | active)
    store(r, OPEN_NS, open_ns)
    store(r, CLOSE_NS, close_ns)
    store(r, PRIOR, prior)
    store(r, ACTIVE, active)
    store(r, FALLBACK, prior)
    store(r, FALLBACK_COUNT, 1)
    store(r, CATEGORY, 0 if prior > load(r, LIMIT_HIGH) else (2 if prior < load(r, LIMIT_LOW) else 1))
    store(r, MERGED, 0)
    skip = load(r, MWCB_BYTES)
    store(r, HALTS_SEEN, load(r + skip, B_HALTS) if skip != 0 else 0)
    fresh(r, open_ns, open_ns + load(r, WINDOW_NS) if active & LULD else FAR)
    return int(active)


@compiled("int64(int64, int64)")
def rules_status(r: int, status: int) -> int:
    """Take a status: 0 closed, 1 pre-open, 2 open, 3 closing auction, 4 halted, 5 paused, 6 cancel only."""
    store(r, STATUS, status)
    return 0


@compiled("int64(int64, int64, int64)")
def rules_trade(r: int, now: int, price: int) -> int:
    """Take a trade of the consolidated tape; one outside regular hours does nothing. Returns 0."""
    settle(r, now)
    if now < load(r, OPEN_NS) or now > load(r, CLOSE_NS):
        return 0
    active = load(r, ACTIVE)
    if active & SSR and price * BPS <= load(r, PRIOR) * (BPS - load(r, SSR_BPS)):
        store(r, SSR_UNTIL, FAR)
        store(r, SSR_SINCE, now)
    if active & LULD and now < load(r, CLOSE_NS) and load(r, STATE) != PAUSE:
        push(r, now, price)
        if load(r, REFERENCE) == NONE and load(r, FIRST_TRADE_OPENS) != 0:
            set_reference(r, now, price, 1)
            set_bands(r, now)
        review(r, now)
    return 0


@compiled("int64(int64, int64, int64)")
def rules_open(r: int, now: int, price: int) -> int:
    """Take the official opening or reopening trade, in place of `rules_trade`; it is the first reference price.

    One that comes more than a window after the open or the reopening is a trade like any other.
    """
    settle(r, now)
    covered = load(r, ACTIVE) & LULD and load(r, OPEN_NS) <= now < load(r, CLOSE_NS)
    if covered and now < load(r, FIXED_SINCE) + load(r, WINDOW_NS):
        fresh(r, load(r, FIXED_SINCE), FAR)
        set_reference(r, now, price, 1)
        set_bands(r, now)
    return int(rules_trade(r, now, price))


@compiled("int64(int64, int64, int64, int64)")
def rules_quote(r: int, now: int, bid: int, ask: int) -> int:
    """Take a national best quote (NONE for an empty side); return the state: 0 normal, 1 limit, 2 straddle, 3 pause."""
    settle(r, now)
    store(r, BID, bid)
    store(r, ASK, ask)
    if load(r, ACTIVE) & LULD and load(r, OPEN_NS) <= now < load(r, CLOSE_NS):
        review(r, now)
    return int(load(r, STATE))


@compiled("int64(int64, int64)")
def rules_clock(r: int, now: int) -> int:
    """Settle every deadline up to and including `now`; return the state."""
    settle(r, now + 1)
    return int(load(r, STATE))


@compiled("int64(int64)")
def rules_next(r: int) -> int:
    """Return the next instant at which time alone changes something, FAR if nothing is due."""
    return int(load(r, NEXT))


@compiled("int64(int64, int64)")
def rules_ssr(r: int, now: int) -> int:
    """Return 1 while short sales must be above the national best bid."""
    until = load(r, SSR_UNTIL)
    return int(until != NONE and now < until)


@compiled("int64(int64, int64, int64)")
def at_bid(price: int, bid: int, ask: int) -> int:
    """Return whether a price is at or below the national best bid of a market that is not crossed."""
    return int(bid != NONE and price <= bid and (ask == NONE or bid <= ask))


@compiled("int64(int64, int64, int64, int64)")
def breaker_start(m: int, open_ns: int, close_ns: int, prior: int) -> int:
    """Begin a session of the index; return 1 if the breaker covers it: in force by then, prior close known."""
    if open_ns == load(m, B_OPEN_NS):
        return int(load(m, B_PRIOR) > 0)
    store(m, B_OPEN_NS, open_ns)
    store(m, B_CLOSE_NS, close_ns)
    store(m, B_PRIOR, prior if prior > 0 and open_ns >= load(m, B_FROM) else 0)
    store(m, B_DONE, 0)
    store(m, B_LEVEL, 0)
    store(m, B_SINCE, NONE)
    store(m, B_UNTIL, NONE)
    store(m, B_SESSIONS, load(m, B_SESSIONS) + 1)
    store(m, B_COVERED, load(m, B_COVERED) + int(load(m, B_PRIOR) > 0))
    return int(load(m, B_PRIOR) > 0)


@compiled("int64(int64, int64)")
def breaker_level(m: int, now: int) -> int:
    """Return the level of the market-wide halt in force at `now`, its last instant included, 0 if there is none."""
    return load(m, B_LEVEL) if now <= load(m, B_UNTIL) else 0


@compiled("int64(int64, int64, int64)")
def rules_index(m: int, now: int, price: int) -> int:
    """Take a value of the index; return the level (1, 2, 3) that it starts, 0 if none.

    A decline counts from open to close. Levels 1 and 2 start once a day each, before the cut-off, and not during a
    halt; a level that starts uses up those below it.
    """
    if load(m, B_PRIOR) <= 0 or now < load(m, B_OPEN_NS) or now > load(m, B_CLOSE_NS):
        return 0
    level = 0
    for k in range(3):
        if price * BPS <= load(m, B_PRIOR) * (BPS - load(m, B_LEVEL_1 + k)):
            level = k + 1
    late = now >= load(m, B_CLOSE_NS) - load(m, B_CUTOFF_NS)
    if level <= load(m, B_DONE) or (level < 3 and (late or breaker_level(m, now) > 0)):
        return 0
    store(m, B_DONE, level)
    store(m, B_LEVEL, level)
    store(m, B_SINCE, now)
    store(m, B_UNTIL, FAR if level == 3 else now + load(m, B_HALT_NS))
    store(m, B_HALTS, load(m, B_HALTS) + 1)
    return level


@compiled("int64(int64, int64, int64)")
def halted(r: int, now: int, executing: int) -> int:
    """Return why nothing may be sent (or, with `executing`, executed) at `now`, 0 if something may."""
    settle(r, now)
    status = load(r, STATUS)
    skip = load(r, MWCB_BYTES)
    level = breaker_level(r + skip, now) if skip != 0 else 0
    if level > 0:
        return R_MWCB_1 + level - 1
    if status == HALTED:
        return R_HALTED
    if status == PAUSED:
        return R_PAUSED
    if status == CANCEL_ONLY:
        return R_CANCEL_ONLY
    if executing != 0 and status == CLOSED:
        return R_CLOSED
    if executing != 0 and status == PRE_OPEN:
        return R_PRE_OPEN
    if load(r, STATE) == PAUSE and status != CLOSING_AUCTION:
        return R_LULD_PAUSE
    return OK


@compiled("int64(int64, int64)")
def daily(r: int, price: int) -> int:
    """Return whether a price is outside the day's limits."""
    if load(r, ACTIVE) & DAILY:
        prior, unit = load(r, PRIOR), load(r, ROUND_UNIT)
        if price > band_edge(prior, 1, load(r, DAILY_BPS), 0, 1, unit, HALF_UP):
            return R_DAILY_UPPER
        if price < band_edge(prior, 1, load(r, DAILY_BPS), 0, -1, unit, HALF_UP):
            return R_DAILY_LOWER
    return OK


@compiled("int64(int64, int64, int64)")
def _short_at_bid(r: int, now: int, q: int) -> int:
    """Return whether the question is about a short sale that the price test forbids."""
    if load(q, Q_SIDE) > 0 or load(q, Q_SHORT) == 0 or load(q, Q_EXEMPT) != 0:
        return 0
    return int(at_bid(load(q, Q_PRICE), load(q, Q_BID), load(q, Q_ASK)) and rules_ssr(r, now))


@compiled("int64(int64, int64, int64)")
def rules_order(r: int, now: int, q: int) -> int:
    """Return why an order may not be sent, displayed or kept at `now`: 0 or a reason code; ask at send and at arrival.

    q: the question, see `_rules_layout`; a market order's price is ignored: it is held to the rules when it executes.
    """
    why, side, price = halted(r, now, 0), load(q, Q_SIDE), load(q, Q_PRICE)
    if why != OK or load(q, Q_MARKET) != 0:
        return int(why)
    if price <= 0:
        return R_PRICE
    active = load(r, ACTIVE)
    if active & TICK and price % load(r, TICK_STEP if price >= load(r, TICK_FROM) else TICK_LOW_STEP) != 0:
        return R_TICK
    if _short_at_bid(r, now, q):
        return R_SSR
    lower, upper = load(r, LOWER), load(r, UPPER)
    if lower != NONE and load(r, STATUS) != CLOSING_AUCTION:
        if side > 0 and price > upper:
            return R_LULD_UPPER
        if side < 0 and price < lower:
            return R_LULD_LOWER
    return int(daily(r, price))


@compiled("int64(int64, int64, int64)")
def rules_execution(r: int, now: int, q: int) -> int:
    """Return why an order may not execute at the question's price at `now`: 0 or a reason code.

    Auctions at the close are outside the bands.
    """
    why, price = halted(r, now, 1), load(q, Q_PRICE)
    if why != OK:
        return int(why)
    if load(q, Q_ABOVE) == 0 and _short_at_bid(r, now, q):
        return R_SSR
    lower, upper = load(r, LOWER), load(r, UPPER)
    if lower != NONE and load(r, STATUS) != CLOSING_AUCTION:
        if price > upper:
            return R_LULD_UPPER
        if price < lower:
            return R_LULD_LOWER
    return int(daily(r, price))
