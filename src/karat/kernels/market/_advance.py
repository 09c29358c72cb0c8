"""`advance`: the one loop of the market. It takes the next thing in time from three queues until told to stop.

The queues: rows of market data, things scheduled at the venue, rows of intents. At one time market data comes first,
then the venue, then the strategy; within a queue the order is that of the queue.

Invariants:
1. How far a call goes changes nothing: any way of cutting a run into calls gives the same state after every step.
2. Nothing is dropped for want of room: the call returns FILLS_FULL or NEWS_FULL before the step that could need it,
   the caller empties, and calls again. A full table of orders refuses the next order, with a reason.
3. A faulty row stops the run with its error; the row and everything after it is not applied.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import add_wrap, call4, load, load_byte, load_half, mul_wrap, shift_right, store, xor
from karat.kernels.market._account import stop_with
from karat.kernels.market._arrivals import admit, amend, cancel, day_over, expire
from karat.kernels.market._arrive import arrive
from karat.kernels.market._days import look_after
from karat.kernels.market._depth_rows import depth_rows
from karat.kernels.market._execute import learn, write_news
from karat.kernels.market._gateway import ask, send
from karat.kernels.market._layout import (
    ADD_BID,
    AMEND,
    ARRIVE,
    ARRIVE_AMEND,
    ARRIVE_CANCEL,
    BAR,
    BARS,
    CANCEL,
    DAY_OVER,
    DEPTH,
    DEPTH_ASK,
    DEPTH_BID,
    DEPTH_CLEAR,
    DONE,
    E_ACTION,
    E_INSTRUMENT,
    E_KIND,
    E_OVERFLOW,
    E_TIME,
    EXECUTE,
    EXPIRE,
    FAILED,
    FAR,
    FILLS_FULL,
    GTC,
    H_AT_CURRENCIES,
    H_AT_FILLS,
    H_AT_QUEUE,
    H_DUE,
    H_ERROR,
    H_EXPOSED,
    H_FILLS,
    H_FILLS_LENGTH,
    H_GRAVE,
    H_HOOK_ROW,
    H_INSTRUMENTS,
    H_INTENT,
    H_LAST_ID,
    H_LOCAL_ROW,
    H_MARGIN_POLICY,
    H_NEWS,
    H_NEWS_LENGTH,
    H_NEWS_SEQUENCE,
    H_NOW,
    H_OPEN_ORDERS,
    H_ORDERS_ROW,
    H_PIECES,
    H_ROW,
    H_SCRATCH,
    H_SEQUENCE,
    H_STEPS,
    H_TARGET_EQUITY,
    H_TARGET_TS,
    I_MARK,
    I_MATCHER,
    I_POSITION,
    I_RULES,
    I_UNIT,
    INTENT,
    LARGE,
    MARGIN_CHECK,
    MARKET,
    NEWS_FULL,
    NONE,
    O_ID,
    O_INSTRUMENT,
    O_STATE,
    ORDERS,
    Q_ACTION,
    Q_LOTS,
    Q_STATE,
    Q_SUBJECT,
    Q_TS,
    QUOTE,
    QUOTES,
    R_NO_MARKET,
    RATE_ONE,
    REJECTED_GATEWAY,
    RESPOND,
    RULES_CLOCK,
    SEND,
    STATUS,
    T_ACTION,
    T_FLAGS,
    T_ID,
    T_INSTRUMENT,
    T_QTY,
    T_SIDE,
    T_TIF,
    T_TS,
    T_TYPE,
    TARGET_QTY,
    TARGET_WEIGHT,
    TRADE,
    TRADE_SELL,
    V_EQUITY,
    V_HASHES,
    V_INSTRUMENT,
    V_INTENT_ROWS,
    V_INTENTS,
    V_KIND,
    V_ROWS,
    V_TS,
    WAITING,
)
from karat.kernels.market._margin import equity, judge, watch
from karat.kernels.market._match_bars import bar
from karat.kernels.market._match_depth import depth_row, depth_trade
from karat.kernels.market._match_quotes import quote, trade_print
from karat.kernels.market._orders import bury, find, instrument_at, order_at, words
from karat.kernels.market._own import prevent_all
from karat.kernels.market._queue import next_ts, pop
from karat.kernels.market._special import special

ROOM_FILLS = 64  # rows kept free for one step, beside four for each order in the table; half of the table at least
ROOM_NEWS = 64


@compiled(words(5))
def _matched_row(s: int, i: int, v: int, row: int, kind: int) -> int:
    """Let the matcher of an instrument take a row; return 1, or 0 with the error noted."""
    matcher = load(i, I_MATCHER)
    if matcher == DEPTH:
        if kind == DEPTH_BID or kind == DEPTH_ASK or kind == DEPTH_CLEAR:
            return depth_row(s, i, v, row, kind)
        if TRADE <= kind <= TRADE_SELL:
            return depth_trade(s, i, v, row, kind)
    elif matcher == ORDERS:
        if ADD_BID <= kind <= EXECUTE or kind == DEPTH_CLEAR:
            return call4(load(s, H_ORDERS_ROW), s, i, v, row)
        if TRADE <= kind <= TRADE_SELL:
            return depth_trade(s, i, v, row, kind)
    elif matcher == BARS and kind == BAR:
        return bar(s, i, v, row)
    elif matcher == QUOTES:
        if kind == QUOTE:
            return quote(s, i, v, row)
        if TRADE <= kind <= TRADE_SELL:
            return trade_print(s, i, v, row, kind)
    if kind >= STATUS:
        return special(s, i, v, row, kind)
    return stop_with(s, E_KIND, row, kind)


@compiled(words(3))
def market_row(s: int, v: int, row: int) -> int:
    """Apply one row of market data; return 1, or 0 with the error noted."""
    kind = load_byte(load(v, V_KIND), row)
    number = load_half(load(v, V_INSTRUMENT), row) if load(v, V_INSTRUMENT) else 0
    if number < 0 or number >= load(s, H_INSTRUMENTS):
        return stop_with(s, E_INSTRUMENT, row, number)
    i = instrument_at(s, number)
    done = _matched_row(s, i, v, row, kind)
    if done and load(i, I_RULES):
        call4(load(s, H_HOOK_ROW), s, i, v, row)
    return done


@exported(words(3))
def _meet(s: int, o: int, ts: int) -> int:
    """Let an order that has just come meet its market."""
    i = instrument_at(s, load(o, O_INSTRUMENT))
    return prevent_all(s, i, o, ts) if load(i, I_MATCHER) == BARS else arrive(s, i, o, ts)


@exported(words(1))
def venue_step(s: int) -> int:
    """Do the first thing that is scheduled at the venue."""
    at = s + 8 * load(s, H_AT_QUEUE)
    ts, action, subject = load(at, Q_TS), load(at, Q_ACTION), load(at, Q_SUBJECT)
    state, lots = load(at, Q_STATE), load(at, Q_LOTS)
    pop(s)
    store(s, H_NOW, max(ts, load(s, H_NOW)))
    if action == ARRIVE:
        o = order_at(s, subject)
        if load(o, O_ID) == lots and load(o, O_STATE) <= WAITING:
            if admit(s, instrument_at(s, load(o, O_INSTRUMENT)), o, ts):
                _meet(s, o, ts)
    elif action == RESPOND:
        learn(s, order_at(s, subject), state, lots, ts)
    elif action == ARRIVE_CANCEL:
        cancel(s, lots, ts)
    elif action == ARRIVE_AMEND:
        if amend(s, lots, subject, state, ts):
            slot = find(s, lots)
            _meet(s, order_at(s, slot), ts)
    elif action == EXPIRE:
        expire(s, subject, lots, ts)
    elif action == DAY_OVER:
        day_over(s, subject, ts)
    elif action == RULES_CLOCK:
        call4(load(s, H_HOOK_ROW), s, instrument_at(s, subject), 0, ts)
    return 1


@compiled(words(2))
def _part_of(money: int, rate: int) -> int:
    """Return money * rate / 1e9 rounded down, for a result below 9e18; the target panel rounds the same way."""
    return money // RATE_ONE * rate + money % RATE_ONE * rate // RATE_ONE


@exported(words(3))
def _target(s: int, t: int, ts: int) -> int:
    """Turn a wanted quantity or weight into a market order for what is missing."""
    number, order_id = load(t, T_INSTRUMENT), load(t, T_ID)
    x = s + 8 * H_SCRATCH
    for k in range(INTENT):
        store(x, k, 0)
    if load(s, H_TARGET_TS) != ts:  # what the first one trades does not change the size of the others
        store(s, H_TARGET_TS, ts)
        store(s, H_TARGET_EQUITY, equity(s))
    wanted, position = load(t, T_QTY), 0
    if 0 <= number < load(s, H_INSTRUMENTS):
        i = instrument_at(s, number)
        position = load(i, I_POSITION)
        if load(t, T_ACTION) == TARGET_WEIGHT:
            price = load(i, I_MARK)
            if price == NONE:
                store(s, H_LAST_ID, max(order_id, load(s, H_LAST_ID)))
                return write_news(s, order_id, ts, ts, REJECTED_GATEWAY, R_NO_MARKET, 0, 0)
            whole, rate = load(s, H_TARGET_EQUITY), wanted
            if abs(float(whole)) * abs(float(rate)) >= LARGE * RATE_ONE:
                return stop_with(s, E_OVERFLOW, rate, whole) - 1
            lots = _part_of(abs(whole), abs(rate)) // (price * load(i, I_UNIT))
            wanted = lots if (whole < 0) == (rate < 0) else -lots
    missing = wanted - position
    if missing == 0:
        return 0
    for k in range(INTENT):
        store(x, k, load(t, k))
    store(x, T_SIDE, 1 if missing > 0 else -1)
    store(x, T_QTY, abs(missing))
    store(x, T_TYPE, MARKET)
    store(x, T_TIF, GTC)
    store(x, T_FLAGS, 0)
    return send(s, x, ts)


@exported(words(3))
def act(s: int, t: int, ts: int) -> int:
    """Do what a row of intents says, at ts; return an order's slot, or -1 where there is none."""
    action = load(t, T_ACTION)
    if action == SEND:
        return send(s, t, ts)
    if action == CANCEL:
        return ask(s, t, ts, ARRIVE_CANCEL) - 1
    if action == AMEND:
        return ask(s, t, ts, ARRIVE_AMEND) - 1
    if action == TARGET_QTY or action == TARGET_WEIGHT:
        return _target(s, t, ts)
    return stop_with(s, E_ACTION, action, ts) - 1


