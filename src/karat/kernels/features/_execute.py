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


@exported("none(int64[::1], f8[::1], int64, f8[:, ::1], f8[::1])")
def merge_rows(code: Ints, c: Floats, m: int, slots: Floats, out: Floats) -> None:
    """Write a merge of two blocks of every row; the older block ends `m` rows earlier."""
    n = out.shape[0]
    op = code[ops.OP]
    a, b = slots[code[2], m:n], slots[code[3], : n - m]
    v, u = slots[code[4], m:n], slots[code[5], : n - m]
    done = out[m:n]
    if op == ops.MERGE_M2 or op == ops.MERGE_TIME:
        for i in range(n - m):
            if op == ops.MERGE_M2:
                done[i] = elements.merge_m2(a[i], b[i], v[i], u[i], c[0])
            else:
                done[i] = a[i] + b[i] + (v[i] - u[i]) * c[0]
        return
    x, y = slots[code[6], m:n], slots[code[7], : n - m]
    if op == ops.MERGE_COV:
        for i in range(n - m):
            done[i] = elements.merge_cov(a[i], b[i], v[i], u[i], x[i], y[i], c[0])
    elif op == ops.MERGE_M3:
        for i in range(n - m):
            done[i] = elements.merge_m3(a[i], b[i], v[i], u[i], x[i], y[i], c[0], c[1], c[2])
    else:
        s, t = slots[code[8], m:n], slots[code[9], : n - m]
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
    elif op == ops.RESCALED:
        windows.rescaled(x, w, out)
    elif op == ops.DETREND:
        windows.detrend(x, w, out)
    else:
        windows.count_below(x, y, w, out)


@exported("none(int64[:, ::1], f8[:, ::1], f8[::1], f8[:, ::1], f8[::1], f8[::1])")
def evaluate(program: Ints, constants: Floats, weights: Floats, slots: Floats, state: Floats, room: Floats) -> None:
    """Run a program over all rows: slots (s, n), whose first rows hold the columns, are written in its order."""
    n = slots.shape[1]
    for j in range(program.shape[0]):
        code, c = program[j], constants[j]
        op, w = code[ops.OP], code[ops.WINDOW]
        out, a = slots[code[ops.OUT]], slots[code[2]]
        if op < ops.BINARY:
            elements.unary_rows(op, a, w, c[0], c[1], out)
        elif op < ops.ELEMENTS:
            m = min(code[ops.LAG], n)
            out[:m] = NAN
            if op < ops.MERGES:
                b = slots[code[3]]
                elements.binary_rows(op, a[m:], b[: n - m], slots[code[4]], c[0], out[m:])
            else:
                merge_rows(code, c, m, slots, out)
        elif op < ops.WINDOWED:
            window_rows(code, c, a, slots[code[3]], weights, room, out)
        else:
            s = state[code[ops.PLACE] : code[ops.PLACE] + int(c[2])]
            steps.scan(op, a, slots[code[3]], slots[code[4]], slots[code[5]], w, c[0], c[1], s, out)


@exported("none(f8[:, ::1], int64[::1], f8[:, ::1], int64)")
def deliver(slots: Floats, taken: Ints, out: Floats, begin: int) -> None:
    """Copy slots to the rows of `out` from column `begin` on, NaN for what is not finite."""
    n = slots.shape[1]
    for j in range(taken.shape[0]):
        x, done = slots[taken[j]], out[j, begin : begin + n]
        for i in range(n):
            done[i] = x[i] - x[i] + x[i]


@compiled("f8(f8[::1], int64[:, ::1], int64, int64)")
def held(state: Floats, rings: Ints, node: int, row: int) -> float:
    """Return a node's value of a row, NaN before the first."""
    return float(state[rings[node, 0] + (row & rings[node, 1])]) if row >= 0 else NAN


