"""Settlement: proceeds of a sale are cash at once, and settled some days later.

A day is a UTC day on which the market has a row (a bar counts by its start): days without rows, weekends and holidays,
do not count. A purchase is paid with cash at once.

Invariants:
1. A currency's unsettled money is the sum of its instruments' rings; cash is never touched here.
2. What is sold on a day is settled from the first row of the `lag`-th day after it.
"""

from __future__ import annotations

from karat.kernels._jit import exported
from karat.kernels._memory import load, store
from karat.kernels.market._account import currency_of, money_at, stop_with
from karat.kernels.market._layout import C_UNSETTLED, E_OVERFLOW, LARGE, M_LAG, M_RING
from karat.kernels.market._orders import words


@exported(words(3))
def await_settlement(s: int, i: int, money: int) -> int:
    """Note the proceeds of a sale as unsettled; return 1, or 0 where the sum cannot be held."""
    m, c = money_at(s, i), currency_of(s, i)
    if float(load(c, C_UNSETTLED)) + float(money) >= LARGE:
        return stop_with(s, E_OVERFLOW, money, load(c, C_UNSETTLED))
    store(m, M_RING, load(m, M_RING) + money)
    store(c, C_UNSETTLED, load(c, C_UNSETTLED) + money)
    return 1


@exported(words(2))
def settle_day(s: int, i: int) -> int:
    """Let a new day begin for an instrument's unsettled money; return what is settled by it."""
    m, c = money_at(s, i), currency_of(s, i)
    lag = load(m, M_LAG)
    if lag == 0:
        return 0
    settled = load(m, M_RING + lag - 1)
    for k in range(lag - 1, 0, -1):
        store(m, M_RING + k, load(m, M_RING + k - 1))
    store(m, M_RING, 0)
    store(c, C_UNSETTLED, load(c, C_UNSETTLED) - settled)
    return settled
