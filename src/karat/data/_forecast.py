"""`Forecast`: what every forecaster returns and everything downstream reads.

Invariants:
1. quantiles (n, 23) at `LEVELS`, non-decreasing along a row, finite: forward simple return as a fraction.
2. probabilities (n, 9) of the signed classes at `CUTS`, each row sums to one.
3. Rows keep the order of the inputs they answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from karat.core import InputError
from karat.data._grid import LEVELS, N_CLASSES
from karat.data._views import Floats, Inputs, Ints


@dataclass(frozen=True, eq=False)
class Forecast:
    """Quantiles and class probabilities per (ts, instrument), for one horizon."""

    ts: Ints
    known_at: Ints
    instrument: NDArray[np.str_]
    horizon: str
    quantiles: Floats
    probabilities: Floats
    model: str
    version: str = "1"

    def __post_init__(self) -> None:
        n = len(self.ts)
        if self.quantiles.shape != (n, len(LEVELS)) or self.probabilities.shape != (n, N_CLASSES):
            seen = f"{self.quantiles.shape} and {self.probabilities.shape}"
            raise InputError(
                "forecast", seen, allowed=f"({n}, {len(LEVELS)}) quantiles, ({n}, {N_CLASSES}) probabilities"
            )
        if not (np.isfinite(self.quantiles).all() and np.isfinite(self.probabilities).all()):
            raise InputError(
                "forecast", "NaN or infinite values", allowed="finite numbers", fix=f"see model {self.model}"
            )
        if (np.diff(self.quantiles, axis=1) < 0).any():
            raise InputError(
                "forecast.quantiles", "crossing quantiles", allowed="non-decreasing rows", fix="sort each row"
            )
        if (self.probabilities < -1e-12).any() or (np.abs(self.probabilities.sum(axis=1) - 1) > 1e-6).any():
            raise InputError(
                "forecast.probabilities", "rows off the simplex", allowed="non-negative rows that sum to 1"
            )

    @classmethod
    def of(cls, inputs: Inputs, quantiles: Floats, probabilities: Floats, *, model: str) -> Forecast:
        """Build the forecast that answers `inputs`."""
        return cls(inputs.ts, inputs.known_at, inputs.instrument, inputs.horizon, quantiles, probabilities, model)

    def frame(self) -> pl.DataFrame:
        """Return one row per forecast: ts, known_at, instrument, horizon, q0.01 … q0.99, p0 … p8, model, version."""
        columns: dict[str, object] = {
            "ts": self.ts,
            "known_at": self.known_at,
            "instrument": self.instrument.tolist(),
            "horizon": [self.horizon] * len(self.ts),
        }
        columns |= {f"q{level:g}": self.quantiles[:, k] for k, level in enumerate(LEVELS)}
        columns |= {f"p{k}": self.probabilities[:, k] for k in range(N_CLASSES)}
        columns |= {"model": [self.model] * len(self.ts), "version": [self.version] * len(self.ts)}
        return pl.DataFrame(columns, schema_overrides={"ts": pl.Int64, "known_at": pl.Int64, "instrument": pl.String})

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Forecast:
        """Rebuild a non-empty forecast of one horizon and model from `frame()`'s columns."""
        quantiles = frame.select([f"q{level:g}" for level in LEVELS]).to_numpy()
        probabilities = frame.select([f"p{k}" for k in range(N_CLASSES)]).to_numpy()
        return cls(
            frame["ts"].to_numpy(),
            frame["known_at"].to_numpy(),
            np.asarray(frame["instrument"].to_list(), dtype=np.str_),
            str(frame["horizon"][0]),
            quantiles,
            probabilities,
            str(frame["model"][0]),
            str(frame["version"][0]),
        )
