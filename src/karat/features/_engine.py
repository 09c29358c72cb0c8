"""The engine: features of many instruments over their whole history, instruments in parallel.

Invariants:
1. Features whose inputs are finite in the same rows are computed by one program over those rows: rows in which an input
   is not finite are passed over.
2. The result does not depend on the number of threads: an instrument is computed by one of them, alone.
3. Threads hold the interpreter only to call TA-Lib and to write down where values lie; nothing is copied that an
   expression itself computes.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from inspect import unwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from karat.features._graph import Node
from karat.features._plan import BatchPlan, plan_batch
from karat.features._spec import Floats
from karat.kernels import address_of, bound, each
from karat.kernels.features import broken, evaluate

_KEPT = threading.local()
Rows = tuple[int, int]
_LibraryCall = tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...], list[tuple[int, int]]]
"""A function, the places of its columns, its options, and for each slot that it fills which of its outputs."""


@lru_cache(maxsize=256)
def planned(roots: tuple[Node, ...], columns: tuple[str, ...]) -> BatchPlan:
    """Return the plan of the roots, made once."""
    return plan_batch(roots, columns)


class Worker:
    """What one thread works with: memory that grows to the longest instrument, and the plans it has run."""

    def __init__(self) -> None:
        self.spare = np.empty(0)
        self._bound: dict[BatchPlan, Bound] = {}

    def given(self, plan: BatchPlan, columns: Sequence[Floats]) -> Bound:
        """Return the plan with columns to compute it over, contiguous (n,) with n > 0, until the next are given."""
        if plan not in self._bound:
            self._bound[plan] = Bound(plan, self)
        self._bound[plan].take(columns)
        return self._bound[plan]


class Bound:
    """A plan, and the words that its compiled calls read: where the values of each slot lie, and how many."""

    def __init__(self, plan: BatchPlan, worker: Worker) -> None:
        program, sizes = (
            plan.program,
            [len(plan.columns), len(plan.library), len(plan.own), plan.n_spare, len(plan.taken)],
        )
        self._worker, self._calls, self._own = worker, _library_calls(plan), plan.own
        self._lines, self._between = np.arange(len(plan.taken)), np.arange(plan.n_spare)
        self._places, self._rows = np.zeros(sum(sizes), np.int64), np.zeros(1, np.int64)
        ends = np.cumsum([0, *sizes])
        self._given, _, self._own_places, self._spare, self._wanted = (
            self._places[begin:end] for begin, end in itertools.pairwise(ends)
        )
        words = (program.code, program.constants, program.weights, plan.taken, self._places, self._rows)
        self._evaluate = bound(evaluate, *words, np.empty(program.n_state), np.empty(program.window))
        self._broken = bound(broken, self._given, self._rows)

    def take(self, columns: Sequence[Floats]) -> None:
        """Take the columns of an instrument, float64."""
        self._columns, self._given[:], self._rows[0] = columns, [address_of(each) for each in columns], len(columns[0])

    def whole(self) -> bool:
        """Return whether every value of the columns is finite."""
        return bool(self._broken() == 0)

    def run(self, out: Floats, begin: int) -> None:
        """Compute the plan and write its roots to out[:, begin : begin + n], C order."""
        n, size, places = len(self._columns[0]), out.itemsize, self._places
        if self._worker.spare.size < len(self._between) * n:
            self._worker.spare = np.empty(len(self._between) * n)
        made = []
        for function, given, options, outputs in self._calls:
            values = function(*[self._columns[k] for k in given], *options)
            for slot, output in outputs:
                made.append(values[output] if isinstance(values, tuple) else values)
                places[slot] = address_of(made[-1])
        np.add(self._lines * out.strides[0], address_of(out) + size * begin, out=self._wanted)
        np.take(self._wanted, self._own, out=self._own_places)
        np.add(self._between * (size * n), address_of(self._worker.spare), out=self._spare)
        self._evaluate()


def compute_nodes(
    columns: Mapping[str, Floats], blocks: Sequence[Rows], roots: Sequence[Node], inputs: Sequence[tuple[str, ...]],
    out: Floats, *, threads: int | None = None,
) -> None:  # fmt: skip
    """Write the values of expressions to `out` (p, n), NaN where there is none.

    columns: name to (n,) float64. blocks: row range of each instrument. inputs: the columns of each root: a row in
    which one of them is not finite is passed over. threads: as many as there are processors unless given.
    """
    assert out.dtype == np.float64  # its rows are written by address
    assert out.flags.c_contiguous
    own, columns = threading.local(), {name: _contiguous(values) for name, values in columns.items()}
    names = tuple(dict.fromkeys(name for each in inputs for name in each))
    plan = planned(tuple(roots), names)

    def work(rows: Rows) -> None:
        begin, end = rows
        if not hasattr(own, "worker"):
            own.worker = Worker()
        part = [columns[name][begin:end] for name in names]
        held = own.worker.given(plan, part)
        if held.whole():
            held.run(out, begin)
        else:
            _with_holes(own.worker, dict(zip(names, part, strict=True)), roots, inputs, out[:, begin:end])

    each(work, blocks, max(1, min(threads or _processors(), len(blocks))))


def compute_rows(roots: tuple[Node, ...], names: tuple[str, ...], columns: Mapping[str, Floats]) -> Floats:
    """Return (p, n) values of expressions over the rows of one instrument.

    names: what the expressions read of the columns, (n,) each and finite. What a thread works with is kept: the next
    bar's row takes less time than to set up anew.
    """
    if not hasattr(_KEPT, "worker"):
        _KEPT.worker = Worker()
    worker: Worker = _KEPT.worker
    given = [_contiguous(columns[name]) for name in names]
    out = np.empty((len(roots), len(given[0])))
    if out.size:
        worker.given(planned(roots, names), given).run(out, 0)
    return out


def _with_holes(
    worker: Worker, columns: Mapping[str, Floats], roots: Sequence[Node], inputs: Sequence[tuple[str, ...]], out: Floats
) -> None:
    """Compute one instrument some of whose values are not finite: a program for each set of rows that features use."""
    finite = {name: np.isfinite(values) for name, values in columns.items()}
    broken = {name for name, good in finite.items() if not good.all()}
    groups: dict[tuple[str, ...], list[int]] = {}
    for k, names in enumerate(inputs):
        groups.setdefault(tuple(name for name in names if name in broken), []).append(k)
    for holes, members in groups.items():
        names = tuple(dict.fromkeys(name for k in members for name in inputs[k]))
        good: NDArray[np.bool_] = np.ones(out.shape[1], dtype=bool)
        for name in holes:
            good &= finite[name]
        n = int(good.sum())
        part = np.empty((len(members), n))
        if n:
            plan = planned(tuple(roots[k] for k in members), names)
            worker.given(plan, [columns[name][good] for name in names]).run(part, 0)
        for row, k in enumerate(members):
            out[k] = np.nan
            out[k, good] = part[row]


def _contiguous(values: Floats) -> Floats:
    """Return values as compiled code reads them by address: float64, without gaps."""
    return np.ascontiguousarray(values, dtype=np.float64)


def _library_calls(plan: BatchPlan) -> list[_LibraryCall]:
    """Return the calls of TA-Lib that a plan wants, one for all outputs of a function."""
    import talib

    outputs: dict[tuple[str, tuple[int, ...], tuple[int, ...]], list[tuple[int, int]]] = {}
    for slot, node in enumerate(plan.library, start=len(plan.columns)):
        assert node.library is not None
        name, options, output = node.library
        given = tuple(plan.columns.index(each.name) for each in node.inputs)
        outputs.setdefault((name, given, options), []).append((slot, output))
    # without TA-Lib's wrapper, which looks for pandas and polars among the arguments: three quarters of a call's cost
    return [(unwrap(getattr(talib, name)), given, options, slots) for (name, given, options), slots in outputs.items()]


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
