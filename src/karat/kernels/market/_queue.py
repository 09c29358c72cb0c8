"""What is scheduled at the venue: a binary heap of (time, sequence, action, subject), smallest first.

Invariants:
1. Entries of one time leave in the order in which they came.
2. A full heap refuses: nothing is dropped.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, store
from karat.kernels.market._layout import (
    FAR,
    H_AT_QUEUE,
    H_QUEUE,
    H_QUEUE_LENGTH,
    H_SEQUENCE,
    Q_ACTION,
    Q_LOTS,
    Q_SEQUENCE,
    Q_STATE,
    Q_SUBJECT,
    Q_TS,
    QUEUED,
)
from karat.kernels.market._orders import words


@compiled(words(1))
def next_ts(s: int) -> int:
    """Return the time of the first entry, or FAR."""
    return load(s, load(s, H_AT_QUEUE) + Q_TS) if load(s, H_QUEUE_LENGTH) > 0 else FAR


@exported(words(6))
def push(s: int, ts: int, action: int, subject: int, state: int, lots: int) -> int:
    """Schedule an action on a subject with two more facts; return 1, or 0 where the heap is full."""
    k = load(s, H_QUEUE_LENGTH)
    if k >= load(s, H_QUEUE):
        return 0
    heap = s + 8 * load(s, H_AT_QUEUE)
    sequence = load(s, H_SEQUENCE)
    store(s, H_SEQUENCE, sequence + 1)
    store(s, H_QUEUE_LENGTH, k + 1)
    while k > 0:  # the newest has the largest sequence: it rises only past later times
        parent = (k - 1) >> 1
        if load(heap, parent * QUEUED + Q_TS) <= ts:
            break
        for w in range(QUEUED):
            store(heap, k * QUEUED + w, load(heap, parent * QUEUED + w))
        k = parent
    at = heap + 8 * k * QUEUED
    store(at, Q_TS, ts)
    store(at, Q_SEQUENCE, sequence)
    store(at, Q_ACTION, action)
    store(at, Q_SUBJECT, subject)
    store(at, Q_STATE, state)
    store(at, Q_LOTS, lots)
    return 1


@compiled(words(3))
def _before(heap: int, a: int, b: int) -> int:
    """Return 1 where entry a leaves before entry b."""
    left, right = load(heap, a * QUEUED + Q_TS), load(heap, b * QUEUED + Q_TS)
    if left != right:
        return 1 if left < right else 0
    return 1 if load(heap, a * QUEUED + Q_SEQUENCE) < load(heap, b * QUEUED + Q_SEQUENCE) else 0


@exported(words(1))
def pop(s: int) -> int:
    """Remove the first entry; the caller has read it."""
    heap, n = s + 8 * load(s, H_AT_QUEUE), load(s, H_QUEUE_LENGTH) - 1
    store(s, H_QUEUE_LENGTH, n)
    k = 0
    while True:  # the last entry sinks from the top: it stays at n until its place is found
        child = 2 * k + 1
        if child >= n:
            break
        if child + 1 < n and _before(heap, child + 1, child):
            child += 1
        if _before(heap, n, child):
            break
        for w in range(QUEUED):
            store(heap, k * QUEUED + w, load(heap, child * QUEUED + w))
        k = child
    for w in range(QUEUED):
        store(heap, k * QUEUED + w, load(heap, n * QUEUED + w))
        store(heap, n * QUEUED + w, 0)
    return 0
