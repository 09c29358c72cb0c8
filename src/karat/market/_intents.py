"""What a strategy wants: target weights or target quantities, each row decided after the close of the bar at its ts.

Invariants:
1. A row's decision uses nothing after its ts; the simulation fills it later, never before.
2. NaN keeps the position as it is; zero closes it; infinite targets are refused.
3. A bar without a row keeps every position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError, iso
from karat.market._bars import Bars, Floats, Ints, _check_ts


@dataclass(frozen=True, eq=False)
class TargetWeights:
    """Shares of equity wanted: ts (M,), weights (M, N), negative for short.

    instruments: names of the columns; None means the columns of the bars they are simulated on.
    """

    ts: Ints
    weights: Floats
    instruments: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _check_targets(self.ts, self.weights, self.instruments, "weights")


@dataclass(frozen=True, eq=False)
class TargetQuantities:
    """Units wanted: ts (M,), quantities (M, N), negative for short; columns as in `TargetWeights`.

    Nothing is sized by equity, so the same quantities can be run at different costs.
    """

    ts: Ints
    quantities: Floats
    instruments: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _check_targets(self.ts, self.quantities, self.instruments, "quantities")


def on_bars(ts: Ints, values: Floats, instruments: tuple[str, ...] | None, bars: Bars) -> NDArray[np.float64]:
    """Return targets as (T, N) on the bars' rows and columns, NaN (keep) where there is none.

    Raises:
        InputError: a decision at no bar's close, an unknown instrument, a wrong number of columns.
    """
    if instruments is None and values.shape[1] != len(bars.instruments):
        raise InputError(
            "intents", f"{values.shape[1]} columns", allowed=f"{len(bars.instruments)}, one per instrument of the bars"
        )
    names = bars.instruments if instruments is None else instruments
    place = {name: k for k, name in enumerate(bars.instruments)}
    for name in names:
        if name not in place:
            raise InputError("intents.instruments", name, allowed=bars.instruments)
    rows = np.searchsorted(bars.ts, ts)
    missing = (rows == len(bars.ts)) | (bars.ts[np.minimum(rows, len(bars.ts) - 1)] != ts)
    if missing.any():
        raise InputError(
            "intents.ts",
            iso(int(ts[missing][0])),
            why=f"{int(missing.sum())} decision(s) at no bar's close",
            allowed=f"the ts of the bars, {iso(int(bars.ts[0]))} to {iso(int(bars.ts[-1]))}",
        )
    spread = np.full(bars.close.shape, np.nan)
    columns = np.array([place[name] for name in names], dtype=np.int64)
    spread[np.ix_(rows, columns)] = values
    return spread


def _check_targets(ts: Ints, values: Floats, instruments: tuple[str, ...] | None, name: str) -> None:
    _check_ts(ts, "intents")
    columns = values.shape[1] if instruments is None and values.ndim == 2 else len(instruments or ())
    if values.shape != (len(ts), columns):
        raise InputError(f"intents.{name}", values.shape, allowed=f"({len(ts)}, {columns or 'instruments'})")
    if instruments is not None and len(set(instruments)) != len(instruments):
        raise InputError("intents.instruments", list(instruments), allowed="each name once")
    if np.isinf(values).any():
        where = iso(int(ts[np.argwhere(np.isinf(values))[0, 0]]))
        raise InputError(f"intents.{name}", f"an infinite target at {where}", allowed="finite, or NaN to keep")
