"""What the benchmarks with jobs share: their arguments, and a line for every fact that a job gives."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from market_jobs._measure import line


@dataclass(frozen=True)
class Asked:
    """The arguments of a benchmark.

    jobs: in the order they were asked for. repeat: timed turns. peers: the Python of the peers' environment, None where
    they are not asked for. folder: of the Parquet inputs (PERF_DATA), None to make them.
    """

    jobs: tuple[str, ...]
    repeat: int
    quick: bool
    json: bool
    peers: str | None
    folder: str | None

    @classmethod
    def parse(cls, doc: str, jobs: Collection[str], *, repeat: int = 9) -> Asked:
        """Return the arguments of this process; `doc` is the script's docstring, `repeat` its own number of turns."""
        parser = argparse.ArgumentParser(description=doc.splitlines()[0])
        parser.add_argument("--json", action="store_true", help="JSON lines instead of text")
        parser.add_argument("--peers", action="store_true", help="time the other tools too (KARAT_PEERS: their Python)")
        parser.add_argument("--quick", action="store_true", help="small inputs, two turns: does it work, not how fast")
        parser.add_argument("--jobs", nargs="+", choices=sorted(jobs), default=list(jobs))
        parser.add_argument("--repeat", type=int, default=repeat)
        given = parser.parse_args()
        peers = os.environ.get("KARAT_PEERS")
        if given.peers and not peers:
            parser.error("--peers: KARAT_PEERS must name the Python of the peers' own environment")
        turns = 2 if given.quick else given.repeat
        named = peers if given.peers else None
        return cls(tuple(given.jobs), turns, given.quick, given.json, named, os.environ.get("PERF_DATA"))

    def show(self, facts: Callable[[str], Iterable[dict[str, Any]]]) -> None:
        """Print a line for each fact of each job, as soon as it is there."""
        for job in self.jobs:
            for each in facts(job):
                print(json.dumps(each) if self.json else line(each), flush=True)
