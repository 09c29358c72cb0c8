"""The table of models, and the verbs over it: `create`, `load_model`, `available_models`.

Invariants:
1. `MODELS` is the whole list of built-in models: one line each. `BASELINES` are the five that every study runs.
2. Models of other packages come by the entry-point group `karat.model` and are off until they are named.
3. A plug-in never replaces a built-in model, and no baseline can be taken away.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from karat.core import InputError
from karat.models._arima import Arima
from karat.models._catboost import CatBoost
from karat.models._climatology import Climatology
from karat.models._ewma import BuyAndHold, Ewma, LastSign
from karat.models._forecaster import Forecaster
from karat.models._garch_t import GarchT
from karat.models._lightgbm import LightGbm
from karat.models._linear_quantile import LinearQuantile
from karat.models._logistic import Logistic
from karat.models._patch_transformer import PatchTransformerForecaster
from karat.models._state import read_card
from karat.models._xgboost import XgBoost

GROUP: Final = "karat.model"

MODELS: Final[dict[str, type[Forecaster]]] = {
    "climatology": Climatology,
    "ewma": Ewma,
    "garch_t": GarchT,
    "last_sign": LastSign,
    "buy_and_hold": BuyAndHold,
    "logistic": Logistic,
    "linear_quantile": LinearQuantile,
    "lightgbm": LightGbm,
    "patch_transformer": PatchTransformerForecaster,
    "arima": Arima,
    "xgboost": XgBoost,
    "catboost": CatBoost,
}
"""Every built-in model by name."""

BASELINES: Final[tuple[str, ...]] = ("climatology", "ewma", "garch_t", "last_sign", "buy_and_hold")
"""The models that every candidate has to beat; a study may add to them and never take one away."""


def available_models(plugins: Sequence[str] = ()) -> dict[str, type[Forecaster]]:
    """Return the built-in models and those plug-ins of the given names that installed packages offer.

    A name that no package offers as a model is left out: the same list may name sources.

    Raises:
        InputError: a plug-in that is no `Forecaster`, whose `name` differs, or that takes a built-in name.
    """
    table = dict(MODELS)
    if not plugins:
        return table
    offered = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    for name in plugins:
        if name in offered and name in MODELS:
            raise InputError("plugins", name, why="it is the name of a built-in model", fix="rename the plug-in")
        if name in offered:
            table[name] = _checked(name, offered[name].load())
    return table


def create(
    name: str, params: Mapping[str, Any] | None = None, *, seed: int = 42, plugins: Sequence[str] = ()
) -> Forecaster:
    """Return the unfitted model `name`.

    Raises:
        InputError: an unknown model or parameter, with the nearest valid name, or a value out of bounds.

    Example:
        >>> create("ewma", {"decay": 0.97}).get_params()
        {'seed': 42, 'decay': 0.97}
    """
    values = dict(params or {})
    if "seed" in values:
        raise InputError(
            "params.seed", values["seed"], why="the seed is no parameter of a model", fix="set seed instead"
        )
    return _kind(name, plugins)(seed=seed, **values)


def load_model(directory: Path, *, plugins: Sequence[str] = ()) -> Forecaster:
    """Return the fitted model that `save` wrote into a folder, whatever its class.

    Raises:
        InputError: no model there, or one that is not known. DataError: files that were changed.
    """
    card = read_card(Path(directory))
    return _kind(str(card["model"]), plugins).load(Path(directory))


def _kind(name: str, plugins: Sequence[str]) -> type[Forecaster]:
    table = available_models(plugins)
    if name not in table:
        fix = None
        if any(point.name == name for point in importlib.metadata.entry_points(group=GROUP)):
            fix = f"an installed package offers it: add {name!r} to plugins"
        raise InputError("model", name, allowed=list(table), fix=fix)
    return table[name]


def _checked(name: str, kind: object) -> type[Forecaster]:
    if not (isinstance(kind, type) and issubclass(kind, Forecaster)):
        raise InputError("plugins", name, why=f"it is {kind!r}", allowed="a subclass of karat.models.Forecaster")
    if kind.name != name:
        raise InputError("plugins", name, why=f"the class calls itself {kind.name!r}", fix="give both the same name")
    return kind
