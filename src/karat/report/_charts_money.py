"""Charts of money: equity and drawdown, from gross to net, who earned it, sub-periods and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from karat.report._document import Chart
from karat.report._format import number
from karat.report._story import AttributionRow, Costs, Curve, Equity, Floats, PeriodRow, SeedRow
from karat.report._svg import COLOURS, HALF, WIDE, canvas, day_axis, render, spread, theme, thin

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLES: Final[Mapping[str, tuple[str, float, float]]] = {
    "reference": ("reference", 1.2, 0.9),
    "baseline": ("baseline", 1.5, 1.0),
    "selected": ("selected", 2.0, 1.0),
}
"""Role of a curve to its colour, line width and opacity, in drawing order."""

_MOST_BARS: Final = 40


def drawdown(equity: Floats) -> Floats:
    """Return the fall from the running peak (n,), a fraction, 0 at a peak."""
    return np.asarray(1.0 - equity / np.maximum.accumulate(equity), dtype=np.float64)


def equity_chart(equity: Equity) -> Chart:
    """Draw equity curves with the selected one's band, and its drawdown below."""
    curves = sorted(equity.curves, key=lambda curve: list(_STYLES).index(curve.role))
    with theme():
        figure, (upper, lower) = canvas(WIDE, 4.6, 2, 1, sharex=True, height_ratios=[3, 1])
        x = day_axis(lower, equity.ts)
        if equity.band_low_usd is not None and equity.band_high_usd is not None:
            band = thin(x, equity.band_low_usd, equity.band_high_usd)
            upper.fill_between(
                band[0], band[1] / 1e6, band[2] / 1e6, color=COLOURS["selected"], alpha=0.14, linewidth=0
            )
        for curve in curves:
            _line(upper, x, curve.equity_usd / 1e6, curve.role)
            if curve.role != "reference":
                _line(lower, x, -100 * drawdown(curve.equity_usd), curve.role)
        cut = _limit(upper, curves)
        _end_labels(upper, curves)
        upper.set_ylabel("equity, million USD")
        lower.set_ylabel("drawdown, %")
        upper.tick_params(axis="x", length=0)
        svg = render(figure, "equity")
    explain = "Below, how far each stood under its earlier peak."
    if equity.band_low_usd is not None:
        explain = "The shaded band holds 95 % of the paths that resampled test returns would have taken"
        explain += ", cut off where it leaves the picture." if cut else "."
    alt = " ".join(_end_sentence(curve) for curve in reversed(curves))
    return Chart("Equity and drawdown, after costs", explain, alt, svg)


def cost_chart(costs: Costs) -> Chart:
    """Draw the steps from gross to net P&L."""
    names = ["gross", *costs.items_usd, "net"]
    values = [costs.gross_usd, *(-value for value in costs.items_usd.values()), costs.net_usd]
    starts = [0.0, *(costs.gross_usd + float(np.sum(values[1:k])) for k in range(1, len(values) - 1)), 0.0]
    with theme():
        figure, (panel,) = canvas(HALF, 2.9)
        for k, (start, value) in enumerate(zip(starts, values)):
            ends = k in (0, len(values) - 1)
            colour = COLOURS["selected" if ends else "bad" if value < 0 else "good"]
            panel.bar(k, value / 1e3, bottom=start / 1e3, width=0.62, color=colour, alpha=0.9)
            top = max(start, start + value) / 1e3
            panel.annotate(number(value, "usd"), (k, top), (0, 3), textcoords="offset points", ha="center", fontsize=10)
        panel.axhline(0, color=COLOURS["muted"], linewidth=1)
        panel.set_xticks(range(len(names)), [name.replace("_", " ") for name in names])
        panel.tick_params(axis="x", length=0)
        panel.set_ylabel("thousand USD")
        low, high = panel.get_ylim()
        panel.set_ylim(low, high + 0.08 * (high - low))
        svg = render(figure, "costs")
    alt = f"Gross {number(costs.gross_usd, 'usd')} USD, costs {number(sum(costs.items_usd.values()), 'usd')} USD, "
    alt += f"net {number(costs.net_usd, 'usd')} USD."
    return Chart("From gross to net", "What trading costs leave of the gross profit.", alt, svg, half=True)


