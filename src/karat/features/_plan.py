"""From expressions to programs: in which order nodes are computed, and where their values lie.

| form | a node's values | recursions of TA-Lib |
|---|---|---|
| batch | a slot: where the caller wants it, or one given to another node once nobody reads it | computed by TA-Lib |
| online | a ring in the state, as long as the longest look back at it | a step, as any recursion |

Invariants:
1. A program computes each node once, operands before what reads them.
2. An operand's slot is not given away before the instruction that reads it last is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karat.features._graph import Node, walk
from karat.kernels.features import ops, state_size

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Program:
    """What the executors run: instructions, their constants, the weights of weighted sums."""

    code: Ints
    constants: Floats
    weights: Floats
    n_state: int
    window: int


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """A program over whole histories.

    Slots are, in this order, the panel columns, the nodes that TA-Lib computes (library), the other nodes that are
    roots, each once (own: the place of each among the roots), and `n_spare` for what lies between. taken: the slot of
    each root.
    """

    program: Program
    columns: tuple[str, ...]
    library: tuple[Node, ...]
    own: Ints
    n_spare: int
    taken: Ints


@dataclass(frozen=True, eq=False)
class OnlinePlan:
    """A program for the next bar.

    columns: of the bar. groups: (g, columns) which of them each group of features reads. ends: (g, 2) where its
    instructions and its roots end. taken: (p, 2) ring and place of each root. empty: the state before the first bar.
    """

    program: Program
    columns: tuple[str, ...]
    groups: Ints
    ends: Ints
    taken: Ints
    empty: Floats


def by_library(node: Node) -> bool:
    """Return whether TA-Lib computes a node of a whole history: it takes columns of the panel."""
    return node.library is not None and all(each.op == ops.INPUT for each in node.inputs)


def plan_batch(roots: Sequence[Node], columns: Sequence[str]) -> BatchPlan:
    """Return the plan that computes the roots from the columns."""
    order = [each for each in walk(roots) if each.op != ops.INPUT]
    library = tuple(each for each in order if by_library(each))
    order = [each for each in order if not by_library(each)]
    inputs = {each.name: each for each in walk(roots) if each.op == ops.INPUT}
    slot = {inputs[name]: k for k, name in enumerate(columns) if name in inputs}
    slot |= {each: len(columns) + k for k, each in enumerate(library)}
    own = {root: k for k, root in reversed(list(enumerate(roots))) if root not in slot}
    slot |= {root: len(columns) + len(library) + k for k, root in enumerate(own)}
    last = {each: j for j, reader in enumerate(order) for each in reader.inputs}
    kept: set[Node] = set(slot)
    free: list[int] = []
    first = n_slots = len(columns) + len(library) + len(own)
    for j, each in enumerate(order):
        if each not in kept and free:
            slot[each] = free.pop()
        elif each not in kept:
            slot[each], n_slots = n_slots, n_slots + 1
        free += [slot[part] for part in set(each.inputs) if last[part] == j and part not in kept]
    taken, places = [slot[root] for root in roots], list(own.values())
    return BatchPlan(
        *(_program(order, slot), tuple(columns), library),
        *(np.array(places, dtype=np.int64), n_slots - first, np.array(taken, dtype=np.int64)),
    )


def plan_online(groups: Sequence[tuple[tuple[str, ...], Mapping[int, Node]]]) -> OnlinePlan:
    """Return the plan of groups of roots by place, each with the columns whose absence makes it pass over a bar."""
    names = tuple(dict.fromkeys(name for needs, _ in groups for name in needs))
    order: list[tuple[int, Node]] = [
        (g, each) for g, (_, roots) in enumerate(groups) for each in walk(list(roots.values()))
    ]
    ring, at = _rings(order, len(groups))
    programs = [_program([each], {p: ring[g, p] for p in (each, *each.inputs)}) for g, each in order]
    code = np.concatenate([np.zeros((0, ops.WIDTH), dtype=np.int64), *[part.code for part in programs]])
    constants = np.concatenate([np.zeros((0, 3)), *[part.constants for part in programs]])
    weights = np.concatenate([np.zeros(0), *[part.weights for part in programs]])
    first = np.cumsum([0, *[len(part.weights) for part in programs]])
    empty = np.full(at, np.nan)
    empty[: len(groups)] = 0.0
    for k, (_, each) in enumerate(order):
        if each.op == ops.INPUT:
            code[k, ops.WINDOW] = names.index(each.name)
        elif each.op == ops.DOT:
            code[k, ops.PLACE] = first[k]
        elif each.op >= ops.EMA:
            code[k, ops.PLACE], at = at, at + state_size(each.op, each.window)
    empty = np.concatenate([empty, np.zeros(at - len(empty))])
    program = Program(code, constants, weights, at, max([each.window for _, each in order] + [1]))
    mask = np.array([[name in needs for name in names] for needs, _ in groups], dtype=np.int64)
    mask = mask.reshape(len(groups), len(names))
    own = [(sum(of == g for of, _ in order), len(roots)) for g, (_, roots) in enumerate(groups)]
    ends = np.cumsum(np.array(own, dtype=np.int64).reshape(len(groups), 2), axis=0)
    taken = [(ring[g, root], place) for g, (_, roots) in enumerate(groups) for place, root in roots.items()]
    return OnlinePlan(program, names, mask, ends, np.array(taken, dtype=np.int64).reshape(-1, 2), empty)


def _rings(order: Sequence[tuple[int, Node]], at: int) -> tuple[dict[tuple[int, Node], int], int]:
    """Return the ring of each node of a group in the state, from `at` on, and where the last one ends.

    A ring is as long as the longest look back at its node, the next power of two.
    """
    back = dict.fromkeys(order, 1)
    for g, each in order:
        for k, part in enumerate(each.inputs):
            windowed = ops.ELEMENTS <= each.op < ops.WINDOWED
            need = each.window if windowed and k == 0 else (each.lag + 1 if k % 2 else 1)
            back[g, part] = max(back[g, part], need)
    ring = {}
    for key in order:
        size = 1 << (back[key] - 1).bit_length()
        ring[key] = at + ((size - 1) << ops.RING_BITS)
        at += size
    return ring, at


def _program(order: Sequence[Node], slot: dict[Node, int]) -> Program:
    """Return the instructions of nodes whose values lie in the given slots."""
    at = 0
    code = np.zeros((len(order), ops.WIDTH), dtype=np.int64)
    constants = np.zeros((len(order), 3))
    weights: list[float] = []
    for j, each in enumerate(order):
        code[j, ops.OP], code[j, ops.OUT] = each.op, slot[each]
        if each.inputs:
            code[j, ops.IN : ops.IN + ops.MOST] = slot[each.inputs[0]]
            code[j, ops.IN : ops.IN + len(each.inputs)] = [slot[part] for part in each.inputs]
        code[j, ops.LAG], code[j, ops.WINDOW] = each.lag, each.window
        constants[j, : len(each.constants)] = each.constants
        if each.op == ops.DOT:
            code[j, ops.PLACE] = len(weights)
            weights += each.weights
        elif each.op >= ops.EMA:
            size = state_size(each.op, each.window)
            code[j, ops.PLACE], constants[j, 2], at = at, size, at + size
    return Program(code, constants, np.array(weights), at, max([each.window for each in order] + [1]))
