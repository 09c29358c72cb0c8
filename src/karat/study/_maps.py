"""Calibration of a study's forecasts: learned on `Valid`, where that is also selected on walked forward, else frozen.

Invariants:
1. Maps are learned from `Valid` views and nothing else (`pair` refuses any other type), and a map is never applied to
   a forecast made before the last outcome that it has learned was known: Test cannot be learned from and judged.
2. On `Valid` itself a forecast is calibrated with the outcomes known when its block began: no row is fitted and judged.
3. Every model is calibrated alike, baselines too; each seed, and the average of seeds, by what it forecast itself.
4. The median of a forecast stays. Where a map does not help on the later third of what it learned from, the raw
   forecast is used and the diagnosis says why.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from karat._words import counted
from karat.core import InputError, LeakageError, content_hash, file_digests, iso
from karat.data import Forecast, Valid
from karat.evidence.calibration import Calibrator, Diagnosis, Pairs, QuantileCalibrator, pair, pool
from karat.study._config import MapsConfig

BLOCKS: Final = 8
"""Parts into which the forecasts on `Valid` are cut when they are walked forward."""
_PARTS: Final = ("classes", "quantiles")
Names = NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Maps:
    """What one model's forecasts of one horizon are calibrated with, and when the last outcome learned was known."""

    classes: Calibrator | None
    quantiles: QuantileCalibrator | None
    learned_ns: int

    def calibrate(self, forecast: Forecast, regime: Names | None) -> Forecast:
        """Return the calibrated forecast.

        Raises:
            LeakageError: a forecast made before the last outcome that was learned was known.
        """
        first = int(forecast.known_at.min())
        if first < self.learned_ns:
            what = f"it learned an outcome of {iso(self.learned_ns)} and is applied to a forecast made at {iso(first)}"
            raise LeakageError("calibration", what)
        for calibrator in (self.classes, self.quantiles):
            if calibrator is not None:
                forecast = calibrator.calibrate(forecast, regime)
        return forecast

    def diagnoses(self) -> list[tuple[str, Diagnosis]]:
        """Return (classes or quantiles, diagnosis) of every regime."""
        parts = ((name, getattr(self, name)) for name in _PARTS)
        return [(name, row) for name, calibrator in parts if calibrator is not None for row in calibrator.diagnoses]

    @property
    def content_hash(self) -> str:
        """The hash of everything that the maps are."""
        parts = (getattr(self, name) for name in _PARTS)
        return content_hash([*(None if part is None else part.body() for part in parts), self.learned_ns])

    def save(self, folder: Path, stem: str) -> dict[str, str]:
        """Write a JSON file for each part and return their names with their SHA-256."""
        found = {}
        for name in _PARTS:
            calibrator = getattr(self, name)
            if calibrator is not None:
                path = folder / f"{stem}-{name}.json"
                calibrator.save(path)
                found[path.name] = file_digests(path)[0]
        return found

    @classmethod
    def load(cls, folder: Path, stem: str, learned_ns: int) -> Maps:
        """Return the maps that `save` wrote; a part without a file was not asked for."""
        classes, quantiles = (folder / f"{stem}-{name}.json" for name in _PARTS)
        return cls(
            Calibrator.load(classes) if classes.is_file() else None,
            QuantileCalibrator.load(quantiles) if quantiles.is_file() else None,
            learned_ns,
        )


def pairs_of(valids: Mapping[int, Valid], forecasts: Mapping[int, Forecast], regimes: Mapping[int, Names]) -> Pairs:
    """Return the rows of every selection fold's `Valid` beside their forecasts, all by fold."""
    return pool([pair(valid, forecasts[fold], regimes.get(fold)) for fold, valid in valids.items()])


def learn(spec: MapsConfig, pairs: Pairs) -> Maps:
    """Return the maps that a study asks for, learned from the rows given."""
    classes = None
    if spec.classes != "none":
        classes = Calibrator(spec.classes)
        if len(np.unique(pairs.klass)) > 1:  # one class only: nothing to learn, the identity stays
            classes.fit(pairs)
    quantiles = QuantileCalibrator().fit(pairs) if spec.quantiles != "none" else None
    return Maps(classes, quantiles, int(pairs.end_ns.max()))


def walk_forward(spec: MapsConfig, pairs: Pairs, forecast: Forecast, regime: Names | None) -> Forecast:
    """Return a forecast of the very rows in `pairs`, each block calibrated with what was known when it began.

    Raises:
        InputError: rows of `pairs` that the forecast does not have.
    """
    if len(pairs) != len(forecast.ts):
        raise InputError("pairs", counted(len(pairs), "row"), allowed=f"{len(forecast.ts)}: those of the forecast")
    quantiles, probabilities = forecast.quantiles.copy(order="K"), forecast.probabilities.copy(order="K")
    for block in np.array_split(np.unique(forecast.known_at), BLOCKS):
        if not len(block):
            continue
        past = pairs.take(pairs.end_ns <= block[0])
        if not len(past):
            continue
        mine = (forecast.known_at >= block[0]) & (forecast.known_at <= block[-1])
        names = None if regime is None else regime[mine]
        found = learn(spec, past).calibrate(rows_of(forecast, mine), names)
        quantiles[mine], probabilities[mine] = found.quantiles, found.probabilities
    return dataclasses.replace(forecast, quantiles=quantiles, probabilities=probabilities)


def rows_of(forecast: Forecast, mask: NDArray[np.bool_]) -> Forecast:
    """Return the marked rows of a forecast."""
    names = ("ts", "known_at", "instrument", "quantiles", "probabilities")
    return dataclasses.replace(forecast, **{name: getattr(forecast, name)[mask] for name in names})


def diagnosis_rows(model: str, horizon: str, maps: Maps) -> Sequence[dict[str, Any]]:
    """Return plain rows of what became of every map, for run.json."""
    return [
        {"model": model, "horizon": horizon, "part": part, **dataclasses.asdict(row)} for part, row in maps.diagnoses()
    ]
