"""The ten planted cheats, each built twice: plug-ins, the study that uses them, the check of gate 0 that sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PLANTED = Path(__file__).parent / "planted"
GUARD_OF = {
    "future invariance": "future",
    "forecaster invariance": "forecaster",
    "forecaster identity": "forecaster",
    "purging": "splits",
    "fills after decisions": "market",
    "static ids": "ids",
    "survivorship": "data",
    "source as of": "data",
}
"""The guard that each of these checks belongs to."""


@dataclass(frozen=True)
class Cheat:
    """One instance. points: entry points, group to `name = module:object`. changes: of the small study."""

    title: str
    check: str
    points: dict[str, dict[str, str]]
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def guard(self) -> str:
        """The guard that should catch it."""
        return GUARD_OF[self.check]

    @property
    def plugins(self) -> list[str]:
        """The names of its plug-ins."""
        return [name for group in self.points.values() for name in group]

    def study(self) -> dict[str, Any]:
        """Return what it changes in the small study."""
        plugged: dict[str, Any] = {"plugins": self.plugins}
        for name in self.points.get("karat.model", {}):
            plugged["models"] = [{"name": name}]
        for name in self.points.get("karat.source", {}):
            plugged |= {"data": {"source": name}, "features": ["ret_1", "signal"]}
        for name in self.points.get("karat.feature", {}):
            plugged["features"] = ["ret_1", name]
        for name in self.points.get("karat.splitter", {}):
            plugged["splits"] = {"splitter": name}
        return plugged | self.changes


def _one(group: str, name: str, place: str) -> dict[str, dict[str, str]]:
    return {f"karat.{group}": {name: place}}


WEEK = {"horizons": ["5d"], "primary_horizon": "5d"}
FOUR = {"data": {"source": "synthetic", "params": {"seed": 3, "n_days": 1000, "n_instruments": 4}}}
SAME = {"market": {"fill": "same_close"}, "features": ["ret_1"]}

CHEATS = (
    Cheat(
        "scaler fitted on everything",
        "future invariance",
        _one("feature", "whole_score", "cheat_scaler:WHOLE_SCORE"),
    ),
    Cheat(
        "scaler fitted on everything",
        "forecaster invariance",
        _one("model", "whole_scaler", "cheat_scaler:WholeScaler"),
    ),
    Cheat("centred moving average", "future invariance", _one("feature", "centred_mean", "cheat_centred:CENTRED_MEAN")),
    Cheat("centred moving average", "forecaster invariance", _one("model", "low_pass", "cheat_centred:LowPass")),
    Cheat("label overlapping the test", "purging", _one("splitter", "row_cut", "cheat_overlap:RowCut"), WEEK),
    Cheat("label overlapping the test", "purging", _one("splitter", "late_purge", "cheat_overlap:LatePurge"), WEEK),
    Cheat("same-bar fill", "fills after decisions", _one("model", "reversal", "cheat_fill:Reversal"), SAME),
    Cheat("same-bar fill", "fills after decisions", _one("source", "stale_opens", "cheat_fill:StaleOpens")),
    Cheat("instrument id in a column", "static ids", _one("source", "numbered", "cheat_column:Numbered")),
    Cheat("instrument id in a column", "forecaster identity", _one("model", "look_up", "cheat_column:LookUp"), FOUR),
    Cheat(
        "id hidden in a date",
        "static ids",
        {
            **_one("source", "stamped", "cheat_date:Stamped"),
            **_one("model", "decoder", "cheat_date:Decoder"),
        },
    ),
    Cheat("id hidden in a date", "static ids", _one("source", "aged", "cheat_date:Aged")),
    Cheat("survivors only", "survivorship", _one("source", "alive_today", "cheat_survivors:AliveToday")),
    Cheat("survivors only", "source as of", _one("source", "winners", "cheat_survivors:Winners")),
    Cheat(
        "test used for early stopping",
        "forecaster invariance",
        _one("model", "stops_on_test", "cheat_stopping:StopsOnTest"),
    ),
    Cheat("test used for early stopping", "purging", _one("splitter", "valid_is_test", "cheat_stopping:ValidIsTest")),
    Cheat(
        "regime smoothed backwards",
        "future invariance",
        _one("feature", "smoothed_regime", "cheat_regime:SMOOTHED_REGIME"),
    ),
    Cheat(
        "regime smoothed backwards", "future invariance", _one("feature", "hindsight", "cheat_regime:HINDSIGHT_REGIME")
    ),
    Cheat("revised macro read before release", "source as of", _one("source", "final_macro", "cheat_macro:FinalMacro")),
    Cheat("revised macro read before release", "source as of", _one("source", "early_macro", "cheat_macro:EarlyMacro")),
)


def install(folder: Path, cheats: tuple[Cheat, ...] = CHEATS) -> Path:
    """Write the metadata of a package that offers the cheats' plug-ins, and return the folder to put on the path."""
    info = folder / "planted-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n", encoding="utf-8")
    groups: dict[str, dict[str, str]] = {}
    for cheat in cheats:
        for group, points in cheat.points.items():
            groups.setdefault(group, {}).update(points)
    lines = [
        line for group, points in groups.items() for line in (f"[{group}]", *(f"{a} = {b}" for a, b in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
