"""The combined dataset: an instrument's bars, its twenty indicators and the eight features of a volatility index.

Columns, in this order: `Date`, open high low close volume, the tier `a20`, and, with an index, the tier `vix8`: 26 or
34 columns.

Invariants:
1. A row holds what was known at its `known_at`: index features are computed on the index's own history and joined
   as-of. An index that is published after the bar's close is therefore the previous session's.
2. Rows go for two reasons only, both counted: before the last feature's first value (warm-up), and outside the dates
   that the bars and the index features have in common.
3. Every column but `Date` is Float64 and finite. The quality gate sees bars and index first: strict stops at its
   errors, lenient reports them, leaves rows with a hole out and counts them.
4. Regimes are numbers, the same for the same text in every dataset.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import DataError, InputError, iso_date
from karat.data import KEYS, OHLCV, Finding, Panel, Provenance, asof_join, check_quality
from karat.features._build import build, numeric_only
from karat.features._registry import TIERS
from karat.features._rows import day_of
from karat.features._spec import Floats

DATE: Final = "Date"
VIX_REGIME_CODES: Final[dict[str, int]] = {"calm": 0, "normal": 1, "elevated": 2, "crisis": 3}
"""Text of a regime to its code, as the feature `vix_regime` encodes it."""

_REGIME: Final = "vix_regime"
_VIX: Final = "vix"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A combined dataset.

    frame: `Date` (pl.Date, the session), then Float64 columns. known_at: (n,) Int64, UTC ns, when each row could be
    known. dropped: reason to number of rows left out. findings: of the quality gate. provenance: of all that went in.
    """

    frame: pl.DataFrame
    known_at: pl.Series
    dropped: Mapping[str, int]
    findings: tuple[Finding, ...]
    provenance: Provenance


def dataset_columns(*, include_vix: bool) -> tuple[str, ...]:
    """Return the columns of the combined dataset, in order: 34 with an index, 26 without.

    Example:
        >>> len(dataset_columns(include_vix=True)), len(dataset_columns(include_vix=False))
        (34, 26)
    """
    return (DATE, *OHLCV, *TIERS["a20"], *(TIERS["vix8"] if include_vix else ()))


def build_dataset(prices: Panel, vix: Panel | None = None, *, strict_validation: bool = True) -> Dataset:
    """Build the combined dataset of one instrument.

    prices: bars with open, high, low, close and volume. vix: an index, its values in the column `vix` or `close`; None
    leaves its features out. strict_validation: stop at broken data (True), or report it and leave holes out (False).

    Raises:
        InputError: more than one instrument, or a column that an indicator needs is missing.
        DataError: no dates in common, a history shorter than the warm-up, or (strict) a broken rule or a hole.
    """
    _check_single(prices, "prices")
    parts = [prices] if vix is None else [prices, vix]
    findings = [item for part in parts for item in check_quality(part, strict=strict_validation).findings]
    features = build(prices, "a20")
    if features.absent:
        name, reason = next(iter(features.absent.items()))
        fix = "use bars with open, high, low, close and volume"
        raise InputError("prices", list(prices.values), why=f"{name}: {reason}", fix=fix)
    bars = prices.frame.select(*KEYS, *OHLCV)
    frame = bars.with_columns(features.frame.select(TIERS["a20"]))
    ready = _after_warm_up(frame, TIERS["a20"])
    dropped = {"warm-up": len(frame) - len(ready)}
    panel = Panel(ready, prices.calendar, prices.provenance, prices.notes)
    if vix is not None:
        panel = _with_index(panel, vix)
        dropped["outside overlap"] = len(ready) - len(panel.frame)
    whole, holes = _whole(panel, strict=strict_validation)
    dropped |= {"not finite": holes} if holes else {}
    date = day_of(pl.col("ts")).cast(pl.Int32).cast(pl.Date).alias(DATE)
    out = whole.frame.with_columns(date).select(dataset_columns(include_vix=vix is not None))
    return Dataset(out, whole.frame["known_at"], dropped, tuple(findings), whole.provenance)


