"""Tables of calibration: the figures before and after, and what became of every map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from karat.report._document import Block, Cell, Column, Table, columns, num, text
from karat.report._format import interval, number
from karat.report._story import Estimate, FigureRow, MapRow, Story

FIGURES: Final[dict[str, tuple[str, str]]] = {
    "crps": ("CRPS", "bps"),
    "quantile_error": ("Mean gap between a quantile's level and what fell below it", "pct"),
    "pit_distance": ("PIT: largest gap to uniform", "pct"),
    "ece_top_label": ("ECE, top label: of the class called most probable", "pct"),
    "ece_class_wise": ("ECE, class-wise: mean over classes, each against the rest", "pct"),
    "brier": ("Brier", "score"),
    "brier_reliability": ("Brier: reliability, lower is better", "score"),
    "brier_resolution": ("Brier: resolution, higher is better", "score"),
    "coverage_0.5": ("Coverage of the 50 % interval", "pct"),
    "coverage_0.8": ("Coverage of the 80 % interval", "pct"),
    "coverage_0.9": ("Coverage of the 90 % interval", "pct"),
    "coverage_0.95": ("Coverage of the 95 % interval", "pct"),
}
"""Figure to its title and number kind, in the order shown."""


def calibration_tables(story: Story) -> list[Block]:
    """Return the tables of calibration, none where the run has no figures."""
    blocks: list[Block] = []
    if story.figures:
        blocks.append(_figures(story.figures, before_and_after=bool(story.maps)))
    own = [row for row in story.maps if (row.model, row.horizon) == (story.selected, story.primary_horizon)]
    if own:
        caption = (
            "What the selected model's forecasts were calibrated with: learned on Valid, used where it helped there"
        )
        blocks.append(_maps(caption, own))
    rest = [row for row in story.maps if row not in own]
    if rest:
        blocks.append(_maps("Maps of all other models and horizons", rest, folded=True))
    return blocks


def _figures(rows: Sequence[FigureRow], *, before_and_after: bool) -> Table:
    known = {row.metric: row for row in rows}
    stages = ("As the model made them", "As they were used") if before_and_after else ("On Test",)
    cells: list[tuple[Cell, ...]] = []
    for metric, (title, kind) in FIGURES.items():
        if metric in known:
            row = known[metric]
            pairs = ((row.raw, row.raw_p), (row.used, row.used_p))[: len(stages)]
            cells.append((text(title), *(_figure(value, p, kind) for value, p in pairs)))
    caption = "Calibration on Test; coverage with its exact 95 % interval; p: how often calibrated forecasts look worse"
    return Table(caption, columns(("Figure", *stages)), tuple(cells))


def _figure(value: Estimate, p: float, kind: str) -> Cell:
    words = [interval(value, kind), f"p {number(p, 'p')}" if math.isfinite(p) else ""]
    return Cell(number(value.value, kind), " ".join(word for word in words if word))


def _maps(caption: str, rows: Sequence[MapRow], *, folded: bool = False) -> Table:
    titles = ("Model", "Horizon", "Of", "Regime", "In use")
    head = (*columns(titles, words=len(titles)), *columns(("Rows", "Without", "With"), words=0), Column("Why", False))
    cells = tuple(
        (
            *(text(word) for word in (row.model, row.horizon, row.part, row.regime or "all", _in_use(row))),
            num(row.rows, "count"),
            num(row.before, "general"),
            num(row.after, "general"),
            text(row.reason),
        )
        for row in rows
    )
    return Table(caption, head, cells, summary=caption if folded else "")


def _in_use(row: MapRow) -> str:
    """Return the method; a regime without a map of its own uses that of all rows."""
    return "that of all" if row.regime and row.method == "identity" else row.method
