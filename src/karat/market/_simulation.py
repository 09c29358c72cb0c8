"""`Simulation`: what trading the intents on the bars would have given, with every cost itemised.

Invariants:
1. cash + positions + costs paid so far = start capital + gross P&L so far, at every bar, to float rounding.
2. Fills are the changes of the positions: each leads to the decision that caused it, by `decision_ts`.
3. Anything a reader should doubt stands in `notes`, in plain words.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.kernels import Rebalanced
from karat.market._bars import Bars, Floats
from karat.market._spec import Fill, MarketSpec


@dataclass(frozen=True, eq=False)
class Simulation:
    """The result of `simulate`. Arrays follow `bars`: T rows, N columns; `fill` is the rule that was applied.

    Returns are simple, from bar close to bar close. From the bar after ruin (equity at or below zero) on they are 0.
    """

    bars: Bars
    spec: MarketSpec
    fill: Fill
    run: Rebalanced
    notes: tuple[str, ...]

    @property
    def positions(self) -> Floats:
        """(T, N) units held after each bar."""
        return self.run.positions

    @property
    def skipped_orders(self) -> int:
        """Orders that were dropped because the instrument had no price in the bar of sizing or of filling."""
        return int(self.run.skipped.sum())

    @property
    def lag_bars(self) -> int:
        """Bars from a decision to its fill."""
        return fill_lag(self.fill, self.spec.delay_bars)

    @property
    def net_returns(self) -> Floats:
        """(T,) equity over the equity of the bar before, minus 1; the first against the start capital."""
        return self._over_previous(self.run.equity - self._previous)

    @property
    def gross_returns(self) -> Floats:
        """(T,) net returns with the bar's own costs added back."""
        return self._over_previous(self.run.equity - self._previous + self.costs_usd)

    @property
    def turnover(self) -> Floats:
        """(T,) value bought plus value sold in the bar over the equity of the bar before, a fraction."""
        return self._over_previous(self.run.traded)

    @property
    def costs_usd(self) -> Floats:
        """(T,) costs paid in each bar."""
        return self.run.proportional + self.run.fixed

    @property
    def costs(self) -> dict[str, float]:
        """Total costs by kind, in USD: `proportional`, `fixed` and their sum `total`."""
        parts = {"proportional": float(self.run.proportional.sum()), "fixed": float(self.run.fixed.sum())}
        return parts | {"total": sum(parts.values())}

    @cached_property
    def last_prices(self) -> Floats:
        """(T, N) the price each position is valued at: the last close or fill known, 0 before there was any."""
        known = np.where(np.isnan(self.bars.close) & self._filled, self._fill_prices, self.bars.close)
        row = np.where(np.isnan(known), -1, np.arange(len(known))[:, None])
        row = np.maximum.accumulate(row, axis=0)
        return np.where(row < 0, 0.0, np.take_along_axis(known, np.maximum(row, 0), axis=0))

    @property
    def weights(self) -> Floats:
        """(T, N) position values over equity after each bar; NaN where equity is at or below zero."""
        equity = np.where(self.run.equity > 0, self.run.equity, np.nan)
        return self.positions * self.last_prices / equity[:, None]

    @cached_property
    def equity(self) -> pl.DataFrame:
        """One row per bar: ts, equity_usd, cash_usd, positions_usd, costs_usd (paid in that bar)."""
        run = self.run
        columns = {"ts": self.bars.ts, "equity_usd": run.equity, "cash_usd": run.cash}
        return pl.DataFrame(columns | {"positions_usd": run.equity - run.cash, "costs_usd": self.costs_usd})

    @cached_property
    def fills(self) -> pl.DataFrame:
        """One row per fill, by time and instrument.

        Columns: ts (close of the bar of the fill), instrument, quantity (units, negative for a sale), price,
        cost_proportional_usd, cost_fixed_usd, decision_ts.
        """
        row, column = np.nonzero(self._filled)
        price, quantity = self._fill_prices[row, column], self._changes[row, column]
        names = np.asarray(self.bars.instruments, dtype=object)
        return pl.DataFrame(
            {
                "ts": self.bars.ts[row],
                "instrument": pl.Series(names[column].tolist(), dtype=pl.String),
                "quantity": quantity,
                "price": price,
                "cost_proportional_usd": np.abs(quantity * price) * self.spec.proportional_bps * 1e-4,
                "cost_fixed_usd": np.full(len(row), self.spec.fixed_usd),
                "decision_ts": self.bars.ts[row - self.lag_bars],
            }
        )

    @property
    def gross_pnl_usd(self) -> Floats:
        """(T, N) P&L before costs of each bar and instrument: what was held times the move of its price.

        Held overnight up to the fill, and the new position from the fill to the close.
        """
        before, opened = _shifted(self.positions), _shifted(self.last_prices)
        turn = np.where(self._filled, self._fill_prices, opened)
        moved: Floats = before * (turn - opened) + self.positions * (self.last_prices - turn)
        return moved

    @cached_property
    def _changes(self) -> Floats:
        return np.diff(self.positions, axis=0, prepend=0.0)

    @property
    def _filled(self) -> NDArray[np.bool_]:
        return np.not_equal(self._changes, 0.0)

    @property
    def _fill_prices(self) -> Floats:
        return fill_prices(self.bars, self.fill)

    @property
    def _previous(self) -> Floats:
        return np.concatenate([[self.spec.capital_usd], self.run.equity[:-1]])

    def _over_previous(self, value_usd: Floats) -> Floats:
        """Return value over the equity of the bar before, up to and with the bar of ruin, 0 after it."""
        ruined = self.run.ruined if self.run.ruined >= 0 else len(value_usd)
        alive = np.arange(len(value_usd)) <= ruined
        return np.where(alive, value_usd / np.where(alive, self._previous, 1.0), 0.0)


def fill_lag(fill: Fill, delay_bars: int) -> int:
    """Return bars from a decision to its fill."""
    return delay_bars + (0 if fill == "same_close" else 1)


def fill_prices(bars: Bars, fill: Fill) -> Floats:
    """Return (T, N) the price at which an order of each bar is filled, NaN where there is none."""
    return bars.open if fill == "next_open" and bars.open is not None else bars.close


def _shifted(values: Floats) -> Floats:
    """Return the rows one bar later, zeros first."""
    return np.vstack([np.zeros((1, values.shape[1])), values[:-1]])
