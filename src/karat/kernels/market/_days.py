"""What time alone does to an account: a new day settles sales and charges borrow, a lender recalls the shares.

Invariants:
1. Both happen before the first row that begins at or after their time (a bar begins at its start), and only then: an
   account without rows stays as it is, and no row is needed for accounts that have neither.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import load, load_byte, store
from karat.kernels.market._account import NS_PER_DAY, money_at
from karat.kernels.market._borrow import accrue, short_lots
from karat.kernels.market._forced import cancel_all, force
from karat.kernels.market._layout import (
    BAR,
    FAR,
    H_DAY_DUE,
    H_DUE,
    H_INSTRUMENTS,
    H_RECALL_DUE,
    I_NUMBER,
    I_POSITION,
    M_BORROW,
    M_BOUGHT_IN,
    M_LOCATED,
    M_RECALLED,
    R_RECALLED,
    V_D,
    V_KIND,
    V_TS,
)
from karat.kernels.market._orders import instrument_at, words
from karat.kernels.market._settle import settle_day


@exported(words(3))
def _recall(s: int, i: int, ts: int) -> int:
    """Take the located shares back: sales that could go short end, and a short position is bought in."""
    m = money_at(s, i)
    if short_lots(s, i, -1) > 0:
        cancel_all(s, load(i, I_NUMBER), R_RECALLED, ts)
    done = 1 if load(i, I_POSITION) >= 0 else force(s, i, R_RECALLED, ts)
    store(m, M_BOUGHT_IN, done)
    return done


@exported(words(2))
def _recalls(s: int, ts: int) -> int:
    """Do the recalls whose time has come; return the time of the next one."""
    due = FAR
    for k in range(load(s, H_INSTRUMENTS)):
        i = instrument_at(s, k)
        m = money_at(s, i)
        if load(m, M_LOCATED) < 0 or load(m, M_BOUGHT_IN):
            continue
        if load(m, M_RECALLED) > ts or not _recall(s, i, ts):
            due = min(due, load(m, M_RECALLED))
    return due


@exported(words(3))
def look_after(s: int, v: int, row: int) -> int:
    """Do what is due before a row; return 1 where something was."""
    ts = load(load(v, V_TS), row)
    if load_byte(load(v, V_KIND), row) == BAR:
        ts = min(ts, load(load(v, V_D), row))
    if ts < load(s, H_DUE):
        return 0
    if ts >= load(s, H_DAY_DUE):
        for k in range(load(s, H_INSTRUMENTS)):
            i = instrument_at(s, k)
            if load(money_at(s, i), M_BORROW):
                accrue(s, i, ts)
            settle_day(s, i)
        store(s, H_DAY_DUE, (ts // NS_PER_DAY + 1) * NS_PER_DAY)
    if ts >= load(s, H_RECALL_DUE):
        store(s, H_RECALL_DUE, _recalls(s, ts))
    store(s, H_DUE, min(load(s, H_DAY_DUE), load(s, H_RECALL_DUE)))
    return 1
