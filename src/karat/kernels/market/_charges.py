"""Money of the simulated market, compiled: fees, tiers, funding, borrow. Integers only, exact rounding.

| symbol | meaning | unit |
|---|---|---|
| notional | price in ticks * quantity in lots * unit | quanta of the currency |
| rate | fee, funding, borrow | 1e-9 |
| per_million | fee on 1,000,000 lots | quanta |
| day | whole days since 1970-01-01 UTC | days |

| kind | record words | formula |
|---|---|---|
| FEE_RATE | minimum, maker rate, taker rate | notional * rate |
| FEE_PER_SHARE | minimum, maker and taker per_million, cap rate (0 none) | lots * per_million / 1e6, <= cap |
| FEE_TIERED | n, today counts, minimum, last day, total, 31 buckets, n of (volume, maker, taker) | notional * rate |
| USER | address of an int64 function (notional, qty, maker, day) -> quanta, then the minimum | |
| borrow | rate a year of 365 days, last ts, two remainders (0 at the start) | notional * rate * ns / year |

Invariants:
1. Every charge is rounded once, half away from zero, on exact integers; a rebate is the mirror image of a fee.
2. An amount that does not fit an int64 is OVERFLOW, never a wrapped number.
3. Borrow is exact over any split of time: what is accrued in n steps is what is accrued in one, to the quantum.
4. A volume leaves the tier window when its day does, however long nothing was traded.
"""

from __future__ import annotations

from typing import Final

from karat.kernels._jit import compiled
from karat.kernels._memory import call4, load, store
from karat.kernels.market._kinds import (
    BUCKETS,
    FEE_PER_SHARE,
    FEE_RATE,
    FEE_TIERED,
    OVERFLOW,
    TIER_HEAD,
    TIER_WORDS,
    USER,
)
from karat.kernels.market._wide import mul_div, mul_mod

RATE_ONE: Final = 1_000_000_000
MILLION: Final = 1_000_000
YEAR_NS: Final = 365 * 86_400 * 1_000_000_000
_ROOM: Final = 2**62

_COUNT: Final = 0
_TODAY: Final = 1
_TIER_MINIMUM: Final = 2
_LAST_DAY: Final = 3
_TOTAL: Final = 4
_BUCKET: Final = 5


@compiled("int64(int64, int64, int64)")
def _share(a: int, b: int, c: int) -> int:
    """Return a * b / c for a, b >= 0, rounded half up, or OVERFLOW."""
    quotient = mul_div(a, b, c)
    if quotient == OVERFLOW:
        return OVERFLOW
    return int(quotient + (2 * mul_mod(a, b, c) >= c))


@compiled("int64(int64, int64)")
def share(notional: int, rate: int) -> int:
    """Return notional * rate / 1e9 in quanta, rounded half away from zero; OVERFLOW when it does not fit.

    Both may be negative. For abs(rate) <= 1e9 the result never exceeds the notional, so only larger rates overflow.
    """
    if notional == OVERFLOW or rate == OVERFLOW:
        return OVERFLOW
    size, part = abs(notional), abs(rate)
    if part > RATE_ONE:
        paid = _share(size, part, RATE_ONE)
    else:
        paid = size // RATE_ONE * part + (size % RATE_ONE * part + RATE_ONE // 2) // RATE_ONE
    return int(paid if paid == OVERFLOW or (notional < 0) == (rate < 0) else -paid)


@compiled("int64(int64, int64)")
def per_share(qty: int, per_million: int) -> int:
    """Return abs(qty) * per_million / 1e6 in quanta, rounded half away from zero, negative for a rebate."""
    paid = _share(abs(qty), abs(per_million), MILLION)
    return int(-paid if per_million < 0 and paid != OVERFLOW else paid)


@compiled("int64(int64, int64, int64)")
def notional_quanta(price: int, qty: int, unit: int) -> int:
    """Return price * qty * unit with the sign of price * qty, for unit > 0; OVERFLOW when it does not fit."""
    once = mul_div(abs(price), abs(qty), 1)
    size = OVERFLOW if once == OVERFLOW else mul_div(once, unit, 1)
    return int(-size if (price < 0) != (qty < 0) and size != OVERFLOW else size)


@compiled("none(int64, int64)")
def _roll(p: int, day: int) -> None:
    """Move the tier window to `day`: days that have left it are emptied."""
    last = load(p, _LAST_DAY)
    if day <= last:
        return
    for k in range(min(day - last, BUCKETS)):
        slot = _BUCKET + (day - k) % BUCKETS
        store(p, _TOTAL, load(p, _TOTAL) - load(p, slot))
        store(p, slot, 0)
    store(p, _LAST_DAY, day)