def model_inputs(frame: pl.DataFrame, tier: str | None = None) -> tuple[Floats, tuple[str, ...], tuple[str, ...]]:
    """Return ((n, p) float64 inputs, their names, the names left out because they are not numeric).

    tier: a tier's features alone, all of which must be there (`base25` has 25); None takes every numeric column.
    A text column `vix_regime` is encoded by `VIX_REGIME_CODES` first. Nulls become NaN.

    Raises:
        InputError: an unknown tier or regime, or a feature of the tier that is missing.

    Example:
        >>> frame = pl.DataFrame({"vix_regime": ["calm", "crisis"], "sector": ["tech", "tech"]})
        >>> values, names, left_out = model_inputs(frame)
        >>> values.tolist(), names, left_out
        ([[0.0], [3.0]], ('vix_regime',), ('sector',))
    """
    numbers, left_out = numeric_only(_encoded(frame))
    if tier is not None:
        numbers = numbers.select(_tier(tier, numbers.columns))
    values = np.ascontiguousarray(numbers.fill_null(np.nan).to_numpy(), dtype=np.float64)
    return values, tuple(numbers.columns), left_out


def _tier(tier: str, there: Sequence[str]) -> tuple[str, ...]:
    if tier not in TIERS:
        raise InputError("tier", tier, allowed=list(TIERS))
    missing = [name for name in TIERS[tier] if name not in there]
    if missing:
        why = f"{tier} lacks {len(missing)} of its {len(TIERS[tier])} inputs: {', '.join(missing[:5])}"
        raise InputError("frame", list(there), why=why, fix="build the dataset again")
    return TIERS[tier]


def _encoded(frame: pl.DataFrame) -> pl.DataFrame:
    if _REGIME not in frame.columns or frame.schema[_REGIME].is_numeric():
        return frame
    text = frame[_REGIME].cast(pl.String)
    for value in text.drop_nulls().unique().sort().to_list():
        if value not in VIX_REGIME_CODES:
            raise InputError(_REGIME, value, allowed=list(VIX_REGIME_CODES))
    return frame.with_columns(text.replace_strict(VIX_REGIME_CODES, return_dtype=pl.Float64).alias(_REGIME))


def _check_single(panel: Panel, field: str) -> None:
    if len(panel.instruments) != 1:
        fix = "build one dataset for each instrument"
        raise InputError(field, list(panel.instruments), allowed="a panel of one instrument", fix=fix)


def _after_warm_up(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return the rows from the first in which every named column has a value."""
    whole = frame.select(pl.all_horizontal(pl.col(name).is_finite() for name in names)).to_series()
    if not whole.any():
        fix = "load a longer history"
        raise DataError("dataset", "longer than the warm-up", seen=counted(len(frame), "row"), fix=fix)
    return frame[int(whole.arg_max() or 0) :]


def _with_index(panel: Panel, vix: Panel) -> Panel:
    """Attach the index features; rows after the index's last date go with those before its first feature."""
    _check_single(vix, "vix")
    column = _VIX if _VIX in vix.values else "close"
    if column not in vix.values:
        raise InputError("vix", list(vix.values), allowed="a column 'vix' or 'close'")
    index = vix.frame.select(*KEYS, pl.col(column).alias(_VIX)).filter(pl.col(_VIX).is_finite())
    built = build(Panel(index, vix.calendar, vix.provenance, vix.notes), "vix8")
    ready = _after_warm_up(built.frame, TIERS["vix8"])
    joined = asof_join(panel, Panel(ready, vix.calendar, vix.provenance, vix.notes))
    last = int(ready["ts"][-1])
    return Panel(joined.frame.filter(pl.col("ts") <= last), joined.calendar, joined.provenance, joined.notes)


def _whole(panel: Panel, *, strict: bool) -> tuple[Panel, int]:
    """Return the panel without rows that have a hole, and how many there were; strict raises instead."""
    names = [name for name in panel.frame.columns if name not in KEYS]
    finite = panel.frame.select(pl.all_horizontal(pl.col(name).is_finite().fill_null(False) for name in names))
    broken = panel.frame.filter(~finite.to_series())
    if len(broken) == 0:
        return panel, 0
    rows = [iso_date(ts - 1) for ts in broken["ts"].to_list()]
    if strict:
        remedy = "correct the bars of these dates, or build leniently to leave them out"
        first = broken.row(0, named=True)
        holes = {name: first[name] for name in names if first[name] is None or not math.isfinite(first[name])}
        raise DataError("dataset", "every value is finite", seen=holes, rows=rows, fix=remedy)
    return Panel(panel.frame.filter(finite.to_series()), panel.calendar, panel.provenance, panel.notes), len(rows)
