"""Permanent impact on recorded data: own fills move every price that the market shows to own orders from then on.

| symbol | meaning | unit |
|---|---|---|
| shift | sum over fills of side * gamma * lots, kept as a float64 in the instrument's record | ticks |
| d | the shift rounded to whole ticks, half away from zero | ticks |

Invariants:
1. A row is shown d ticks higher than it was recorded; standing quotes, the last price and the mark move with a fill.
2. A bar is shown with the d of its beginning (Almgren and Chriss: what is traded in an interval moves the price of the
   next one); its mark has the d of its end.
3. No price is shown below one tick: the shift is cut where it would be, and kept whole for the next row.
4. Without such impact the shift is 0.0 and nothing is added.
"""

from __future__ import annotations

import math
from typing import Final

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, load_real, store, store_real
from karat.kernels.market._account import revalue
from karat.kernels.market._assumptions import impact_permanent
from karat.kernels.market._layout import (
    I_ASK,
    I_BID,
    I_IMPACT_AT,
    I_IMPACT_KIND,
    I_LAST,
    I_MARK,
    I_SHIFT,
    NONE,
)
from karat.kernels.market._orders import words

_MOST_TICKS: Final = 9.0e15


@compiled("int64(f8)")
def _rounded(shift: float) -> int:
    ticks = math.floor(min(abs(shift), _MOST_TICKS) + 0.5)
    return int(ticks if shift >= 0.0 else -ticks)


@compiled(words(2))
def shift_ticks(i: int, lowest: int) -> int:
    """Return the ticks by which own fills have moved the prices of a row whose lowest price was recorded as this."""
    if load(i, I_SHIFT) == 0:
        return 0
    return max(_rounded(load_real(i, I_SHIFT)), 1 - lowest)


@exported(words(3))
def move_prices(s: int, i: int, lots: int) -> int:
    """Let a fill (lots signed by side) move what is shown now and everything after it; return the ticks."""
    side, before = 1 if lots > 0 else -1, _rounded(load_real(i, I_SHIFT))
    moved = load_real(i, I_SHIFT) + side * impact_permanent(load(i, I_IMPACT_KIND), s + 8 * load(i, I_IMPACT_AT), lots)
    store_real(i, I_SHIFT, moved)
    ticks = _rounded(moved) - before
    if ticks == 0:
        return 0
    if load(i, I_BID) != NONE:
        quoted = max(ticks, 1 - load(i, I_BID))
        store(i, I_BID, load(i, I_BID) + quoted)
        store(i, I_ASK, load(i, I_ASK) + quoted)
    if load(i, I_LAST) != NONE:
        store(i, I_LAST, max(1, load(i, I_LAST) + ticks))
    revalue(s, i, max(1, load(i, I_MARK) + ticks))
    return ticks


@compiled(words(3))
def split_shift(i: int, numerator: int, denominator: int) -> int:
    """Divide the shift, as prices are, by the ratio of a split."""
    if load(i, I_SHIFT):
        store_real(i, I_SHIFT, load_real(i, I_SHIFT) * denominator / numerator)
    return 0
