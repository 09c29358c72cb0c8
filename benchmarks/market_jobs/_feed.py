"""A level-2 feed of one instrument: read from the folder of the inputs, or made from the seed with the same numbers."""

from __future__ import annotations

from pathlib import Path

import numba
import numpy as np
import polars as pl

from karat.kernels.market import layout as at

ROWS, SEED, DELAY_NS, LEVELS = 5_000_000, 5, 1_000_000, 20
KINDS = np.array([at.DEPTH_BID, at.DEPTH_ASK, at.TRADE_SELL, at.TRADE_BUY], dtype=np.int8)


def feed(folder: Path | None, *, quick: bool) -> dict[str, np.ndarray]:
    """Return exch and local (ns), kind (event kinds), price (ticks of 0.01) and qty (lots), all (n,)."""
    rows = 200_000 if quick else ROWS
    if folder:
        frame = pl.read_parquet(folder / "feed_5m.parquet").head(rows)
        exch, local = frame["exch_ts"].to_numpy(), frame["local_ts"].to_numpy()
        kind, price, qty = (frame[name].to_numpy() for name in ("kind", "px_ticks", "qty"))
    else:
        kind, price, qty, exch = made(rows, SEED)
        local = exch + DELAY_NS
    columns = {"exch": exch, "local": local, "kind": KINDS[kind], "price": price, "qty": qty.astype(np.int64)}
    return {name: np.ascontiguousarray(values) for name, values in columns.items()}


@numba.njit
def made(n, seed):  # type: ignore[no-untyped-def]
    """Return kind (0 bid, 1 ask, 2 trade at the bid, 3 at the ask), price, qty and ts of about n rows.

    Twenty levels a side around a spread of one tick: 72 % of the steps set a level, 25 % trade a part of the best one,
    3 % trade all of it and move the market by a tick. A quantity of 0 removes a level.
    """
    np.random.seed(seed)
    kind, price, qty, ts = np.zeros(n, np.int8), np.zeros(n, np.int64), np.zeros(n), np.zeros(n, np.int64)
    level = np.zeros(2_000_000)
    bid, now, i = 100_000, 1_700_000_000_000_000_000, 0
    for k in range(LEVELS):
        for side, at_price in ((0, bid - k), (1, bid + 1 + k)):
            lots = float(np.random.randint(1, 100))
            kind[i], price[i], qty[i], ts[i], level[at_price] = side, at_price, lots, now, lots
            i += 1
    while i < n - 8:
        now += 1 + int(np.random.exponential(20_000_000.0))
        u = np.random.random()
        if u < 0.72:
            k = min(LEVELS - 1, int(np.random.exponential(4.0)))
            side = np.random.randint(0, 2)
            p = bid - k if side == 0 else bid + 1 + k
            level[p] = float(np.random.randint(1, 100))
            kind[i], price[i], qty[i], ts[i] = side, p, level[p], now
            i += 1
        elif u < 0.97:
            side = np.random.randint(0, 2)
            p = bid if side == 0 else bid + 1
            if level[p] > 1:
                lots = float(min(level[p] - 1, np.random.randint(1, 20)))
                level[p] -= lots
                kind[i], price[i], qty[i], ts[i] = 2 + side, p, lots, now
                kind[i + 1], price[i + 1], qty[i + 1], ts[i + 1] = side, p, level[p], now
                i += 2
        else:  # the best level of one side is traded away and becomes the other side's best
            up = np.random.random() < 0.5
            side = 1 if up else 0
            p = bid + 1 if up else bid
            kind[i], price[i], qty[i], ts[i] = 2 + side, p, level[p], now
            kind[i + 1], price[i + 1], qty[i + 1], ts[i + 1] = side, p, 0.0, now
            level[p] = float(np.random.randint(1, 100))
            kind[i + 2], price[i + 2], qty[i + 2], ts[i + 2] = 1 - side, p, level[p], now
            out = bid - LEVELS + 1 if up else bid + LEVELS
            kind[i + 3], price[i + 3], qty[i + 3], ts[i + 3] = 1 - side, out, 0.0, now
            level[out] = 0.0
            bid += 1 if up else -1
            new = bid + LEVELS if up else bid - LEVELS + 1
            level[new] = float(np.random.randint(1, 100))
            kind[i + 4], price[i + 4], qty[i + 4], ts[i + 4] = side, new, level[new], now
            i += 5
    return kind[:i], price[:i], qty[:i], ts[:i]
