"""Swappable assumptions of the simulated market, compiled: latency, queue position, partial fills, slippage, impact.

Each function takes a kind id of `_kinds` and the address `p` of the model's record, a row of 8-byte words. Nothing is
compiled again when a model is swapped: built-in formulas are picked by id, a user's function is called by address.

| kind | record words | formula |
|---|---|---|
| LATENCY_CONSTANT | ns | ns |
| LATENCY_LOGNORMAL | mu, sigma, unit ns (all float64) | exp(mu + sigma z) units, at least 1 ns |
| LATENCY_RECORDED | n, then n pairs (from ts, ns), ts ascending | the last pair at or before ts, else the first |
| QUEUE_RISK_AVERSE | none | only trades and a shrunken level move the order forward |
| QUEUE_POWER | n (float64) | cancels split by f(x) = x**n |
| QUEUE_LOG | none | cancels split by f(x) = ln(1 + x) |
| PARTIAL_POISSON_BETA | mean, a, b (all float64) | Poisson(mean) pieces, each Beta(a, b) of what remains |
| SLIPPAGE_TICKS | ticks | ticks |
| SLIPPAGE_BPS | rate in 1e-9 of the price | price times rate, rounded up to whole ticks |
| IMPACT_LINEAR | c, V (both float64) | price c Q / V ticks |
| IMPACT_SQUARE_ROOT | Y sigma, V (both float64) | price Y sigma sqrt(Q / V) ticks |
| IMPACT_ALMGREN_CHRISS | e, eta / tau, gamma (all float64) | e + (eta / tau) Q ticks; permanent gamma Q ticks |
| USER | address of an int64 function of four int64 | see each function |

Queue formulas follow hftbacktest's queue models (`queue.rs`): prices in ticks, quantities in lots, `front` the lots
before the order as float64. Impact: Almgren and Chriss 2000, equations 6 to 8; square root: Toth et al. 2011.

Invariants:
1. Slippage and impact are never below zero: they never help the trader. Impact does not fall when the size grows.
2. The pieces of a partial fill never add up to more than the order.
3. Random draws follow `_draws`: a result depends on its arguments only.
4. `front` never grows.
5. Nothing here knows limits, prices of orders or the book: keeping slippage inside a limit is the matcher's part.
"""

from __future__ import annotations

import math
from typing import Final

from karat.kernels._jit import compiled
from karat.kernels._memory import call4, load, load_real, mul_wrap
from karat.kernels.market._draws import draw_beta, draw_lognormal, draw_poisson, draw_word
from karat.kernels.market._kinds import (
    IMPACT_ALMGREN_CHRISS,
    IMPACT_LINEAR,
    IMPACT_SQUARE_ROOT,
    LATENCY_CONSTANT,
    LATENCY_LOGNORMAL,
    LATENCY_RECORDED,
    PARTIAL_POISSON_BETA,
    PIECES,
    PURPOSE_FILL_COUNT,
    PURPOSE_FILL_RATIO,
    PURPOSE_SLIPPAGE,
    QUEUE_LOG,
    QUEUE_POWER,
    QUEUE_RISK_AVERSE,
    SLIPPAGE_BPS,
    SLIPPAGE_TICKS,
    USER,
)
from karat.kernels.market._wide import mul_div

RATE_ONE: Final = 1_000_000_000
MICRO: Final = 1_000_000.0
"""A user's queue function works in millionths of a lot, because its arguments are whole numbers."""

_LONGEST_NS: Final = 4.0e18
_MOST_TICKS: Final = 9.0e15
_NOISE: Final = 1e-9


@compiled("int64(int64, int64)")
def _recorded(p: int, ts: int) -> int:
    low, high = 0, load(p, 0) - 1
    while low < high:
        middle = (low + high + 1) >> 1
        if load(p, 1 + 2 * middle) <= ts:
            low = middle
        else:
            high = middle - 1
    return int(load(p, 2 + 2 * low))


