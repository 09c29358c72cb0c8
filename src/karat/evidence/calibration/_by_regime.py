"""`ByRegime`: a map for each regime, that of all rows where a regime has none of its own, on disk as JSON.

Invariants:
1. A regime whose map is refused uses the map of all rows together; where that is refused too, nothing changes.
2. A forecast of a regime never seen uses the map of all rows.
3. `load` after `save` gives the same bits. The file is JSON with its own hash; nothing in it can run.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from karat.data import Forecast
from karat.evidence._shapes import Floats
from karat.evidence.calibration._diagnostics import Diagnosis
from karat.evidence.calibration._identity import Identity
from karat.evidence.calibration._pairs import POOLED, ClassRows, Pairs, regimes_of
from karat.evidence.calibration._saved import read_saved, write_saved

Regime = Sequence[str] | NDArray[np.str_] | None


class Mapped(Protocol):
    """What a map does: rows in, rows out, each by itself."""

    def apply(self, values: Floats, /) -> Floats:
        """Return the mapped rows."""


Rows = TypeVar("Rows", ClassRows, Pairs)


class ByRegime(ABC, Generic[Rows]):
    """Maps of one part of a forecast, and why each is used. `part`: its field; `stored`: their key in the file."""

    part: ClassVar[str]
    stored: ClassVar[str]

    def __init__(self) -> None:
        self.diagnoses: tuple[Diagnosis, ...] = ()
        self._maps: dict[str, Mapped] = {POOLED: Identity()}

    def apply(self, values: Floats, regime: Regime = None) -> Floats:
        """Return mapped rows, (n, c); `regime` (n,) as known at each forecast."""
        names = regimes_of(len(values), regime)
        out = np.empty_like(values)
        for name in np.unique(names):
            mine = names == name
            out[mine] = self._maps.get(str(name), self._maps[POOLED]).apply(values[mine])
        return out

    def calibrate(self, forecast: Forecast, regime: Regime = None) -> Forecast:
        """Return the forecast with its part mapped; all else stays."""
        mapped: dict[str, Any] = {self.part: self.apply(getattr(forecast, self.part), regime)}
        return dataclasses.replace(forecast, **mapped)

    def save(self, path: Path) -> None:
        """Write the calibrator as JSON."""
        write_saved(path, self.body())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the calibrator that `save` wrote.

        Raises:
            InputError: no such file. DataError: a file that is not the one that was written.
        """
        body = read_saved(path)
        made = cls._begun(body)
        made.diagnoses = tuple(Diagnosis(**facts) for facts in body["diagnoses"])
        made._maps = {name: cls._restored(values) for name, values in body[cls.stored].items()}
        return made

    def body(self) -> dict[str, Any]:
        """Return all that the calibrator is, as plain values."""
        maps = {name: self._plain(own) for name, own in self._maps.items()}
        diagnoses = [dataclasses.asdict(diagnosis) for diagnosis in self.diagnoses]
        return {**self._settings(), self.stored: maps, "diagnoses": diagnoses}

    def _learn(self, rows: Rows) -> None:
        """Learn the map of all rows and of each regime."""
        whole, diagnosis = self._diagnose(rows, POOLED)
        maps, diagnoses = {POOLED: whole}, [diagnosis]
        for name in np.unique(rows.regime):
            if name != POOLED:
                own, diagnosis = self._diagnose(rows.take(rows.regime == name), str(name))
                maps[str(name)] = whole if diagnosis.fell_back else own
                diagnoses.append(diagnosis)
        self._maps, self.diagnoses = maps, tuple(diagnoses)

    @abstractmethod
    def _diagnose(self, rows: Rows, regime: str) -> tuple[Mapped, Diagnosis]:
        """Return the map to use for these rows, in order of `end_ns`, and why."""

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """Return what the calibrator is besides its maps, as plain values."""

    @classmethod
    @abstractmethod
    def _begun(cls, body: Mapping[str, Any]) -> Self:
        """Return a calibrator with the settings of a body, without maps."""

    @staticmethod
    @abstractmethod
    def _plain(own: Mapped) -> Any:
        """Return a map as plain values."""

    @staticmethod
    @abstractmethod
    def _restored(values: Any) -> Mapped:
        """Return the map of plain values."""
