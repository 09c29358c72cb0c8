"""The chart of the splits: which dates each fold learns from, selects on and is tested on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from karat.core import to_ns
from karat.report._document import Chart
from karat.report._story import FoldRow
from karat.report._svg import COLOURS, WIDE, canvas, day_axis, render, theme

_BLOCKS = (("train", "baseline", 0.45), ("valid", "candidate", 0.9), ("test", "selected", 1.0))


def fold_chart(rows: Sequence[FoldRow]) -> Chart:
    """Draw each fold as a row of its blocks in time."""
    ends = [to_ns(date) for row in rows for block, _, _ in _BLOCKS for date in getattr(row, block) if date]
    with theme():
        figure, (panel,) = canvas(WIDE, 0.6 + 0.26 * len(rows))
        day_axis(panel, np.array([min(ends), max(ends)], dtype=np.int64))
        for place, row in enumerate(rows):
            for block, colour, opacity in _BLOCKS:
                first, last = getattr(row, block)
                if first:
                    start, stop = (to_ns(date) / 86_400e9 for date in (first, last))
                    panel.barh(place, stop - start, left=start, height=0.6, color=COLOURS[colour], alpha=opacity)
        panel.set_yticks(range(len(rows)), [f"{row.role} {row.index}" for row in rows])
        panel.grid(visible=False)
        panel.set_ylim(len(rows) - 0.4, -0.6)
        svg = render(figure, "folds")
    tests = [row for row in rows if row.test[0]]
    alt = f"Folds: {len(rows)}, with a test block: {len(tests)}"
    alt += f", tested from {tests[0].test[0]} to {tests[-1].test[1]}." if tests else "."
    return Chart(
        "Walk-forward",
        "Grey is learned from, gold selects and stops early, blue is tested; gaps are purged label spans and embargo.",
        alt,
        svg,
    )
