"""`sweep`: the market of one instrument for many settings at once, equity of each, on as many threads as asked for.

Invariants:
1. Setting k gives what `simulate` gives for the same decisions, whatever the threads and the chunks.
2. Beside the equity of all settings, memory holds the decisions and fills of one chunk per thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.kernels import Decisions, OutOfRange, each, rebalance_many
from karat.market._bars import Bars, Floats, Ints
from karat.market._panel import applied_fill, out_of_range, terms_of
from karat.market._simulation import fill_prices
from karat.market._spec import Fill, MarketSpec

CHUNK = 125  # settings a thread takes at a time: their decisions stay in its cache, and few turns wait for Python


@dataclass(frozen=True, eq=False)
class Sweep:
    """What K settings came to: equity (K, T) in money quanta of `spec.quanta`, fills (K,), ruined (K,) bar or -1."""

    bars: Bars
    spec: MarketSpec
    fill: Fill
    equity: Ints
    fills: Ints
    ruined: Ints

    @property
    def final_usd(self) -> Floats:
        """(K,) equity after the last bar."""
        return np.asarray(self.equity[:, -1] / float(1 / self.spec.quanta.money))

    def equity_usd(self, k: int) -> Floats:
        """(T,) equity of setting k after each bar."""
        return np.asarray(self.equity[k] / float(1 / self.spec.quanta.money))


def sweep(
    bars: Bars,
    decide: Callable[[int, int], Decisions],
    n_settings: int,
    spec: MarketSpec | None = None,
    *,
    by_weight: bool = True,
    threads: int = 1,
    out: Ints | None = None,
) -> Sweep:
    """Return the equity of every setting on the one instrument of `bars`.

    decide: `decide(a, b)` returns the decisions of settings a to b - 1; it is called from several threads when there
    are several. Targets are shares of equity, units when not `by_weight`; they are filled as `spec.fill` says. out:
    (K, T) int64 in C order, written and returned as the equity; memory that is used again saves its making.

    Raises:
        InputError: bars of more than one instrument, no settings, or decisions of another number of settings.
        RangeError: as for `simulate`.

    Example:
        >>> bars = Bars(np.arange(3), ("A",), None, np.array([[100.0], [100.0], [110.0]]))
        >>> decisions = Decisions(np.array([0, 1, 1]), np.array([0]), np.array([0.5]))
        >>> costless = MarketSpec(capital_usd=1000, proportional_bps=0, fill="next_close")
        >>> sweep(bars, lambda a, b: decisions, 2, costless).final_usd.tolist()
        [1050.0, 1000.0]
    """
    spec = spec or MarketSpec()
    if len(bars.instruments) != 1:
        raise InputError("bars", counted(len(bars.instruments), "instrument"), allowed="one")
    if n_settings < 1 or threads < 1:
        field, value = ("n_settings", n_settings) if n_settings < 1 else ("threads", threads)
        raise InputError(field, value, allowed="1 or more")
    fill = applied_fill(bars, spec)
    terms, prices, closes = terms_of(spec, fill, by_weight=by_weight), fill_prices(bars, fill), bars.close
    columns = np.ascontiguousarray(prices[:, 0]), np.ascontiguousarray(closes[:, 0])
    equity = _room(out, (n_settings, len(bars.ts)))
    facts = np.empty((n_settings, 2), dtype=np.int64)

    def work(a: int) -> None:
        b = min(a + CHUNK, n_settings)
        decisions = decide(a, b)
        if len(decisions.starts) != b - a + 1:
            raise InputError("decide", counted(len(decisions.starts) - 1, "setting"), allowed=f"{b - a}")
        facts[a:b] = rebalance_many(decisions, *columns, terms=terms, equity=equity[a:b])

    try:
        each(work, range(0, n_settings, CHUNK), threads)
    except OutOfRange as error:
        raise out_of_range(error, bars, spec) from None
    return Sweep(bars, spec, fill, equity, facts[:, 0], facts[:, 1])


def _room(out: Ints | None, shape: tuple[int, int]) -> Ints:
    if out is None:
        return np.empty(shape, dtype=np.int64)
    if out.shape != shape or out.dtype != np.int64 or not out.flags.c_contiguous or not out.flags.writeable:
        raise InputError("out", f"{out.dtype} {out.shape}", allowed=f"int64 {shape}, in C order and writeable")
    return out
