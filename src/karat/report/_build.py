"""From `Story` to `Document`: checks that the parts belong together, then formats everything once.

Invariants:
1. No document without provenance: run, sources with origin, licence and hash, environment, reproducing command.
2. Costs lead from gross to net, and attribution sums to net, or nothing is written.
"""

from __future__ import annotations

import math
import re

from karat.core import DataError, InputError
from karat.report._document import Document
from karat.report._sections_money import money, scenarios
from karat.report._sections_origin import data, glossary, history, reproduce
from karat.report._sections_skill import forecasts, scores
from karat.report._sections_verdict import banner, gate_cards, tiles
from karat.report._story import Story

_SECTIONS = (scores, forecasts, money, scenarios, history, data, reproduce, glossary)
"""The sections in reading order; adding one is adding a function of the story."""

_RELATIVE = 1e-6
_CENT = 0.01


def build(story: Story) -> Document:
    """Return the document of a story.

    Raises:
        InputError: provenance is missing. DataError: costs or attribution do not add up.
    """
    _require_provenance(story)
    _require_sums(story)
    meta = [
        ("Run", story.run_id),
        ("Finished", re.sub(r"\.\d+Z$", "Z", story.created)),
        ("Selected", story.selected),
        ("Hardest to beat in money", story.baseline),
        ("Primary horizon", story.primary_horizon),
    ]
    return Document(
        title=story.title,
        description=story.description,
        meta=tuple((label, value) for label, value in meta if value),
        banner=banner(story.verdict),
        tiles=tiles(story.verdict),
        warnings=story.warnings,
        gates=gate_cards(story.verdict.gates),
        sections=tuple(section(story) for section in _SECTIONS),
    )


def _require_provenance(story: Story) -> None:
    why = "a report is never written without its provenance"
    for field in ("run_id", "sources", "environment", "config", "command"):
        if not getattr(story, field):
            raise InputError(f"story.{field}", getattr(story, field), why=why, fix="fill it from run.json")
    for k, source in enumerate(story.sources):
        for field in ("name", "origin", "licence", "content_hash"):
            value = getattr(source, field)
            if not value.strip():
                raise InputError(f"story.sources[{k}].{field}", value, why=why, fix="fill it from the panel")


def _require_sums(story: Story) -> None:
    costs = story.costs
    if costs is None:
        if story.attribution:
            why = "attribution cannot be checked without it"
            raise InputError("story.costs", None, why=why, fix="give gross, items and net")
        return
    items = math.fsum(costs.items_usd.values())
    _require_equal("costs", "gross - items = net", costs.gross_usd - items, costs.net_usd, costs.gross_usd)
    if story.attribution:
        total = math.fsum(row.net_usd for row in story.attribution)
        _require_equal("attribution", "net sums to the total net P&L", total, costs.net_usd, costs.gross_usd)
        for row in story.attribution:
            net = row.gross_usd - row.costs_usd
            _require_equal("attribution", f"gross - costs = net of {row.instrument}", net, row.net_usd, row.gross_usd)


def _require_equal(table: str, rule: str, seen: float, wanted: float, scale: float) -> None:
    if not abs(seen - wanted) <= _CENT + _RELATIVE * max(abs(wanted), abs(scale)):
        raise DataError(table, rule, seen=f"{seen:.2f} USD, not {wanted:.2f} USD", fix="attribute every dollar once")
