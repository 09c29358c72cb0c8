"""Target weights to fills, cash and equity, bar by bar, in whole ticks, lots and money quanta.

| symbol | meaning | shape | unit |
|---|---|---|---|
| W | target of the decision taken after a bar's close; NaN keeps the position | (M, N) | share of equity, or units |
| F | price at which an order of the bar is filled; NaN: cannot be traded | (T, N) | currency per unit |
| C | close, at which positions are valued; NaN: the last known price stands | (T, N) | currency per unit |
| q | positions after the bar, q_0 = 0 | (T, N) | lots |
| E | equity after the bar: cash + sum of q times the last price | (T,) | money quanta |
| L | `lag`, bars from the decision to its fill | scalar | bars |
| u | `unit`, money quanta of one lot at a price of one tick | scalar | money quanta |

Order of events in bar t: (a) with `at_close` only, positions are valued at C_t; (b) the decision of bar s = t - L is
sized with what was known at s and priced at F_t; (c) its buys are held to the cash there is, as `policy` says;
(d) costs are paid; (e) positions are valued at C_t.

Rounding, all of it:
* price: floor(price * per_tick + 1/2) ticks, the product in float64.
* weight: budget = floor(|W_s * E_s|) quanta, the product in float64; lots = floor(budget / (u * ticks of C_s)), exact.
* quantity: floor(|W_s| * per_lot + 1/2) lots, the product in float64.
* slippage: a buy pays ticks + round(ticks * slip), a sale gets ticks - round(ticks * slip).
* fee: round(value * rate), value = lots * ticks * u; round is to the nearest quantum, half away from zero, exact.
* scale: a buy is cut to floor(lots * r), r = (cash - (fixed + 1) * buys) / need * (1 - 2**-50) in float64, where need
  is what the buys and their fees cost and cash is what there is after the sales: rounding loses less than one lot.

Invariants:
1. cash + value of positions + all costs = start capital + sum of q times price changes, exactly, in integers.
2. Rows after t cannot change positions, equity, cash or costs up to t.
3. A missing price never moves a position: the order is dropped and counted, the position keeps its last price.
4. From the first bar with E <= 0 (ruin) on, waiting orders are withdrawn and the only decision is to close everything,
   with borrowed money where needed.
5. Compiled or not, one instrument or many, and against a plain oracle, the result is the same integers.
6. With `SCALE` or `REJECT` buying never makes cash negative.
7. A number that would leave its range raises `OutOfRange`: 2**50 ticks or lots, 2**62 quanta.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from karat.kernels import _column_jit as column
from karat.kernels import _rebalance_jit as panel
from karat.kernels._bundle import library
from karat.kernels._jit import BUNDLES, off
from karat.kernels._rebalanced import Rebalanced, Terms, many, one, packed
from karat.kernels._signals import Decisions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BEYOND = {1: "price", 2: "lots", 4: "money"}


class OutOfRange(ArithmeticError):
    """A number of a run left the range in which it is exact: `what` (price, lots or money) and in which bar."""

    def __init__(self, what: str, bar: int) -> None:
        super().__init__(f"{what} at bar {bar}: beyond the exact range")
        self.what, self.bar = what, bar


def prepare() -> None:
    """Load the compiled kernels from the disk cache, or compile them (seconds, once per machine and version)."""
    if not off():
        library("panel", BUNDLES["panel"])


def rebalance(targets: Floats, fill: Floats, close: Floats, *, terms: Terms, rows: Ints | None = None) -> Rebalanced:
    """Run target weights or quantities over all bars; see the module for symbols, order of events and NaN rules.

    targets: (M, N) float64, W. rows: (M,) int64, the bar of each row of targets, increasing; None: row j is bar j.
    fill, close: (T, N) float64, F and C. The first call in a process loads or compiles the kernel.

    Raises:
        ValueError: shapes that differ, rows that are not increasing bars, or a lag of 0 without `at_close`.
        OutOfRange: a price, an order or money left the range in which it is exact.

    Example:
        >>> price = np.array([[100.0], [110.0], [121.0]])
        >>> terms = Terms(1000 * 10**9, 0, 0, lag=1, at_close=False, by_weight=True)
        >>> (rebalance(np.ones((3, 1)), price, price, terms=terms).equity / 10**9).tolist()
        [1000.0, 1000.0, 1110.0]
    """
    _check(targets, fill, close, terms, rows)
    wanted, prices, closes = (np.ascontiguousarray(item, dtype=np.float64) for item in (targets, fill, close))
    bars = np.arange(len(targets)) if rows is None else np.ascontiguousarray(rows, dtype=np.int64)
    return (_one if close.shape[1] == 1 else _many)(wanted, bars, prices, closes, terms)


def rebalance_many(decisions: Decisions, fill: Floats, close: Floats, *, terms: Terms, equity: Ints) -> Ints:
    """Run the market of one instrument for each of K settings; (K, T) equity is written, other facts are returned.

    fill, close: (T,) float64, as for `rebalance`. equity: (K, T) int64, C order. Returns (K, 2): fills, bar of ruin or
    -1. The compiled code holds no lock: calls from several threads run side by side.

    Raises:
        ValueError: rows that are no bars, as for `rebalance`.
        OutOfRange: a number of some setting left the range in which it is exact.
    """
    starts, rows, targets = decisions
    _check_lag(terms)
    inside = np.ones(max(len(rows) - 1, 0), dtype=bool)
    inside[starts[1:-1][(starts[1:-1] > 0) & (starts[1:-1] < len(rows))] - 1] = False
    if len(rows) and (rows.min() < 0 or rows.max() >= len(close) or (np.diff(rows) <= 0)[inside].any()):
        raise ValueError(f"rows: allowed: increasing bars from 0 to {len(close) - 1} within a setting")
    (whole, real), most = packed(terms), int(np.diff(starts).max(initial=0))
    fills, outcomes = np.empty((most + 1, column.FILL), dtype=np.int64), np.empty(most, dtype=np.int8)
    accounts = np.empty((len(equity), column.PLACES), dtype=np.int64)
    column.many_columns(starts, rows, targets, fill, close, real, whole, fills, outcomes, equity, accounts)
    wrong = np.flatnonzero(accounts[:, column.CODE])
    if len(wrong):
        raise beyond(int(accounts[wrong[0], column.CODE]), int(accounts[wrong[0], column.WHERE]))
    return accounts[:, [column.N_FILLS, column.RUINED]]


def beyond(code: int, bar: int) -> OutOfRange:
    """Return the error of a compiled run's code."""
    return OutOfRange(next(what for bit, what in _BEYOND.items() if code & bit), bar)


