"""Partial fills by chance: what one chance to trade lets an order have of what the market offers.

A chance is one bar, one arrival, one depth row, one trade, or one service by a quote. It comes in pieces, as the model
of the instrument draws them (`partial_next` in `_assumptions`); each piece is a fill of its own, and one that meets
two prices is two.

| word of the order | meaning |
|---|---|
| O_ATTEMPT | chances in which the market offered something, so far; the draws' key |
| O_PIECE | pieces drawn in this chance; -1 before the first, PIECES when there are no more |
| O_PIECE_LEFT | lots of the present piece that were not filled yet |

Invariants:
1. Without a model an order takes all that it is offered, and none of these words is touched.
2. An order never gets more than is offered, than its rest, or than it may reduce.
3. A piece is drawn when the market offers something, so that rows which offer nothing use up no draw.
4. All-or-nothing orders are exempt: they fill whole or not at all. So is a resting order that an own one meets: it
   gets what the other one got.
"""

from __future__ import annotations

from typing import Final

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, store
from karat.kernels.market._assumptions import partial_next
from karat.kernels.market._execute import execute, room
from karat.kernels.market._kinds import PIECES
from karat.kernels.market._layout import (
    FOK,
    H_SEED,
    I_FILLS_AT,
    I_FILLS_KIND,
    O_ATTEMPT,
    O_ID,
    O_PIECE,
    O_PIECE_LEFT,
    O_QTY,
    O_TIF,
)
from karat.kernels.market._orders import words

ATTEMPTS: Final = 1 << 25
"""Chances of one order after which the draws begin again: a draw has 32 bits for chance, piece and two numbers."""


@compiled(words(2))
def begin_chance(i: int, o: int) -> int:
    """Let the order's next fill be the first of a new chance."""
    if load(i, I_FILLS_KIND):
        store(o, O_PIECE, -1)
        store(o, O_PIECE_LEFT, 0)
    return 0


@exported(words(4))
def _drawn(s: int, i: int, o: int, offered: int) -> int:
    """Return how many of the offered lots belong to the present piece, 0 when the chance is over."""
    rest = room(s, i, o, load(o, O_QTY))
    if rest <= 0 or offered <= 0:  # whoever fills it sees that there is nothing to fill
        return offered
    if load(o, O_PIECE) < 0:
        store(o, O_ATTEMPT, load(o, O_ATTEMPT) + 1)
        store(o, O_PIECE, 0)
    piece = load(o, O_PIECE)
    if load(o, O_PIECE_LEFT) == 0 and piece < PIECES:
        kind, p = load(i, I_FILLS_KIND), s + 8 * load(i, I_FILLS_AT)
        k = PIECES * ((load(o, O_ATTEMPT) - 1) % ATTEMPTS) + piece
        lots = partial_next(kind, p, load(s, H_SEED), load(o, O_ID), rest, k)
        store(o, O_PIECE, piece + 1 if lots > 0 else PIECES)
        store(o, O_PIECE_LEFT, lots)
    return min(load(o, O_PIECE_LEFT), offered)


@compiled(words(4))
def portion(s: int, i: int, o: int, offered: int) -> int:
    """Return how many of the offered lots the next fill of the order may have."""
    if load(i, I_FILLS_KIND) == 0 or load(o, O_TIF) == FOK:
        return offered
    return _drawn(s, i, o, offered)


@exported(words(8))
def _piecewise(s: int, i: int, o: int, qty: int, price: int, maker: int, reference: int, ts: int) -> int:
    done, got = 0, 1
    while got > 0 and done < qty and (done == 0 or room(s, i, o, qty) > 0):
        lots = _drawn(s, i, o, qty - done)
        got = 0
        if lots > 0:
            got = execute(s, i, o, lots, price, maker, reference, ts)
            store(o, O_PIECE_LEFT, load(o, O_PIECE_LEFT) - got)
            done += got
    return done


@compiled(words(8))
def take_chance(s: int, i: int, o: int, qty: int, price: int, maker: int, reference: int, ts: int) -> int:
    """Fill an order, as `execute` does, with what the present chance gives of qty lots; return the lots filled."""
    if load(i, I_FILLS_KIND) == 0 or load(o, O_TIF) == FOK:
        return execute(s, i, o, qty, price, maker, reference, ts)
    return _piecewise(s, i, o, qty, price, maker, reference, ts)
