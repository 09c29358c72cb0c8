"""Orders through the market: two of three are sent and cancelled, one is sent and filled, on a book that stands still.

An operation is a thing that the market does: a row, an order sent, an arrival, a cancel sent, a cancel done. The limit
is a bare loop that keeps the state of each order in an array and does nothing else for it: no money, no checks, no
records. PERF_SUSTAIN_S: for how many seconds the job is repeated, the slowest second of which is told; 5 by default.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numba
import numpy as np

from karat.data import Instrument
from karat.kernels.market import layout as at
from karat.market import Cancel, Intents, Ladder, Market, MarketRun, Order, VenueSpec, simulate
from market_jobs._inputs import Inputs
from market_jobs._measure import Job

SPEC = VenueSpec(open_orders=64, keep_equity=False)
ASSET = Instrument("A.SIM")
LIVE, FILLED, CANCELLED = 1, 2, 3


@numba.njit
def single_pass(rows, states):  # type: ignore[no-untyped-def]
    """Give each order its last state and return how many were filled and cancelled."""
    filled = cancelled = 0
    for k in range(rows.shape[0]):
        order = rows[k, at.T_ID]
        if rows[k, at.T_ACTION] == at.CANCEL:
            if states[order] == LIVE:
                states[order] = CANCELLED
                cancelled += 1
        elif rows[k, at.T_TYPE] == at.MARKET:
            states[order] = FILLED
            filled += 1
        else:
            states[order] = LIVE
    return filled, cancelled


def intents_of(orders: int) -> np.ndarray:
    """Return rows: two limits away from the best prices, a market order, and the cancels of the limits, repeated."""
    rows = np.zeros((orders // 3 * 5, at.INTENT), dtype=np.int64)
    group = np.arange(len(rows)) // 5
    place = np.arange(len(rows)) % 5
    rows[:, at.T_TS] = 1 + np.arange(len(rows))
    rows[:, at.T_ACTION] = np.where(place < 3, at.SEND, at.CANCEL)
    rows[:, at.T_ID] = 1 + 3 * group + np.where(place < 3, place, place - 3)
    rows[:, at.T_SIDE] = np.where(place == 2, 1 - 2 * (group % 2), np.where(place == 0, 1, -1))
    rows[:, at.T_TYPE] = np.where(place == 2, at.MARKET, at.LIMIT)
    rows[:, at.T_PRICE] = np.where(place == 0, 9_900, np.where(place == 1, 10_100, 0))
    rows[:, at.T_TIF], rows[:, at.T_QTY] = at.GTC, 1
    return rows


def jobs(inputs: Inputs) -> list[Job]:
    """Return the one job; the sustained rate and single calls from Python are among its figures."""
    orders = 3_000 if inputs.quick else 300_000
    deep = [("99.90", orders), ("99.80", orders)], [("100.10", orders), ("100.20", orders)]
    events, rows = Ladder(ASSET, *deep).events(), intents_of(orders)

    def karat() -> MarketRun:
        return simulate(events, Intents(rows), SPEC)

    def limit() -> tuple[int, int]:
        return tuple(single_pass(rows, np.zeros(orders + 1, dtype=np.int8)))

    def check(ours: MarketRun, theirs: tuple[int, int], peer: dict[str, float] | None) -> bool:
        cancelled = int((ours.news_rows[:, at.N_KIND] == at.CANCEL_DONE).sum())
        return (len(ours.fill_rows), cancelled) == theirs and theirs[0] == orders // 3

    def more() -> dict[str, Any]:
        steps = int(karat().block[at.H_STEPS])
        spent = 0.2 if inputs.quick else float(os.environ.get("PERF_SUSTAIN_S", "5"))
        rates, seconds, done, ended = [], 0.0, 0, time.perf_counter() + spent
        started = time.perf_counter()
        while time.perf_counter() < ended:
            begun = time.perf_counter()
            karat()
            seconds, done = seconds + time.perf_counter() - begun, done + steps
            if seconds >= 1.0:
                rates.append(done / seconds)
                seconds, done = 0.0, 0
        rates = rates or [done / seconds]
        facts = {"operations": steps, "sustained_s": round(time.perf_counter() - started, 1)}
        return facts | {"operations_per_s_worst": round(min(rates)), **_single_calls(min(orders, 20_000))}

    return [Job("orders", karat, limit, check, more=more)]


def _single_calls(orders: int) -> dict[str, float]:
    """Return quantiles of one `Market.send` from Python, an order or a cancel, with all that the market does for it."""
    market = Market(Ladder(ASSET, [("99.90", 1)], [("100.10", 1)]).events(), SPEC)
    taken = np.zeros(2 * orders, dtype=np.int64)
    for k in range(orders):
        for place, intent in enumerate(
            (Order(k + 1, 2 * k + 1, ASSET.id, "buy", 1, "limit", "99.00"), Cancel(k + 1, 2 * k + 2))
        ):
            started = time.perf_counter_ns()
            market.send(intent)
            taken[2 * k + place] = time.perf_counter_ns() - started
    names, levels = ("send_p50_ns", "send_p99_ns"), np.percentile(taken[200:], [50, 99])
    return dict(zip(names, (round(float(ns)) for ns in levels), strict=True))
