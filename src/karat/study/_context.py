"""One study under way: what it works on, where it writes, and what its stages ask of it.

Invariants:
1. Labels of `Test` are handed out only where the ledger holds the opening of every cell they judge.
2. Labels of one role never hold a row of the other: what is scored as a selection cannot meet a test label.
3. `forecast` and `averaged` are calibrated as the study says, `raw` is what the model said; without calibration they
   are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from karat.core import Ledger, LedgerError
from karat.data import Forecast, Panel, Valid
from karat.evidence.calibration import Pairs
from karat.labels import views
from karat.study._cells import Cell, Task, read_forecast, read_result
from karat.study._config import StudyConfig
from karat.study._maps import Maps, learn, pairs_of, walk_forward
from karat.study._plan import Entrant, Plan
from karat.study._prepare import Dataset, Prepared, span_of_tests
from karat.study._regimes import NONE, RegimeDays, regime_days
from karat.study._score import Venue, average_seeds, merge_folds
from karat.study._workspace import Workspace

_BAR_SESSIONS = {"1d": 1.0, "2d": 2.0, "3d": 3.0, "5d": 5.0, "week": 252.0 / 52.0}

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


@dataclass(frozen=True, eq=False)
class Run:
    """A study's plan and data with the workspace and the ledger it writes to."""

    config: StudyConfig
    workspace: Workspace
    ledger: Ledger
    dataset: Dataset
    prepared: Prepared
    plan: Plan
    folder: Path
    progress: Progress

    def task(self, cell: Cell, target: Path | None = None) -> Task:
        """Return the work order of a cell."""
        place = target or self.workspace.cells / cell.address
        return Task(cell, str(self.folder), self.config.horizons, self.config.splits, self.config.plugins, str(place))

    def forecast(self, entrant: Entrant, horizon: str, role: str) -> list[tuple[int, Forecast]]:
        """Return (seed, forecast over all folds) for each seed of an entrant, from finished cells."""
        learned = self._by_fold(entrant, horizon, "select") if self.config.calibration.used else {}
        found = []
        for seed, folds in self._by_fold(entrant, horizon, role).items():
            found.append((seed, self._calibrated(merge_folds(list(folds.values())), learned.get(seed, {}), role)))
        return found

    def averaged(self, entrant: Entrant, horizon: str, role: str) -> Forecast:
        """Return the forecast averaged over seeds."""
        learned = self._averaged_folds(entrant, horizon) if self.config.calibration.used else {}
        return self._calibrated(self.raw(entrant, horizon, role), learned, role)

    def raw(self, entrant: Entrant, horizon: str, role: str) -> Forecast:
        """Return the forecast averaged over seeds as the models made it."""
        return average_seeds(
            [merge_folds(list(folds.values())) for folds in self._by_fold(entrant, horizon, role).values()]
        )

    def maps(self, entrant: Entrant, horizon: str) -> Maps | None:
        """Return what the entrant's averaged forecasts are calibrated with on `Test`, None without calibration."""
        if not self.config.calibration.used:
            return None
        return self._frozen(horizon, self._averaged_folds(entrant, horizon))

    def regimes(self, ts: np.ndarray) -> np.ndarray | None:
        """Return (n,) the regimes by which forecasts are calibrated, None where all rows are taken together."""
        system = self.config.calibration.by_regime
        return None if system == NONE else self.regime_days(system).at(ts)

    def regime_days(self, system: str) -> RegimeDays:
        """Return the regimes of the study's bars by one system; each system is computed once."""
        if system not in self._days:
            self._days[system] = regime_days(self.dataset.panel, system, seed=self.config.seed)
        return self._days[system]

    @cached_property
    def _days(self) -> dict[str, RegimeDays]:
        return {}

    def _calibrated(self, raw: Forecast, learned: Mapping[int, Forecast], role: str) -> Forecast:
        spec = self.config.calibration
        if not spec.used:
            return raw
        if role == "select":
            return walk_forward(spec, self._pairs(raw.horizon, learned), raw, self.regimes(raw.ts))
        return self._frozen(raw.horizon, learned).calibrate(raw, self.regimes(raw.ts))

    def _frozen(self, horizon: str, learned: Mapping[int, Forecast]) -> Maps:
        """Return the maps of all outcomes on `Valid` that were known when the first test forecast was made."""
        pairs, (first, _) = self._pairs(horizon, learned), span_of_tests(self.prepared, horizon)
        return learn(self.config.calibration, pairs.take(pairs.end_ns <= first))

    def _pairs(self, horizon: str, forecasts: Mapping[int, Forecast]) -> Pairs:
        valids = self._valids[horizon]
        names = {fold: self.regimes(valid.ts) for fold, valid in valids.items()}
        return pairs_of(valids, forecasts, {fold: name for fold, name in names.items() if name is not None})

    @cached_property
    def _valids(self) -> Mapping[str, Mapping[int, Valid]]:
        """Horizon to selection fold to its `Valid`."""
        return {
            horizon: {
                place: views(self.prepared.table, self.prepared.labels[horizon], fold, horizon)[1]
                for place, fold in enumerate(folds)
                if fold.role == "select"
            }
            for horizon, folds in self.prepared.folds.items()
        }

    def _averaged_folds(self, entrant: Entrant, horizon: str) -> dict[int, Forecast]:
        """Return fold to the averaged forecast of a selection fold's `Valid`."""
        seeds = list(self._by_fold(entrant, horizon, "select").values())
        return {fold: average_seeds([folds[fold] for folds in seeds]) for fold in seeds[0]}

    def _by_fold(self, entrant: Entrant, horizon: str, role: str) -> dict[int, dict[int, Forecast]]:
        """Return seed to fold to the stored forecast."""
        found: dict[int, dict[int, Forecast]] = {}
        for cell in self.plan.of(entrant, horizon, role):
            place = self.workspace.cells / cell.address
            found.setdefault(cell.seed, {})[cell.fold] = read_forecast(place, read_result(place).forecast_hash)
        return found

    def labels(self, horizon: str, role: str) -> pl.DataFrame:
        """Return (ts, instrument, value) of the rows that the folds of a role are judged on.

        Raises:
            LedgerError: a test cell whose opening is not in the ledger.
        """
        if role == "test":
            self._require_opened(horizon)
        folds = [fold for fold in self.prepared.folds[horizon] if fold.role == role]
        parts = [fold.valid if fold.test is None else fold.test for fold in folds]
        rows = np.unique(np.concatenate(parts))
        return self.prepared.labels[horizon].frame.select("ts", "instrument", "value")[rows]

    def _require_opened(self, horizon: str) -> None:
        for cell in self.plan.of_role("test"):
            if cell.horizon == horizon and self.ledger.find(opening_key(self.plan.run_id, cell.address)) is None:
                raise LedgerError(
                    f"Test of cell {cell.address[:12]} was never opened", fix="openings are recorded before scoring"
                )

    @property
    def bars_per_year(self) -> float:
        """Bars in a year: what the study says, else 252 (365 where trading never stops) over the bar's length."""
        return years_bars(self.config, self.dataset.panel)

    @cached_property
    def venue(self) -> Venue:
        """The policy and market everybody trades through."""
        return venue_of(self.config, self.dataset.panel)


def years_bars(config: StudyConfig, panel: Panel) -> float:
    """Return the bars in a year of a study."""
    if "bars_per_year" in config.policy.model_fields_set:
        return float(config.policy.bars_per_year)
    sessions = 365.0 if panel.calendar == "24/7" else 252.0
    return sessions / _BAR_SESSIONS[config.data.bars]


def venue_of(config: StudyConfig, panel: Panel) -> Venue:
    """Return the policy and market of a study on its panel."""
    policy = config.policy.model_copy(update={"bars_per_year": years_bars(config, panel)})
    return Venue(panel, policy, config.market)


def opening_key(run_id: str, address: str) -> str:
    """Return the ledger's key of the opening of `Test` by one cell of a run."""
    return f"open:{run_id}:{address}"
