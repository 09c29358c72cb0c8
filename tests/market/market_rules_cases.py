"""What the tests of the market's rules share: golden cases, instants of a day in New York, a session."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from karat.market import RulesEngine

GOLDEN = Path(__file__).parents[1] / "golden" / "market_rules"
S = 10**9
MIDNIGHT = {2016: 1_464_926_400, 2024: 1_717_387_200}
"""Midnight in New York of 2016-06-03 and 2024-06-03 (a Monday), in s UTC."""


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())


def at(text: str, day: int = 0, year: int = 2024) -> int:
    hours, minutes, seconds = (*text.split(":"), "0")[:3]
    second = Fraction(seconds) + 60 * int(minutes) + 3600 * int(hours) + 86_400 * day
    return int((MIDNIGHT[year] + second) * S)


def session(engine: RulesEngine, prior: int, day: int = 0, close: str = "16:00", year: int = 2024) -> tuple[str, ...]:
    return engine.start(at("9:30", day, year), at(close, day, year), prior, index_prior=268_166)
