"""Forecasters behind one contract: baselines, linear models, boosting, neural networks.

`create(name)` gives an unfitted model of `MODELS`, `fit(train, valid)` fits it, `predict(inputs)` answers with a
`Forecast`. Importing this package imports no learning library: each model does so when it is fitted.
The contract as a test suite is `karat.models.contract.ForecasterContract`.
"""

from karat.models._boosting import Boosting
from karat.models._classes import quantiles_to_classes
from karat.models._forecaster import Forecaster
from karat.models._params import Param
from karat.models._registry import BASELINES, MODELS, available_models, create, load_model
from karat.models._state import State

__all__ = [
    "BASELINES",
    "MODELS",
    "Boosting",
    "Forecaster",
    "Param",
    "State",
    "available_models",
    "create",
    "load_model",
    "quantiles_to_classes",
]