@compiled("int64(int64, int64, int64, int64, int64, int64)")
def latency_ns(kind: int, p: int, seed: int, key: int, purpose: int, ts: int) -> int:
    """Return the delay in ns of a message that leaves at `ts`; 0 for LATENCY_NONE.

    key: order id (row of the event for PURPOSE_FEED). purpose: a PURPOSE, plus 256 times the number of the request
    where one order sends several for the same purpose. USER is called with (key, purpose, ts, random word).
    """
    if kind == LATENCY_CONSTANT:
        return int(load(p, 0))
    if kind == LATENCY_LOGNORMAL:
        units = draw_lognormal(seed, key, purpose & 255, purpose >> 8, load_real(p, 0), load_real(p, 1))
        return max(1, int(min(units * load_real(p, 2) + 0.5, _LONGEST_NS)))
    if kind == LATENCY_RECORDED:
        return int(_recorded(p, ts))
    if kind == USER:
        return max(0, int(call4(load(p, 0), key, purpose, ts, draw_word(seed, key, purpose & 255, purpose >> 8))))
    return 0


@compiled("f8(int64, int64, int64)")
def queue_enter(kind: int, p: int, level_qty: int) -> float:
    """Return the lots before a new order at a level that shows `level_qty` lots; 0 for QUEUE_NONE."""
    return float(level_qty) if kind != 0 else 0.0


@compiled("f8(f8, int64)")
def queue_trade(front: float, qty: int) -> float:
    """Return the lots before the order after a trade of `qty` lots at its price; below 0 the order itself was hit."""
    return front - qty


@compiled("f8(int64, int64, f8)")
def _weight(kind: int, p: int, lots: float) -> float:
    lots = max(lots, 0.0)
    if kind == QUEUE_POWER:
        power = load_real(p, 0)
        return float(lots * lots if power == 2.0 else lots**power)
    return math.log(1.0 + lots) if kind == QUEUE_LOG else lots


@compiled("f8(int64, int64, f8, int64, int64, int64)")
def queue_change(kind: int, p: int, front: float, previous_qty: int, new_qty: int, traded_since: int) -> float:
    """Return the lots before the order after its level went from `previous_qty` to `new_qty` lots.

    traded_since: lots traded at the level since its last change: they are part of the decrease and were already
    taken off by `queue_trade`, so they do not count twice. USER is called with (front in millionths of a lot,
    previous_qty, new_qty, traded_since) and returns millionths of a lot.
    """
    if kind == USER:
        asked = call4(load(p, 0), int(front * MICRO), previous_qty, new_qty, traded_since)
        return min(float(asked) / MICRO, front)
    cancelled = float(previous_qty - new_qty - traded_since)
    if kind == 0 or kind == QUEUE_RISK_AVERSE or cancelled < 0.0:
        return min(front, float(new_qty))
    back = previous_qty - front
    before, behind = _weight(kind, p, front), _weight(kind, p, back)
    share = behind / (behind + before) if behind + before > 0.0 else 1.0
    moved = front - (1.0 - share) * cancelled + min(back - share * cancelled, 0.0)
    return min(moved, float(new_qty))


@compiled("int64(f8)")
def queue_reached(front: float) -> int:
    """Return 1 when the order at `front` is reached: front, rounded to whole lots half away from zero, is below 0."""
    return 1 if front <= -0.5 else 0


@compiled("int64(f8)")
def queue_lots(front: float) -> int:
    """Return the whole lots by which trades went past the queue: floor(-front), 0 when they did not."""
    return math.floor(-front) if front < 0.0 else 0


@compiled("int64(int64, int64, int64, int64, int64)")
def partial_count(kind: int, p: int, seed: int, key: int, attempt: int) -> int:
    """Return in how many pieces the attempt is filled, 0 to PIECES; 1 for PARTIAL_NONE, which fills all at once."""
    if kind != PARTIAL_POISSON_BETA:
        return 1
    return min(PIECES, int(draw_poisson(seed, key, PURPOSE_FILL_COUNT, attempt, load_real(p, 0))))


