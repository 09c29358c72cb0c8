"""`Frame`: what every candidate learns from, prepared once: scaled features and standardised labels.

Invariants:
1. Scale, preparation and shape come from Train alone.
2. `Frame` is what has to be kept to forecast: it turns `Inputs` into (prepared features, scale).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from karat.data import Inputs, Train, Valid
from karat.features.preparation import SCALERS, SELECTORS, Preparation
from karat.models._params import Param, Value
from karat.models._scale import Scale
from karat.models._shape import Shape
from karat.models._state import State
from karat.models._types import Floats

PREPARATION: Final[Mapping[str, Param]] = {
    "scaler": Param("robust", choices=tuple(SCALERS)),
    "selector": Param("none", choices=tuple(SELECTORS)),
    "keep": Param(10, 1, 10_000),
}
"""Parameters of every candidate that learns from features: how they are scaled, and which of them are kept."""


@dataclass(frozen=True, eq=False)
class Frame:
    """The fitted parts that all candidates share."""

    scale: Scale
    preparation: Preparation
    shape: Shape

    @classmethod
    def fit(cls, train: Train, params: Mapping[str, Value] | None = None) -> Frame:
        """Fit scale, preparation and shape on Train; `params` may hold those of `PREPARATION`."""
        scale, given = (
            Scale.fit(train),
            {name: param.default for name, param in PREPARATION.items()} | dict(params or {}),
        )
        target = train.labels.value / scale.of(train)
        names = {"scaler": str(given["scaler"]), "selector": str(given["selector"])}
        preparation = Preparation.fit(train, target, keep=int(given["keep"]), **names)
        return cls(scale, preparation, Shape.fit(target))

    def features(self, inputs: Inputs) -> Floats:
        """Return (n, q) prepared features."""
        return self.preparation.apply(inputs.features)

    def target(self, view: Train | Valid) -> Floats:
        """Return (n,) standardised labels."""
        return view.labels.value / self.scale.of(view)

    def state(self, **more: Floats) -> State:
        """Return the state of this frame with more arrays."""
        arrays = {**self.preparation.arrays(), "shape": self.shape.values, **more}
        names = {"scaler": self.preparation.scaler, "selector": self.preparation.selector}
        return State(arrays, {"scale": self.scale.to_dict(), "preparation": names})

    @classmethod
    def restore(cls, state: State) -> Frame:
        """Take back what `state` gave."""
        arrays = state.arrays
        preparation = Preparation.restore(**state.values["preparation"], arrays=arrays)
        return cls(Scale(**state.values["scale"]), preparation, Shape(arrays["shape"]))
