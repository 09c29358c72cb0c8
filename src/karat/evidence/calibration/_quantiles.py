"""`QuantileCalibrator`: conformal quantiles regime by regime, used only where they help; the median stays.

The median is what a forecaster says of location, and that is what the gates test: a calibrator that moved it would be a
second forecaster. Every other level is moved to where `Valid` says it should lie.

Invariants, besides those of `ByRegime`:
1. Nothing but the rows given is read.
2. The median of every forecast stays to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

import numpy as np

from karat._words import counted
from karat.data import INNER, LEVELS
from karat.evidence._scores import pinball
from karat.evidence._shapes import Floats
from karat.evidence.calibration._by_regime import ByRegime, Mapped
from karat.evidence.calibration._diagnostics import EARLIER, MIN_ROWS, Diagnosis, halves, no_help, refused
from karat.evidence.calibration._identity import Identity
from karat.evidence.calibration._pairs import Pairs
from karat.evidence.calibration._shift import QuantileShift

METHOD: Final = "conformal"
LEAST: Final = int(np.ceil(MIN_ROWS / EARLIER))
"""Rows needed: the earlier two thirds must hold what a shift needs."""


class QuantileCalibrator(ByRegime[Pairs]):
    """The shift of every regime and why it is used.

    Example:
        >>> QuantileCalibrator().diagnoses
        ()
    """

    part = "quantiles"
    stored = "shifts"

    def fit(self, pairs: Pairs) -> Self:
        """Forget everything and learn from the rows of `Valid`, in order of `end_ns` as `pair` and `pool` give them."""
        self._learn(pairs)
        return self

    def _diagnose(self, rows: Pairs, regime: str) -> tuple[Mapped, Diagnosis]:
        n = len(rows)
        if n < LEAST:
            return Identity(), refused(regime, n, f"{counted(n, 'row')}; {LEAST} are needed")
        before_cut, after_cut = halves(rows.known_at, rows.end_ns)
        if len(before_cut) < MIN_ROWS:
            why = f"{counted(len(before_cut), 'outcome')} known before the later third; {MIN_ROWS} are needed"
            return Identity(), refused(regime, n, why)
        later = rows.take(after_cut)
        moved = QuantileShift.fit(rows.take(before_cut), keep_median=True).apply(later.quantiles)
        before, after = (_loss(later.value, quantiles) for quantiles in (later.quantiles, moved))
        problem = no_help("pinball", before, after)
        if problem is not None:
            return Identity(), refused(regime, n, problem, before, after)
        whole = QuantileShift.fit(rows, keep_median=True)
        return whole, Diagnosis(regime, METHOD, n, before, after, "it helps on the later third")

    def _settings(self) -> dict[str, Any]:
        return {"method": METHOD}

    @classmethod
    def _begun(cls, body: Mapping[str, Any]) -> Self:
        return cls()

    @staticmethod
    def _plain(own: Mapped) -> Any:
        return {"moves": own.moves.tolist(), "rows": own.rows} if isinstance(own, QuantileShift) else None

    @staticmethod
    def _restored(values: Any) -> Mapped:
        if values is None:
            return Identity()
        return QuantileShift(np.array(values["moves"], dtype=np.float64), int(values["rows"]), keep_median=True)


def _loss(value: Floats, quantiles: Floats) -> float:
    return float(pinball(value, quantiles[:, INNER], LEVELS[INNER]).mean())
