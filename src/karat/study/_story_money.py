"""The part of a report that is about money: equity, risk, attribution, the best and worst windows, sub-periods."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np

from karat.core import derive_seed, generator, iso_date
from karat.data import HORIZONS
from karat.evidence import bootstrap_interval
from karat.kernels import max_drawdown, sharpe, total_return, volatility
from karat.report import AttributionRow, Costs, Curve, Equity, Estimate, PeriodRow, RiskRow, WindowRow
from karat.study._result import RunResult

_SUB_PERIODS = 10
_DRAWS = 1000
_RISK_BLOCK = 20
_WINDOW_BARS = 21
_BAND_DRAWS = 500


def costs(result: RunResult) -> Costs:
    """Return the way from gross to net profit of the selected model."""
    facts = result.manifest["costs"]
    return Costs(facts["gross_usd"], facts["items"], facts["net_usd"])


def equity(result: RunResult, baseline: str) -> Equity:
    """Return the accounts of the selected model, its baseline and buy and hold, with the band of the first."""
    frame = result.equity
    curves = (
        Curve(str(result.manifest["selection"]["selected"]), "selected", frame["selected"].to_numpy()),
        Curve(baseline, "baseline", frame["baseline"].to_numpy()),
        Curve("buy_and_hold", "reference", frame["buy_and_hold"].to_numpy()),
    )
    unique = curves if baseline != "buy_and_hold" else curves[:2]
    low, high = _band(result)
    return Equity(frame["ts"].to_numpy(), unique, low, high)


def _band(result: RunResult) -> tuple[np.ndarray, np.ndarray]:
    """Return the pointwise 95 % band of equity from a circular block bootstrap of the net returns."""
    net = result.equity["net"].to_numpy()
    rng = generator(result.config["seed"], "report", "band")
    block = max(10, HORIZONS[result.config["primary_horizon"]] * 2)
    starts = rng.integers(0, len(net), size=(_BAND_DRAWS, -(-len(net) // block)))
    index = (starts[:, :, None] + np.arange(block)) % len(net)
    paths = np.cumprod(1.0 + net[index.reshape(_BAND_DRAWS, -1)[:, : len(net)]], axis=1)
    start = float(result.equity["selected"][0]) / (1.0 + float(net[0]))
    low, high = np.quantile(paths, [0.025, 0.975], axis=0)
    return start * low, start * high


def risk(result: RunResult, baseline: str) -> Iterator[RiskRow]:
    """Yield the measures of each account with their bootstrap intervals."""
    selected = str(result.manifest["selection"]["selected"])
    yield RiskRow(selected, "selected", _measured(result, "net"))
    yield RiskRow(baseline, "baseline", _measured(result, "baseline_net"))
    if baseline != "buy_and_hold":
        yield RiskRow("buy_and_hold", "reference", _measured(result, "hold_net"))


def _measured(result: RunResult, column: str) -> dict[str, Estimate]:
    per_year = float(result.manifest["bars_per_year"])
    seed = derive_seed(result.config["seed"], "report", "risk")
    measures: dict[str, Callable[[np.ndarray], float]] = {
        "roi": total_return,
        "sharpe": lambda r: sharpe(r, periods_per_year=per_year),
        "max_drawdown": max_drawdown,
        "volatility": lambda r: volatility(r, periods_per_year=per_year),
    }
    net, cells = result.equity[column].to_numpy(), {}
    for key, measure in measures.items():
        found = bootstrap_interval(net, measure, block=_RISK_BLOCK, draws=_DRAWS, level=0.95, seed=seed)
        cells[key] = Estimate(measure(net), found.lower, found.upper)
    return cells


def attributed(result: RunResult) -> Iterator[AttributionRow]:
    """Yield what each instrument earned and cost."""
    for row in result.frame("attribution").iter_rows(named=True):
        paid = row["cost_proportional_usd"] + row["cost_fixed_usd"]
        yield AttributionRow(row["instrument"], row["gross_pnl_usd"], paid, row["net_pnl_usd"])


def windows(result: RunResult) -> Iterator[WindowRow]:
    """Yield the worst and best 21-bar windows and the deepest drawdown of the selected model."""
    net = result.equity["net"].to_numpy()
    if len(net) <= _WINDOW_BARS:
        return
    wealth = np.r_[1.0, np.cumprod(1.0 + net)]
    rolling = wealth[_WINDOW_BARS:] / wealth[:-_WINDOW_BARS] - 1.0
    worst, best = int(rolling.argmin()), int(rolling.argmax())
    yield _window(result, "worst", f"worst {_WINDOW_BARS} bars", slice(worst, worst + _WINDOW_BARS))
    yield _window(result, "best", f"best {_WINDOW_BARS} bars", slice(best, best + _WINDOW_BARS))
    bottom = int((wealth / np.maximum.accumulate(wealth)).argmin())
    top = int(wealth[: bottom + 1].argmax())
    if bottom > top:
        yield _window(result, "drawdown", "deepest drawdown", slice(top, bottom))


def _window(result: RunResult, kind: Literal["worst", "best", "drawdown"], label: str, bars: slice) -> WindowRow:
    frame = result.equity
    stamps = frame["ts"].to_numpy()[bars]
    mine, other = (float(np.prod(1.0 + frame[name].to_numpy()[bars]) - 1.0) for name in ("net", "baseline_net"))
    return WindowRow(kind, label, iso_date(int(stamps[0])), iso_date(int(stamps[-1])), mine, other)


def periods(result: RunResult) -> Iterator[PeriodRow]:
    """Yield the net Sharpe ratio of each tenth of the test period."""
    frame, per_year = result.equity, float(result.manifest["bars_per_year"])
    net, stamps = frame["net"].to_numpy(), frame["ts"].to_numpy()
    for part in np.array_split(np.arange(len(net)), _SUB_PERIODS):
        worth = sharpe(net[part], periods_per_year=per_year)
        yield PeriodRow(iso_date(int(stamps[part[0]])), iso_date(int(stamps[part[-1]])), worth)