def attribution_chart(rows: Sequence[AttributionRow]) -> Chart:
    """Draw net P&L by instrument, largest on top; of many only the most extreme."""
    ordered = sorted(rows, key=lambda row: -row.net_usd)
    shown = ordered if len(ordered) <= _MOST_BARS else [*ordered[: _MOST_BARS // 2], *ordered[-_MOST_BARS // 2 :]]
    with theme():
        figure, (panel,) = canvas(HALF, max(2.9, 0.5 + 0.2 * len(shown)))
        colours = [COLOURS["good" if row.net_usd >= 0 else "bad"] for row in shown]
        panel.barh(range(len(shown)), [row.net_usd / 1e3 for row in shown], color=colours, alpha=0.85, height=0.66)
        panel.set_yticks(range(len(shown)), [row.instrument for row in shown])
        panel.set_ylim(len(shown) - 0.4, min(-0.6, len(shown) / 2 - 2.5))
        panel.grid(visible=False)
        panel.grid(visible=True, axis="x")
        panel.axvline(0, color=COLOURS["muted"], linewidth=1)
        panel.set_xlabel("net P&L, thousand USD")
        svg = render(figure, "attribution")
    alt = f"Most from {ordered[0].instrument} ({number(ordered[0].net_usd, 'usd')} USD), "
    alt += f"least from {ordered[-1].instrument} ({number(ordered[-1].net_usd, 'usd')} USD)."
    return Chart("Who earned it", "Net P&L by instrument; the bars add up to the total.", alt, svg, half=True)


def period_chart(rows: Sequence[PeriodRow]) -> Chart:
    """Draw the Sharpe of each sub-period of `Test`."""
    with theme():
        figure, (panel,) = canvas(HALF, 2.6)
        colours = [COLOURS["good" if row.sharpe > 0 else "bad"] for row in rows]
        panel.bar(range(len(rows)), [row.sharpe for row in rows], color=colours, alpha=0.85, width=0.66)
        panel.axhline(0, color=COLOURS["muted"], linewidth=1)
        step = max(1, len(rows) // 5)
        panel.set_xticks(range(0, len(rows), step), [row.first[:7] for row in rows[::step]])
        panel.tick_params(axis="x", length=0)
        panel.set_ylabel("net Sharpe")
        svg = render(figure, "periods")
    alt = f"{sum(row.sharpe > 0 for row in rows)} of {len(rows)} sub-periods were positive."
    return Chart("Through time", "Annualised net Sharpe of equal parts of the test period.", alt, svg, half=True)


def seed_chart(rows: Sequence[SeedRow]) -> Chart:
    """Draw the Sharpe of each seed, a line a model, with the median marked."""
    models = list(dict.fromkeys(row.model for row in rows))
    with theme():
        figure, (panel,) = canvas(HALF, 2.6)
        for place, model in enumerate(models):
            values = np.array([row.sharpe for row in rows if row.model == model])
            panel.plot(values, np.full(len(values), place), "o", color=COLOURS["selected"], alpha=0.6, markersize=7)
            median = float(np.median(values))
            panel.vlines(median, place - 0.25, place + 0.25, color=COLOURS["ink"], linewidth=2)
        panel.axvline(0, color=COLOURS["muted"], linewidth=1)
        panel.set_yticks(range(len(models)), models)
        panel.set_ylim(len(models) - 0.3, -0.7)
        panel.set_xlabel("net Sharpe on the test period")
        svg = render(figure, "seeds")
    medians = [float(np.median([row.sharpe for row in rows if row.model == model])) for model in models]
    alt = "; ".join(f"{model}: median {number(value, 'ratio')}" for model, value in zip(models, medians)) + "."
    return Chart("Across seeds", "Dots are seeds of the same model, the bar their median.", alt, svg, half=True)


def _line(panel: Axes, x: Floats, y: Floats, role: str) -> None:
    colour, width, opacity = _STYLES[role]
    points = thin(x, np.asarray(y, dtype=np.float64))
    panel.plot(points[0], points[1], color=COLOURS[colour], linewidth=width, alpha=opacity)


def _limit(panel: Axes, curves: Sequence[Curve]) -> bool:
    """Keep the curves readable where the band is far wider than they are; return whether it is cut."""
    low = min(float(curve.equity_usd.min()) for curve in curves) / 1e6
    high = max(float(curve.equity_usd.max()) for curve in curves) / 1e6
    room = max(high - low, 0.01 * abs(high))
    bottom, top = panel.get_ylim()
    panel.set_ylim(max(bottom, low - room), min(top, high + room))
    return bottom < low - room or top > high + room


def _end_labels(panel: Axes, curves: Sequence[Curve]) -> None:
    bottom, top = panel.get_ylim()
    ends = [float(curve.equity_usd[-1]) / 1e6 for curve in curves]
    places = spread(ends, (top - bottom) * 0.065)
    for curve, place in zip(curves, places):
        panel.annotate(
            curve.name,
            (1.0, place),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=COLOURS[_STYLES[curve.role][0]],
            fontweight="bold" if curve.role == "selected" else "normal",
        )


def _end_sentence(curve: Curve) -> str:
    fall = drawdown(curve.equity_usd)
    text = (
        f"{curve.name} ended at {number(curve.equity_usd[-1], 'usd')} USD, deepest drawdown {number(fall.max(), 'pct')}"
    )
    return f"{text}."
