"""From the lines of worlds and campaigns to rates with exact bounds, kind by kind and over all without an edge.

Invariants:
1. Every rate carries how often and of how many, and two bounds, each one-sided at 95 % (Clopper and Pearson, 1934).
2. False acceptance is counted over worlds without an edge, power and false rejection over worlds with one.
3. A rejection is false only where what was selected is worth at least the minimum Sharpe ratio.
4. `shown_on_valid` is how often a baseline had to be beaten at the same risk, as Valid showed it to be worth something.
5. `at_whole_alpha` is what would be accepted if each of gates 1 and 2 spent the whole level instead of half of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from karat.evidence import CASH, Rate, exact_rate, spend_alpha
from karat.study.rates._config import CalibrationConfig, Kind, Planted, Whole

OUTCOMES: Final = ("accepted", "rejected", "indistinguishable", "invalid")
GATES: Final = ("valid", "skill", "money", "sturdy")
Line = Mapping[str, Any]


def error_rates(config: CalibrationConfig, worlds: Sequence[Line], campaigns: Sequence[Line]) -> dict[str, Any]:
    """Return the rates of every kind that has a line, of all worlds without an edge, and of every campaign."""
    kinds = [(kind, [line for line in worlds if line["kind"] == kind.name]) for kind in config.kinds]
    without = [line for kind, lines in kinds if not kind.edge for line in lines]
    return {
        "kinds": [_of_kind(config, kind, lines) for kind, lines in kinds if lines],
        "no_edge": _counted(without, config.verdict.alpha) if without else None,
        "campaigns": list(_of_campaigns(config, campaigns)),
    }


def _of_kind(config: CalibrationConfig, kind: Kind, lines: Sequence[Line]) -> dict[str, Any]:
    facts = {"name": kind.name, "edge": kind.edge, **kind.model_dump(mode="json", exclude={"name", "edge"})}
    found = {**facts, **_counted(lines, config.verdict.alpha)}
    if isinstance(kind, Planted | Whole) and kind.edge:
        real = [line for line in lines if line["real"]]
        found["selected_real"] = exact_rate(len(real), len(lines)).to_dict()
        if isinstance(kind, Planted) and kind.net_sharpe >= config.verdict.min_sharpe and not kind.learned:
            found["false_rejection"] = _share(real, lambda line: line["outcome"] == "rejected").to_dict()
    if any("stacked" in line for line in lines):
        found["stacked"] = _share(lines, lambda line: line["stacked"]).to_dict()
    return found


def _counted(lines: Sequence[Line], alpha: float) -> dict[str, Any]:
    return {
        "worlds": len(lines),
        "outcomes": {name: sum(line["outcome"] == name for line in lines) for name in OUTCOMES},
        "accepted": _share(lines, lambda line: line["outcome"] == "accepted").to_dict(),
        "gates": {name: _share(lines, lambda line, gate=name: line["gates"][gate] is True).to_dict() for name in GATES},
        "shown_on_valid": _share(lines, lambda line: line["shown_on_valid"] != CASH).to_dict(),
        "at_whole_alpha": _share(lines, lambda line: _passes(line, spend_alpha(alpha, 1))).to_dict(),
        "naive": _share(lines, lambda line: line["naive"]).to_dict(),
    }


def _passes(line: Line, level: float) -> bool:
    """Return whether a world would be accepted if gates 1 and 2 had to reach `level`."""
    tested = all(line["p_values"].get(name, 1.0) <= level for name in ("skill", "money"))
    return tested and line["gates"]["valid"] is True and line["gates"]["sturdy"] is True


def _of_campaigns(config: CalibrationConfig, lines: Sequence[Line]) -> Iterator[dict[str, Any]]:
    for kind in config.campaigns:
        own = [line for line in lines if line["kind"] == kind.name]
        if own:
            ever = _share(own, lambda line: line["accepted"] is not None)
            facts = {"campaigns": len(own), "ever_accepted": ever.to_dict()}
            yield {**kind.model_dump(mode="json"), **facts, "judged": max(line["judged"] for line in own)}


def _share(lines: Sequence[Line], true: Any) -> Rate:
    return exact_rate(sum(bool(true(line)) for line in lines), len(lines))
