"""From configuration to prepared data: panel, quality, features, labels, folds; the same code in parent and workers.

Invariants:
1. Data that failed strict validation never reaches a feature.
2. What workers read is addressed by content and checked against it; they rebuild the same table, labels and folds.
3. Panels enter through one function, `_finest`, joins only as of `known_at`.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import NS_PER_DAY, DataError, InputError, content_hash, iso_date, to_ns
from karat.data import (
    Panel,
    Provenance,
    QualityReport,
    Table,
    Train,
    Valid,
    check_quality,
    horizon_bars,
    is_intraday,
    open_source,
    resample,
)
from karat.evidence import require_enough
from karat.features import FeatureFrame, Selection, build, table
from karat.labels import Fold, LabelFrame, WalkForward, make_labels, usable, views
from karat.study._config import SplitConfig, StudyConfig
from karat.study._joins import Beside, context_specs, join_columns, join_contexts
from karat.study._plugins import WALK_FORWARD, plugged_features, plugged_splitter, source_plugins
from karat.study._regimes import require_regimes


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that models of one study see. Labels and folds are per horizon; rows of a fold count rows of its labels."""

    table: Table
    labels: Mapping[str, LabelFrame]
    folds: Mapping[str, tuple[Fold, ...]]


@dataclass(frozen=True, eq=False)
class Dataset:
    """The panel of a study with its checks and features.

    finest: the panel before it was resampled. contexts: what was computed beside it.
    """

    panel: Panel
    quality: QualityReport
    features: FeatureFrame
    finest: Panel
    contexts: tuple[Beside, ...]


def load_finest(config: StudyConfig) -> Panel:
    """Return the study's panel in the bars that its source has, with joined columns and without contexts.

    Raises:
        InputError: no data in the range asked for. DataError: strict validation failed.
    """
    return _between(_finest(config)[0], config)


def load_panel(config: StudyConfig) -> Panel:
    """Return the study's panel: joined, resampled, with contexts and cut to its dates.

    Raises:
        InputError: no data in the range asked for. DataError: strict validation failed.
    """
    return _panel(_finest(config)[0], config)[0]


def prepare_dataset(config: StudyConfig) -> Dataset:
    """Return panel, quality report and features of a study.

    Raises:
        InputError: as `load_panel` and `build`; a regime that the panel cannot show.
    """
    finest, quality = _finest(config)
    panel, contexts, absent = _panel(finest, config)
    regimes = {f"regimes.{k}": system for k, system in enumerate(config.regimes)}
    require_regimes(panel, {**regimes, "calibration.by_regime": config.calibration.by_regime})
    features = build(panel, selection_of(config))
    features = replace(features, absent={**features.absent, **absent})
    return Dataset(panel, quality, features, finest, contexts)


def selection_of(config: StudyConfig) -> Selection:
    """Return a study's features as a selection: names of karat's own, specs of plug-ins and of contexts."""
    plugged = plugged_features(config.plugins)
    return [*(plugged.get(name, name) for name in config.features), *context_specs(config)]


def _finest(config: StudyConfig) -> tuple[Panel, QualityReport]:
    """Return the panel as loaded, with joined columns, and the quality report of what was loaded."""
    data = config.data
    panel = open_source(data.source, data.params, plugins=source_plugins(config.plugins)).load()
    quality = check_quality(panel, strict=data.validation == "strict")
    return join_columns(panel, config), quality


def _panel(finest: Panel, config: StudyConfig) -> tuple[Panel, tuple[Beside, ...], dict[str, str]]:
    """Return the panel in the study's bars and dates, its contexts, and why columns of them are absent."""
    bars = config.data.bars
    panel = resample(finest, bars) if bars != "1d" or is_intraday(finest) else finest
    panel, contexts, absent = join_contexts(panel, finest, config)
    return _between(panel, config), contexts, absent


