"""`Problem`: what every candidate learns from, prepared once: scaled features and standardised labels.

Invariants:
1. Scale, scaler and shape come from Train alone.
2. `Frame` is what has to be kept to forecast: it turns `Inputs` into (scaled features, scale).
"""

from __future__ import annotations

from dataclasses import dataclass

from karat.data import Inputs, Train, Valid
from karat.models._scale import Scale
from karat.models._scaler import Scaler
from karat.models._shape import Shape
from karat.models._state import State
from karat.models._types import Floats


@dataclass(frozen=True, eq=False)
class Frame:
    """The fitted parts that all candidates share."""

    scale: Scale
    scaler: Scaler
    shape: Shape

    @classmethod
    def fit(cls, train: Train) -> Frame:
        """Fit scale, scaler and shape on Train."""
        scale = Scale.fit(train)
        return cls(scale, Scaler.fit(train), Shape.fit(train.labels.value / scale.of(train)))

    def features(self, inputs: Inputs) -> Floats:
        """Return (n, p) scaled features."""
        return self.scaler.apply(inputs.features)

    def target(self, view: Train | Valid) -> Floats:
        """Return (n,) standardised labels."""
        return view.labels.value / self.scale.of(view)

    def state(self, **more: Floats) -> State:
        """Return the state of this frame with more arrays."""
        arrays = {**self.scaler.arrays(), "shape": self.shape.values, **more}
        return State(arrays, {"scale": self.scale.to_dict()})

    @classmethod
    def restore(cls, state: State) -> Frame:
        """Take back what `state` gave."""
        arrays = state.arrays
        scaler = Scaler(arrays["centre"], arrays["width"])
        return cls(Scale(**state.values["scale"]), scaler, Shape(arrays["shape"]))
