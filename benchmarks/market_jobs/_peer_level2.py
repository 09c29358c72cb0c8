"""The job `level2` in hftbacktest, run in the peers' own environment by `_peer.py` or, for a list of orders, by itself.

PYTHON _peer_level2.py FOLDER INTERVAL_NS     (writes orders.npy into the folder: side, sent, price, fate, fate's ts)

The strategy is that of `level2.py`: one lot on each side at the best price seen, post-only, looked at once an interval.
"""

import sys
from pathlib import Path

import hftbacktest as hb
import numpy as np
from hftbacktest import BUY, GTX, LIMIT, BacktestAsset, ROIVectorMarketDepthBacktest
from hftbacktest.types import event_dtype
from numba import njit

LATENCY_NS, MOST, TICK = 10_000_000, 20.0, 0.01
CANCELLED, FILLED, EXPIRED, UNKNOWN = 1, 2, 3, 0  # fates


@njit
def told(hbt, rows, row_of):
    """Note the fate of the orders that are over, before they are forgotten."""
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get()
        row = row_of[order.order_id]
        if order.status == hb.FILLED:
            rows[row, 3] = FILLED
        elif order.status == hb.EXPIRED:
            rows[row, 3] = EXPIRED
        elif order.status == hb.CANCELED:
            rows[row, 3] = CANCELLED
        if rows[row, 3] != UNKNOWN:
            rows[row, 4] = order.exch_timestamp


@njit
def listed(hbt, rows, row_of, sent, side, price, id_):
    """List an order that was sent, where there are rows for it; return how many were sent."""
    if sent < len(rows):
        rows[sent, 0], rows[sent, 1], rows[sent, 2] = side, hbt.current_timestamp, price
        row_of[id_] = sent
    return sent + 1


@njit
def market_maker(hbt, interval, most, rows, row_of):
    """Trade to the end of the feed; return steps, orders sent, the position and the number of fills.

    rows: (orders, 5) to list what was sent and what became of it, row_of: the row of each id; without rows, as when it
    is timed, nothing is listed.
    """
    n = sent = 0
    while hbt.elapse(interval) == 0:
        n += 1
        if len(rows) > 0:
            told(hbt, rows, row_of)
        hbt.clear_inactive_orders(0)
        depth, position = hbt.depth(0), hbt.position(0)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        has_bid = has_ask = False
        values = hbt.orders(0).values()
        while values.has_next():
            order = values.get()
            if order.side == BUY:
                has_bid = True
                if order.price_tick != bid and order.cancellable:
                    hbt.cancel(0, order.order_id, False)
            else:
                has_ask = True
                if order.price_tick != ask and order.cancellable:
                    hbt.cancel(0, order.order_id, False)
        if not has_bid and position < most:
            hbt.submit_buy_order(0, n * 2, bid * TICK, 1.0, GTX, LIMIT, False)
            sent = listed(hbt, rows, row_of, sent, 1, bid, n * 2)
        if not has_ask and position > -most:
            hbt.submit_sell_order(0, n * 2 + 1, ask * TICK, 1.0, GTX, LIMIT, False)
            sent = listed(hbt, rows, row_of, sent, -1, ask, n * 2 + 1)
    if len(rows) > 0:
        told(hbt, rows, row_of)
    return n, sent, hbt.position(0), hbt.state_values(0).num_trades


def events_of(arrays):
    """Return the feed in hftbacktest's record."""
    events = np.zeros(len(arrays["exch"]), event_dtype)
    both = hb.EXCH_EVENT | hb.LOCAL_EVENT
    kinds = {
        6: hb.DEPTH_EVENT | hb.BUY_EVENT,
        7: hb.DEPTH_EVENT | hb.SELL_EVENT,
        4: hb.TRADE_EVENT | hb.BUY_EVENT,
        5: hb.TRADE_EVENT | hb.SELL_EVENT,
    }
    flags = np.zeros(8, np.uint64)
    for kind, flag in kinds.items():
        flags[kind] = flag | both
    events["ev"], events["exch_ts"], events["local_ts"] = flags[arrays["kind"]], arrays["exch"], arrays["local"]
    events["px"], events["qty"] = np.round(arrays["price"] * TICK, 2), arrays["qty"]
    return events


def backtest(events, low, high):
    """Return hftbacktest on the feed: its fastest depth, PowerProb queue with n = 2, no partial fills."""
    asset = (
        BacktestAsset()
        .data([events])
        .linear_asset(1.0)
        .constant_order_latency(LATENCY_NS, LATENCY_NS)
        .power_prob_queue_model(2.0)
        .no_partial_fill_exchange()
        .trading_value_fee_model(-0.00005, 0.0007)
        .tick_size(TICK)
        .lot_size(1.0)
        .roi_lb(low * TICK - 1)
        .roi_ub(high * TICK + 1)
    )
    return ROIVectorMarketDepthBacktest([asset])


def level2_job(arrays):
    """Return the timed run and the figures of its result."""
    events, interval = events_of(arrays), int(arrays["interval"][0])
    low, high = int(arrays["price"].min()), int(arrays["price"].max())
    nothing = np.zeros((0, 5), np.int64), np.zeros(0, np.int64)

    def run():
        simulator = backtest(events, low, high)
        result = market_maker(simulator, interval, MOST, *nothing)
        simulator.close()
        return result

    return run, lambda made: {
        "steps": int(made[0]),
        "sent": int(made[1]),
        "position": float(made[2]),
        "fills": int(made[3]),
    }


def main():
    """Write the list of orders."""
    folder, interval = Path(sys.argv[1]), int(sys.argv[2])
    arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    steps = int((arrays["local"][-1] - arrays["exch"][0]) // interval) + 16
    rows, row_of = np.zeros((2 * steps, 5), np.int64), np.zeros(2 * steps + 2, np.int64)
    events = events_of(arrays)  # hftbacktest keeps its address only
    simulator = backtest(events, int(arrays["price"].min()), int(arrays["price"].max()))
    sent = market_maker(simulator, interval, MOST, rows, row_of)[1]
    simulator.close()
    np.save(folder / "orders.npy", rows[:sent])


if __name__ == "__main__":
    main()
