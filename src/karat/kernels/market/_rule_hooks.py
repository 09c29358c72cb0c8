"""The market's rules in the loop: what the event loop calls where an instrument has rules or venue filters.

Loaded only where a market has rules: the loop calls these functions by the addresses in the header.

Invariants:
1. A row reaches the rules after it has been matched: an order that met it was judged by what was known before.
2. What the rules decide by time alone (a limit state that becomes a pause, its end) happens at its time, as an entry of
   the venue's queue.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, load_byte, store
from karat.kernels.market._book import best_shown
from karat.kernels.market._filters import filters_order
from karat.kernels.market._layout import (
    ADD_BID,
    BAR,
    BARS,
    CLOSED,
    DEPTH_ASK,
    DEPTH_BID,
    EXECUTE,
    FAR,
    H_INDEX,
    H_NOW,
    H_QUESTION,
    I_BREAKER,
    I_CLOSE_NS,
    I_FILTERS,
    I_LAST,
    I_MARK,
    I_MATCHER,
    I_NUMBER,
    I_OPEN_NS,
    I_POSITION,
    I_PRIOR_CLOSE,
    I_RULES,
    I_RULES_DUE,
    I_SCHEDULE,
    LIMIT,
    LIMIT_ON_OPEN,
    NONE,
    O_ABOVE,
    O_FILLED,
    O_FLAGS,
    O_PRICE,
    O_QTY,
    O_SIDE,
    O_TYPE,
    QUOTE,
    RULES_CLOCK,
    SHORT_EXEMPT,
    STATUS,
    STOP_LIMIT,
    TRADE,
    TRADE_SELL,
    V_A,
    V_B,
    V_D,
    V_KIND,
    V_TS,
)
from karat.kernels.market._orders import words
from karat.kernels.market._queue import push
from karat.kernels.market._rules import (
    breaker_start,
    rules_clock,
    rules_execution,
    rules_index,
    rules_next,
    rules_order,
    rules_quote,
    rules_reset,
    rules_start,
    rules_status,
    rules_trade,
)
from karat.kernels.market._rules_bars import rules_bar, rules_bar_begins, rules_bar_execution
from karat.kernels.market._rules_layout import (
    B_OPEN_NS,
    CLOSE_NS,
    OPEN_NS,
    Q_ABOVE,
    Q_ASK,
    Q_BID,
    Q_EXEMPT,
    Q_MARKET,
    Q_PRICE,
    Q_SHORT,
    Q_SIDE,
)
from karat.kernels.market._shift import shift_ticks


@exported(words(2))
def reset_rules(s: int, i: int) -> int:
    """Make an instrument's record of rules new."""
    return rules_reset(s + 8 * load(i, I_RULES))


@exported(words(4))
def _index_row(s: int, i: int, v: int, row: int) -> int:
    """Tell the breaker of a row of the index: its session, its trades, and of a bar the low, at the bar's end."""
    m, ts, kind = s + 8 * load(i, I_BREAKER), load(load(v, V_TS), row), load_byte(load(v, V_KIND), row)
    if kind == STATUS and load(load(v, V_A), row) != CLOSED:
        return breaker_start(m, load(i, I_OPEN_NS), load(i, I_CLOSE_NS), load(i, I_PRIOR_CLOSE))
    if TRADE <= kind <= TRADE_SELL:
        return rules_index(m, ts, load(i, I_LAST))
    if kind == BAR and load(load(v, V_D), row) >= load(m, B_OPEN_NS):
        return rules_index(m, ts, load(load(v, V_B), row))
    return 0