@exported(words(1))
def state_hash(s: int) -> int:
    """Return a hash of everything that decides what happens next.

    Not of what the caller has yet to read, nor of how far the clock was asked to go after the last thing that happened.
    """
    value = -3750763034362895579
    for k in range(H_SEQUENCE, H_AT_CURRENCIES):
        skip = k == H_ROW or k == H_LOCAL_ROW or k == H_INTENT or k == H_STEPS or k == H_FILLS_LENGTH
        if not skip and k != H_NEWS_LENGTH and k != H_FILLS and k != H_NEWS:
            value = mul_wrap(xor(value, load(s, k)), 1099511628211)
    for k in range(H_MARGIN_POLICY, H_NEWS_SEQUENCE + 1):
        value = mul_wrap(xor(value, load(s, k)), 1099511628211)
    for k in range(H_DUE, H_EXPOSED):
        value = mul_wrap(xor(value, load(s, k)), 1099511628211)
    for k in range(load(s, H_AT_CURRENCIES), load(s, H_AT_FILLS)):
        value = mul_wrap(xor(value, load(s, k)), 1099511628211)
        value = xor(value, shift_right(value, 29))
    return add_wrap(value, 0)


@compiled(words(1))
def lacking(s: int) -> int:
    """Return FILLS_FULL or NEWS_FULL where the next step might not have room for its records, else DONE.

    One order may walk many levels in one step, so half of the table of fills is kept free for it.
    """
    most, fills = 4 * load(s, H_OPEN_ORDERS), load(s, H_FILLS)
    if fills - load(s, H_FILLS_LENGTH) < max(most * load(s, H_PIECES) + ROOM_FILLS, fills // 2):
        return FILLS_FULL
    if load(s, H_NEWS) - load(s, H_NEWS_LENGTH) < 2 * most + ROOM_NEWS + load(s, H_INSTRUMENTS):
        return NEWS_FULL
    return DONE


@exported(words(4))
def advance(s: int, v: int, until_ns: int, steps: int) -> int:
    """Take the market to a time: everything with ts <= until_ns, or so many steps; return DONE or why it stopped."""
    row, rows, times = load(s, H_ROW), load(v, V_ROWS), load(v, V_TS)
    k, intents, table = load(s, H_INTENT), load(v, V_INTENTS), load(v, V_INTENT_ROWS)
    plain, called = load(v, V_EQUITY) == 0 and load(v, V_HASHES) == 0, load(s, H_MARGIN_POLICY) > MARGIN_CHECK
    while steps > 0:
        if load(s, H_ERROR):
            return FAILED
        m = load(times, row) if row < rows else FAR
        q = next_ts(s)
        t = load(table, k * INTENT + T_TS) if k < intents else FAR
        first = min(m, min(q, t))
        if first > until_ns or first == FAR:
            break
        code, taken = lacking(s), 0
        if code != DONE:
            return code
        if m <= q and m <= t:
            if plain and load(s, H_EXPOSED) == 0:
                taken = depth_rows(s, v, row, min(min(until_ns, load(s, H_DUE) - 1), min(q, t)), steps)
            row, steps = row + taken, steps - taken
            if taken == 0:
                before = load(s, H_NOW)
                if m < before:
                    stop_with(s, E_TIME, row, m)
                if load(s, H_ERROR):
                    return FAILED
                store(s, H_NOW, m)
                if m >= load(s, H_DUE):
                    look_after(s, v, row)
                if not market_row(s, v, row) or load(s, H_ERROR):  # a row may fail after its first fills
                    store(s, H_NOW, before)
                    return FAILED
                if load(v, V_EQUITY):
                    store(load(v, V_EQUITY), row, equity(s))
                row += 1
                store(s, H_ROW, row)
            if called:
                watch(s, v, row - 1)
        elif q <= t:
            venue_step(s)
            if called:
                judge(s)
        else:
            if t < load(s, H_NOW):
                stop_with(s, E_TIME, -1 - k, t)
                return FAILED
            store(s, H_NOW, t)
            act(s, table + 8 * k * INTENT, t)
            k += 1
            store(s, H_INTENT, k)
        if load(s, H_GRAVE) >= 0:
            bury(s)
        if taken > 0:
            continue
        if load(v, V_HASHES):
            store(load(v, V_HASHES), load(s, H_STEPS), state_hash(s))
        store(s, H_STEPS, load(s, H_STEPS) + 1)
        steps -= 1
    if steps > 0 and FAR > until_ns > load(s, H_NOW):
        store(s, H_NOW, until_ns)
    return FAILED if load(s, H_ERROR) else DONE
