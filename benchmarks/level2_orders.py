"""Which orders of the job `level2` fare differently in karat and in hftbacktest, one by one.

    KARAT_PEERS=/path/to/python python benchmarks/level2_orders.py [--interval level2_1s] [--quick] [--show 20]

An order is named by its side and the time it was sent. It differs when only one side sent it, or when its price, its
fate (cancelled, filled, refused as not post-only, none yet) or the time of its fate at the venue differs. One JSON
line per interval, with the share of orders that differ and the first of them. Input: as for `market.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from market_jobs._feed import feed
from market_jobs.level2 import INTERVALS, LISTED, events_of, trade

from karat.kernels.market import layout as at

PEER = Path(__file__).parent / "market_jobs" / "_peer_level2.py"
CANCELLED, FILLED, EXPIRED = 1, 2, 3  # as in the peer's list
FATES = {0: "none", CANCELLED: "cancelled", FILLED: "filled", EXPIRED: "refused"}
Orders = dict[tuple[int, int], tuple[int, int, int]]


def ours(rows: dict[str, np.ndarray], interval: int) -> Orders:
    """Return price, fate and fate's time of karat's orders by side and time of sending."""
    steps = int((rows["local"][-1] - rows["exch"][0]) // interval) + 16
    listed = np.zeros((2 * steps, LISTED), dtype=np.int64)
    made, run = trade(events_of(rows), interval, listed)
    fate = {int(row[at.F_ID]): (FILLED, int(row[at.F_TS])) for row in run.fill_rows}
    kinds = {at.CANCEL_DONE: CANCELLED, at.REJECTED_VENUE: EXPIRED}
    for row in run.news_rows[np.isin(run.news_rows[:, at.N_KIND], list(kinds))]:
        fate[int(row[at.N_ID])] = kinds[int(row[at.N_KIND])], int(row[at.N_TS])
    sent = listed[: made.sent].tolist()
    return {(side, ts): (price, *fate.get(id_, (0, 0))) for side, ts, price, id_ in sent}


def theirs(rows: dict[str, np.ndarray], interval: int, python: str) -> Orders:
    """Return the same of hftbacktest's orders."""
    with tempfile.TemporaryDirectory() as name:
        for key, values in rows.items():
            np.save(Path(name) / f"{key}.npy", values)
        subprocess.run([python, str(PEER), name, str(interval)], check=True)
        sent = np.load(Path(name) / "orders.npy").tolist()
    return {(side, ts): (price, fate, when) for side, ts, price, fate, when in sent}


def told(order: tuple[int, int, int] | None) -> str:
    """Return an order's facts as text."""
    return "not sent" if order is None else f"{order[0]} {FATES[order[1]]} {order[2]}"


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interval", choices=sorted(INTERVALS), action="append")
    parser.add_argument("--quick", action="store_true", help="200,000 rows")
    parser.add_argument("--show", type=int, default=20, help="how many differing orders to print, in order of time")
    given = parser.parse_args()
    python = os.environ.get("KARAT_PEERS")
    if not python:
        parser.error("KARAT_PEERS must name the Python of the peers' own environment")
    folder = os.environ.get("PERF_DATA")
    rows = feed(Path(folder) if folder else None, quick=given.quick)
    for name in given.interval or INTERVALS:
        first, second = ours(rows, INTERVALS[name]), theirs(rows, INTERVALS[name], python)
        keys = sorted(first.keys() | second.keys(), key=lambda key: key[1])
        differ = [key for key in keys if first.get(key) != second.get(key)]
        shown = [
            {"side": side, "sent": ts, "karat": told(first.get((side, ts))), "peer": told(second.get((side, ts)))}
            for side, ts in differ[: given.show]
        ]
        facts = {"job": name, "orders": len(keys), "differ": len(differ), "share": len(differ) / len(keys)}
        print(json.dumps(facts | {"first": shown}), flush=True)


if __name__ == "__main__":
    main()
