"""Which instrument earned what: P&L per instrument, before and after costs."""

from __future__ import annotations

import numpy as np
import polars as pl

from karat.market._simulation import Simulation


def attribution(simulation: Simulation) -> pl.DataFrame:
    """Return one row per instrument: its P&L and costs in USD; net_pnl_usd sums to final equity minus capital.

    Columns: instrument, gross_pnl_usd, cost_proportional_usd, cost_fixed_usd, cost_slippage_usd, net_pnl_usd,
    traded_usd, n_fills.
    Gross P&L is summed from positions times price moves, independently of the simulation's own cash.
    """
    fills = (
        simulation.fills.group_by("instrument")
        .agg(
            pl.col("cost_proportional_usd").sum(),
            pl.col("cost_fixed_usd").sum(),
            pl.col("cost_slippage_usd").sum(),
            (pl.col("quantity") * pl.col("price")).abs().sum().alias("traded_usd"),
            pl.len().cast(pl.Int64).alias("n_fills"),
        )
        .sort("instrument")
    )
    gross = pl.DataFrame(
        {
            "instrument": list(simulation.bars.instruments),
            "gross_pnl_usd": np.asarray(simulation.usd(simulation.gross_pnl_quanta.sum(axis=0)), dtype=np.float64),
        }
    )
    table = gross.join(fills, on="instrument", how="left", maintain_order="left").fill_null(0)
    costs = pl.col("cost_proportional_usd") + pl.col("cost_fixed_usd") + pl.col("cost_slippage_usd")
    return table.with_columns((pl.col("gross_pnl_usd") - costs).alias("net_pnl_usd")).select(
        "instrument",
        "gross_pnl_usd",
        "cost_proportional_usd",
        "cost_fixed_usd",
        "cost_slippage_usd",
        "net_pnl_usd",
        "traded_usd",
        "n_fills",
    )