@compiled("int64(int64, int64)")
def tier_volume(p: int, day: int) -> int:
    """Return the volume of 30 days in quanta: today and the 29 before, or the 30 before today, as the record says."""
    _roll(p, day)
    outside = (day - 30) % BUCKETS if load(p, _TODAY) == 1 else day % BUCKETS
    return int(load(p, _TOTAL) - load(p, _BUCKET + outside))


@compiled("int64(int64, int64, int64)")
def tier_rate(p: int, day: int, maker: int) -> int:
    """Return the rate in 1e-9 of the highest tier whose `from volume` the 30-day volume has reached."""
    volume, tier = tier_volume(p, day), 0
    for k in range(1, load(p, _COUNT)):
        if volume >= load(p, TIER_HEAD + TIER_WORDS * k):
            tier = k
    return int(load(p, TIER_HEAD + TIER_WORDS * tier + 2 - maker))


@compiled("int64(int64, int64, int64, int64, int64, int64)")
def fee_quanta(kind: int, p: int, notional: int, qty: int, maker: int, day: int) -> int:
    """Return the fee of one fill before any minimum, in quanta, negative for a rebate; OVERFLOW when it does not fit.

    notional, qty: of the fill, 0 or more. maker: 1 when the order rested, 0 when it took. The volume of the fill is
    not added to the tiers here, see `tier_volume_add`.
    """
    if kind == FEE_RATE:
        return int(share(notional, load(p, 2 - maker)))
    if kind == FEE_PER_SHARE:
        fee = per_share(qty, load(p, 2 - maker))
        most = share(notional, load(p, 3))
        return int(min(fee, most) if load(p, 3) > 0 and most != OVERFLOW else fee)
    if kind == FEE_TIERED:
        return int(share(notional, tier_rate(p, day, maker)))
    if kind == USER:
        return int(call4(load(p, 0), notional, qty, maker, day))
    return 0


@compiled("int64(int64, int64)")
def fee_minimum(kind: int, p: int) -> int:
    """Return the least fee of an order in quanta, 0 for none."""
    if kind in (FEE_RATE, FEE_PER_SHARE):
        return int(load(p, 0))
    if kind == FEE_TIERED:
        return int(load(p, _TIER_MINIMUM))
    return int(load(p, 1)) if kind == USER else 0


@compiled("int64(int64, int64, int64, int64)")
def fee_due(before: int, fee: int, minimum: int, is_first: int) -> int:
    """Return what a fill adds to its order's bill when the order pays `minimum` at least.

    before: sum of the fees of the order's earlier fills, without the minimum. is_first: 1 for its first fill. The bill
    after every fill is max(sum of fees, minimum).
    """
    if minimum <= 0 or fee == OVERFLOW:
        return fee
    return max(before + fee, minimum) - (0 if is_first == 1 else max(before, minimum))


@compiled("int64(int64, int64, int64)")
def tier_volume_add(p: int, day: int, notional: int) -> int:
    """Add the notional (0 or more) of a fill to its day; 0 fine, 1 the total would not fit, 2 the day has passed."""
    if day < load(p, _LAST_DAY):
        return 2
    _roll(p, day)
    if notional > _ROOM - load(p, _TOTAL):
        return 1
    slot = _BUCKET + day % BUCKETS
    store(p, slot, load(p, slot) + notional)
    store(p, _TOTAL, load(p, _TOTAL) + notional)
    return 0


@compiled("int64(int64, int64, int64, int64)")
def funding_quanta(position: int, mark: int, unit: int, rate: int) -> int:
    """Return what a position (lots, signed) pays at a funding time, negative when it receives; OVERFLOW."""
    return int(share(notional_quanta(mark, position, unit), rate))


@compiled("int64(int64, int64, int64)")
def borrow_accrue(p: int, ts: int, notional: int) -> int:
    """Return the borrow fee in quanta of abs(notional) from the record's last ts to `ts`, and move the record there.

    The value and the rate must have held over the whole span: call it before either changes. What is below one
    quantum is kept in the two remainders (in 1 / year and 1e-9 / year of a quantum). Time running back accrues 0.
    """
    rate, span = load(p, 0), ts - load(p, 1)
    if span <= 0:
        return 0
    size = abs(notional)
    yearly, rest = mul_div(size, rate, RATE_ONE), mul_mod(size, rate, RATE_ONE)
    fee = OVERFLOW if yearly == OVERFLOW else mul_div(yearly, span, YEAR_NS)
    if fee < 0 or fee > _ROOM:
        return OVERFLOW
    # rest / 1e9 of a quantum a year, over the span: whole units of 1 / year, then 1e-9 of them
    fine = load(p, 3) + mul_mod(rest, span, RATE_ONE)
    coarse = load(p, 2) + mul_mod(yearly, span, YEAR_NS) + mul_div(rest, span, RATE_ONE) + fine // RATE_ONE
    store(p, 1, ts)
    store(p, 2, coarse % YEAR_NS)
    store(p, 3, fine % RATE_ONE)
    return int(fee + coarse // YEAR_NS)
