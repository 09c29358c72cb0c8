"""A job, its sides, and medians of runs taken in turn; a peer is a process of its own that runs when it is told to."""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

PEER = Path(__file__).with_name("_peer.py")


@dataclass(frozen=True)
class Job:
    """One job: what karat and the limit do, and how their results are compared.

    check: of karat's result, the limit's and the peer's reported figures (None without a peer). peer: the job's name in
    the peers' script with the arrays it gets. more: further figures, taken after the timed runs.
    """

    name: str
    karat: Callable[[], Any]
    limit: Callable[[], Any]
    check: Callable[[Any, Any, dict[str, float] | None], bool]
    peer: tuple[str, dict[str, np.ndarray]] | None = None
    more: Callable[[], dict[str, Any]] = field(default=dict)


class Peer:
    """Another tool's process: `with Peer(...) as peer`, then `peer.run()` for one timed run."""

    def __init__(self, python: str, job: str, arrays: dict[str, np.ndarray]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        for name, values in arrays.items():
            np.save(Path(self.folder.name) / f"{name}.npy", values)
        command = [python, str(PEER), job, self.folder.name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.name = self._answer()["name"]

    def run(self) -> dict[str, float]:
        """Return the seconds and figures of one run."""
        assert self.process.stdin
        self.process.stdin.write("run\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        for text in self.process.stdout:
            if text.startswith("{"):
                return dict(json.loads(text))
        raise SystemExit(f"the peer stopped with exit code {self.process.wait()}: {' '.join(self.process.args)}")

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.folder.cleanup()


def seconds(run: Callable[[], Any]) -> float:
    """Return the wall time of a run right after one like it: memory and caches are as a second run finds them."""
    run()
    gc.collect()
    started = time.perf_counter()
    result = run()
    taken = time.perf_counter() - started
    del result
    return taken


def measure(job: Job, repeat: int, peers: str | None) -> dict[str, Any]:
    """Return the facts of a job: medians of runs taken in turn after one to warm up, and whether results agree."""
    if job.peer is None or peers is None:
        return _measured(job, repeat, None)
    with Peer(peers, *job.peer) as peer:
        return _measured(job, repeat, peer)


def _measured(job: Job, repeat: int, peer: Peer | None) -> dict[str, Any]:
    ours, theirs = job.karat(), job.limit()
    figures = peer.run() if peer else None
    equal = job.check(ours, theirs, figures)
    del ours, theirs
    times: dict[str, list[float]] = {"karat": [], "limit": [], "peer": []}
    for _ in range(repeat):
        times["karat"].append(seconds(job.karat))
        times["limit"].append(seconds(job.limit))
        if peer:
            times["peer"].append(peer.run()["seconds"])
    median = {side: statistics.median(taken) for side, taken in times.items() if taken}
    facts: dict[str, Any] = {
        "job": job.name,
        "karat_s": round(median["karat"], 6),
        "limit_s": round(median["limit"], 6),
        "peer": peer.name if peer else None,
        "peer_s": round(median["peer"], 6) if peer else None,
        "check_equal": equal,
        "load": round(os.getloadavg()[0], 2),
        "karat_over_limit": round(median["karat"] / median["limit"], 2),
    }
    if peer and figures:
        facts["peer_over_karat"] = round(median["peer"] / median["karat"], 2)
        facts["peer_figures"] = {name: value for name, value in figures.items() if name != "seconds"}
    return facts | job.more()


def line(facts: dict[str, Any]) -> str:
    """Return the facts as one line of text."""
    return "  ".join(f"{key} {value}" for key, value in facts.items() if value is not None)