@exported(words(4))
def on_row(s: int, i: int, v: int, row: int) -> int:
    """Tell the rules of a row; without columns (v is 0) the row is a time that has come."""
    r = s + 8 * load(i, I_RULES)
    ts = row if v == 0 else load(load(v, V_TS), row)
    if v != 0 and load(i, I_NUMBER) + 1 == load(s, H_INDEX):
        _index_row(s, i, v, row)
    if v == 0:
        store(i, I_RULES_DUE, 0)
        rules_clock(r, ts)
    else:
        kind = load_byte(load(v, V_KIND), row)
        if kind == STATUS:
            status = load(load(v, V_A), row)
            if status == CLOSED and load(i, I_LAST) != NONE:
                store(i, I_PRIOR_CLOSE, load(i, I_LAST))
            elif status != CLOSED:
                prior = load(i, I_PRIOR_CLOSE)
                rules_start(r, s + 8 * load(i, I_SCHEDULE), load(i, I_OPEN_NS), load(i, I_CLOSE_NS), prior)
            rules_status(r, status)
        elif kind == BAR:
            low = load(load(v, V_B), row)
            rules_bar(r, ts, load(load(v, V_D), row), low + shift_ticks(i, low))
            if load(r, OPEN_NS) < ts <= load(r, CLOSE_NS):  # the status row of the close comes before its bar
                store(i, I_PRIOR_CLOSE, load(i, I_LAST))
        if TRADE <= kind <= TRADE_SELL or kind == EXECUTE:
            rules_trade(r, ts, load(i, I_LAST))
        if kind == QUOTE or kind == DEPTH_BID or kind == DEPTH_ASK or ADD_BID <= kind <= EXECUTE:
            rules_quote(r, ts, best_shown(s, i, 1), best_shown(s, i, -1))
    due = rules_next(r)
    if due < FAR and due != load(i, I_RULES_DUE):
        store(i, I_RULES_DUE, due)
        push(s, max(due, ts), RULES_CLOCK, load(i, I_NUMBER), 0, 0)
    return 0


@compiled(words(2))
def _short(i: int, o: int) -> int:
    """Return 1 where filling the rest of the order would leave a short position larger than before."""
    rest = load(o, O_QTY) - load(o, O_FILLED)
    return 1 if load(o, O_SIDE) < 0 and load(i, I_POSITION) - rest < 0 else 0


@exported(words(5))
def _question(s: int, i: int, o: int, price: int, market: int) -> int:
    """Write down what the rules are asked about an order at a price; return where."""
    q = s + 8 * H_QUESTION
    store(q, Q_SIDE, load(o, O_SIDE))
    store(q, Q_SHORT, _short(i, o))
    store(q, Q_EXEMPT, 1 if load(o, O_FLAGS) & SHORT_EXEMPT else 0)
    store(q, Q_MARKET, market)
    store(q, Q_PRICE, price)
    store(q, Q_BID, best_shown(s, i, 1))
    store(q, Q_ASK, best_shown(s, i, -1))
    store(q, Q_ABOVE, load(o, O_ABOVE))
    return q


@exported(words(4))
def on_order(s: int, i: int, o: int, ts: int) -> int:
    """Return the reason why rules or venue filters refuse an order at this moment, or 0.

    Without an order (o is 0): why nothing may execute in a bar that starts at this moment.
    """
    if o == 0:
        return rules_bar_begins(s + 8 * load(i, I_RULES), ts)
    kind, side, price = load(o, O_TYPE), load(o, O_SIDE), load(o, O_PRICE)
    limited = kind == LIMIT or kind == STOP_LIMIT or kind >= LIMIT_ON_OPEN
    bid, reason = best_shown(s, i, 1), 0
    store(o, O_ABOVE, 1 if limited and bid != NONE and price > bid else 0)
    if load(i, I_RULES):
        r = s + 8 * load(i, I_RULES)
        rules_clock(r, ts)
        reason = rules_order(r, ts, _question(s, i, o, price, 0 if limited else 1))
    if reason == 0 and load(i, I_FILTERS):
        f, qty = s + 8 * load(i, I_FILTERS), load(o, O_QTY)
        reason = filters_order(f, side, 0 if limited else 1, price, qty, load(i, I_MARK))
    return reason


@exported(words(4))
def on_fill(s: int, i: int, o: int, price: int) -> int:
    """Return the reason why rules refuse an execution at a price now, or 0."""
    r, now, q = s + 8 * load(i, I_RULES), load(s, H_NOW), _question(s, i, o, price, 0)
    return rules_bar_execution(r, now, q) if load(i, I_MATCHER) == BARS else rules_execution(r, now, q)
