"""Expressions: what a feature is, written with operators, kept as a graph in which equal parts are one node.

    close = column("close")
    close / lag(close, 5) - 1.0

A node is an operation of `karat.kernels.features`, its operands and its constants. Nothing is computed here: `_plan`
turns nodes into programs, the same for a whole panel and for the next bar.

Invariants:
1. Equal expressions are the same object, so that a sub-expression is computed once however many features read it.
2. `warm_up`, `recursive` (a value depends on the whole past) and `columns` follow from the graph; nobody states them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

from karat.kernels.features import ops

TS: Final = "ts"
"""The column that every frame has: the date of the bar, as days since 1970-01-01."""


BAR: Final = ("open", "high", "low", "close", "volume")


class Library(NamedTuple):
    """How TA-Lib computes a node over a whole history: its function, what follows the inputs, which output."""

    function: str
    options: tuple[int, ...]
    output: int


class Node:
    """One operation. Made by `node` only; equality is identity."""

    __slots__ = (
        *("constants", "inputs", "lag", "library", "name", "op", "weights", "window"),
        *("reads", "recursive", "warm_up"),
    )

    def __init__(
        self,
        op: int,
        inputs: tuple[Node, ...],
        lag: int,
        window: int,
        constants: tuple[float, ...],
        weights: tuple[float, ...],
        name: str,
        library: Library | None,
    ) -> None:  # `node` is the only caller
        self.op, self.inputs, self.lag, self.window = op, inputs, lag, window
        self.constants, self.weights, self.name, self.library = constants, weights, name, library
        self.warm_up: int = _warm_up(self)
        self.recursive: bool = (op >= ops.EMA and op not in _FINITE) or any(each.recursive for each in inputs)
        self.reads: frozenset[str] = frozenset({name} if op == ops.INPUT else ()).union(*(x.reads for x in inputs))

    def __add__(self, other: Node | float) -> Node:
        return node(ops.ADD, (self, other)) if isinstance(other, Node) else affine(self, 1.0, other)

    def __radd__(self, other: float) -> Node:
        return affine(self, 1.0, other)

    def __sub__(self, other: Node | float) -> Node:
        return node(ops.SUB, (self, other)) if isinstance(other, Node) else affine(self, 1.0, -other)

    def __rsub__(self, other: float) -> Node:
        return affine(self, -1.0, other)

    def __mul__(self, other: Node | float) -> Node:
        return node(ops.MUL, (self, other)) if isinstance(other, Node) else affine(self, other, 0.0)

    def __rmul__(self, other: float) -> Node:
        return affine(self, other, 0.0)

    def __truediv__(self, other: Node | float) -> Node:
        return node(ops.DIV, (self, other)) if isinstance(other, Node) else affine(self, 1.0 / other, 0.0)

    def __rtruediv__(self, other: float) -> Node:
        return affine(self, 0.0, other) / self

    def __neg__(self) -> Node:
        return affine(self, -1.0, 0.0)


@cache
def node(
    op: int,
    inputs: tuple[Node, ...],
    lag: int = 0,
    window: int = 0,
    constants: tuple[float, ...] = (),
    weights: tuple[float, ...] = (),
    name: str = "",
    library: Library | None = None,
) -> Node:  # an operation has that many parts
    """Return the node of an operation: the same object for the same arguments. `lag` is that of every second input."""
    return Node(op, inputs, lag, window, constants, weights, name, library)


def column(name: str) -> Node:
    """Return a column of the panel."""
    return node(ops.INPUT, (), name=name)


def affine(x: Node, scale: float, shift: float) -> Node:
    """Return scale x + shift."""
    return node(ops.AFFINE, (x,), constants=(float(scale), float(shift)))


def lagged(x: Node, k: int) -> Node:
    """Return x of k rows ago."""
    return x if k == 0 else node(ops.LAGGED, (x, x), lag=k)


def walk(roots: Sequence[Node]) -> Iterator[Node]:
    """Yield every node that the roots lead to, operands before what reads them, each once."""
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        top, ready = stack.pop()
        if top in seen:
            continue
        if ready:
            seen.add(top)
            yield top
        else:
            stack.append((top, True))
            stack.extend((each, False) for each in reversed(top.inputs) if each not in seen)


def columns(root: Node) -> tuple[str, ...]:
    """Return the panel columns that an expression reads, those of a bar first.

    Example:
        >>> columns(column("close") / column("open"))
        ('open', 'close')
    """
    return (*(name for name in BAR if name in root.reads), *sorted(root.reads - {*BAR}))


_OWN: Final[dict[int, Callable[[Node], int]]] = {
    ops.EMA: lambda x: x.window - 1,
    ops.WILDER: lambda x: x.window - 1,
    ops.SMA: lambda x: x.window - 1,
    ops.CCI: lambda x: x.window - 1,
    ops.RSI: lambda x: x.window,
    ops.ATR: lambda x: x.window,
    ops.MFI: lambda x: x.window,
    ops.KAMA: lambda x: x.window,
    ops.ADX: lambda x: 2 * x.window - 1,
    ops.MACD: lambda x: x.window + int(x.constants[1]) - 2,
    ops.MACD_SIGNAL: lambda x: x.window + int(x.constants[1]) - 2,
    ops.AGE: lambda x: 0,
    ops.OBV: lambda x: 0,
}
# recursions of TA-Lib whose value depends on the last rows only, up to rounding
_FINITE: Final = frozenset({ops.SMA, ops.CCI, ops.MFI})


def _warm_up(x: Node) -> int:
    """Return the leading rows without a value."""
    before = max((each.warm_up + (x.lag if k % 2 else 0) for k, each in enumerate(x.inputs)), default=0)
    if x.op >= ops.EMA:
        return before + _OWN[x.op](x)
    if ops.ELEMENTS <= x.op < ops.WINDOWED:
        return max(before, x.inputs[0].warm_up + x.window - 1)
    return before
