"""Fit the assumptions to what a venue did: latency, fill counts and ratios, impact, from supplied records.

| table | column | meaning | unit |
|---|---|---|---|
| latency | latency_ns | time a message needed | ns, above 0 |
| trades | order | id of the order; its rows are its fills in order of time | any |
| | side | +1 buy, -1 sell | |
| | ordered_qty | quantity of the order | lots, above 0 |
| | qty | quantity of this fill; an order without fills has one row with 0 | lots |
| | price | of this fill; ignored where qty is 0 | any, above 0 |
| | arrival_price | middle of the market when the order arrived | that of price |
| | volume | of the day, for the impact | lots, above 0 |
| | sigma_frac | volatility of the day, for the impact | fraction, above 0 |

Estimators: mean and standard deviation (n - 1) of ln(ms); mean count of fills of an order; maximum likelihood for
Beta(a, b) of qty over what was open, where at least `LOTS` lots were open, so that whole lots do not shape the answer;
least squares through the origin of side * (mean price - arrival) / arrival on sigma sqrt(filled / volume).

Invariants:
1. The result names its source and how many rows each estimate stands on.
2. Nothing is filled in: a missing, infinite or impossible value stops with the rows named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from karat._words import counted
from karat.core import Config, DataError, InputError
from karat.market._impact import SquareRootImpact
from karat.market._latency import LogNormalLatency
from karat.market._queue import PoissonBetaFills

Floats = NDArray[np.float64]
LOTS: Final = 50
LEAST: Final = 30
"""Fewest observations for an estimate; below it the standard errors are not worth printing."""

TRADES: Final = ("order", "side", "ordered_qty", "qty", "price", "arrival_price", "volume", "sigma_frac")
_MS: Final = 1e6


class Estimate(Config):
    """A fitted number, its standard error and the number of observations behind it."""

    value: float
    error: float = Field(ge=0)
    n: int = Field(ge=1)


class Assumptions(Config):
    """Fitted models, ready for a spec, and where they come from.

    source: what the user said about the data, or the files' names. estimates: `mu`, `sigma`, `fills`, `a`, `b`, `y`.
    """

    source: str = Field(min_length=1)
    latency: LogNormalLatency
    partial: PoissonBetaFills
    impact: SquareRootImpact
    estimates: dict[str, Estimate]


def calibrate(trades: pl.DataFrame | Path, latency: pl.DataFrame | Path, *, source: str | None = None) -> Assumptions:
    """Return the assumptions fitted to the two tables of the module, given as frames or as .csv or .parquet files.

    source: where the data come from; may be left out for files, whose names then stand for it.

    Raises:
        InputError: a file that is missing or of another kind, or no source for frames.
        DataError: a missing column, a value that cannot be, or too few rows for an estimate.
    """
    if source is None:
        if not (isinstance(trades, Path) and isinstance(latency, Path)):
            raise InputError("source", source, allowed="a sentence that says where the data come from")
        source = f"{trades.name}, {latency.name}"
    estimates = _fit_latency(_read(latency, "latency", ("latency_ns",)))
    table = _read(trades, "trades", TRADES)
    _check_trades(table)
    estimates |= _fit_fills(table) | _fit_impact(table)
    value = {name: found.value for name, found in estimates.items()}
    return Assumptions(
        source=source,
        latency=LogNormalLatency(mu=value["mu"], sigma=value["sigma"]),
        partial=PoissonBetaFills(mean=value["fills"], a=value["a"], b=value["b"]),
        impact=SquareRootImpact(
            y=value["y"],
            sigma_frac=float(np.median(table["sigma_frac"].to_numpy())),
            volume_lots=float(np.median(table["volume"].to_numpy())),
        ),
        estimates=estimates,
    )


def _read(given: pl.DataFrame | Path, name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    """Return the columns wanted, numbers (all but `order`) as finite float64."""
    table = given if isinstance(given, pl.DataFrame) else _load(given, name)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        fix = f"give the columns {', '.join(columns)}"
        raise DataError(name, "every column is there", seen=table.columns, rows=missing, fix=fix)
    numbers = [column for column in columns if column != "order"]
    wrong = {column: str(table.schema[column]) for column in numbers if not table.schema[column].is_numeric()}
    if wrong:
        rule = "columns of numbers hold numbers"
        raise DataError(name, rule, seen=wrong, rows=list(wrong), fix="convert them before")
    table = table.select(columns).with_columns(pl.col(numbers).cast(pl.Float64))
    bad = ~table.select(pl.all_horizontal(pl.col(numbers).is_finite().fill_null(value=False))).to_series()
    _refuse(bad.to_numpy(), name, "no value is missing or infinite")
    return table


def _load(path: Path, name: str) -> pl.DataFrame:
    if path.suffix not in (".csv", ".parquet"):
        raise InputError(name, str(path), allowed=[".csv", ".parquet"])
    if not path.is_file():
        raise InputError(name, str(path), why="there is no such file", fix="check the path")
    try:
        return pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        seen, rule = str(error).splitlines()[0], f"a readable {path.suffix} file"
        raise DataError(name, rule, seen=seen, rows=[path.name], fix="write the file again") from None


def _refuse(bad: NDArray[np.bool_], name: str, rule: str) -> None:
    if bad.any():
        rows, fix = np.flatnonzero(bad).tolist(), "correct or drop these rows (0 is the first)"
        raise DataError(name, rule, seen=f"{len(rows)} of {counted(len(bad), 'row')}", rows=rows, fix=fix)


def _check_trades(table: pl.DataFrame) -> None:
    side, ordered, qty, price, arrival, volume, sigma = (table[name].to_numpy() for name in TRADES[1:])
    _refuse(np.abs(side) != 1, "trades", "side is 1 or -1")
    _refuse((qty < 0) | (ordered <= 0), "trades", "qty >= 0 and ordered_qty > 0")
    _refuse(((price <= 0) & (qty > 0)) | (arrival <= 0), "trades", "prices are above 0")
    _refuse((volume <= 0) | (sigma <= 0), "trades", "volume and sigma_frac are above 0")
    filled = table.select(pl.col("qty").cum_sum().over("order")).to_series().to_numpy()
    _refuse(filled > ordered * (1 + 1e-12), "trades", "the fills of an order do not exceed it")


def _enough(n: int, name: str, what: str) -> None:
    if n < LEAST:
        raise DataError(name, f"{LEAST} or more {what}", seen=n, fix="supply a longer record")


def _fit_latency(table: pl.DataFrame) -> dict[str, Estimate]:
    values = table["latency_ns"].to_numpy()
    _refuse(values <= 0, "latency", "latency_ns is above 0; receipt before sending is a clock offset")
    n = len(values)
    _enough(n, "latency", "rows")
    logs = np.log(values / _MS)
    mu, sigma = float(logs.mean()), float(logs.std(ddof=1))
    return {
        "mu": Estimate(value=mu, error=sigma / n**0.5, n=n),
        "sigma": Estimate(value=sigma, error=sigma / (2 * (n - 1)) ** 0.5, n=n),
    }


def _fit_fills(table: pl.DataFrame) -> dict[str, Estimate]:
    counts = table.group_by("order").agg((pl.col("qty") > 0).sum().alias("n"))["n"].to_numpy()
    n = len(counts)
    _enough(n, "trades", "orders")
    mean = float(counts.mean())
    if mean == 0:
        raise DataError(
            "trades", "some order is filled", seen=f"{counted(n, 'order')} without a fill", fix="supply filled orders"
        )
    before = (pl.col("ordered_qty") - pl.col("qty").cum_sum().over("order") + pl.col("qty")).alias("open")
    pieces = table.with_columns(before).filter((pl.col("qty") > 0) & (pl.col("open") >= LOTS))
    ratios = (pieces["qty"] / pieces["open"]).to_numpy()
    ratios = ratios[ratios < 1]
    _enough(len(ratios), "trades", f"partial fills where {LOTS} lots or more were open")
    return {"fills": Estimate(value=mean, error=(mean / n) ** 0.5, n=n)} | _fit_beta(ratios)


def _fit_beta(x: Floats) -> dict[str, Estimate]:
    """Return maximum likelihood a and b by Newton's method on the digamma equations, from the moments' estimate."""
    from scipy import special

    mean, spread = float(x.mean()), float(x.var())
    if spread < 1e-12:
        raise DataError(
            "trades", "fill ratios differ", seen=mean, fix="a Beta distribution cannot be fitted to one value"
        )
    start = mean * (1 - mean) / spread - 1
    shape = np.array([mean, 1 - mean]) * start
    target = np.array([np.log(x).mean(), np.log1p(-x).mean()])
    for _ in range(100):
        slope = special.polygamma(1, shape.sum()) - np.diag(special.polygamma(1, shape))
        step = np.linalg.solve(slope, special.digamma(shape) - special.digamma(shape.sum()) - target)
        shape = np.where(shape + step > 0, shape + step, shape / 2)
        if np.abs(step).max() < 1e-12 * shape.max():
            break
    information = len(x) * (np.diag(special.polygamma(1, shape)) - special.polygamma(1, shape.sum()))
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return {
        name: Estimate(value=float(value), error=float(error), n=len(x))
        for name, value, error in zip(("a", "b"), shape, errors)
    }


def _fit_impact(table: pl.DataFrame) -> dict[str, Estimate]:
    filled = table.filter(pl.col("qty") > 0)
    orders = filled.group_by("order", maintain_order=True).agg(
        pl.col("side", "arrival_price", "volume", "sigma_frac").first(),
        pl.col("qty").sum().alias("filled"),
        ((pl.col("price") * pl.col("qty")).sum() / pl.col("qty").sum()).alias("mean"),
    )
    n = len(orders)
    _enough(n, "trades", "orders with fills")
    cost = (pl.col("side") * (pl.col("mean") / pl.col("arrival_price") - 1)).alias("cost")
    size = (pl.col("sigma_frac") * (pl.col("filled") / pl.col("volume")).sqrt()).alias("size")
    x, y = (orders.select(cost, size)[name].to_numpy() for name in ("size", "cost"))
    slope = float(x @ y / (x @ x))
    # standard error that does not assume equal variances (White 1980), n - 1 in the denominator
    error = float(np.sqrt(((x * (y - slope * x)) ** 2).sum() * n / (n - 1)) / (x @ x))
    if slope < 0:
        raise DataError(
            "trades", "impact is 0 or more", seen=f"{slope:.4g} +- {error:.2g}", fix="check side and prices"
        )
    return {"y": Estimate(value=slope, error=error, n=n)}
