"""What a study's data say of themselves: quality, what was known when, who is missing, and what the folds overlap.

Invariants:
1. A source that takes `end` is loaded again as of earlier days: what was known by then has to be the same, to the bit.
   `end` must mean what it says; a source that computes on everything and cuts afterwards is not seen by this.
2. In a test fold Train and Valid end before Test begins: the verdict is about forecasting, not about filling in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from karat._words import counted
from karat.core import NS_PER_DAY, InputError, iso_date, to_ns
from karat.data import QualityReport, available_sources, open_source
from karat.evidence import Check, same_as_of
from karat.labels import Fold, LabelFrame, check_purged
from karat.study._config import StudyConfig
from karat.study._plugins import source_plugins
from karat.study._prepare import Prepared

_PLACES: Final = (0.5, 0.8)
_SHOWN: Final = 3


def quality_check(report: QualityReport) -> Check:
    """Return the check that validation found no error."""
    errors = [finding for finding in report.findings if finding.severity == "error"]
    note = f"{counted(len(report.findings), 'finding')}, {len(errors)} of them errors"
    return Check("data quality", float(len(errors)), "no errors", not errors, note)


def source_check(config: StudyConfig) -> Check:
    """Return the check that every source gave then what it says now was known then."""
    blocks = [("data", config.data.source, config.data.params)]
    blocks += [(f"joins.{join.name}", join.source, join.params) for join in config.joins if join.source is not None]
    problems, asked = [], []
    for where, source, params in blocks:
        for day, found in _reloaded(source, params, config.plugins):
            asked.append(day)
            problems += [f"{where}, loaded as of {day}: {problem}" for problem in found]
    name, threshold = "source as of", "equal to the bit"
    if not asked:
        return Check(name, None, threshold, None, "not evaluable: the source takes no `end`")
    return Check(name, float(len(problems)), threshold, not problems, "; ".join(problems[:_SHOWN]))


def split_check(prepared: Prepared) -> Check:
    """Return the check that no label span crosses a cut and that Test comes last."""
    problems = [
        f"{horizon}: {problem}"
        for horizon, folds in prepared.folds.items()
        for problem in split_problems(folds, prepared.labels[horizon])
    ]
    return Check("purging", float(len(problems)), "no overlapping span", not problems, "; ".join(problems[:_SHOWN]))


def split_problems(folds: Sequence[Fold], labels: LabelFrame) -> list[str]:
    """Return a sentence for every overlap of `check_purged`, and for every test fold that learns from its future."""
    problems = check_purged(folds, labels.start_ns, labels.end_ns)
    for fold in folds:
        if fold.test is None or not len(fold.test):
            continue
        opens = int(labels.start_ns[fold.test].min())
        late = sum(int((labels.end_ns[rows] >= opens).sum()) for rows in (fold.train, fold.valid))
        if late:
            problems.append(
                f"test fold {fold.index}: {counted(late, 'row')} of train and valid ending after test begins"
            )
    return problems


def _reloaded(source: str, params: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield (day, what differs) for a source loaded as of earlier days; nothing where it takes no `end`."""
    plugins = source_plugins(names)
    if "end" not in available_sources(plugins)[source].parameters():
        return
    full = open_source(source, params, plugins=plugins).load()
    known = full.frame["known_at"].to_numpy()
    for place in _PLACES:
        day = iso_date(int(np.quantile(known, place, method="lower")))
        try:
            again = open_source(source, {**params, "end": day}, plugins=plugins).load()
        except InputError as error:
            yield day, [f"it cannot be loaded: {error}"]
            continue
        yield day, same_as_of(full, again, to_ns(day) + NS_PER_DAY)
