"""The engine: features of many instruments over their whole history, instruments in parallel.

Invariants:
1. Features whose inputs are finite in the same rows are computed by one program over those rows: rows in which an input
   is not finite are passed over.
2. The result does not depend on the number of threads: an instrument is computed by one of them, alone.
3. Threads hold the interpreter only to copy columns and to call TA-Lib.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from karat.features._graph import Node
from karat.features._plan import BatchPlan, plan_batch
from karat.features._spec import Floats
from karat.kernels import each
from karat.kernels.features import deliver, evaluate

Rows = tuple[int, int]
Calls = dict[tuple[str, tuple[int, ...], tuple[Node, ...]], Sequence[Floats]]


@lru_cache(maxsize=256)
def planned(roots: tuple[Node, ...], columns: tuple[str, ...]) -> BatchPlan:
    """Return the plan of the roots, made once."""
    return plan_batch(roots, columns)


class Worker:
    """Memory to work in, for one thread; it grows to the longest instrument and is used again."""

    def __init__(self) -> None:
        self._slots, self._room, self._state = np.empty(0), np.empty(0), np.empty(0)

    def run(self, plan: BatchPlan, columns: Sequence[Floats], out: Floats, begin: int) -> None:
        """Compute a plan over columns (n,) and write its roots to out[:, begin:]."""
        n, program = len(columns[0]), plan.program
        if self._slots.size < plan.n_slots * n:
            self._slots = np.empty(plan.n_slots * n)
        if self._room.size < program.window:
            self._room = np.empty(program.window)
        if self._state.size < program.n_state:
            self._state = np.empty(program.n_state)
        slots = self._slots[: plan.n_slots * n].reshape(plan.n_slots, n)
        for k, values in enumerate(columns):
            slots[k] = values
        made: Calls = {}
        for k, node in enumerate(plan.library, start=len(columns)):
            slots[k] = _by_talib(node, dict(zip(plan.columns, slots, strict=False)), made)
        evaluate(program.code, program.constants, program.weights, slots, self._state, self._room)
        deliver(slots, plan.taken, out, begin)


def compute_nodes(
    columns: Mapping[str, Floats], blocks: Sequence[Rows], roots: Sequence[Node], inputs: Sequence[tuple[str, ...]],
    out: Floats, *, threads: int | None = None,
) -> None:  # fmt: skip
    """Write the values of expressions to `out` (p, n), NaN where there is none.

    columns: name to (n,) float64. blocks: row range of each instrument. inputs: the columns of each root: a row in
    which one of them is not finite is passed over. threads: as many as there are processors unless given.
    """
    own = threading.local()

    def work(rows: Rows) -> None:
        begin, end = rows
        if not hasattr(own, "worker"):
            own.worker = Worker()
        part = {name: values[begin:end] for name, values in columns.items()}
        _instrument(own.worker, part, roots, inputs, out, begin)

    each(work, blocks, max(1, min(threads or _processors(), len(blocks))))


def _instrument(
    worker: Worker, columns: Mapping[str, Floats], roots: Sequence[Node], inputs: Sequence[tuple[str, ...]],
    out: Floats, begin: int,
) -> None:  # fmt: skip
    """Compute one instrument: a program for each set of rows that features can use."""
    finite = {name: np.isfinite(values) for name, values in columns.items()}
    broken = {name for name, good in finite.items() if not good.all()}
    groups: dict[tuple[str, ...], list[int]] = {}
    for k, names in enumerate(inputs):
        groups.setdefault(tuple(name for name in names if name in broken), []).append(k)
    for holes, members in groups.items():
        names = tuple(dict.fromkeys(name for k in members for name in inputs[k]))
        plan = planned(tuple(roots[k] for k in members), names)
        if not holes and len(members) == len(roots):
            worker.run(plan, [columns[name] for name in names], out, begin)
            continue
        good: NDArray[np.bool_] = np.ones(len(columns[names[0]]), dtype=bool)
        for name in holes:
            good &= finite[name]
        n = int(good.sum())
        part = np.empty((len(members), n))
        if n:
            worker.run(plan, [columns[name][good] for name in names], part, 0)
        for row, k in enumerate(members):
            values = out[k, begin : begin + len(good)]
            values[:] = np.nan
            values[good] = part[row]


def _by_talib(node: Node, columns: Mapping[str, Floats], made: Calls) -> Floats:
    """Return an output of a function of TA-Lib, which is called once for all its outputs."""
    import talib

    assert node.library is not None
    call = (node.library.function, node.library.options, node.inputs)
    if call not in made:
        given = [columns[each.name] for each in node.inputs]
        found = getattr(talib, call[0])(*given, *call[1]) if len(given[0]) else np.empty(0)
        made[call] = found if isinstance(found, tuple) else (found,)
    return made[call][node.library.output if len(made[call]) > 1 else 0]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
