"""`Calibrator`: post-hoc calibration of class probabilities, regime by regime, that goes on learning.

Invariants:
1. `fit` is reset plus `update`: rows given at once or in pieces, in order, lead to the same bits.
2. A regime whose map is refused uses the map of all rows together; where that is refused too, the identity.
3. Nothing but the rows given so far is read; a forecast of a regime never seen uses the map of all rows.
4. `load` after `save` gives the same bits. The file is JSON with its own hash; nothing in it can run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from karat.core import InputError
from karat.data import Forecast
from karat.evidence._shapes import Floats
from karat.evidence.calibration._diagnostics import Diagnosis, diagnose
from karat.evidence.calibration._identity import Identity
from karat.evidence.calibration._isotonic import Isotonic
from karat.evidence.calibration._map import ClassMap, require_rows
from karat.evidence.calibration._pairs import POOLED, ClassRows, Pairs, regimes_of
from karat.evidence.calibration._platt import Platt
from karat.evidence.calibration._saved import read_saved, write_saved
from karat.evidence.calibration._temperature import Temperature

CALIBRATORS: Final[dict[str, type[ClassMap]]] = {
    "identity": Identity,
    "isotonic": Isotonic,
    "platt": Platt,
    "temperature": Temperature,
}
"""Method to its map."""


class Calibrator:
    """A method, the rows it may learn from (the last `window` of them), the map of every regime and why it is used.

    Example:
        >>> Calibrator("temperature").apply(np.array([[0.2, 0.8]])).tolist()
        [[0.2, 0.8]]
    """

    def __init__(self, method: str = "isotonic", *, window: int = 5_000) -> None:
        """Check the settings.

        Raises:
            InputError: an unknown method, or a window below the rows that a map needs.
        """
        if method not in CALIBRATORS:
            raise InputError("method", method, allowed=list(CALIBRATORS))
        if window < 1:
            raise InputError("window", window, allowed="1 row or more")
        self.method, self.window = method, window
        self.diagnoses: tuple[Diagnosis, ...] = ()
        self._rows: ClassRows | None = None
        self._maps: dict[str, ClassMap] = {POOLED: Identity()}

    def fit(self, pairs: Pairs) -> Self:
        """Forget everything and learn from the rows of `Valid`.

        Raises:
            InputError: one class only, or rows off the simplex.
        """
        require_rows(pairs.probabilities, pairs.klass)
        self._rows = None
        return self.update(pairs.classes())

    def update(self, rows: ClassRows) -> Self:
        """Learn from outcomes that came in since; maps are fitted and judged again on the last `window` rows.

        Raises:
            InputError: outcomes out of order, or earlier than those already given.
        """
        if len(rows) == 0:
            return self
        ends = rows.end_ns if self._rows is None else np.append(self._rows.end_ns[-1:], rows.end_ns)
        if (np.diff(ends) < 0).any():
            raise InputError("rows.end_ns", "outcomes out of order", allowed="ascending, none before the last one")
        joined = rows if self._rows is None else self._rows.joined(rows)
        self._rows = joined.take(slice(max(0, len(joined) - self.window), len(joined)))
        self._refit(self._rows)
        return self

    def apply(self, probabilities: Floats, regime: Sequence[str] | NDArray[np.str_] | None = None) -> Floats:
        """Return calibrated probabilities, (n, c); `regime` (n,) as known at each forecast."""
        names = regimes_of(len(probabilities), regime)
        out = np.empty_like(probabilities)
        for name in np.unique(names):
            mine = names == name
            out[mine] = self._maps.get(str(name), self._maps[POOLED]).apply(probabilities[mine])
        return out

    def calibrate(self, forecast: Forecast, regime: Sequence[str] | NDArray[np.str_] | None = None) -> Forecast:
        """Return the forecast with calibrated class probabilities; its quantiles stay."""
        return dataclasses.replace(forecast, probabilities=self.apply(forecast.probabilities, regime))

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
        made = cls(body["method"], window=body["window"])
        made.diagnoses = tuple(Diagnosis(**facts) for facts in body["diagnoses"])
        made._maps = {name: CALIBRATORS[kind].restore(values) for name, (kind, values) in body["maps"].items()}
        made._rows = None if body["rows"] is None else _rows(body["rows"])
        return made

    def _refit(self, rows: ClassRows) -> None:
        kind = CALIBRATORS[self.method]
        whole, diagnosis = diagnose(kind, rows, POOLED)
        maps, diagnoses = {POOLED: whole}, [diagnosis]
        for name in np.unique(rows.regime):
            if name != POOLED:
                own, diagnosis = diagnose(kind, rows.take(rows.regime == name), str(name))
                maps[str(name)] = whole if diagnosis.fell_back else own
                diagnoses.append(diagnosis)
        self._maps, self.diagnoses = maps, tuple(diagnoses)

    def body(self) -> dict[str, Any]:
        """Return all that the calibrator is, as plain values."""
        rows = None
        if self._rows is not None:
            rows = {name: getattr(self._rows, name).tolist() for name in ClassRows.__dataclass_fields__}
        return {
            "method": self.method,
            "window": self.window,
            "maps": {name: [own.name, own.values()] for name, own in self._maps.items()},
            "diagnoses": [dataclasses.asdict(diagnosis) for diagnosis in self.diagnoses],
            "rows": rows,
        }


def _rows(values: dict[str, Any]) -> ClassRows:
    return ClassRows(
        np.array(values["probabilities"], dtype=np.float64),
        np.array(values["klass"], dtype=np.int64),
        np.array(values["known_at"], dtype=np.int64),
        np.array(values["end_ns"], dtype=np.int64),
        np.array(values["regime"], dtype=np.str_),
    )
