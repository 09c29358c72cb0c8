"""`Calibrator`: post-hoc calibration of class probabilities, regime by regime, that goes on learning.

Invariants, besides those of `ByRegime`:
1. `fit` is reset plus `update`: rows given at once or in pieces, in order, lead to the same bits.
2. Nothing but the rows given so far is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self, cast

import numpy as np

from karat.core import InputError
from karat.evidence.calibration._by_regime import ByRegime, Mapped
from karat.evidence.calibration._diagnostics import Diagnosis, diagnose
from karat.evidence.calibration._identity import Identity
from karat.evidence.calibration._isotonic import Isotonic
from karat.evidence.calibration._map import ClassMap, require_rows
from karat.evidence.calibration._pairs import ClassRows, Pairs
from karat.evidence.calibration._platt import Platt
from karat.evidence.calibration._temperature import Temperature

CALIBRATORS: Final[dict[str, type[ClassMap]]] = {
    "identity": Identity,
    "isotonic": Isotonic,
    "platt": Platt,
    "temperature": Temperature,
}
"""Method to its map."""


class Calibrator(ByRegime[ClassRows]):
    """A method, the rows it may learn from (the last `window` of them), the map of every regime and why it is used.

    Example:
        >>> Calibrator("temperature").apply(np.array([[0.2, 0.8]])).tolist()
        [[0.2, 0.8]]
    """

    part = "probabilities"
    stored = "maps"

    def __init__(self, method: str = "isotonic", *, window: int = 5_000) -> None:
        """Check the settings.

        Raises:
            InputError: an unknown method, or a window below the rows that a map needs.
        """
        if method not in CALIBRATORS:
            raise InputError("method", method, allowed=list(CALIBRATORS))
        if window < 1:
            raise InputError("window", window, allowed="1 row or more")
        super().__init__()
        self.method, self.window = method, window
        self._rows: ClassRows | None = None

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
        self._learn(self._rows)
        return self

    def _diagnose(self, rows: ClassRows, regime: str) -> tuple[Mapped, Diagnosis]:
        return diagnose(CALIBRATORS[self.method], rows, regime)

    def _settings(self) -> dict[str, Any]:
        rows = None
        if self._rows is not None:
            rows = {name: getattr(self._rows, name).tolist() for name in ClassRows.__dataclass_fields__}
        return {"method": self.method, "window": self.window, "rows": rows}

    @classmethod
    def _begun(cls, body: Mapping[str, Any]) -> Self:
        made = cls(body["method"], window=body["window"])
        made._rows = None if body["rows"] is None else _rows(body["rows"])
        return made

    @staticmethod
    def _plain(own: Mapped) -> Any:
        known = cast(ClassMap, own)
        return [known.name, known.values()]

    @staticmethod
    def _restored(values: Any) -> Mapped:
        kind, facts = values
        return CALIBRATORS[kind].restore(facts)


def _rows(values: Mapping[str, Any]) -> ClassRows:
    return ClassRows(
        np.array(values["probabilities"], dtype=np.float64),
        np.array(values["klass"], dtype=np.int64),
        np.array(values["known_at"], dtype=np.int64),
        np.array(values["end_ns"], dtype=np.int64),
        np.array(values["regime"], dtype=np.str_),
    )
