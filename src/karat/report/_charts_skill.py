"""Charts of forecasting skill: scores side by side, the fan of forecasts, PIT and reliability."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from karat._words import counted
from karat.data import LEVELS
from karat.report._document import Chart
from karat.report._format import number
from karat.report._story import Calibration, Fan, Floats, ReliabilityRow, ScoreRow
from karat.report._svg import COLOURS, HALF, WIDE, canvas, day_axis, render, theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCORES: Final[dict[str, tuple[str, str]]] = {
    "pinball": ("Pinball", "bps"),
    "crps": ("CRPS", "bps"),
    "log_loss": ("Log loss", "score"),
    "brier": ("Brier", "score"),
}
"""Score name to its title and number kind; the first is the primary loss."""

_BANDS: Final = ((0.01, 0.99, 0.14), (0.05, 0.95, 0.22), (0.25, 0.75, 0.34))
_PIT_BINS: Final = 20


def score_chart(rows: Sequence[ScoreRow]) -> Chart:
    """Draw every model's four scores with their intervals, best on top."""
    ordered = ranked(rows)
    with theme():
        figure, axes = canvas(WIDE, 0.62 + 0.27 * len(ordered), 1, len(SCORES), sharey=True)
        for panel, (key, (title, kind)) in zip(axes, SCORES.items()):
            _dots(panel, ordered, key, 1e4 if kind == "bps" else 1.0)
            panel.set_title(f"{title}, bp" if kind == "bps" else title)
        axes[0].set_yticks(range(len(ordered)), [row.model for row in ordered])
        for label, row in zip(axes[0].get_yticklabels(), ordered):
            label.set_color(COLOURS["selected" if row.role == "selected" else "ink"])
            label.set_fontweight("bold" if row.role == "selected" else "normal")
        axes[0].invert_yaxis()
        svg = render(figure, "scores")
    best = ordered[0]
    alt = f"Lowest pinball: {best.model} with {number(best.pinball.value, 'bps')}; "
    alt += f"highest: {ordered[-1].model} with {number(ordered[-1].pinball.value, 'bps')}."
    return Chart(
        "Scores side by side",
        "Further left is better; lines are bootstrap 95 % intervals; filled dots are candidates, open ones baselines.",
        alt,
        svg,
    )


