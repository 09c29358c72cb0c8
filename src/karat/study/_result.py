"""`RunResult`: a finished run, read back from its folder."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from karat.core import DataError, InputError
from karat.evidence import Forward
from karat.study._config import StudyConfig, recorded_study
from karat.study._stored import stored_frame
from karat.study._written import make_anew, written_by

FORWARD = "forward.json"
"""File of a run that says where its frozen selection stands after its forward days."""
_SECTIONS = ("run_id", "config", "data", "code", "selection", "cells", "history", "verdict", "environment", "results")


@dataclass(frozen=True)
class RunResult:
    """A run's folder with its manifest; frames are read when asked for.

    Example:
        >>> RunResult.__name__
        'RunResult'
    """

    folder: Path

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """run.json: configuration with every default, verdict, hashes, history, environment.

        Raises:
            DataError: it cannot be read, or sections are missing.
        """
        try:
            values: Mapping[str, Any] = json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise DataError("run.json", "readable JSON", seen=str(error), fix="run the study again") from None
        missing = [name for name in _SECTIONS if name not in values]
        if missing:
            seen = f"a run of {written_by(values)}"
            raise DataError(
                "run.json", "every section is there", rows=missing, seen=seen, fix=make_anew(self.folder, values)
            )
        return values

    @property
    def run_id(self) -> str:
        """The run's id: the first 16 digits of the hash of configuration, data and code."""
        return str(self.manifest["run_id"])

    @property
    def verdict(self) -> str:
        """accepted, rejected, indistinguishable or invalid."""
        return str(self.manifest["verdict"]["outcome"])

    @cached_property
    def forward(self) -> Forward | None:
        """Where the frozen selection stands after its forward days, None before the first.

        Raises:
            DataError: the file cannot be read.
        """
        path = self.folder / FORWARD
        if not path.is_file():
            return None
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return Forward(**{field.name: values[field.name] for field in dataclasses.fields(Forward)})
        except (ValueError, KeyError, TypeError) as error:
            fix = f"write it again: karat forward {self.run_id}"
            raise DataError(FORWARD, "as it was written", seen=str(error), fix=fix) from None

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / "report.html"

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved configuration."""
        values: Mapping[str, Any] = self.manifest["config"]
        return values

    @property
    def study(self) -> StudyConfig:
        """The study as a record, to be run again.

        Raises:
            ConfigError: a configuration of another version.
        """
        return StudyConfig.parse(recorded_study(self.manifest), source=str(self.folder / "run.json"))

    @property
    def metrics(self) -> pl.DataFrame:
        """Scores of every model: model, role, horizon, scope, n, metric, value, low, high."""
        return self.frame("scores")

    @property
    def trades(self) -> pl.DataFrame:
        """Fills of the selected model."""
        return self.frame("fills")

    @property
    def equity(self) -> pl.DataFrame:
        """Equity in USD per bar: selected, baseline, buy and hold."""
        return self.frame("equity")

    def frame(self, name: str) -> pl.DataFrame:
        """Return one of the stored result tables, `results/NAME.parquet`.

        Raises:
            InputError: no such table. DataError: the file is not what run.json says of it.
        """
        hashes = self.manifest["results"]
        if name not in hashes:
            raise InputError("table", name, allowed=sorted(hashes))
        path = self.folder / "results" / f"{name}.parquet"
        return stored_frame(path, hashes[name], table=f"results/{name}", fix="run the study again")

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What the verdict cannot speak of: nothing traded, features that the data cannot serve."""
        found = []
        if self.trades.is_empty():
            policy = self.config["policy"]
            terms = f"mode {policy['mode']}, flat_edge {policy['flat_edge']:g}"
            why = "the policy never left cash on the test dates, so nothing about money was tested"
            found.append(f"No trades: {why} ({terms}).")
        reasons: dict[str, list[str]] = {}
        for name, why in sorted(self.manifest["features_absent"].items()):
            reasons.setdefault(why, []).append(name)
        found += [f"Absent features: {', '.join(names)}: {why}." for why, names in reasons.items()]
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Return what `karat run --json` prints."""
        verdict = self.manifest["verdict"]
        return {
            "verdict": verdict["outcome"],
            "reason": verdict["reason"],
            "gates": verdict["gates"],
            "trials": verdict["family_trials"],
            "openings": verdict["openings"],
            "alpha_spent": verdict["alpha_spent"],
            "detectable_sharpe": verdict["detectable_sharpe"],
            "selected": self.manifest["selection"]["selected"],
            "report": str(self.report),
            "forward": None if self.forward is None else self.forward.to_dict(),
            "warnings": list(self.warnings),
            "run_id": self.run_id,
        }

    def _repr_html_(self) -> str:
        verdict = self.manifest["verdict"]
        rows = "".join(
            f"<tr><td>{gate['number']} {html.escape(gate['name'])}</td><td>{_mark(gate['passed'])}</td>"
            f"<td>{html.escape(gate['reason'])}</td></tr>"
            for gate in verdict["gates"]
        )
        head = f"<b>{html.escape(verdict['outcome'])}</b>: {html.escape(verdict['reason'])}"
        return f"<p>{head}</p><table>{rows}</table><p>run {html.escape(self.run_id)}</p>"


def _mark(passed: bool | None) -> str:
    return {True: "passed", False: "failed", None: "not evaluated"}[passed]
