"""What may be known: the feature registry, its tiers, and the proof that no feature reads the future.

A study names tiers or features; `resolve` says which of them a panel can serve, `build` computes them, `table` makes
the rows a model reads and `check_invariance` proves by experiment that later data cannot change them.
A name is loaded when it is first asked for: listing features takes neither data frames nor a compiler.
"""

import typing

from karat._doors import on_demand as _on_demand

if typing.TYPE_CHECKING:
    from karat.features._build import FeatureFrame, build, compute_regulatory_features, numeric_only, table
    from karat.features._context import Context, check_context, check_regimes, context_columns, with_context
    from karat.features._dataset import VIX_REGIME_CODES, Dataset, build_dataset, dataset_columns, model_inputs
    from karat.features._dictionary import dictionary_pages
    from karat.features._distinct import Clash, check_distinct
    from karat.features._invariance import InvarianceReport, check_future, check_invariance
    from karat.features._online import OnlineFeatures
    from karat.features._parity import ParityReport, check_online
    from karat.features._registry import FEATURES, TIERS, tiers_of
    from karat.features._select import Selection, held_by, required_columns, resolve
    from karat.features._spec import FeatureSpec
    from karat.features._stream import build_files, resolve_file
    from karat.features._vix import VIX_REGIME_EDGES

__all__ = [
    "FEATURES",
    "TIERS",
    "VIX_REGIME_CODES",
    "VIX_REGIME_EDGES",
    "Clash",
    "Context",
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
    "check_context",
    "check_distinct",
    "check_future",
    "check_invariance",
    "check_online",
    "check_regimes",
    "compute_regulatory_features",
    "context_columns",
    "dataset_columns",
    "dictionary_pages",
    "held_by",
    "model_inputs",
    "numeric_only",
    "required_columns",
    "resolve",
    "resolve_file",
    "table",
    "tiers_of",
    "with_context",
]

__getattr__ = _on_demand(
    __name__,
    {
        "_build": ("FeatureFrame", "build", "compute_regulatory_features", "numeric_only", "table"),
        "_context": ("Context", "check_context", "check_regimes", "context_columns", "with_context"),
        "_dataset": ("VIX_REGIME_CODES", "Dataset", "build_dataset", "dataset_columns", "model_inputs"),
        "_dictionary": ("dictionary_pages",),
        "_distinct": ("Clash", "check_distinct"),
        "_invariance": ("InvarianceReport", "check_future", "check_invariance"),
        "_online": ("OnlineFeatures",),
        "_parity": ("ParityReport", "check_online"),
        "_registry": ("FEATURES", "TIERS", "tiers_of"),
        "_select": ("Selection", "held_by", "required_columns", "resolve"),
        "_spec": ("FeatureSpec",),
        "_stream": ("build_files", "resolve_file"),
        "_vix": ("VIX_REGIME_EDGES",),
    },
)
