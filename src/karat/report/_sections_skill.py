"""Sections on forecasting skill: scores with intervals, the fan of forecasts, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from karat.report._charts_skill import SCORES, fan_chart, pit_chart, ranked, reliability_chart, score_chart
from karat.report._document import Block, Cell, Section, Table, absent, columns, num, text
from karat.report._sections_calibration import calibration_tables
from karat.report._story import Estimate, ScoreRow, Story

_NO_TEST = "The run did not reach the point where Test is scored."
POOLED = ("pooled", "macro")
"""Scopes that are about all instruments; any other scope is an instrument."""


def scores(story: Story) -> Section:
    """Return the score tables: primary horizon first, other horizons and instruments behind it."""
    lead = "Does the forecaster know something? Mean scores on the test dates; lower is better everywhere. "
    lead += "The primary loss is the mean pinball loss over 19 quantiles; brackets are bootstrap 95 % intervals."
    primary = _primary(story)
    blocks: list[Block] = [_table(f"Horizon {story.primary_horizon}, pooled", primary)] if primary else []
    if primary:
        blocks.insert(0, score_chart(primary))
    rest = sorted((row for row in story.scores if row not in primary), key=_order)
    for (horizon, group), rows in groupby(rest, key=lambda row: (row.horizon, _group(row))):
        title = f"Horizon {horizon}, {group}"
        blocks.append(_table(title, list(rows), folded=True))
    if not blocks:
        blocks.append(absent("Scores", _NO_TEST))
    return Section("skill", "Skill", lead, tuple(blocks))


def forecasts(story: Story) -> Section:
    """Return the fan chart and the calibration of the selected model."""
    lead = "Are the forecasts honest about their uncertainty? Skill needs calibrated distributions, not only direction."
    blocks: list[Block] = [fan_chart(story.fan) if story.fan else absent("Fan chart", _NO_TEST)]
    calibration = story.calibration
    if calibration is None or len(calibration.pit) == 0:
        blocks.append(absent("Calibration", _NO_TEST))
        return Section("forecasts", "Forecasts", lead, tuple(blocks))
    blocks.append(pit_chart(calibration))
    for name, rows in (("coverage", calibration.coverage), ("classes", calibration.classes)):
        if rows:
            blocks.append(reliability_chart(rows, name))
    if calibration.coverage:
        blocks.append(_coverage_table(story))
    blocks += calibration_tables(story)
    return Section("forecasts", "Forecasts", lead, tuple(blocks))


def _primary(story: Story) -> list[ScoreRow]:
    return [row for row in story.scores if row.horizon == story.primary_horizon and row.scope == "pooled"]


def _group(row: ScoreRow) -> str:
    return row.scope if row.scope in POOLED else "by instrument"


def _order(row: ScoreRow) -> tuple[bool, str, str]:
    return (row.scope not in POOLED, row.horizon, row.scope)


def _table(caption: str, rows: Sequence[ScoreRow], *, folded: bool = False) -> Table:
    ordered = ranked(rows)
    strata = any(row.scope not in POOLED for row in rows)
    titles = [
        *(["Instrument"] if strata else []),
        "Model",
        "Role",
        "Forecasts",
        *(title for title, _ in SCORES.values()),
    ]
    cells = tuple(
        (
            *([text(row.scope)] if strata else []),
            text(row.model),
            text(row.role, tone="muted"),
            num(row.n, "count"),
            *(num(getattr(row, key), kind) for key, (_, kind) in SCORES.items()),
        )
        for row in ordered
    )
    marked = tuple(k for k, row in enumerate(ordered) if row.role == "selected")
    return Table(caption, columns(titles, words=3 if strata else 2), cells, marked, caption if folded else "")


def _coverage_table(story: Story) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for row in story.calibration.coverage if story.calibration else ():
        observed = num(Estimate(row.observed, row.low, row.high), "pct")
        rows.append((num(row.forecast, "pct"), observed, num(row.observed - row.forecast, "pct"), num(row.n, "count")))
    titles = ("Quantile level", "Outcomes at or below it", "Gap", "Forecasts")
    return Table("Coverage in numbers", columns(titles, words=0), tuple(rows), summary="Coverage in numbers")
