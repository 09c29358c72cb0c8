"""From expressions to programs: in which order nodes are computed, and where their values lie.

| form | a node's values | recursions of TA-Lib |
|---|---|---|
| batch | a row of `slots`, given to another node once nobody reads it | computed by TA-Lib, as further columns |
| online | a ring in the state, as long as the longest look back at it | a step, as any recursion |

Invariants:
1. A program computes each node once, operands before what reads them.
2. An operand's slot is not given away before the instruction that reads it last is done.
"""

from __future__ import annotations

from collections.abc import Sequence
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

    columns: panel columns, slots 0 on. library: nodes that TA-Lib computes, with the slots that follow. taken: the
    slot of each root.
    """

    program: Program
    columns: tuple[str, ...]
    library: tuple[Node, ...]
    taken: Ints
    n_slots: int


@dataclass(frozen=True, eq=False)
class OnlinePlan:
    """A program for the next bar.

    columns: of the bar. groups: (g, columns) which of them each group of features reads. rings: (nodes, 3) offset and
    mask of each node's ring in the state, and its group. taken: the node of each root.
    """

    program: Program
    columns: tuple[str, ...]
    groups: Ints
    rings: Ints
    taken: Ints


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
    last = {each: j for j, reader in enumerate(order) for each in reader.inputs}
    kept = {*roots, *inputs.values(), *library}
    free: list[int] = []
    n_slots = len(columns) + len(library)
    for j, each in enumerate(order):
        if free:
            slot[each] = free.pop()
        else:
            slot[each], n_slots = n_slots, n_slots + 1
        done = {part for part in each.inputs if last[part] == j and part not in kept}
        free += [slot[part] for part in done]
    program = _program(order, slot, dict.fromkeys(order, 0), 0)
    return BatchPlan(
        program, tuple(columns), library, np.array([slot[root] for root in roots], dtype=np.int64), n_slots
    )


def plan_online(groups: Sequence[tuple[tuple[str, ...], Sequence[Node]]]) -> OnlinePlan:
    """Return the plan of groups of roots, each group with the columns whose absence makes it pass over a bar."""
    names = tuple(dict.fromkeys(name for needs, _ in groups for name in needs))
    order: list[tuple[int, Node]] = [(g, each) for g, (_, roots) in enumerate(groups) for each in walk(roots)]
    place = {key: k for k, key in enumerate(order)}
    back = dict.fromkeys(order, 1)
    for g, each in order:
        for k, part in enumerate(each.inputs):
            windowed = ops.ELEMENTS <= each.op < ops.WINDOWED
            need = each.window if windowed and k == 0 else (each.lag + 1 if k % 2 else 1)
            back[g, part] = max(back[g, part], need)
    rings, at = np.zeros((len(order), 3), dtype=np.int64), len(groups)
    for k, (g, each) in enumerate(order):
        size = 1 << (back[g, each] - 1).bit_length()
        rings[k] = (at, size - 1, g)
        at += size
    programs = [_program([each], {p: place[g, p] for p in (each, *each.inputs)}, {each: g}, 0) for g, each in order]
    code = np.concatenate([np.zeros((0, ops.WIDTH), dtype=np.int64), *[part.code for part in programs]])
    constants = np.concatenate([np.zeros((0, 3)), *[part.constants for part in programs]])
    weights = np.concatenate([np.zeros(0), *[part.weights for part in programs]])
    first = np.cumsum([0, *[len(part.weights) for part in programs]])
    for k, (_, each) in enumerate(order):
        if each.op == ops.INPUT:
            code[k, ops.WINDOW] = names.index(each.name)
        elif each.op == ops.DOT:
            code[k, ops.PLACE] = first[k]
        elif each.op >= ops.EMA:
            code[k, ops.PLACE], at = at, at + state_size(each.op, each.window)
    program = Program(code, constants, weights, at, max([each.window for _, each in order] + [1]))
    mask = np.array([[name in needs for name in names] for needs, _ in groups], dtype=np.int64)
    mask = mask.reshape(len(groups), len(names))
    taken = np.array([place[g, root] for g, (_, roots) in enumerate(groups) for root in roots], dtype=np.int64)
    return OnlinePlan(program, names, mask, rings, taken)


def _program(order: Sequence[Node], slot: dict[Node, int], group: dict[Node, int], at: int) -> Program:
    """Return the instructions of nodes whose values lie in the given slots."""
    code = np.zeros((len(order), ops.WIDTH), dtype=np.int64)
    constants = np.zeros((len(order), 3))
    weights: list[float] = []
    for j, each in enumerate(order):
        code[j, ops.OP], code[j, ops.OUT] = each.op, slot[each]
        if each.inputs:
            code[j, ops.IN : ops.IN + ops.MOST] = slot[each.inputs[0]]
            code[j, ops.IN : ops.IN + len(each.inputs)] = [slot[part] for part in each.inputs]
        code[j, ops.LAG], code[j, ops.WINDOW], code[j, ops.GROUP] = each.lag, each.window, group[each]
        constants[j, : len(each.constants)] = each.constants
        if each.op == ops.DOT:
            code[j, ops.PLACE] = len(weights)
            weights += each.weights
        elif each.op >= ops.EMA:
            size = state_size(each.op, each.window)
            code[j, ops.PLACE], constants[j, 2], at = at, size, at + size
    return Program(code, constants, np.array(weights), at, max([each.window for each in order] + [1]))
