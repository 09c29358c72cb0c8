"""Money: what fills, prices, charges, dividends and splits do to cash, positions and profit, exact to the quantum.

| symbol | meaning | unit |
|---|---|---|
| unit | money of one tick of one lot | quanta |
| notional | price * qty * unit | quanta |
| basis | what the open position cost, signed like the position | quanta |
| marked | sum of position * mark * unit over a currency's instruments | quanta |

Invariants:
1. cash + marked = start + realised + (marked - sum of bases) - charges + income, in integers, after each function.
2. A charge is rounded half away from zero; what a closing fill takes from the basis is rounded toward zero.
3. A number above 9e18 quanta stops the simulation with an error before anything is stored.
"""

from __future__ import annotations

from karat.kernels._jit import compiled, exported
from karat.kernels._memory import load, store
from karat.kernels.market._charges import fee_due, fee_minimum, fee_quanta, share, tier_volume_add
from karat.kernels.market._kinds import FEE_NONE, FEE_TIERED, OVERFLOW
from karat.kernels.market._layout import (
    C_CASH,
    C_CHARGES,
    C_INCOME,
    C_MARKED,
    C_REALISED,
    CURRENCY,
    E_OVERFLOW,
    H_AT_CURRENCIES,
    H_ERROR,
    H_ERROR_A,
    H_ERROR_B,
    I_BASIS,
    I_CHARGES,
    I_CURRENCY,
    I_FEE_AT,
    I_FEE_KIND,
    I_FEES,
    I_INCOME,
    I_MAKER,
    I_MARK,
    I_MIN_FEE,
    I_MONEY,
    I_PER_LOT,
    I_POSITION,
    I_REALISED,
    I_TAKER,
    I_TRADED,
    I_UNIT,
    LARGE,
    NONE,
    O_FEES,
    O_FILLED,
)
from karat.kernels.market._orders import words

NS_PER_DAY = 86_400_000_000_000


@exported(words(4))
def stop_with(s: int, error: int, a: int, b: int) -> int:
    """Note the first error of the simulation; return 0, so that callers can return it as 'not done'."""
    if load(s, H_ERROR) == 0:
        store(s, H_ERROR, error)
        store(s, H_ERROR_A, a)
        store(s, H_ERROR_B, b)
    return 0


@compiled(words(2))
def currency_of(s: int, i: int) -> int:
    """Return the address of the record of an instrument's currency."""
    return s + 8 * (load(s, H_AT_CURRENCIES) + load(i, I_CURRENCY) * CURRENCY)


@compiled(words(2))
def money_at(s: int, i: int) -> int:
    """Return the address of what the account's terms of an instrument are and did."""
    return s + 8 * load(i, I_MONEY)


@compiled(words(4))
def fits(s: int, i: int, price: int, qty: int) -> int:
    """Return 1 where the value of the quantity is a number of quanta that can be held, else note the error."""
    if abs(float(price) * float(qty) * float(load(i, I_UNIT))) < LARGE:
        return 1
    return stop_with(s, E_OVERFLOW, price, qty)


@exported(words(3))
def charge(s: int, i: int, money: int) -> int:
    """Take a charge from cash (a negative one is a rebate)."""
    c = currency_of(s, i)
    store(c, C_CASH, load(c, C_CASH) - money)
    store(c, C_CHARGES, load(c, C_CHARGES) + money)
    store(i, I_CHARGES, load(i, I_CHARGES) + money)
    return 0


@exported(words(3))
def income(s: int, i: int, money: int) -> int:
    """Add income to cash: a dividend or funding, negative when paid."""
    c = currency_of(s, i)
    store(c, C_CASH, load(c, C_CASH) + money)
    store(c, C_INCOME, load(c, C_INCOME) + money)
    store(i, I_INCOME, load(i, I_INCOME) + money)
    return 0


@compiled(words(3))
def revalue(s: int, i: int, price: int) -> int:
    """Do what `mark` does, inside a caller that does it for every trade.

    There is no way out for an unchanged price: half of a market's trades change it, and nobody can guess which.
    """
    before, position, unit = load(i, I_MARK), load(i, I_POSITION), load(i, I_UNIT)
    if position != 0:
        if abs(float(price) * float(position) * float(unit)) >= LARGE and price != before:
            return stop_with(s, E_OVERFLOW, price, position)
        c = currency_of(s, i)
        store(c, C_MARKED, load(c, C_MARKED) + (price - before) * position * unit)
    store(i, I_MARK, price)
    return 1


@exported(words(3))
def mark(s: int, i: int, price: int) -> int:
    """Value the position at a new price; return 1, or 0 with the error noted where the value cannot be held."""
    return revalue(s, i, price)


