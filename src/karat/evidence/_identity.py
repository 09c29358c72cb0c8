"""How much a column says about which instrument a row belongs to, in bits, over what chance and persistence explain.

| symbol | meaning | shape | unit |
|---|---|---|---|
| X | a column in at most 8 bins of equal mass, or its rank among the instruments of a date | (n,) | |
| K | instrument | (n,) | |
| I | plug-in mutual information of X and K | | bit |
| I0 | the same after the instruments of whole blocks of rows were permuted | (R,) | bit |

The corrected value is I - mean(I0): the plug-in estimate is biased upwards (Miller 1955; Treves and Panzeri 1995), and
the null of whole blocks carries that bias together with what a column's own persistence adds.

Invariants:
1. A column fails where the corrected value is above the limit and at most 1 in 100 permutations reaches I.
2. Renaming or reordering instruments changes nothing; a market-wide column says nothing.
3. Rows with NaN are left out; fewer than two instruments or five blocks an instrument are not evaluable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.core import InputError, generator
from karat.evidence._shapes import Check, Floats, Ints

FEATURE_LIMIT_BITS: Final = 0.1
REGIME_LIMIT_BITS: Final = 0.01
_BINS: Final = 8
_BLOCK: Final = 63
_LEAST_BLOCKS: Final = 5
_ALARM: Final = 0.01
PROBE_ALARM: Final = 0.001


@dataclass(frozen=True)
class IdentityBits:
    """What one column says about the instrument: plug-in and corrected bits, and the p-value of the permutations."""

    raw: float
    corrected: float
    p_value: float

    def above(self, limit: float) -> bool:
        """Return whether the column says more than `limit` bits."""
        return self.corrected > limit and self.p_value <= _ALARM


def identity_bits(values: Floats, instrument: Ints, *, permutations: int = 199, seed: int) -> IdentityBits | None:
    """Return the bits that (n,) values carry about the (n,) instrument codes, None where there is too little data.

    Rows are sorted by (instrument, time), so that blocks of `values` are stretches of time.

    Raises:
        InputError: lengths that differ, or fewer than 99 permutations.
    """
    if values.shape != instrument.shape or values.ndim != 1:
        raise InputError(
            "values", f"shape {values.shape}", allowed=f"{instrument.shape}: one value per instrument code"
        )
    if permutations < 99:
        raise InputError("permutations", permutations, allowed="99 or more")
    kept = np.isfinite(values)
    names, code = np.unique(instrument[kept], return_inverse=True)
    block, owner = _blocks(code)
    if len(names) < 2 or np.bincount(owner, minlength=len(names)).min() < _LEAST_BLOCKS:
        return None
    bins = _binned(values[kept])
    counts = np.zeros((len(owner), int(bins.max()) + 1))
    np.add.at(counts, (block, bins), 1.0)
    found = _bits(counts, owner, len(names))
    rng = generator(seed, "identity", "permutations")
    null = np.array([_bits(counts, rng.permutation(owner), len(names)) for _ in range(permutations)])
    p_value = (1.0 + float((null >= found - 1e-12).sum())) / (1.0 + permutations)
    return IdentityBits(found, found - float(null.mean()), p_value)


def identity_check(
    columns: Mapping[str, Floats],
    instrument: Ints,
    ts: Ints,
    *,
    limit: float = FEATURE_LIMIT_BITS,
    known: Mapping[str, str] | None = None,
    seed: int,
) -> Check:
    """Return the check that no column tells instruments apart, by its value or by its rank on a date.

    columns: name to (n,) values, rows sorted by (instrument, ts). instrument, ts: (n,) int64. limit: bits. known:
    columns that are known to carry the scale of an instrument, with the reason: named in the note, never deciding.
    """
    name, threshold = "static ids", f"<= {limit:g} bit about the instrument"
    told: dict[str, IdentityBits] = {}
    for column, values in columns.items():
        for form in (values, _ranks(values, ts)):
            bits = identity_bits(form, instrument, seed=seed)
            if bits is not None and (column not in told or bits.corrected > told[column].corrected):
                told[column] = bits
    if not told:
        return Check(name, None, threshold, None, "not evaluable: one instrument, or too few bars of each")
    allowed = {column: why for column, why in (known or {}).items() if column in told and told[column].above(limit)}
    failed = sorted(column for column, bits in told.items() if bits.above(limit) and column not in allowed)
    deciding = [bits.corrected for column, bits in told.items() if column not in (known or {})]
    worst = max(deciding, default=0.0)
    note = "; ".join(f"{column} tells {told[column].corrected:.2f} bit" for column in failed)
    if allowed:
        words = ", ".join(f"{column} {told[column].corrected:.2f} bit ({why})" for column, why in allowed.items())
        note += f"{'; ' if note else ''}allowed: {words}"
    return Check(name, worst, threshold, not failed, note or f"{len(told)} columns, largest value shown")


def regime_check(columns: Mapping[str, Floats], instrument: Ints, ts: Ints, *, seed: int) -> Check:
    """Return the check of regime columns: finite somewhere, infinite nowhere, not constant, and silent about names."""
    name, threshold = "regime features", f"finite, varying, <= {REGIME_LIMIT_BITS:g} bit about the instrument"
    if not columns:
        return Check(name, None, threshold, None, "not evaluable: the study has none")
    problems = []
    for column, values in columns.items():
        seen = values[np.isfinite(values)]
        if np.isinf(values).any() or not len(seen):
            problems.append(f"{column} is not finite")
        elif np.ptp(seen) == 0:
            problems.append(f"{column} is constant")
    told = identity_check(columns, instrument, ts, limit=REGIME_LIMIT_BITS, seed=seed)
    if told.passed is False:
        problems.append(told.note)
    return Check(name, float(len(problems)), threshold, not problems, "; ".join(problems))


def _blocks(code: Ints) -> tuple[Ints, Ints]:
    """Return (n,) the block of each row, and (m,) the instrument of each block."""
    starts = np.flatnonzero(np.r_[True, code[1:] != code[:-1]])
    within = np.arange(len(code)) - starts[np.searchsorted(starts, np.arange(len(code)), side="right") - 1]
    fresh = within % _BLOCK == 0
    return np.cumsum(fresh) - 1, code[fresh]


def _bits(counts: Floats, owner: Ints, names: int) -> float:
    """Return the mutual information of bins and instruments, from (blocks, bins) counts and each block's instrument."""
    table = np.zeros((names, counts.shape[1]))
    np.add.at(table, owner, counts)
    share = table / table.sum()
    expected = share.sum(axis=1, keepdims=True) * share.sum(axis=0, keepdims=True)
    held = share > 0
    return float((share[held] * np.log2(share[held] / expected[held])).sum())


