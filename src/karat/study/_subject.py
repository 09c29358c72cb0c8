"""`Subject`: what the guards look at: a study's configuration, data, folds, and one forecast of its own on Valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from karat.data import Forecast
from karat.study._config import StudyConfig
from karat.study._context import Run, venue_of
from karat.study._plan import Entrant
from karat.study._prepare import Dataset, Prepared
from karat.study._score import Venue


class Subject(Protocol):
    """A study under guard; `forecast` answers Valid at the primary horizon, Test is never opened."""

    @property
    def config(self) -> StudyConfig:
        """The study's configuration."""
        ...

    @property
    def dataset(self) -> Dataset:
        """Its data and features."""
        ...

    @property
    def prepared(self) -> Prepared:
        """Its table, labels and folds."""
        ...

    @property
    def forecast(self) -> Forecast:
        """What one of its candidates forecasts for Valid."""
        ...

    @property
    def venue(self) -> Venue:
        """Its policy and market."""
        ...


@dataclass(frozen=True, eq=False)
class Running:
    """A study under way as a subject, with the forecast of one of its entrants."""

    config: StudyConfig
    dataset: Dataset
    prepared: Prepared
    forecast: Forecast

    @classmethod
    def of(cls, run: Run, entrant: Entrant) -> Running:
        """Return a run's study with the averaged forecast of an entrant."""
        forecast = run.averaged(entrant, run.config.primary_horizon, "select")
        return cls(run.config, run.dataset, run.prepared, forecast)

    @property
    def venue(self) -> Venue:
        """The policy and market of the study."""
        return venue_of(self.config, self.dataset.panel)
