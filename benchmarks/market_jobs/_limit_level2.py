"""The job `level2` as a single hand-written pass: two books, two orders, latencies, the queue, and nothing general.

It knows what the market maker does (one order a side, post-only, one lot) and keeps no records, no money and no state
that could be looked at: what is left is what the job cannot do without.
"""

from __future__ import annotations

import numba
import numpy as np

from karat.kernels.market import layout as at

LATENCY_NS, MOST = 10_000_000, 20
NONE, SENT, LIVE, OVER = range(4)  # an order at the venue
NEVER = 1 << 62


@numba.njit
def put(book, best, side, k, lots):  # type: ignore[no-untyped-def]
    """Set a level of a side (0 bid, 1 ask); `best` holds the best level of each."""
    levels = book[side]
    levels[k] = lots
    sign = 1 - 2 * side
    if lots > 0:
        if sign * (k - best[side]) > 0:
            best[side] = k
    elif k == best[side]:
        while levels[k] == 0:
            k -= sign
        best[side] = k


@numba.njit
def moved(front, before, lots, traded):  # type: ignore[no-untyped-def]
    """Return the lots before an order after its level changed: PowerProb with n = 2."""
    cancelled = before - lots - traded
    if cancelled < 0.0:
        return min(front, lots)
    back, ahead = before - front, max(front, 0.0)
    weight = max(back, 0.0) ** 2
    share = weight / (weight + ahead**2) if weight + ahead > 0.0 else 1.0
    return min(front - (1.0 - share) * cancelled + min(back - share * cancelled, 0.0), lots)


@numba.njit
def arrive(ts, book, best, state, price, at_ts, cancel_ts, heard, front, traded):  # type: ignore[no-untyped-def]
    """Let orders and cancels reach the venue that are due before ts."""
    for side in range(2):
        if state[side] == SENT and at_ts[side] < ts:
            sign = 1 - 2 * side
            if sign * (price[side] - best[1 - side]) >= 0:
                state[side], heard[side] = OVER, at_ts[side] + LATENCY_NS
            else:
                state[side], front[side], traded[side] = LIVE, book[side, price[side]], 0
        if state[side] == LIVE and cancel_ts[side] < ts:
            state[side], heard[side] = OVER, cancel_ts[side] + LATENCY_NS


@numba.njit
def single_pass(exch, local, kinds, prices, quantities, interval):  # type: ignore[no-untyped-def]
    """Return steps, orders sent, fills and the position heard of at the end."""
    low = prices.min() - 2
    slots = prices.max() - low + 3
    book, seen = np.zeros((2, slots)), np.zeros((2, slots))
    book[:, 0] = book[:, -1] = seen[:, 0] = seen[:, -1] = 1e-9  # an empty side ends here
    best, seen_best = np.array([0, slots - 1]), np.array([0, slots - 1])
    state, price, heard = np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2, np.int64)
    at_ts, cancel_ts, filled = np.zeros(2, np.int64), np.full(2, NEVER), np.zeros(2, np.int64)
    front, traded = np.zeros(2), np.zeros(2)
    row = behind = steps = sent = fills = position = 0
    n, now = len(exch), exch[0] + interval
    while True:
        while row < n and exch[row] <= now:
            ts, kind, k, lots = exch[row], kinds[row], prices[row] - low, quantities[row]
            row += 1
            due = min(at_ts[0] if state[0] == SENT else cancel_ts[0], at_ts[1] if state[1] == SENT else cancel_ts[1])
            if due < ts:
                arrive(ts, book, best, state, price, at_ts, cancel_ts, heard, front, traded)
            hit = -1
            if kind == at.DEPTH_BID or kind == at.DEPTH_ASK:
                side = kind - at.DEPTH_BID
                before = book[side, k]
                put(book, best, side, k, lots)
                if state[side] == LIVE and price[side] == k:
                    front[side] = moved(front[side], before, lots, traded[side])
                    traded[side] = 0
                if state[1 - side] == LIVE and (1 - 2 * side) * (best[side] - price[1 - side]) >= 0:
                    hit = 1 - side
            else:
                side = 0 if kind == at.TRADE_SELL else 1
                if state[side] == LIVE:
                    beyond = (1 - 2 * side) * (price[side] - k)
                    if beyond == 0:
                        front[side] -= lots
                        traded[side] += lots
                    if beyond > 0 or (beyond == 0 and front[side] <= -0.5):
                        hit = side
            if hit >= 0:
                state[hit], heard[hit], filled[hit], fills = OVER, ts + LATENCY_NS, 1, fills + 1
        arrive(now + 1, book, best, state, price, at_ts, cancel_ts, heard, front, traded)
        for side in range(2):
            if state[side] == OVER and heard[side] <= now:
                position += (1 - 2 * side) * filled[side]
                state[side], filled[side], cancel_ts[side] = NONE, 0, NEVER
        if now >= local[n - 1]:
            return steps, sent, fills, position
        while behind < n and local[behind] <= now:
            if kinds[behind] == at.DEPTH_BID or kinds[behind] == at.DEPTH_ASK:
                put(seen, seen_best, kinds[behind] - at.DEPTH_BID, prices[behind] - low, quantities[behind])
            behind += 1
        steps += 1
        for side in range(2):
            wanted = seen_best[side]
            if state[side] == NONE:
                if (1 - 2 * side) * position < MOST:
                    state[side], price[side], at_ts[side], sent = SENT, wanted, now + LATENCY_NS, sent + 1
            elif price[side] != wanted and at_ts[side] + LATENCY_NS <= now and cancel_ts[side] == NEVER:
                cancel_ts[side] = now + LATENCY_NS
        now += interval
