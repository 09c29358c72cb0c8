"""`Forecaster`: the one contract of every model, from climatology to a transformer.

A subclass sets `name`, lists its parameters in `PARAMS`, and gives four hooks: `_fit`, `_predict`, `_state`,
`_restore`. The base class checks the views, turns quantiles into classes where the model has none, and saves and
loads.

Invariants:
1. `fit` takes a `Train` and a `Valid` and nothing else: a `Test` cannot be passed by mistake. Parameters are learned
   from Train; Valid decides when to stop and how much to shrink.
2. `predict` sees a label-free `Inputs`; a row's forecast depends on its own and earlier rows of the table only.
3. Same data, parameters and seed: same bits. `load` after `save`: same bits.
4. An instrument's name is a routing key: renaming it everywhere changes nothing.
5. Quantiles do not cross and lie at or above -1; class probabilities are positive and sum to one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.data import Forecast, Inputs, Train, Valid
from karat.models._classes import quantiles_to_classes
from karat.models._params import Param, Value, resolve
from karat.models._state import State, read_card, read_state, write_state
from karat.models._types import Floats


class Forecaster(ABC):
    """Something that is fitted on `Train` and `Valid` and answers `Inputs` with a `Forecast`.

    name: its name in a study file. stochastic: whether the seed matters. baseline: whether it is one of the models
    that every candidate has to beat. routes: whether it keeps parameters of its own for each instrument. PARAMS:
    parameter name to default and bounds. notes: what fitting had to say.
    """

    name: ClassVar[str]
    stochastic: ClassVar[bool] = False
    baseline: ClassVar[bool] = False
    routes: ClassVar[bool] = False
    PARAMS: ClassVar[Mapping[str, Param]] = {}

    def __init__(self, *, seed: int = 42, **params: Any) -> None:
        """Check the parameters; fits nothing and imports nothing heavy.

        Raises:
            InputError: an unknown parameter, with the nearest valid name, or a value out of bounds.
        """
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise InputError("seed", seed, allowed="a whole number from 0 to 4294967295")
        self.seed = seed
        self.params: dict[str, Value] = resolve(self.name, self.PARAMS, params)
        self.notes: tuple[str, ...] = ()
        self._horizon: str | None = None
        self._names: tuple[str, ...] = ()

    @property
    def fitted(self) -> bool:
        """Whether `fit` or `load` has finished."""
        return self._horizon is not None

    def get_params(self) -> dict[str, Any]:
        """Return the seed and every parameter: `type(model)(**model.get_params())` is an unfitted twin."""
        return {"seed": self.seed, **self.params}

    def set_params(self, **params: Any) -> Self:
        """Change parameters by name; the model is unfitted afterwards where anything changed.

        Raises:
            InputError: like the constructor; then nothing changes.
        """
        twin = type(self)(**{**self.get_params(), **params})
        if twin.get_params() != self.get_params():
            vars(self).clear()
            vars(self).update(vars(twin))
        return self

    def fit(self, train: Train, valid: Valid) -> Self:
        """Learn from `train`; stop and shrink by `valid`.

        Raises:
            InputError: another type of view, an empty one, labels that are not finite, or views that do not match.
        """
        _check_view("train", train, Train)
        _check_view("valid", valid, Valid)
        if (train.horizon, train.table.names) != (valid.horizon, valid.table.names):
            seen = f"{valid.horizon}, {counted(len(valid.table.names), 'feature')}"
            raise InputError("valid", seen, allowed=f"horizon {train.horizon} and the features of train")
        self._horizon, self.notes = None, ()
        self._fit(train, valid)
        self._horizon, self._names = train.horizon, train.table.names
        return self

    def predict(self, inputs: Inputs) -> Forecast:
        """Return the forecast for `inputs.rows`, in their order; no labels are read, also where the view has them.

        Raises:
            InputError: before `fit`, or for inputs of another horizon or other features.
        """
        if not self.fitted:
            raise InputError("model", self.name, why="it is not fitted", fix="call fit or load first")
        if not isinstance(inputs, Inputs):
            raise InputError("inputs", type(inputs).__name__, allowed="Inputs, Train, Valid or Test")
        if inputs.horizon != self._horizon:
            raise InputError(
                "inputs.horizon", inputs.horizon, allowed=[str(self._horizon)], fix="fit one model a horizon"
            )
        if inputs.table.names != self._names:
            raise InputError(
                "inputs.features", list(inputs.table.names), allowed=list(self._names), fix="same order too"
            )
        bare = Inputs(inputs.table, inputs.rows, inputs.horizon)
        quantiles, probabilities = self._predict(bare)
        # Monotone rearrangement (Chernozhukov, Fernandez-Val, Galichon 2010): never further from the truth.
        ordered = np.maximum(np.sort(quantiles, axis=1), -1.0)
        if probabilities is None:
            probabilities = quantiles_to_classes(ordered)
        return Forecast.of(bare, ordered, probabilities, model=self.name)

    def save(self, directory: Path) -> None:
        """Write the fitted model into a folder: `model.json`, `weights.safetensors` and native texts.

        Raises:
            InputError: before `fit`.
        """
        if not self.fitted:
            raise InputError("model", self.name, why="it is not fitted", fix="call fit before save")
        card = {
            "model": self.name,
            "params": self.get_params(),
            "horizon": self._horizon,
            "features": list(self._names),
            "notes": list(self.notes),
        }
        write_state(Path(directory), card, self._state())

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return a model that `save` wrote; it predicts the same bits.

        Raises:
            InputError: no model there, or one of another class. DataError: files that were changed.
        """
        card = read_card(Path(directory))
        if card["model"] != cls.name:
            raise InputError("directory", str(directory), why=f"it holds the model {card['model']}", allowed=cls.name)
        model = cls(**card["params"])
        model._restore(read_state(Path(directory), card))
        model._horizon, model._names = card["horizon"], tuple(card["features"])
        model.notes = tuple(card["notes"])
        return model

    def network(self, n_features: int) -> Any:
        """Return the torch module that would be fitted on `n_features` features, None for a model without one."""
        return None

    @abstractmethod
    def _fit(self, train: Train, valid: Valid) -> None:
        """Learn; may append to `self.notes`."""

    @abstractmethod
    def _predict(self, inputs: Inputs) -> tuple[Floats, Floats | None]:
        """Return (n, 23) quantiles at `LEVELS` of the forward simple return, and (n, 9) class probabilities or None."""

    @abstractmethod
    def _state(self) -> State:
        """Return all that `_predict` needs."""

    @abstractmethod
    def _restore(self, state: State) -> None:
        """Take back what `_state` gave."""


def _check_view(field: str, view: object, kind: type[Train] | type[Valid]) -> None:
    if not isinstance(view, kind):
        why = "a forecaster never learns from Test" if type(view).__name__ == "Test" else None
        raise InputError(field, type(view).__name__, allowed=kind.__name__, why=why)
    if len(view) == 0:
        raise InputError(field, "no rows", allowed="at least one row", fix="load more data or use fewer folds")
    if len(view.labels.value) != len(view) or not np.isfinite(view.labels.value).all():
        raise InputError(f"{field}.labels", "NaN or too few", allowed="one finite return a row", fix="drop such rows")