@compiled("f8(int64[::1], f8[::1], int64[:, ::1], f8[::1], int64)")
def element(code: Ints, c: Floats, rings: Ints, state: Floats, t: int) -> float:
    """Return an element-wise operation of row t."""
    op, then = code[ops.OP], t - code[ops.LAG]
    a = held(state, rings, code[2], t)
    if op < ops.BINARY:
        return float(elements.unary(op, a, code[ops.WINDOW], c[0], c[1]))
    b = held(state, rings, code[3], then)
    if op < ops.MERGES:
        return float(elements.binary(op, a, b, held(state, rings, code[4], t), c[0]))
    v, u = held(state, rings, code[4], t), held(state, rings, code[5], then)
    if op == ops.MERGE_M2:
        return float(elements.merge_m2(a, b, v, u, c[0]))
    if op == ops.MERGE_TIME:
        return a + b + (v - u) * float(c[0])
    x, y = held(state, rings, code[6], t), held(state, rings, code[7], then)
    if op == ops.MERGE_COV:
        return float(elements.merge_cov(a, b, v, u, x, y, c[0]))
    if op == ops.MERGE_M3:
        return float(elements.merge_m3(a, b, v, u, x, y, c[0], c[1], c[2]))
    r, s = held(state, rings, code[8], t), held(state, rings, code[9], then)
    return float(elements.merge_m4(a, b, v, u, x, y, r, s, c[0], c[1], c[2]))


@exported("f8(int64[::1], f8[::1], int64[:, ::1], f8[::1], f8[::1], int64, f8[:, ::1])")
def windowed(code: Ints, c: Floats, rings: Ints, weights: Floats, state: Floats, t: int, room: Floats) -> float:
    """Return a windowed operation of row t: the batch function on the rows of its window, out of the ring."""
    w = code[ops.WINDOW]
    if t + 1 < w:
        return NAN
    x, y, out = room[0, :w], room[1, :w], room[2, :w]
    for j in range(w):
        x[j] = held(state, rings, code[2], t - w + 1 + j)
        y[j] = NAN
    y[w - 1] = held(state, rings, code[3], t)
    window_rows(code, c, x, y, weights, room[3], out)
    return float(out[w - 1])


_PLAN = "int64[:, ::1], f8[:, ::1], int64[:, ::1], f8[::1], int64[:, ::1], int64[::1]"


@exported(f"none({_PLAN}, f8[::1], f8[::1], f8[:, ::1], f8[::1])")
def advance(
    program: Ints, constants: Floats, rings: Ints, weights: Floats, groups: Ints, taken: Ints,
    bar: Floats, state: Floats, room: Floats, out: Floats,
) -> None:  # fmt: skip
    """Take the next bar: `state` goes one row further, `out` gets the features.

    groups: (g, columns) 1 where a group of features reads a column; a group passes over a bar in which one of its
    columns is not finite. state: the rows each group has seen, then rings and recursions. taken: (p,) node of each
    feature; its group is that of its node's ring.
    """
    for g in range(groups.shape[0]):
        whole = 1.0
        for k in range(groups.shape[1]):
            if groups[g, k] != 0 and not math.isfinite(bar[k]):
                whole = 0.0
        room[4, g] = whole
    for j in range(program.shape[0]):
        code, c = program[j], constants[j]
        g = code[ops.GROUP]
        if state[g] < 0.0 or room[4, g] == 0.0:
            continue
        op, t, node = code[ops.OP], int(state[g]), code[ops.OUT]
        if op == ops.INPUT:
            value = bar[code[ops.WINDOW]]
        elif op < ops.ELEMENTS:
            value = element(code, c, rings, state, t)
        elif op < ops.WINDOWED:
            value = windowed(code, c, rings, weights, state, t, room[:4])
        else:
            s = state[code[ops.PLACE] : code[ops.PLACE] + int(c[2])]
            value = steps.step(
                op, held(state, rings, code[2], t), held(state, rings, code[3], t), held(state, rings, code[4], t),
                held(state, rings, code[5], t), code[ops.WINDOW], c[0], c[1], s,
            )  # fmt: skip
        state[rings[node, 0] + (t & rings[node, 1])] = value
    for j in range(taken.shape[0]):
        g, node = rings[taken[j], 2], taken[j]
        out[j] = finite(held(state, rings, node, int(state[g]))) if room[4, g] != 0.0 else NAN
    for g in range(groups.shape[0]):
        state[g] += room[4, g]
