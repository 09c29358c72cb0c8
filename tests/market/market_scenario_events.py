"""Market rows of random scenarios: bars with or without sessions, quotes with trades, level-2 depth."""

from __future__ import annotations

from typing import Any

from karat.kernels.market import _layout as k

Row = dict[str, int]
Prices = dict[int, list[tuple[int, int]]]
WIDTH = 10  # ns of a bar


def ordered(rows: list[Row]) -> list[Row]:
    """Sort by time, status and actions first; what is equal keeps its order."""
    return sorted(rows, key=lambda row: (row["ts"], row["kind"] < k.STATUS))


def bars_of(choose: Any, n: int, options: Any) -> tuple[list[Row], Prices]:
    """Return the bars of all instruments with their status rows and actions, and their closes."""
    rows: list[Row] = []
    prices: Prices = {}
    in_sessions = options.sessions and choose.pick(0, 1) == 1
    length = choose.pick(2, 5)
    for i in range(n):
        at = choose.pick(40, 140)
        prices[i] = [(0, at)]
        for bar in range(choose.pick(3, options.steps)):
            number = bar + 2 * (bar // length) + 1 if in_sessions else bar  # two places between sessions
            if choose.pick(0, 14) == 0:
                continue  # a bar is missing
            row = _bar(choose, i, number, at)
            at = row["c"]
            rows.append(row)
            prices[i].append((row["ts"], at))
            rows += _actions(choose, i, row["ts"], at, options)
        if in_sessions:
            rows += _sessions(choose, i, length, options.steps)
            if choose.pick(0, 2) == 0:
                rows.append(_bar(choose, i, 0, at))  # a bar before the open
    return ordered(rows or [_bar(choose, 0, 0, 100)]), prices


def _bar(choose: Any, i: int, number: int, last: int) -> Row:
    o = max(10, last + (choose.pick(-6, 6) if choose.pick(0, 3) == 0 else choose.pick(-1, 1)))
    c = max(10, o + choose.pick(-6, 6))
    high, low = max(o, c) + choose.pick(0, 5), max(1, min(o, c) - choose.pick(0, 5))
    volume = (-1, -1, -1, 0, *(choose.pick(1, 150),) * 3)[choose.pick(0, 6)]
    end = WIDTH * (number + 1)
    return {
        "ts": end, "kind": k.BAR, "instrument": i, "price": o, "qty": volume,
        "a": high, "b": low, "c": c, "d": end - WIDTH,
    }  # fmt: skip


def _status(i: int, ts: int, state: int, opens: int, closes: int) -> Row:
    return {"ts": ts, "kind": k.STATUS, "instrument": i, "a": state, "b": opens, "c": closes}


def _sessions(choose: Any, i: int, length: int, steps: int) -> list[Row]:
    """Pre-open, open, sometimes a halt or a stage of cancels, closed; `length` bars a session, two places between."""
    rows = []
    for session in range(steps // length + 1):
        opens = WIDTH * (session * (length + 2) + 1)
        closes = opens + WIDTH * length
        rows += [_status(i, opens - WIDTH, k.PRE_OPEN, opens, closes), _status(i, opens, k.OPEN, opens, closes)]
        if choose.pick(0, 3) == 0:
            stopped = choose.pick(opens, closes - 2)
            state = (k.HALTED, k.PAUSED, k.CANCEL_ONLY)[choose.pick(0, 2)]
            rows.append(_status(i, stopped, state, opens, closes))
            rows.append(_status(i, choose.pick(stopped + 1, closes - 1), k.OPEN, opens, closes))
        rows.append(_status(i, closes, k.CLOSED, opens, closes))
    return rows


def _actions(choose: Any, i: int, ts: int, price: int, options: Any) -> list[Row]:
    base = {"ts": ts + choose.pick(0, 9), "instrument": i}
    sort = choose.pick(0, 11)
    if options.actions and sort == 0:
        return [{**base, "kind": k.DIVIDEND, "a": choose.pick(1, 4_000_000)}]
    if options.actions and sort == 1:
        return [{**base, "kind": k.FUNDING, "price": price, "a": choose.pick(-3, 3) * 1_000_000}]
    if options.splits and sort == 2:
        numerator, denominator = ((2, 1), (1, 2), (3, 2))[choose.pick(0, 2)]
        return [{**base, "kind": k.SPLIT, "price": price, "a": numerator, "b": denominator}]
    return []


def quotes_of(choose: Any, n: int, options: Any) -> tuple[list[Row], Prices]:
    """Return quotes and (for some instruments) trades."""
    rows: list[Row] = []
    prices: Prices = {}
    for i in range(n):
        ts, bid, printed = 0, choose.pick(40, 140), choose.pick(0, 2) > 0
        prices[i] = [(0, bid)]
        for step in range(3 * options.steps):
            if step and printed and choose.pick(0, 2) == 0:
                kind = (k.TRADE, k.TRADE_BUY, k.TRADE_SELL)[choose.pick(0, 2)]
                price = bid + choose.pick(-1, 2)
                rows.append({"ts": ts, "kind": kind, "instrument": i, "price": price, "qty": choose.pick(1, 12)})
            else:
                bid = max(10, bid + choose.pick(-2, 2))
                ask, sizes = bid + choose.pick(1, 3), (choose.pick(1, 10), choose.pick(1, 10))
                row = {
                    "ts": ts,
                    "kind": k.QUOTE,
                    "instrument": i,
                    "price": bid,
                    "qty": sizes[0],
                    "a": ask,
                    "b": sizes[1],
                }
                rows.append(row)
                prices[i].append((ts, bid))
            ts += choose.pick(1, 4)
    return ordered(rows), prices


def depth_of(choose: Any, n: int, options: Any) -> tuple[list[Row], Prices]:
    """Return depth rows and trades; the books are never crossed."""
    rows: list[Row] = []
    prices: Prices = {}
    for i in range(n):
        book: dict[int, set[int]] = {1: set(), -1: set()}
        ts, middle = 0, choose.pick(40, 140)
        prices[i] = [(0, middle)]
        book[1].add(middle - 1)
        rows.append(_depth(i, 0, 1, middle - 1, 5))
        for _ in range(3 * options.steps):
            sort = choose.pick(0, 9)
            if sort == 0:
                middle = max(20, middle + choose.pick(-2, 2))
                rows += _clear_crossed(book, i, ts, middle)
                prices[i].append((ts, middle))
            elif sort <= 2 and all(book.values()):
                kind = (k.TRADE, k.TRADE_BUY, k.TRADE_SELL)[choose.pick(0, 2)]
                price = max(book[1]) if kind != k.TRADE_BUY else min(book[-1])
                price += choose.pick(-1, 1)
                rows.append({"ts": ts, "kind": kind, "instrument": i, "price": price, "qty": choose.pick(1, 15)})
            else:
                side = (1, -1)[choose.pick(0, 1)]
                price = middle - side * choose.pick(1, 4)
                lots = choose.pick(0, 12)
                (book[side].add if lots else book[side].discard)(price)
                rows.append(_depth(i, ts, side, price, lots))
            ts += choose.pick(0, 3)
    return ordered(rows), prices


def _depth(i: int, ts: int, side: int, price: int, lots: int) -> Row:
    return {"ts": ts, "kind": k.DEPTH_BID if side > 0 else k.DEPTH_ASK, "instrument": i, "price": price, "qty": lots}


def _clear_crossed(book: dict[int, set[int]], i: int, ts: int, middle: int) -> list[Row]:
    """Remove the levels that are on the wrong side of the new middle."""
    rows = []
    for side in (1, -1):
        for price in sorted(price for price in book[side] if side * (price - middle) >= 0):
            book[side].discard(price)
            rows.append(_depth(i, ts, side, price, 0))
    return rows
