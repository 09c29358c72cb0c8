"""Label integrity: regime labels are complete, of the right cardinality, and made with the bands that are cached.

Invariants:
1. A cache is stale when its series changed after the fit, or when labels lie beyond the time it was valid for.
2. A label is the number of its fit's edges below its measure, never anything else.
3. Rows that other guards already refuse (nulls, orphans) are left to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import polars as pl

from karat.core import iso
from karat.data._schemas import Violation, row_names
from karat.data._sqlite_regimes import label_of, series_hash
from karat.data._views import Ints

_GROUP: Final = ["instrument", "frequency", "kind"]
_REBUILD: Final = "rebuild the regimes and their quantile cache from the present series"


def check_labels(
    series: pl.DataFrame, regimes: pl.DataFrame, cache: pl.DataFrame, *, partial: bool = False
) -> tuple[Violation, ...]:
    """Return what the label tables break; the frames have the columns of their tables.

    partial: they hold a part of the instruments, so that a label may rightly be absent.
    """
    rows = regimes.with_row_index("_row").drop_nulls()
    found = [_uncached(regimes, rows, cache), *_stale(series, cache)]
    placed = _placed(rows, cache.drop_nulls())
    found += [*_banded(regimes, placed), None if partial else _cardinality(rows, cache), _gaps(series, regimes)]
    return tuple(item for item in found if item is not None)


def _violation(table: str, rule: str, rows: tuple[str, ...], remedy: str, index: Ints) -> Violation | None:
    return Violation(table, rule, "error", rows, remedy, index) if rows else None


def _at(table: str, rule: str, frame: pl.DataFrame, index: pl.Series, remedy: str) -> Violation | None:
    where = np.sort(index.to_numpy().astype(np.int64))
    return _violation(table, rule, row_names(table, frame, where), remedy, where)


def _uncached(regimes: pl.DataFrame, rows: pl.DataFrame, cache: pl.DataFrame) -> Violation | None:
    orphans = rows.join(cache, on=_GROUP, how="anti")
    return _at("regimes", "quantile cache is present", regimes, orphans["_row"], _REBUILD)


def _stale(series: pl.DataFrame, cache: pl.DataFrame) -> Iterator[Violation | None]:
    bad, unsorted = [], []
    bars = {key: item.sort("ts") for key, item in series.drop_nulls("close").group_by("instrument", "frequency")}
    for key, fit in cache.with_row_index("_row").drop_nulls().group_by(*_GROUP, "fit_end_ts", maintain_order=True):
        past = bars.get((key[0], key[1]), series.clear()).filter(pl.col("ts") <= key[3])
        present = series_hash(past["ts"].to_numpy(), past["close"].to_numpy())
        if fit["series_hash"].n_unique() != 1 or fit["series_hash"][0] != present or fit["n_rows"][0] != len(past):
            bad += fit["_row"].to_list()
        if not fit.sort("quantile")["edge"].is_sorted():
            unsorted += fit["_row"].to_list()
    yield _at("regime_quantiles", "quantile cache matches its series", cache, pl.Series(bad, dtype=pl.Int64), _REBUILD)
    yield _at("regime_quantiles", "edges rise with quantiles", cache, pl.Series(unsorted, dtype=pl.Int64), _REBUILD)


def _placed(rows: pl.DataFrame, cache: pl.DataFrame) -> pl.DataFrame:
    """Attach to each label the newest fit that ended before it: `edges` (list) and `valid_until_ts`, null if none."""
    fits = cache.group_by(*_GROUP, "fit_end_ts").agg(
        edges=pl.col("edge").sort_by("quantile"), valid_until_ts=pl.col("valid_until_ts").min()
    )
    known = rows.join(fits.select(_GROUP).unique(), on=_GROUP, how="semi")
    return known.sort("ts").join_asof(
        fits.sort("fit_end_ts"),
        left_on="ts",
        right_on="fit_end_ts",
        by=_GROUP,
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )


def _banded(regimes: pl.DataFrame, placed: pl.DataFrame) -> Iterator[Violation | None]:
    outside = placed.filter(pl.col("edges").is_null() | (pl.col("ts") > pl.col("valid_until_ts")))
    yield _at("regimes", "label has a valid quantile cache", regimes, outside["_row"], _REBUILD)
    inside = placed.filter(pl.col("edges").is_not_null())
    wrong: list[Any] = []
    for _, part in inside.group_by(pl.col("edges").list.len()):
        edges = np.array(part["edges"].to_list(), dtype=np.float64)
        differs = label_of(part["measure"].to_numpy(), edges) != part["label"].to_numpy()
        wrong += part["_row"].to_numpy()[differs].tolist()
    yield _at("regimes", "label agrees with the cached bands", regimes, pl.Series(wrong, dtype=pl.Int64), _REBUILD)


def _cardinality(rows: pl.DataFrame, cache: pl.DataFrame) -> Violation | None:
    """Every label that the bands define occurs somewhere in its frequency and kind."""
    wanted = cache.group_by("frequency", "kind").agg(n=pl.col("quantile").n_unique() + 1).sort("frequency", "kind")
    absent = []
    for frequency, kind, n in wanted.iter_rows():
        picked = rows.filter((pl.col("frequency") == frequency) & (pl.col("kind") == kind))
        absent += [f"{frequency}/{kind}/label {k}" for k in sorted(set(range(n)) - set(picked["label"].to_list()))]
    remedy = "use fewer bands or a longer history, then rebuild the regimes"
    return _violation("regimes", "regime label cardinality", tuple(absent), remedy, np.empty(0, dtype=np.int64))


def _gaps(series: pl.DataFrame, regimes: pl.DataFrame) -> Violation | None:
    """Every bar from a group's first label on has one."""
    rows = regimes.select(*_GROUP, "ts").drop_nulls()
    first = rows.group_by(_GROUP).agg(first=pl.col("ts").min())
    bars = series.select("instrument", "frequency", "ts").drop_nulls()
    due = bars.join(first, on=["instrument", "frequency"]).filter(pl.col("ts") >= pl.col("first"))
    missing = due.join(rows, on=[*_GROUP, "ts"], how="anti").unique().sort(*_GROUP, "ts")
    names = tuple(f"{a}/{b}/{kind}/{iso(ts)}" for a, b, kind, ts in missing.select(*_GROUP, "ts").iter_rows())
    rule = "a label for every bar"
    return _violation("regimes", rule, names, _REBUILD, np.empty(0, dtype=np.int64))
