"""`QuantileCalibrator`: conformal quantiles regime by regime, used only where they help; the median stays.

The median is what a forecaster says of location, and that is what the gates test: a calibrator that moved it would be a
second forecaster. Every other level is moved to where `Valid` says it should lie.

Invariants:
1. A regime whose shift is refused uses that of all rows together; where that is refused too, nothing moves.
2. Nothing but the rows given is read; a forecast of a regime never seen uses the shift of all rows.
3. `load` after `save` gives the same bits. The file is JSON with its own hash; nothing in it can run.
4. The median of every forecast stays to the bit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from karat.data import INNER, LEVELS, Forecast
from karat.evidence._scores import pinball
from karat.evidence._shapes import Floats
from karat.evidence.calibration._diagnostics import EARLIER, MIN_ROWS, Diagnosis, halves, no_help, refused
from karat.evidence.calibration._pairs import POOLED, Pairs, regimes_of
from karat.evidence.calibration._saved import read_saved, write_saved
from karat.evidence.calibration._shift import QuantileShift

METHOD: Final = "conformal"
LEAST: Final = int(np.ceil(MIN_ROWS / EARLIER))
"""Rows needed: the earlier two thirds must hold what a shift needs."""


class QuantileCalibrator:
    """The shift of every regime and why it is used.

    Example:
        >>> QuantileCalibrator().diagnoses
        ()
    """

    def __init__(self) -> None:
        self.diagnoses: tuple[Diagnosis, ...] = ()
        self._shifts: dict[str, QuantileShift | None] = {POOLED: None}

    def fit(self, pairs: Pairs) -> Self:
        """Forget everything and learn from the rows of `Valid`, in order of `end_ns` as `pair` and `pool` give them."""
        whole, diagnosis = _diagnose(pairs, POOLED)
        shifts, diagnoses = {POOLED: whole}, [diagnosis]
        for name in np.unique(pairs.regime):
            if name != POOLED:
                own, diagnosis = _diagnose(pairs.take(pairs.regime == name), str(name))
                shifts[str(name)] = whole if own is None else own
                diagnoses.append(diagnosis)
        self._shifts, self.diagnoses = shifts, tuple(diagnoses)
        return self

    def apply(self, quantiles: Floats, regime: Sequence[str] | NDArray[np.str_] | None = None) -> Floats:
        """Return moved quantiles, (n, 23); `regime` (n,) as known at each forecast."""
        names = regimes_of(len(quantiles), regime)
        out = quantiles.copy(order="K")
        for name in np.unique(names):
            shift = self._shifts.get(str(name), self._shifts[POOLED])
            if shift is not None:
                out[names == name] = shift.apply(quantiles[names == name])
        return out

    def calibrate(self, forecast: Forecast, regime: Sequence[str] | NDArray[np.str_] | None = None) -> Forecast:
        """Return the forecast with moved quantiles; its median and its class probabilities stay."""
        return dataclasses.replace(forecast, quantiles=self.apply(forecast.quantiles, regime))

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
        made = cls()
        made.diagnoses = tuple(Diagnosis(**facts) for facts in body["diagnoses"])
        made._shifts = {name: _restored(values) for name, values in body["shifts"].items()}
        return made

    def body(self) -> dict[str, Any]:
        """Return all that the calibrator is, as plain values."""
        shifts = {
            name: None if shift is None else {"moves": shift.moves.tolist(), "rows": shift.rows}
            for name, shift in self._shifts.items()
        }
        return {
            "method": METHOD,
            "shifts": shifts,
            "diagnoses": [dataclasses.asdict(diagnosis) for diagnosis in self.diagnoses],
        }


def _restored(values: dict[str, Any] | None) -> QuantileShift | None:
    if values is None:
        return None
    return QuantileShift(np.array(values["moves"], dtype=np.float64), int(values["rows"]), keep_median=True)


def _diagnose(pairs: Pairs, regime: str) -> tuple[QuantileShift | None, Diagnosis]:
    n = len(pairs)
    if n < LEAST:
        return None, refused(regime, n, f"{n} rows; {LEAST} are needed")
    before_cut, after_cut = halves(pairs.known_at, pairs.end_ns)
    if len(before_cut) < MIN_ROWS:
        why = f"{len(before_cut)} outcomes were known before the later third; {MIN_ROWS} are needed"
        return None, refused(regime, n, why)
    later = pairs.take(after_cut)
    moved = QuantileShift.fit(pairs.take(before_cut), keep_median=True).apply(later.quantiles)
    before, after = (_loss(later.value, quantiles) for quantiles in (later.quantiles, moved))
    problem = no_help("pinball", before, after)
    if problem is not None:
        return None, refused(regime, n, problem, before, after)
    whole = QuantileShift.fit(pairs, keep_median=True)
    return whole, Diagnosis(regime, METHOD, n, before, after, "it helps on the later third")


def _loss(value: Floats, quantiles: Floats) -> float:
    return float(pinball(value, quantiles[:, INNER], LEVELS[INNER]).mean())