def _many(targets: Floats, rows: Ints, fill: Floats, close: Floats, terms: Terms) -> Rebalanced:
    (n_bars, n), (whole, real) = close.shape, packed(terms)
    order, sized = np.zeros((5, n), dtype=np.int64), np.zeros(n_bars, dtype=np.int64)
    positions, account = (
        np.empty((n_bars + 1, n), dtype=np.int64),
        np.empty((n_bars, panel.ACCOUNT), dtype=np.int64),
    )
    positions[0] = 0
    nothing, sums = np.zeros((1, n)), np.zeros(panel.SUMS, dtype=np.int64)
    code = panel.scan(targets, rows, fill, close, whole, real, order, positions, account, sized, nothing, sums)
    if code:
        raise beyond(code, int(sums[panel.WHERE]))
    return many(int(sums[panel.RUINED]), positions, account, fill, terms)


def _one(targets: Floats, rows: Ints, fill: Floats, close: Floats, terms: Terms) -> Rebalanced:
    (n_bars, m), (whole, real) = (len(close), len(rows)), packed(terms)
    equity, fills = np.empty(n_bars, dtype=np.int64), np.empty((m + 1, column.FILL), dtype=np.int64)
    account, outcomes = np.zeros(column.PLACES, dtype=np.int64), np.zeros(m, dtype=np.int8)
    columns = (fill[:, 0], close[:, 0])
    column.trade_column(targets[:, 0], rows, *columns, real, whole, account, fills, outcomes)
    blind = column.finish_column(*columns, real, whole, account, fills, equity)
    if account[column.CODE]:
        raise beyond(int(account[column.CODE]), int(account[column.WHERE]))
    ruined, written = int(account[column.RUINED]), fills[: account[column.N_FILLS]]
    lost = np.arange(blind) + ruined + max(terms.lag, 1)  # after ruin, bars in which there was no price to close at
    if ruined >= 0:  # what was decided before it and not filled is withdrawn
        outcomes[rows + terms.lag > ruined] = column.NOTHING
    skipped = np.concatenate([rows[outcomes == column.BLIND] + terms.lag, lost])
    cut = np.concatenate(
        [rows[outcomes == column.REFUSED] + terms.lag, written[written[:, column.LIMITED] != 0, column.AT]]
    )
    return one(ruined, equity, written, skipped, cut, terms)


def _check(targets: Floats, fill: Floats, close: Floats, terms: Terms, rows: Ints | None) -> None:
    wide = (len(close) if rows is None else len(rows), *close.shape[1:])
    if not targets.shape == wide or fill.shape != close.shape or close.ndim != 2:
        raise ValueError(
            f"targets, fill, close: got shapes {targets.shape}, {fill.shape}, {close.shape}; allowed: {wide} and equal"
        )
    late = rows is not None and len(rows) and (rows[0] < 0 or rows[-1] >= len(close) or (rows[1:] <= rows[:-1]).any())
    if rows is not None and late:
        raise ValueError(f"rows: got {rows[0]} to {rows[-1]}; allowed: increasing bars from 0 to {len(close) - 1}")
    _check_lag(terms)


def _check_lag(terms: Terms) -> None:
    if terms.lag < (0 if terms.at_close else 1):
        raise ValueError(
            f"lag: got {terms.lag}; allowed: 1 or more, 0 only with at_close (no fill before its decision)"
        )
