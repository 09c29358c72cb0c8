"""The two executors of a program: over all rows of an instrument, and for its next bar.

Invariants:
1. Both use the same operations: an element-wise one on numbers, a windowed one on the rows of its window, a recursion
   step by step. What they write for a row is the same to the bit.
2. Neither takes memory; the online state is one stretch of floats without addresses, so a copy of it is a snapshot.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import floats_at
from karat.kernels.features import _elements as elements
from karat.kernels.features import _ops as ops
from karat.kernels.features import _steps as steps
from karat.kernels.features import _windows as windows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NAN = math.nan


@compiled("f8(f8)")
def finite(value: float) -> float:
    """Return the value, NaN where it is not finite."""
    return value if math.isfinite(value) else NAN


@exported("int64(int64[::1], int64[::1])")
def broken(places: Ints, rows: Ints) -> int:
    """Return how many values are not finite, of columns of rows[0] floats at the addresses in `places`."""
    count = 0
    for k in range(places.shape[0]):
        x = floats_at(places[k], rows[0])
        for i in range(x.shape[0]):
            count += 0 if abs(x[i]) < math.inf else 1
    return count


@compiled("int64(f8[::1])")
def infinite(x: Floats) -> int:
    """Return how many values are infinite; NaN is not."""
    count = 0
    for i in range(x.shape[0]):
        count += 1 if abs(x[i]) == math.inf else 0
    return count


@exported("none(int64[::1], f8[::1], int64, int64[::1], f8[::1])")
def merge_rows(code: Ints, c: Floats, m: int, places: Ints, out: Floats) -> None:
    """Write a merge of two blocks of every row; the older block ends `m` rows earlier."""
    n = out.shape[0]
    op = code[ops.OP]
    a, b = floats_at(places[code[2]], n)[m:], floats_at(places[code[3]], n)[: n - m]
    v, u = floats_at(places[code[4]], n)[m:], floats_at(places[code[5]], n)[: n - m]
    done = out[m:n]
    if op == ops.MERGE_M2 or op == ops.MERGE_TIME:
        for i in range(n - m):
            if op == ops.MERGE_M2:
                done[i] = elements.merge_m2(a[i], b[i], v[i], u[i], c[0])
            else:
                done[i] = a[i] + b[i] + (v[i] - u[i]) * c[0]
        return
    x, y = floats_at(places[code[6]], n)[m:], floats_at(places[code[7]], n)[: n - m]
    if op == ops.MERGE_COV:
        for i in range(n - m):
            done[i] = elements.merge_cov(a[i], b[i], v[i], u[i], x[i], y[i], c[0])
    elif op == ops.MERGE_M3:
        for i in range(n - m):
            done[i] = elements.merge_m3(a[i], b[i], v[i], u[i], x[i], y[i], c[0], c[1], c[2])
    else:
        s, t = floats_at(places[code[8]], n)[m:], floats_at(places[code[9]], n)[: n - m]
        for i in range(n - m):
            done[i] = elements.merge_m4(a[i], b[i], v[i], u[i], x[i], y[i], s[i], t[i], c[0], c[1], c[2])


@compiled("none(int64[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1], f8[::1])")
def window_rows(code: Ints, c: Floats, x: Floats, y: Floats, weights: Floats, room: Floats, out: Floats) -> None:
    """Write a windowed operation of every row."""
    op, w = code[ops.OP], code[ops.WINDOW]
    if op == ops.DOT:
        windows.dot(x, weights[code[ops.PLACE] : code[ops.PLACE] + w], w, out)
    elif op == ops.RANK:
        windows.rank(x, w, out)
    elif op == ops.QUANTILE:
        windows.quantile(x, w, c[0], room, out)
    elif op == ops.SPREAD:
        windows.spread(x, y, w, out)
    elif op == ops.SINCE:
        windows.since(x, y, w, out)
    elif op == ops.SINCE_FIRST:
        windows.since_first(x, y, w, out)
    elif op == ops.RESCALED:
        windows.rescaled(x, w, out)
    else:
        windows.detrend(x, w, out)


@compiled("none(int64[::1], int64[::1], int64)")
def deliver(places: Ints, taken: Ints, n: int) -> None:
    """Bring slots to where they are wanted, NaN for what is not finite; a slot may lie there already."""
    first = places.shape[0] - taken.shape[0]
    for j in range(taken.shape[0]):
        at, to = places[taken[j]], places[first + j]
        x, done = floats_at(at, n), floats_at(to, n)
        if at != to or infinite(x) > 0:
            for i in range(n):
                done[i] = x[i] if math.isfinite(x[i]) else NAN


@exported("none(int64[:, ::1], f8[:, ::1], f8[::1], int64[::1], int64[::1], int64[::1], f8[::1], f8[::1])")
def evaluate(
    program: Ints, constants: Floats, weights: Floats, taken: Ints, places: Ints, rows: Ints,
    state: Floats, room: Floats,
) -> None:  # fmt: skip
    """Run a program over all rows, instruction by instruction, and hand out what was asked for.

    taken: (p,) the slot of each root. places: the address of the floats of each slot, those of the columns with their
    values, then (p,) the address for each root, which may be its slot's own. rows: (1,) their number n.
    """
    n = rows[0]
    for j in range(program.shape[0]):
        code, c = program[j], constants[j]
        op, w = code[ops.OP], code[ops.WINDOW]
        out, a = floats_at(places[code[ops.OUT]], n), floats_at(places[code[2]], n)
        if op < ops.BINARY:
            elements.unary_rows(op, a, w, c[0], c[1], out)
        elif op < ops.ELEMENTS:
            m = min(code[ops.LAG], n)
            out[:m] = NAN
            if op < ops.MERGES:
                b = floats_at(places[code[3]], n)
                elements.binary_rows(op, a[m:], b[: n - m], floats_at(places[code[4]], n), c[0], out[m:])
            else:
                merge_rows(code, c, m, places, out)
        elif op < ops.WINDOWED:
            window_rows(code, c, a, floats_at(places[code[3]], n), weights, room, out)
        else:
            s = state[code[ops.PLACE] : code[ops.PLACE] + int(c[2])]
            b, d, e = floats_at(places[code[3]], n), floats_at(places[code[4]], n), floats_at(places[code[5]], n)
            steps.scan(op, a, b, d, e, w, c[0], c[1], s, out)
    deliver(places, taken, n)


@compiled("f8(f8[::1], int64, int64)")
def held(state: Floats, ring: int, row: int) -> float:
    """Return what a ring holds of a row: low half of `ring` its place in the state, high half its mask."""
    return float(state[(ring & ops.RING) + (row & (ring >> ops.RING_BITS))])


@compiled("f8(int64[::1], f8[::1], f8[::1], int64)")
def merged(code: Ints, c: Floats, state: Floats, t: int) -> float:
    """Return a merge of two blocks of row t, of more than means and squares."""
    op, then = code[ops.OP], t - code[ops.LAG]
    a, b, v, u = (
        held(state, code[2], t),
        held(state, code[3], then),
        held(state, code[4], t),
        held(state, code[5], then),
    )
    x, y = held(state, code[6], t), held(state, code[7], then)
    if op == ops.MERGE_COV:
        return float(elements.merge_cov(a, b, v, u, x, y, c[0]))
    if op == ops.MERGE_M3:
        return float(elements.merge_m3(a, b, v, u, x, y, c[0], c[1], c[2]))
    r, s = held(state, code[8], t), held(state, code[9], then)
    return float(elements.merge_m4(a, b, v, u, x, y, r, s, c[0], c[1], c[2]))


@exported("f8(int64[::1], f8[::1], f8[::1], f8[::1], int64, f8[:, ::1])")
def windowed(code: Ints, c: Floats, weights: Floats, state: Floats, t: int, room: Floats) -> float:
    """Return a windowed operation of row t: the batch function on the rows of its window, out of the ring."""
    w = code[ops.WINDOW]
    if t + 1 < w:
        return NAN
    x, y, out = room[0, :w], room[1, :w], room[2, :w]
    for j in range(w):
        x[j] = held(state, code[2], t - w + 1 + j)
        y[j] = NAN
    y[w - 1] = held(state, code[3], t)
    window_rows(code, c, x, y, weights, room[3], out)
    return float(out[w - 1])


_PLAN = "int64[:, ::1], f8[:, ::1], f8[::1], int64[:, ::1], int64[:, ::1], int64[:, ::1]"


@exported(f"none({_PLAN}, f8[::1], f8[::1], f8[:, ::1], f8[::1])")
def advance(
    program: Ints, constants: Floats, weights: Floats, groups: Ints, ends: Ints, taken: Ints,
    bar: Floats, state: Floats, room: Floats, out: Floats,
) -> None:  # fmt: skip
    """Take the next bar: `state` goes one row further, `out` gets the features.

    program: instructions whose operands and results are rings (see `held`). groups: (g, columns) 1 where a group of
    features reads a column; a group passes over a bar in which one of its columns is not finite. ends: (g, 2) where the
    instructions and the features of a group end. taken: (p, 2) each feature's ring and place in `out`. state: the rows
    that each group has seen, then rings, NaN before their first row, and recursions.
    """
    j, k = 0, 0
    for g in range(groups.shape[0]):
        whole = True
        for i in range(groups.shape[1]):
            if groups[g, i] != 0 and not math.isfinite(bar[i]):
                whole = False
        if not whole:
            j = ends[g, 0]
            while k < ends[g, 1]:
                out[taken[k, 1]] = NAN
                k += 1
            continue
        t = int(state[g])
        while j < ends[g, 0]:
            op, then = program[j, ops.OP], t - program[j, ops.LAG]
            p = constants[j, 0]
            a = held(state, program[j, 2], t)
            if op < ops.BINARY:
                value = elements.unary(op, a, program[j, ops.WINDOW], p, constants[j, 1])
            elif op < ops.MERGES:
                value = elements.binary(op, a, held(state, program[j, 3], then), held(state, program[j, 4], t), p)
            elif op == ops.MERGE_M2 or op == ops.MERGE_TIME:
                b, v, u = (
                    held(state, program[j, 3], then),
                    held(state, program[j, 4], t),
                    held(state, program[j, 5], then),
                )
                value = elements.merge_m2(a, b, v, u, p) if op == ops.MERGE_M2 else a + b + (v - u) * p
            elif op < ops.ELEMENTS:
                value = merged(program[j], constants[j], state, t)
            elif op == ops.INPUT:
                value = bar[program[j, ops.WINDOW]]
            elif op < ops.WINDOWED:
                value = windowed(program[j], constants[j], weights, state, t, room)
            else:
                at = program[j, ops.PLACE]
                value = steps.step(
                    op, a, held(state, program[j, 3], t), held(state, program[j, 4], t), held(state, program[j, 5], t),
                    program[j, ops.WINDOW], p, constants[j, 1], state[at : at + int(constants[j, 2])],
                )  # fmt: skip
            state[(program[j, ops.OUT] & ops.RING) + (t & (program[j, ops.OUT] >> ops.RING_BITS))] = value
            j += 1
        while k < ends[g, 1]:
            out[taken[k, 1]] = finite(held(state, taken[k, 0], t))
            k += 1
        state[g] += 1.0
