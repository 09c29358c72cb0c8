"""Report: one finished run as a self-contained HTML page and a Markdown twin with the same numbers.

The study fills a `Story`; `write` turns it into files. Both formats render one document of formatted text, so that
they cannot disagree. Importing this loads neither matplotlib nor jinja2.
"""

from karat.report._format import MEASURES, Measure
from karat.report._story import (
    AttributionRow,
    Calibration,
    Costs,
    Curve,
    Equity,
    Estimate,
    Fan,
    FeatureRow,
    FigureRow,
    FindingRow,
    FoldRow,
    MapRow,
    OpeningRow,
    PeriodRow,
    ReliabilityRow,
    RiskRow,
    ScoreRow,
    SeedRow,
    SourceRow,
    Story,
    TrialRow,
    WindowRow,
)
from karat.report._write import verdict_html, write

__all__ = [
    "MEASURES",
    "AttributionRow",
    "Calibration",
    "Costs",
    "Curve",
    "Equity",
    "Estimate",
    "Fan",
    "FeatureRow",
    "FigureRow",
    "FindingRow",
    "FoldRow",
    "MapRow",
    "Measure",
    "OpeningRow",
    "PeriodRow",
    "ReliabilityRow",
    "RiskRow",
    "ScoreRow",
    "SeedRow",
    "SourceRow",
    "Story",
    "TrialRow",
    "WindowRow",
    "verdict_html",
    "write",
]
