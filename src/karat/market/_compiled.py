"""`run_compiled`: a strategy compiled by numba, called for each row or at times, without Python in between.

Invariants:
1. The same strategy written for `run_strategy` gives the same fills, messages, money and state hash.
2. A call at a time knows rows with known_at up to it, and what the venue's answers have told by then.
3. How often the records are read out on the way changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from karat.core import NS_PER_SECOND, InputError, monotonic_ns
from karat.data import Events
from karat.kernels.market import empty_orders, table
from karat.kernels.market import layout as at
from karat.market._market import Market
from karat.market._record import MarketRun
from karat.market._venue import VenueSpec

_LOG = logging.getLogger(__name__)
CompiledStrategy = Callable[[int, int, int, Any], object]


def run_compiled(
    events: Events,
    strategy: CompiledStrategy,
    spec: VenueSpec | None = None,
    *,
    every_ns: int | None = None,
    memory: Any = None,
) -> MarketRun:
    """Call `strategy(market, now, row, memory)`, compiled, and run the market to its end.

    strategy: a function that numba compiles (`numba.njit`; a plain one is compiled here). It reads and acts with the
    functions of `karat.market.compiled`. row: the row that has just become known; with every_ns the last one that is
    known, -1 for none. every_ns: call at the first row's ts plus one interval, plus two, and so on, as long as rows are
    still to become known; None: for every row when it becomes known. memory: what the strategy keeps from call to call,
    an array or a tuple of arrays; it is written in place.

    Raises:
        InputError: a strategy that cannot be compiled, an interval below 1, and what `VenueSpec` says.
        MarketStopped: at a faulty row; `partial` is what came before.

    Example:
        >>> from karat.data import Instrument, events_from_bars
        >>> from karat.market import compiled as on
        >>> prices = {"open": [10.0, 10.0], "high": [10.0, 11.0], "low": [10.0, 10.0], "close": [10.0, 11.0]}
        >>> def buy_once(market, now, row, memory):
        ...     if row == 0:
        ...         on.send_market(market, 0, on.BUY, 5)
        >>> run = run_compiled(events_from_bars({"ts": [1, 2]} | prices, Instrument("A.X")), buy_once)
        >>> run.fills.select("quantity", "price").rows()
        [(5.0, 10.0)]
    """
    if every_ns is not None and every_ns < 1:
        raise InputError("every_ns", every_ns, allowed="1 or more, or None for every row")
    market = _DrivenMarket(events, spec)
    market.drive(_compilable(strategy), every_ns, memory)
    market.advance()
    market.forget()
    return market.result()


class _DrivenMarket(Market):
    """A market that a compiled strategy drives; a subclass, because the strategy works on what Market keeps."""

    def drive(self, strategy: Any, every_ns: int | None, memory: Any) -> None:
        """Make every call of the strategy."""
        from karat.kernels.market import _drive

        if not len(self.events):
            return
        order = self.events.known_order
        plan: Any = np.zeros(0, np.int64) if order is None else order
        loop, place = _drive.each_row, 0
        if every_ns is not None:
            last = int(self.events.known_at[-1 if order is None else order[-1]])
            loop, plan, place = _drive.each_time, (every_ns, last), int(self.events.ts[0]) + every_ns
        started, code = monotonic_ns(), at.NEWS_FULL
        call = _prepared(loop, strategy, plan, memory)
        seconds = (monotonic_ns() - started) / NS_PER_SECOND
        if seconds > 1.0:
            _LOG.info("compiled the strategy in %.1f s", seconds)
        while code != at.DONE:
            code, place = call(strategy, self._s, self._v, plan, place, memory)
            self._collect()
            if code == at.FAILED:
                self._make_room()

    def forget(self) -> None:
        """Empty the strategy's books: the run is over, and what nobody looks at is not part of the state."""
        for row in table(self.block, "instruments"):
            if where := int(row[at.I_LOCAL_BOOK]):
                slots = int(self.block[where + at.B_SLOTS])
                self.block[where + at.BOOK : where + at.BOOK + 2 * slots] = 0
                self.block[[where + at.B_BID, where + at.B_ASK]] = at.NONE
            if where := int(row[at.I_LOCAL_ORDERS]):
                empty_orders(self.block, where)
        self.block[at.H_LOCAL_ROW] = 0


def _compilable(strategy: Any) -> Any:
    """Return the strategy as numba takes it."""
    import numba

    config: Any = numba.config
    if not callable(strategy):
        raise InputError("strategy", type(strategy).__name__, allowed="a function of market, now, row and memory")
    if config.DISABLE_JIT or hasattr(strategy, "py_func"):
        return strategy
    return _wrapped(strategy)


@lru_cache(maxsize=64)
def _wrapped(strategy: Any) -> Any:
    """Return a plain function compiled; the same one again for a second run, which then compiles nothing."""
    import numba

    return numba.njit(strategy)


def _prepared(loop: Any, strategy: Any, plan: Any, memory: Any) -> Any:
    """Return the loop, compiled for the strategy and its memory."""
    import numba

    config: Any = numba.config
    if config.DISABLE_JIT:
        return loop
    kind: Any = numba.typeof
    try:
        loop.compile(tuple(kind(value) for value in (strategy, 0, 0, plan, 0, memory)))
    except (numba.core.errors.NumbaError, ValueError) as error:
        name = getattr(strategy, "__name__", "strategy")
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = "numba cannot compile it: " + " ".join(lines)[:600]
        fix = "use numbers and arrays only, and the functions of karat.market.compiled"
        raise InputError("strategy", name, why=why, fix=fix) from error
    return loop