@compiled("f8(int64, int64, int64, int64, int64)")
def partial_ratio(kind: int, p: int, seed: int, key: int, k: int) -> float:
    """Return the share of what remains that piece k takes, 0 to 1; k counts PIECES for each attempt."""
    if kind != PARTIAL_POISSON_BETA:
        return 1.0
    return float(draw_beta(seed, key, PURPOSE_FILL_RATIO, k, load_real(p, 1), load_real(p, 2)))


@compiled("int64(int64, int64, int64, int64, int64, int64)")
def partial_next(kind: int, p: int, seed: int, key: int, remaining: int, k: int) -> int:
    """Return the lots of piece k when `remaining` lots are left: the share rounded half up, at least 1, at most all.

    k = PIECES * attempt + piece; 0 when the attempt has fewer pieces. An attempt is one chance to trade, such as one
    bar; what its pieces leave stays open. USER is called with (remaining, k, key, random word).
    """
    if remaining <= 0:
        return 0
    if kind == USER:
        asked = call4(load(p, 0), remaining, k, key, draw_word(seed, key, PURPOSE_FILL_RATIO, k))
        return min(max(int(asked), 0), remaining)
    if k % PIECES >= partial_count(kind, p, seed, key, k // PIECES):
        return 0
    lots = int(partial_ratio(kind, p, seed, key, k) * remaining + 0.5)
    return min(max(lots, 1), remaining)


@compiled("int64(int64, int64, int64, int64, int64, int64, int64)")
def slippage_ticks(kind: int, p: int, side: int, price: int, qty: int, seed: int, key: int) -> int:
    """Return the ticks, 0 or more, by which a fill is worse than `price`: the fill is at price + side * ticks.

    side: +1 buy, -1 sell. USER is called with (side, price, qty, random word).
    """
    if kind == SLIPPAGE_TICKS:
        return int(load(p, 0))
    if kind == SLIPPAGE_BPS:
        size, rate = abs(price), load(p, 0)
        ticks = mul_div(size, rate, RATE_ONE)
        return int(ticks + (mul_wrap(ticks, RATE_ONE) != mul_wrap(size, rate)))
    if kind == USER:
        return max(0, int(call4(load(p, 0), side, price, qty, draw_word(seed, key, PURPOSE_SLIPPAGE, 0))))
    return 0


@compiled("int64(int64, int64, int64, int64)")
def impact_ticks(kind: int, p: int, price: int, qty: int) -> int:
    """Return the ticks, 0 or more and rounded up, by which a fill of `qty` lots is worse for its own size.

    price in ticks, qty in lots, both taken without sign. Not for fills that walk a book: that is their impact.
    USER is called with (price, qty, 0, 0).
    """
    size, ticks = float(abs(qty)), 0.0
    if kind == IMPACT_LINEAR:
        ticks = abs(price) * load_real(p, 0) * size / load_real(p, 1)
    elif kind == IMPACT_SQUARE_ROOT:
        ticks = abs(price) * load_real(p, 0) * math.sqrt(size / load_real(p, 1))
    elif kind == IMPACT_ALMGREN_CHRISS and qty != 0:
        ticks = load_real(p, 0) + load_real(p, 1) * size
    elif kind == USER:
        return max(0, int(call4(load(p, 0), price, qty, 0, 0)))
    return math.ceil(min(ticks, _MOST_TICKS) - _NOISE)


@compiled("f8(int64, int64, int64)")
def impact_permanent(kind: int, p: int, qty: int) -> float:
    """Return the ticks, not rounded, by which `qty` lots move the price for all that follows, in their direction."""
    return float(load_real(p, 2)) * abs(qty) if kind == IMPACT_ALMGREN_CHRISS else 0.0
