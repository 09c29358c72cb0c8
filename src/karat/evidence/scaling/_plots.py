"""The picture of a scaling law: losses and law over each scale, and what the law leaves unexplained.

Invariants:
1. Nothing of the user's matplotlib settings is used, and none is changed.
2. A curve of one scale holds the others at their median: rows elsewhere may lie off it without contradicting the law.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from karat.evidence._shapes import Floats
from karat.evidence.scaling._uncertainty import ScalingFit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOT, _LINE, _ZERO = "#1b6fb3", "#3b4654", "#c3c9d1"
_SETTINGS: Final[dict[str, Any]] = {
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "svg.hashsalt": "karat",
    "svg.fonttype": "none",
    "text.parse_math": False,
}


def plot_scaling(fit: ScalingFit, scales: Floats, loss: Floats) -> Figure:
    """Return a figure: one panel a scale with exponent and interval, and the residuals in per cent of the loss."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: Any = matplotlib.rcParams  # typed for literal keys only
        settings.update(_SETTINGS)
        panels = len(fit.law.names) + 1
        figure = Figure(figsize=(4.6 * panels, 3.8), layout=ConstrainedLayoutEngine(), facecolor="white")
        for k, name in enumerate(fit.law.names):
            _scale(figure.add_subplot(1, panels, k + 1), fit, scales, loss, name)
        _residuals(figure.add_subplot(1, panels, panels), fit, scales, loss)
        figure.canvas.draw_idle()
    return figure


def _scale(axes: Axes, fit: ScalingFit, scales: Floats, loss: Floats, name: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

    k = fit.law.names.index(name)
    grid = np.tile(np.median(scales, axis=0), (200, 1))
    grid[:, k] = np.geomspace(scales[:, k].min(), scales[:, k].max(), 200)
    axes.scatter(scales[:, k], loss, s=9, color=_DOT, alpha=0.6, linewidths=0)
    axes.plot(grid[:, k], fit.law.predict(grid), color=_LINE, linewidth=1.3)
    if fit.law.floor > 0:
        axes.axhline(fit.law.floor, color=_ZERO, linewidth=0.9)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:.4g}"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:.0e}"))
    found = fit.exponent(name)
    words = f"exponent {found.estimate:.3f} ({found.lower:.3f} to {found.upper:.3f})"
    axes.set_title(f"{name}: {words}" if fit.seen(name) else f"{name}: no scaling seen, {words}")
    axes.set_xlabel(name)
    axes.set_ylabel("loss")


def _residuals(axes: Axes, fit: ScalingFit, scales: Floats, loss: Floats) -> None:
    said = fit.law.predict(scales)
    axes.scatter(said, 100.0 * (loss / said - 1.0), s=9, color=_DOT, alpha=0.6, linewidths=0)
    axes.axhline(0.0, color=_ZERO, linewidth=0.9)
    axes.set_title("loss above the law, %")
    axes.set_xlabel("loss by the law")
