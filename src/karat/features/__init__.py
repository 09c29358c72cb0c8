"""What may be known: the feature registry, its tiers, and the proof that no feature reads the future.

A study names tiers or features; `resolve` says which of them a panel can serve, `build` computes them, `table` makes
the rows a model reads and `check_invariance` proves by experiment that later data cannot change them.
"""

from karat.features._build import FeatureFrame, build, compute_regulatory_features, numeric_only, table
from karat.features._dataset import VIX_REGIME_CODES, Dataset, build_dataset, dataset_columns, model_inputs
from karat.features._dictionary import dictionary_markdown
from karat.features._distinct import Clash, check_distinct
from karat.features._invariance import InvarianceReport, check_future, check_invariance
from karat.features._online import OnlineFeatures
from karat.features._parity import ParityReport, check_online
from karat.features._registry import FEATURES, TIERS, tiers_of
from karat.features._select import Selection, required_columns, resolve
from karat.features._spec import FeatureSpec
from karat.features._stream import build_files
from karat.features._vix import VIX_REGIME_EDGES

__all__ = [
    "FEATURES",
    "TIERS",
    "VIX_REGIME_CODES",
    "VIX_REGIME_EDGES",
    "Clash",
    "Dataset",
    "FeatureFrame",
    "FeatureSpec",
    "InvarianceReport",
    "OnlineFeatures",
    "ParityReport",
    "Selection",
    "build",
    "build_dataset",
    "build_files",
    "check_distinct",
    "check_future",
    "check_invariance",
    "check_online",
    "compute_regulatory_features",
    "dataset_columns",
    "dictionary_markdown",
    "model_inputs",
    "numeric_only",
    "required_columns",
    "resolve",
    "table",
    "tiers_of",
]
