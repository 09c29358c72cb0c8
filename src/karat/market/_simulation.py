"""`Simulation`: what trading the intents on the bars would have given, with every cost itemised.

Invariants:
1. cash + positions + costs paid so far = start capital + gross P&L so far, at every bar, exactly, in money quanta.
2. Fills are the changes of the positions: each leads to the decision that caused it, by `decision_ts`.
3. Anything a reader should doubt stands in `notes`, in plain words.
4. Frames and floats are made when asked for, from the whole numbers of `run`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.kernels import Rebalanced
from karat.market._bars import Bars, Floats, Ints
from karat.market._notes import notes_of
from karat.market._spec import Fill, MarketSpec


@dataclass(frozen=True, eq=False)
class Simulation:
    """The result of `simulate`. Arrays follow `bars`: T rows, N columns; `fill` is the rule that was applied.

    run: the same in whole numbers: ticks, lots and money quanta of `spec.quanta`. targets (M, N), rows (M,) or None:
    what was asked for, and the bar of each row. Returns are simple, from bar close to bar close. From the bar after
    ruin (equity at or below zero) on they are 0.
    """

    bars: Bars
    spec: MarketSpec
    fill: Fill
    run: Rebalanced
    targets: Floats
    rows: Ints | None = None

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What should raise doubt, in plain words."""
        return notes_of(self)

    @property
    def equity_usd(self) -> Floats:
        """(T,) equity after each bar."""
        return np.asarray(self.usd(self.run.equity))

    @cached_property
    def positions(self) -> Floats:
        """(T, N) units held after each bar."""
        return self.run.lots / float(1 / self.spec.quanta.lot)

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
        return self._over_previous(self.run.equity - self._previous + self.costs_quanta)

    @property
    def turnover(self) -> Floats:
        """(T,) value bought plus value sold in the bar over the equity of the bar before, a fraction."""
        return self._over_previous(self.run.traded)

    @property
    def costs_quanta(self) -> Ints:
        """(T,) costs of each bar in money quanta, slippage with them."""
        return self.run.proportional + self.run.fixed + self.run.slippage

    @property
    def costs_usd(self) -> Floats:
        """(T,) costs of each bar, slippage with them."""
        return np.asarray(self.usd(self.costs_quanta))

    @property
    def costs(self) -> dict[str, float]:
        """Total costs by kind, in USD: `proportional`, `fixed`, `slippage` and their sum `total`."""
        run = self.run
        parts = {"proportional": run.proportional, "fixed": run.fixed, "slippage": run.slippage}
        sums = {name: int(values.sum()) for name, values in parts.items()}
        return {name: float(self.usd(quanta)) for name, quanta in (sums | {"total": sum(sums.values())}).items()}

    @cached_property
    def last_ticks(self) -> Ints:
        """(T, N) the price each position is valued at, in ticks: the last close or fill known, 0 before any."""
        known = _ticks(self.bars.close, self.spec)
        records = self.run.records
        blind = known[records.row, records.column] == 0
        known[records.row[blind], records.column[blind]] = records.reference[blind]
        row = np.maximum.accumulate(np.where(known > 0, np.arange(len(known))[:, None], 0), axis=0)
        return np.take_along_axis(known, row, axis=0)

    @property
    def last_prices(self) -> Floats:
        """(T, N) `last_ticks` as prices."""
        return self.last_ticks / float(1 / self.spec.quanta.tick)

    @property
    def weights(self) -> Floats:
        """(T, N) position values over equity after each bar; NaN where equity is at or below zero."""
        equity = np.where(self.run.equity > 0, self.run.equity, np.nan)
        return self.run.lots * self.last_ticks * self.spec.quanta.unit / equity[:, None]

    @cached_property
    def equity(self) -> pl.DataFrame:
        """One row per bar: ts, equity_usd, cash_usd, positions_usd, costs_usd (paid in that bar)."""
        run = self.run
        columns = {"equity_usd": run.equity, "cash_usd": run.cash, "positions_usd": run.equity - run.cash}
        money = {name: self.usd(quanta) for name, quanta in columns.items()}
        return pl.DataFrame({"ts": self.bars.ts} | money | {"costs_usd": self.costs_usd})

    @cached_property
    def fills(self) -> pl.DataFrame:
        """One row per fill, by time and instrument.

        Columns: ts (close of the bar of the fill), instrument, quantity (units, negative for a sale), price,
        reference_price (of the bar, before slippage), cost_proportional_usd, cost_fixed_usd, cost_slippage_usd,
        decision_ts.
        """
        records, quanta = self.run.records, self.spec.quanta
        names = np.asarray(self.bars.instruments, dtype=object)
        fixed = quanta.of_money(self.spec.fixed_usd)
        return pl.DataFrame(
            {
                "ts": self.bars.ts[records.row],
                "instrument": pl.Series(names[records.column].tolist(), dtype=pl.String),
                "quantity": records.lots / float(1 / quanta.lot),
                "price": records.price / float(1 / quanta.tick),
                "reference_price": records.reference / float(1 / quanta.tick),
                "cost_proportional_usd": self.usd(records.proportional),
                "cost_fixed_usd": np.full(len(records.row), float(self.usd(fixed))),
                "cost_slippage_usd": self.usd(records.slippage),
                "decision_ts": self.bars.ts[records.row - self.lag_bars],
            }
        )

    @cached_property
    def telemetry(self) -> dict[str, float]:
        """Counts and totals in USD, for machines: rows, fills, traded, fees, slippage, orders_skipped.

        Named as in `MarketRun.telemetry`; fees are the proportional and the fixed costs.
        """
        run = self.run
        fees = int(run.proportional.sum() + run.fixed.sum())
        return {
            "rows": len(self.bars.ts),
            "fills": int(run.fills.sum()),
            "traded": float(self.usd(int(run.traded.sum()))),
            "fees": float(self.usd(fees)),
            "slippage": float(self.usd(int(run.slippage.sum()))),
            "orders_skipped": self.skipped_orders,
        }

    @property
    def gross_pnl_usd(self) -> Floats:
        """(T, N) P&L before costs of each bar and instrument: what was held times the move of its price.

        Held overnight up to the fill, and the new position from the fill to the close.
        """
        return np.asarray(self.usd(self.gross_pnl_quanta))

    @property
    def gross_pnl_quanta(self) -> Ints:
        """(T, N) P&L before costs in money quanta, exact."""
        records, last = self.run.records, self.last_ticks
        after = self.run.lots
        before, turn = _shifted(after), _shifted(last)
        opened = turn.copy()
        turn[records.row, records.column] = records.reference
        return np.asarray((before * (turn - opened) + after * (last - turn)) * self.spec.quanta.unit)

    def usd(self, quanta: Any) -> Any:
        """Return money quanta as USD, each rounded once to the nearest float."""
        return quanta / float(1 / self.spec.quanta.money)

    @property
    def _previous(self) -> Ints:
        start = np.array([self.spec.quanta.of_money(self.spec.capital_usd)])
        return np.concatenate([start, self.run.equity[:-1]])

    def _over_previous(self, quanta: Ints) -> Floats:
        """Return value over the equity of the bar before, up to and with the bar of ruin, 0 after it."""
        ruined = self.run.ruined if self.run.ruined >= 0 else len(quanta)
        alive: NDArray[np.bool_] = np.arange(len(quanta)) <= ruined
        return np.where(alive, quanta / np.where(alive, self._previous, 1), 0.0)


def fill_lag(fill: Fill, delay_bars: int) -> int:
    """Return bars from a decision to its fill."""
    return delay_bars + (0 if fill == "same_close" else 1)


def fill_prices(bars: Bars, fill: Fill) -> Floats:
    """Return (T, N) the price at which an order of each bar is filled, NaN where there is none."""
    return bars.open if fill == "next_open" and bars.open is not None else bars.close


def _ticks(prices: Floats, spec: MarketSpec) -> Ints:
    """Return prices in ticks, as the kernel rounds them; 0 where there is none."""
    scaled = np.floor(prices * float(1 / spec.quanta.tick) + 0.5)
    return np.asarray(np.where(np.isnan(scaled), 0.0, scaled).astype(np.int64))


def _shifted(values: Ints) -> Ints:
    """Return the rows one bar later, zeros first."""
    return np.vstack([np.zeros((1, values.shape[1]), dtype=np.int64), values[:-1]])
