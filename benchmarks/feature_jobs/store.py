"""The store's newest values: 500 instruments with a20, put once and served one by one, from memory and from Redis.

Redis runs in a process of its own on loopback where this machine has `redis-server` and the extra `online`; else its
figures are left out. `store days` adds 60 days one by one to the a20 of ten instruments of 500, and reads the last
panel again; times are those of one instrument.
"""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from feature_jobs._bars import Bars
from karat.core import DataError
from karat.features import build
from karat.features.store import FeatureStore, MemoryOnline, Online, RedisOnline, Served, definition_of

CALLS = 5_000
INSTRUMENTS, FIRST, DAYS = 10, 500, 60


def facts(bars: Bars, repeat: int) -> Iterator[dict[str, Any]]:
    """Yield the facts of serving, and of days that are stored one by one."""
    yield _served(bars.shape[0])
    yield _days(bars)


def _served(n: int) -> dict[str, Any]:
    with _redis() as redis, tempfile.TemporaryDirectory() as folder:
        stores = {"memory": MemoryOnline(), **({"redis": redis} if redis else {})}
        figures = {name: _figures(FeatureStore(folder, online=online), n) for name, online in stores.items()}
    return {
        "job": "store serve",
        "karat_s": round(figures["memory"]["p50"] / 1e9, 9),
        "check_equal": all(each["equal"] for each in figures.values()),
        **{f"{name}_{key}_us": round(each[key] / 1e3, 2) for name, each in figures.items() for key in ("p50", "p99")},
    }


def _days(bars: Bars) -> dict[str, Any]:
    panels = [bars.panel(INSTRUMENTS, FIRST + day) for day in range(DAYS + 1)]
    with tempfile.TemporaryDirectory() as folder:
        store, taken = FeatureStore(folder), []
        store.features(panels[0], "a20")
        for panel in panels[1:]:
            started = time.perf_counter()
            store.features(panel, "a20")
            taken.append((time.perf_counter() - started) / INSTRUMENTS)
        started = time.perf_counter()
        found = store.features(panels[-1], "a20").frame
        read = (time.perf_counter() - started) / INSTRUMENTS
        size, hits = store.size, store.use.hits
    return {
        "job": "store days",
        "karat_s": round(float(np.median(taken)), 6),
        "check_equal": found.equals(build(panels[-1], "a20").frame) and hits == INSTRUMENTS,
        "last_ten_over_first_ten": round(float(np.median(taken[-10:]) / np.median(taken[:10])), 2),
        "read_s": round(read, 6),
        "kib_an_instrument": round(size / INSTRUMENTS / 1024, 1),
    }


def _figures(store: FeatureStore, n: int) -> dict[str, Any]:
    made, values = definition_of("a20"), np.random.default_rng(0).normal(size=(n, 20))
    names = [f"S{k:04d}.XNYS" for k in range(n)]
    for name, row in zip(names, values, strict=True):
        store.push(made, Served(name, 10, 12, row))
    taken = np.empty(CALLS)
    equal = True
    for k in range(CALLS):
        started = time.perf_counter_ns()
        found = store.serve(made, names[k % n], now_ns=20, max_age_ns=100)
        taken[k] = time.perf_counter_ns() - started
        equal &= bool((found.values == values[k % n]).all())
    return {"p50": float(np.quantile(taken, 0.5)), "p99": float(np.quantile(taken, 0.99)), "equal": equal}


@contextmanager
def _redis() -> Iterator[Online | None]:
    """Start a server for the block; None where there is none on this machine."""
    if shutil.which("redis-server") is None or importlib.util.find_spec("redis") is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tempfile.gettempdir())
    try:
        yield _connected(f"redis://127.0.0.1:{port}/0")
    finally:
        server.terminate()
        server.wait(10)


def _connected(url: str) -> RedisOnline:
    for _ in range(100):
        try:
            return RedisOnline(url)
        except DataError:
            time.sleep(0.05)
    return RedisOnline(url)
