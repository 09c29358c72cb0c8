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

from karat._words import counted
from karat.core import InputError, iso
from karat.kernels import finite_above, places
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


def on_bars(
    ts: Ints, values: Floats, instruments: tuple[str, ...] | None, bars: Bars
) -> tuple[Ints | None, NDArray[np.float64]]:
    """Return the bar of each row of targets (None: row j is bar j) and the targets on the bars' columns (M, N).

    NaN (keep) stands in the columns of instruments that the targets do not have.

    Raises:
        InputError: a decision at no bar's close, an unknown instrument, a wrong number of columns.
    """
    if instruments is None and values.shape[1] != len(bars.instruments):
        raise InputError(
            "intents",
            counted(values.shape[1], "column"),
            allowed=f"{len(bars.instruments)}, one per instrument of the bars",
        )
    rows = bar_rows(ts, bars)
    if instruments is None or instruments == bars.instruments:
        return rows, values
    place = {name: k for k, name in enumerate(bars.instruments)}
    for name in instruments:
        if name not in place:
            raise InputError("intents.instruments", name, allowed=bars.instruments)
    spread = np.full((len(ts), len(bars.instruments)), np.nan)
    spread[:, [place[name] for name in instruments]] = values
    return rows, spread


def bar_rows(ts: Ints, bars: Bars) -> Ints | None:
    """Return the bar of each decision, None when every bar has one.

    Raises:
        InputError: a decision at no bar's close.
    """
    if ts is bars.ts or np.array_equal(ts, bars.ts):
        return None
    rows = places(bars.ts, ts)
    if rows is None:
        missing = ts[~np.isin(ts, bars.ts)]
        raise InputError(
            "intents.ts",
            iso(int(missing[0])),
            why=f"{counted(len(missing), 'decision')} at no bar's close",
            allowed=f"the ts of the bars, {iso(int(bars.ts[0]))} to {iso(int(bars.ts[-1]))}",
        )
    return rows


def _check_targets(ts: Ints, values: Floats, instruments: tuple[str, ...] | None, name: str) -> None:
    _check_ts(ts, "intents")
    columns = values.shape[1] if instruments is None and values.ndim == 2 else len(instruments or ())
    if values.shape != (len(ts), columns):
        raise InputError(f"intents.{name}", values.shape, allowed=f"({len(ts)}, {columns or 'instruments'})")
    if instruments is not None and len(set(instruments)) != len(instruments):
        raise InputError("intents.instruments", list(instruments), allowed="each name once")
    if not finite_above(values, -np.inf) and np.isinf(values).any():
        where = iso(int(ts[np.argwhere(np.isinf(values))[0, 0]]))
        raise InputError(f"intents.{name}", f"an infinite target at {where}", allowed="finite, or NaN to keep")
