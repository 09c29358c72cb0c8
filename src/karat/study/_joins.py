"""What a study sees beside its own bars: columns of other sources, and features and regimes computed on other panels.

Invariants:
1. Columns are joined before the bars are made slower, contexts after it, both as of `known_at` only.
2. A context without a source is computed on the study's own panel as it was loaded, before it was made slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from karat.core import InputError
from karat.data import Panel, asof_join, open_source
from karat.features import Context, FeatureSpec, with_context
from karat.study._config import JoinConfig, StudyConfig
from karat.study._plugins import plugged_features, source_plugins


@dataclass(frozen=True, eq=False)
class Beside:
    """A context and the panel that it is computed on."""

    context: Context
    source: Panel


def join_columns(panel: Panel, config: StudyConfig) -> Panel:
    """Return the panel with the columns that the study joins.

    Raises:
        InputError: a column that the other source does not have, or a name that is taken. DataError: no overlap.
    """
    for k, join in enumerate(config.joins):
        if not join.computes:
            other = _renamed(_load(join, config), join.column or "close", join.name, f"joins.{k}.column")
            panel = asof_join(panel, other, columns=[join.name], max_age_days=join.max_age_days)
    return panel


def join_contexts(panel: Panel, finest: Panel, config: StudyConfig) -> tuple[Panel, tuple[Beside, ...], dict[str, str]]:
    """Return the panel with the columns of every context, the contexts, and why columns are absent.

    finest: the study's own panel before it was made slower.
    """
    beside, absent = [], dict[str, str]()
    for join, context in _contexts(config):
        source = finest if join.source is None else _load(join, config)
        panel, missing = with_context(panel, source, context)
        beside.append(Beside(context, source))
        absent |= missing
    return panel, tuple(beside), absent


def context_specs(config: StudyConfig) -> list[FeatureSpec]:
    """Return one feature for each column of the study's contexts.

    Raises:
        InputError: an unknown feature or regime, or a regime that follows no past of its own.
    """
    return [spec for _, context in _contexts(config) for spec in context.specs()]


def origins_of(config: StudyConfig, specs: Sequence[FeatureSpec]) -> dict[str, FeatureSpec]:
    """Return what computed each column: the feature itself, or that of the context which holds it."""
    held = {name: spec for _, context in _contexts(config) for name, spec in context.origins.items()}
    return {spec.name: held.get(spec.name, spec) for spec in specs}


def _contexts(config: StudyConfig) -> list[tuple[JoinConfig, Context]]:
    """Return the joins that compute, and what each computes."""
    plugged = plugged_features(config.plugins)
    found = []
    for join in config.joins:
        if join.computes:
            features = [plugged.get(name, name) for name in join.features]
            found.append((join, Context(join.name, join.bars, features, join.regimes, config.seed, join.max_age_days)))
    return found


def _load(join: JoinConfig, config: StudyConfig) -> Panel:
    assert join.source is not None
    return open_source(join.source, join.params, plugins=source_plugins(config.plugins)).load()


def _renamed(panel: Panel, column: str, name: str, field: str) -> Panel:
    if column not in panel.values:
        raise InputError(field, column, why="the source of the join has no such column", allowed=list(panel.values))
    frame = panel.frame.select("ts", "known_at", "instrument", pl.col(column).alias(name))
    return Panel(frame, panel.calendar, panel.provenance, panel.notes)
