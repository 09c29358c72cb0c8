"""Regimes: one service for every system of market states, causal by construction."""

from karat.features.regimes._hidden import STRESSED
from karat.features.regimes._inputs import as_train, with_market
from karat.features.regimes._model import NO_STATE, Label, Refits, RegimeModel
from karat.features.regimes._registry import REGIMES, RegimeSpec, make_regime
from karat.features.regimes._service import RegimeFrame, label

__all__ = [
    "NO_STATE",
    "REGIMES",
    "STRESSED",
    "Label",
    "Refits",
    "RegimeFrame",
    "RegimeModel",
    "RegimeSpec",
    "as_train",
    "label",
    "make_regime",
    "with_market",
]