def _binned(values: Floats) -> Ints:
    """Return (n,) bins of equal mass; a column of few distinct values has a bin for each."""
    distinct = np.unique(values)
    if len(distinct) <= _BINS:
        return np.searchsorted(distinct, values).astype(np.int64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right").astype(np.int64)


def _ranks(values: Floats, ts: Ints) -> Floats:
    """Return (n,) the share of the date's values that are smaller, NaN where the value is missing."""
    order = np.lexsort((values, ts))
    date, sorted_values = ts[order], values[order]
    first = np.searchsorted(date, date, side="left")
    fresh = np.r_[True, (date[1:] != date[:-1]) | (sorted_values[1:] != sorted_values[:-1])]
    run = np.maximum.accumulate(np.where(fresh, np.arange(len(date)), 0))
    alive = np.isfinite(sorted_values)
    total = np.bincount(np.unique(date, return_inverse=True)[1], weights=alive)[np.unique(date, return_inverse=True)[1]]
    out = np.full(len(values), np.nan)
    out[order] = np.where(alive, (run - first) / np.maximum(total, 1.0), np.nan)
    return out


def id_probe(
    labels: Floats, code: Ints, judged: Floats, judged_code: Ints, judged_ts: Ints, *, horizon_bars: int = 1
) -> Check:
    """Return the check that an instrument's identity alone earns nothing: its mean label on Train, traded on Valid.

    labels, judged: (n,), (v,) returns; code, judged_code: instrument codes; judged_ts: (v,) bar closes. What all
    instruments of a date share is taken out, so that only the choice among them is judged. Labels over several bars
    overlap: every `horizon_bars`-th date is judged, so that the dates are independent.
    """
    from scipy.stats import ttest_1samp

    name, threshold = "id-only probe", f"p > {PROBE_ALARM:g}"
    if len(np.unique(judged_code)) < 2:
        return Check(name, None, threshold, None, "not evaluable: one instrument")
    size = int(max(code.max(), judged_code.max())) + 1
    counts = np.bincount(code, minlength=size)
    means = np.bincount(code, weights=labels, minlength=size) / np.maximum(counts, 1)
    date = np.unique(judged_ts, return_inverse=True)[1]
    rows = np.bincount(date)
    position = means[judged_code] - (np.bincount(date, weights=means[judged_code]) / rows)[date]
    earned = np.bincount(date, weights=position * judged)[rows > 1][::horizon_bars]
    if len(earned) < 2 or np.ptp(earned) == 0:
        return Check(name, None, threshold, None, "not evaluable: no date with two instruments")
    p_value = float(ttest_1samp(earned, 0.0, alternative="greater").pvalue)
    return Check(name, p_value, threshold, p_value > PROBE_ALARM, "each instrument's mean label on Train, on Valid")