def ranked(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Return rows by scope and primary loss, best first, those without a loss last."""
    return sorted(rows, key=lambda row: (row.scope, math.isnan(row.pinball.value), row.pinball.value, row.model))


def fan_chart(fan: Fan) -> Chart:
    """Draw the last forecasts as quantile bands with what came true."""
    low, high = (fan.quantiles[:, _level(level)] for level in (0.05, 0.95))
    outside = (fan.realised < low) | (fan.realised > high)
    with theme():
        figure, (panel,) = canvas(WIDE, 3.1)
        x = day_axis(panel, fan.ts)
        for left, right, shade in _BANDS:
            ends = [fan.quantiles[:, _level(level)] * 100 for level in (left, right)]
            panel.fill_between(x, ends[0], ends[1], color=COLOURS["selected"], alpha=shade, linewidth=0)
        panel.plot(x, fan.quantiles[:, _level(0.5)] * 100, color=COLOURS["selected"], linewidth=1.4)
        for mask, colour, size in ((~outside, "ink", 9), (outside, "bad", 18)):
            panel.scatter(x[mask], fan.realised[mask] * 100, s=size, color=COLOURS[colour], linewidth=0, zorder=3)
        panel.set_ylabel("return, %")
        panel.set_xlim(x[0] - 1, x[-1] + 1)
        svg = render(figure, "fan")
    share = float(np.mean(outside)) if len(outside) else float("nan")
    missed = f"{int(outside.sum())} ({number(share, 'pct')})"
    alt = f"Of the last {counted(len(fan.ts), 'outcome')}, {missed} fell outside the 90 % band; "
    alt += f"{number(0.1, 'pct')} is what an honest band lets through."
    return Chart(
        f"The last {counted(len(fan.ts), 'forecast')}: {fan.model}, {fan.instrument}, {fan.horizon}",
        "Bands hold 50, 90 and 98 % of the forecast probability, the line is the median, dots are what came true; "
        "red dots fell outside the 90 % band.",
        alt,
        svg,
    )


def pit_chart(calibration: Calibration) -> Chart:
    """Draw the histogram of PIT values against uniform with its 95 % sampling range."""
    counts, _ = np.histogram(calibration.pit, bins=_PIT_BINS, range=(0.0, 1.0))
    n = int(counts.sum())
    density = counts / max(n, 1) * _PIT_BINS
    half = 1.96 * np.sqrt((_PIT_BINS - 1) / max(n, 1))
    with theme():
        figure, (panel,) = canvas(HALF, 2.9)
        panel.axhspan(max(1 - half, 0), 1 + half, color=COLOURS["baseline"], alpha=0.22, linewidth=0)
        panel.axhline(1, color=COLOURS["baseline"], linewidth=1.2)
        left = np.arange(_PIT_BINS) / _PIT_BINS
        panel.bar(left, density, width=0.9 / _PIT_BINS, align="edge", color=COLOURS["selected"], alpha=0.8)
        panel.set_xlim(0, 1)
        panel.set_ylim(0, max(1.5, float(density.max()) * 1.08))
        panel.set_xlabel("where the outcome fell in its forecast distribution")
        svg = render(figure, "pit")
    beyond = int((np.abs(density - 1) > half).sum())
    chance = f"about {_PIT_BINS * 0.05:.0f} would by chance"
    alt = f"{beyond} of {_PIT_BINS} bars leave the grey range, {chance}; {counted(n, 'forecast', ',')}."
    return Chart(
        "PIT",
        "Flat is honest; a U shape says the forecasts are too narrow, a hump too wide, a slope biased.",
        alt,
        svg,
        half=True,
    )


def reliability_chart(rows: Sequence[ReliabilityRow], name: str) -> Chart:
    """Draw observed frequency against forecast probability: of quantiles ("coverage") or classes ("classes")."""
    forecast, observed = (np.array([getattr(row, key) for row in rows]) for key in ("forecast", "observed"))
    with theme():
        figure, (panel,) = canvas(HALF, 2.9)
        top = float(np.nanmax([1.0 if name == "coverage" else 0.05, *forecast, *observed])) * 1.03
        panel.plot([0, top], [0, top], color=COLOURS["baseline"], linewidth=1.2)
        _whiskers(panel, rows, forecast)
        panel.plot(forecast, observed, "o-", color=COLOURS["selected"], markersize=4, linewidth=1)
        panel.set_xlim(0, top)
        panel.set_ylim(0, top)
        panel.set_xlabel("forecast probability")
        panel.set_ylabel("observed frequency")
        svg = render(figure, name)
    worst = int(np.nanargmax(np.abs(observed - forecast)))
    alt = f"Largest gap: {number(observed[worst], 'pct')} observed where {number(forecast[worst], 'pct')} was forecast."
    title = "Coverage of the quantiles" if name == "coverage" else "Reliability of the classes"
    return Chart(title, "On the diagonal what was forecast happened as often as forecast.", alt, svg, half=True)


def _whiskers(panel: Axes, rows: Sequence[ReliabilityRow], at: Floats) -> None:
    low, high = (np.array([getattr(row, key) for row in rows]) for key in ("low", "high"))
    panel.vlines(at, low, high, color=COLOURS["selected"], alpha=0.45, linewidth=2.5)


def _dots(panel: Axes, rows: Sequence[ScoreRow], key: str, unit: float) -> None:
    panel.grid(visible=False)
    for place, row in enumerate(rows):
        estimate = getattr(row, key)
        colour = COLOURS[
            "selected" if row.role == "selected" else "candidate" if row.role == "candidate" else "baseline"
        ]
        panel.axhline(place, color=COLOURS["rule"], linewidth=0.8)
        panel.hlines(place, estimate.low * unit, estimate.high * unit, color=colour, linewidth=2.6, alpha=0.55)
        face = COLOURS["paper"] if row.role == "baseline" else colour
        panel.plot(estimate.value * unit, place, "o", color=colour, markerfacecolor=face, markersize=6)
    panel.locator_params(axis="x", nbins=4)


def _level(level: float) -> int:
    return int(np.argmin(np.abs(LEVELS - level)))
