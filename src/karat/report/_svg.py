"""Drawings as inline SVG that follow the page's theme: matplotlib draws, the style sheet colours.

Invariants:
1. The same drawing gives the same bytes: fixed hash salt, no date, no user settings of matplotlib.
2. No address of any kind is in the output, and every colour is a custom property of the page, so that light, dark
   and print share one drawing.
3. Identifiers carry the drawing's name; two drawings on one page never share one.
"""

from __future__ import annotations

import datetime as dt
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from karat.core import NS_PER_DAY
from karat.report._story import Floats, Ints

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours no theme would use: each is replaced by the custom property of its name after drawing.
COLOURS: Final[dict[str, str]] = {
    "ink": "#010101",
    "muted": "#020202",
    "rule": "#030303",
    "selected": "#040404",
    "baseline": "#050505",
    "reference": "#060606",
    "candidate": "#070707",
    "good": "#080808",
    "bad": "#090909",
    "paper": "#0a0a0a",
}
WIDE: Final = 10.0
HALF: Final = 4.9
_POINTS_PER_INCH: Final = 100  # one unit of the drawing is one CSS pixel at full width
_MAX_POINTS: Final = 500

_SETTINGS: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "karat",
    "figure.dpi": 72,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "text.parse_math": False,
    "font.size": 11.5,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["rule"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.titlecolor": COLOURS["ink"],
    "axes.titlesize": 12.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.8,
    "xtick.color": COLOURS["rule"],
    "ytick.color": COLOURS["rule"],
    "xtick.labelcolor": COLOURS["muted"],
    "ytick.labelcolor": COLOURS["muted"],
    "ytick.major.size": 0.0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}


@contextmanager
def theme() -> Iterator[None]:
    """Draw with the report's settings and nothing of the user's."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: Any = matplotlib.rcParams  # typed for literal keys only
        settings.update(_SETTINGS)
        yield


def canvas(width: float, height: float, rows: int = 1, cols: int = 1, **layout: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure of width by height (hundreds of CSS pixels) and its axes, row by row."""
    from matplotlib.figure import Figure

    scale = _POINTS_PER_INCH / 72
    figure = Figure(figsize=(width * scale, height * scale), layout="constrained", facecolor="none")
    axes = figure.subplots(rows, cols, squeeze=False, **layout)
    return figure, list(axes.ravel())


def render(figure: Figure, name: str) -> str:
    """Return the figure as an `<svg>` element without a root size, to be placed inside HTML."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _clean(buffer.getvalue(), name)


def day_axis(axes: Axes, ts: Ints) -> Floats:
    """Label the x axis with dates and return ts (n,) as days since 1970."""
    days = np.asarray(ts, dtype=np.float64) / NS_PER_DAY
    ticks, labels = _date_ticks(int(days[0]), int(days[-1]))
    axes.set_xticks(ticks, labels)
    axes.set_xlim(days[0], max(days[-1], days[0] + 1))
    return days


def thin(x: Floats, *series: Floats) -> list[Floats]:
    """Return x and each series (n,) at no more than about 1,000 points that keep every local extreme of the first."""
    if len(x) <= 2 * _MAX_POINTS:
        return [x, *series]
    edges = np.linspace(0, len(x), _MAX_POINTS + 1).astype(np.int64)
    kept = {0, len(x) - 1}
    for low, high in itertools.pairwise(edges.tolist()):
        block = series[0][low:high]
        kept |= {low + int(np.argmin(block)), low + int(np.argmax(block))}
    index = np.array(sorted(kept), dtype=np.int64)
    return [x[index], *(values[index] for values in series)]


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """Return positions moved apart, in the same order, so that labels `gap` high do not overlap."""
    order = sorted(range(len(positions)), key=lambda k: positions[k])
    placed = [float(positions[k]) for k in order]
    for _ in range(50):
        moved = False
        for k in range(1, len(placed)):
            short = gap - (placed[k] - placed[k - 1])
            if short > 1e-9 * gap:
                placed[k - 1] -= short / 2
                placed[k] += short / 2
                moved = True
        if not moved:
            break
    result = [0.0] * len(placed)
    for place, k in zip(placed, order):
        result[k] = place
    return result


def _date_ticks(first: int, last: int) -> tuple[list[float], list[str]]:
    epoch = dt.date(1970, 1, 1)
    start, stop = epoch + dt.timedelta(first), epoch + dt.timedelta(last)
    months = (stop.year - start.year) * 12 + stop.month - start.month + 1
    if months < 3:
        step = max(1, (last - first) // 4)
        days = list(range(first, last + 1, step))
        return [float(day) for day in days], [(epoch + dt.timedelta(day)).isoformat() for day in days]
    step = next((s for s in (1, 2, 3, 6, 12, 24, 36, 60, 120, 240) if months / s <= 9), 600)
    ticks, labels = [], []
    for month in range(start.year * 12 + start.month - 1, stop.year * 12 + stop.month):
        day = dt.date(month // 12, month % 12 + 1, 1)
        if month % step == 0 and start <= day <= stop:
            ticks.append(float((day - epoch).days))
            labels.append(str(day.year) if step >= 12 else f"{day.year}-{day.month:02d}")
    return ticks, labels


def _clean(svg: str, name: str) -> str:
    svg = svg[svg.index("<svg") :]
    for noise in (r"<metadata>.*?</metadata>", r"<!--.*?-->", r"<defs>\s*<style.*?</style>\s*</defs>"):
        svg = re.sub(noise, "", svg, flags=re.DOTALL)
    svg = re.sub(r"<svg[^>]*(viewBox=\"[^\"]+\")[^>]*>", r'<svg \1 role="img">', svg, count=1)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", svg))
    svg = re.sub(r"<[^>]+>", lambda match: _clean_tag(match.group(), name, used), svg)
    return re.sub(r">\s*\n\s*<", "><", svg).strip()


def _clean_tag(tag: str, name: str, used: set[str]) -> str:
    """Return one tag with short numbers, theme colours and identifiers of its own; text between tags is untouched."""
    tag = re.sub(r"\s+", " ", tag).replace("xlink:href", "href")
    tag = re.sub(r"-?\d+\.\d{3,}(?:e-?\d+)?", lambda match: f"{float(match.group()):.2f}".rstrip("0").rstrip("."), tag)
    tag = re.sub(r" id=\"([^\"]+)\"", lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", tag)
    tag = tag.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    tag = re.sub(r" font-family: [^;\"]*;?", "", tag)
    for colour, value in COLOURS.items():
        tag = tag.replace(value, f"var(--{colour})")
    return tag