def save_dataset(dataset: Dataset, folder: Path) -> Path:
    """Write what workers need under its content address and return that folder; existing content is kept."""
    target = folder / _address(dataset.panel, dataset.features.frame)
    if not target.exists():
        partial = folder / f"{target.name}.{os.getpid()}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        dataset.panel.frame.write_parquet(partial / "panel.parquet")
        dataset.features.frame.write_parquet(partial / "features.parquet")
        meta = {"calendar": dataset.panel.calendar, "provenance": vars(dataset.panel.provenance)}
        (partial / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
        try:
            partial.rename(target)
        except OSError:  # another study prepared the same content first
            shutil.rmtree(partial)
    return target


def _address(panel: Panel, features: pl.DataFrame) -> str:
    return content_hash([panel.content_hash, features])[:32]


def assemble(panel: Panel, features: FeatureFrame, horizons: tuple[str, ...], splits: SplitConfig) -> Prepared:
    """Return table, labels and folds.

    Raises:
        InputError: too little data for the folds asked for; says how much would be enough.
    """
    rows = table(panel, features)
    labels = {horizon: usable(rows, make_labels(panel, horizon)) for horizon in horizons}
    folds = {horizon: tuple(_split(labels[horizon], splits)) for horizon in horizons}
    return Prepared(rows, labels, folds)


@functools.lru_cache(maxsize=2)
def load_prepared(folder: str, horizons: tuple[str, ...], splits: SplitConfig) -> Prepared:
    """Return what `assemble` gave the parent, from a folder written by `save_dataset`.

    Raises:
        DataError: the folder does not hold what its name says.
    """
    path = Path(folder)
    try:
        meta = json.loads((path / "meta.json").read_text(encoding="utf-8"))
        provenance = Provenance(**{**meta["provenance"], "preprocessing": tuple(meta["provenance"]["preprocessing"])})
        panel = Panel(pl.read_parquet(path / "panel.parquet", hive_partitioning=False), meta["calendar"], provenance)
        features = pl.read_parquet(path / "features.parquet", hive_partitioning=False)
        found = _address(panel, features)
    except (pl.exceptions.PolarsError, OSError, ValueError, TypeError, KeyError) as error:
        found = str(error).splitlines()[0]
    if found != path.name:
        fix = f"delete {path} and run again: it is made anew from the source"
        raise DataError("prepared data", "content equals its address", rows=[path.name], seen=found, fix=fix)
    return assemble(panel, FeatureFrame(features, (), {}), horizons, splits)


def last_selection(prepared: Prepared, horizon: str) -> tuple[Train, Valid]:
    """Return the views of a horizon's last selection fold."""
    fold = [fold for fold in prepared.folds[horizon] if fold.role == "select"][-1]
    train, valid, _ = views(prepared.table, prepared.labels[horizon], fold, horizon)
    return train, valid


def require_testable(prepared: Prepared, horizon: str) -> None:
    """Refuse a study whose primary horizon cannot be tested, before anything is fitted or `Test` is opened.

    Raises:
        InputError: labels of one value or of one class only, fewer than 500 test dates or 50 independent horizons.
    """
    labels = prepared.labels[horizon]
    low, high = float(labels.value.min()), float(labels.value.max())
    if low == high:
        why = f"every return over {horizon} is {low:g}: a constant series has nothing to forecast"
        raise InputError("data", "one value", why=why, allowed="prices that move", fix="look at the column close")
    if labels.frame["klass"].n_unique() < 2:
        why = f"every return over {horizon} lies from {low:.3g} to {high:.3g}: there is one class only"
        fix = "two classes would be enough, rises and falls: look at the column close, or take a longer horizon"
        raise InputError("data", "one class", why=why, allowed="returns of two classes or more", fix=fix)
    tests = [fold.test for fold in prepared.folds[horizon] if fold.test is not None]
    dates = len(np.unique(labels.ts[np.concatenate(tests)])) if tests else 0
    fix = "load more data, or give Test more of it with splits.test_frac or test_start; Test was not opened"
    require_enough(dates, horizon_bars(horizon), fix=fix)


def span_of_tests(prepared: Prepared, horizon: str) -> tuple[int, int]:
    """Return the first and last instant of the test rows of a horizon."""
    rows = np.concatenate([fold.test for fold in prepared.folds[horizon] if fold.test is not None])
    stamps = prepared.labels[horizon].ts[rows]
    return int(stamps.min()), int(stamps.max())


def _split(labels: LabelFrame, splits: SplitConfig) -> list[Fold]:
    if splits.splitter != WALK_FORWARD:
        return _distinct(plugged_splitter(splits.splitter).split(labels.ts, labels.start_ns, labels.end_ns), splits)
    walk = WalkForward(
        select_folds=splits.select_folds,
        test_folds=splits.test_folds,
        test_frac=splits.test_frac if splits.test_start is None else None,
        test_start=splits.test_start,
        valid_bars=splits.valid_bars,
        embargo_bars=splits.embargo_bars,
    )
    return walk.split(labels.ts, labels.start_ns, labels.end_ns)


def _distinct(folds: list[Fold], splits: SplitConfig) -> list[Fold]:
    """Return the folds of a plug-in; a row that two of them test has no one forecast to be judged by."""
    tests = [(fold.index, fold.test) for fold in folds if fold.test is not None]
    for k, (first, rows) in enumerate(tests):
        for second, others in tests[k + 1 :]:
            shared = len(np.intersect1d(rows, others))
            if shared:
                why = f"its test folds {first} and {second} share {counted(shared, 'row')}"
                raise InputError(
                    "splits.splitter", splits.splitter, why=why, allowed="folds that test a row at most once"
                )
    return folds


def _between(panel: Panel, config: StudyConfig) -> Panel:
    frame = panel.frame
    if config.data.start is not None:
        frame = frame.filter(pl.col("ts") >= to_ns(config.data.start))
    if config.data.end is not None:
        frame = frame.filter(pl.col("ts") < to_ns(config.data.end) + NS_PER_DAY)
    if frame.is_empty():
        stamps = panel.frame["ts"].to_numpy()
        first, last = int(stamps.min()), int(stamps.max())
        seen = f"{config.data.start or 'the first bar'} to {config.data.end or 'the last bar'}"
        raise InputError(
            "data.start, data.end", seen, allowed=f"{iso_date(first)} to {iso_date(last)}", why="no data there"
        )
    return Panel(frame, panel.calendar, panel.provenance, panel.notes)