@compiled(words(3))
def _part(money: int, lots: int, of: int) -> int:
    """Return money * lots / of toward zero, without overflow as long as lots * of is below 9.2e18."""
    size = abs(money)
    value = size // of * lots + size % of * lots // of
    return value if money >= 0 else -value


@exported(words(5))
def trade(s: int, i: int, side: int, qty: int, price: int) -> int:
    """Exchange qty lots for money at a price, without charges; return 1, or 0 where the money cannot be held."""
    if not fits(s, i, price, qty) or not fits(s, i, price, load(i, I_POSITION) + side * qty):
        return 0
    if load(i, I_MARK) == NONE:
        store(i, I_MARK, price)
    unit, position, c = load(i, I_UNIT), load(i, I_POSITION), currency_of(s, i)
    notional = price * qty * unit
    store(c, C_CASH, load(c, C_CASH) - side * notional)
    closed = 0
    if position * side < 0:
        closed = min(qty, abs(position))
        removed = _part(load(i, I_BASIS), closed, abs(position))
        gain = -side * price * closed * unit - removed
        store(i, I_BASIS, load(i, I_BASIS) - removed)
        store(i, I_REALISED, load(i, I_REALISED) + gain)
        store(c, C_REALISED, load(c, C_REALISED) + gain)
    store(i, I_BASIS, load(i, I_BASIS) + side * price * (qty - closed) * unit)
    store(i, I_POSITION, position + side * qty)
    store(c, C_MARKED, load(c, C_MARKED) + side * qty * load(i, I_MARK) * unit)
    store(i, I_TRADED, load(i, I_TRADED) + notional)
    return 1


@exported(words(7))
def fee_of(s: int, i: int, o: int, notional: int, qty: int, maker: int, ts: int) -> int:
    """Return the fee of a fill before it is booked on its order.

    Without a model: the rate of its liquidity on the notional, money per lot, at least the minimum, for each fill.
    With one: the model's fee and its minimum for the whole order.
    """
    kind, p = load(i, I_FEE_KIND), s + 8 * load(i, I_FEE_AT)
    if kind == FEE_NONE:
        rate, least = load(i, I_MAKER) if maker else load(i, I_TAKER), load(i, I_MIN_FEE)
        fee = share(notional, rate) + load(i, I_PER_LOT) * qty
        return least if least > 0 and fee < least else fee
    raw = fee_quanta(kind, p, notional, qty, maker, ts // NS_PER_DAY)
    due = fee_due(load(o, O_FEES), raw, fee_minimum(kind, p), 1 if load(o, O_FILLED) == 0 else 0)
    if raw != OVERFLOW:
        store(o, O_FEES, load(o, O_FEES) + raw)
    return due


@exported(words(5))
def pay_fee(s: int, i: int, fee: int, notional: int, ts: int) -> int:
    """Charge the fee of a fill and let its value count for the tiers of later ones; return the fee."""
    kind, p = load(i, I_FEE_KIND), s + 8 * load(i, I_FEE_AT)
    if fee == OVERFLOW or (kind == FEE_TIERED and tier_volume_add(p, ts // NS_PER_DAY, abs(notional))):
        return stop_with(s, E_OVERFLOW, ts, notional)
    charge(s, i, fee)
    store(i, I_FEES, load(i, I_FEES) + fee)
    return fee


@exported(words(5))
def split(s: int, i: int, numerator: int, denominator: int, price: int) -> int:
    """Turn every `denominator` lots into `numerator`, the rest of a lot paid at `price` (ticks before the split).

    The mark moves by the inverse ratio, rounded toward zero; the basis stays, but for what the cash in lieu realises.
    """
    position = load(i, I_POSITION)
    size = abs(position)
    lots = size * numerator // denominator
    left = size * numerator - lots * denominator  # parts of a new lot that cannot be held, in 1/denominator
    side = 1 if position > 0 else -1
    c, unit = currency_of(s, i), load(i, I_UNIT)
    store(c, C_MARKED, load(c, C_MARKED) - position * load(i, I_MARK) * unit)
    if left > 0:  # a part of a new lot is worth left/numerator old lots
        paid = side * (price * unit * left // numerator)
        removed = _part(load(i, I_BASIS), left, size * numerator)
        store(i, I_BASIS, load(i, I_BASIS) - removed)
        store(i, I_REALISED, load(i, I_REALISED) + paid - removed)
        store(c, C_REALISED, load(c, C_REALISED) + paid - removed)
        store(c, C_CASH, load(c, C_CASH) + paid)
    store(i, I_POSITION, side * lots)
    if load(i, I_MARK) != NONE:
        store(i, I_MARK, max(1, load(i, I_MARK) * denominator // numerator))
    store(c, C_MARKED, load(c, C_MARKED) + side * lots * load(i, I_MARK) * unit)
    return 1
