"""How much a column says about which instrument a row belongs to, in bits, over what chance and persistence explain.

| symbol | meaning | shape | unit |
|---|---|---|---|
| X | a column in at most 8 bins of equal mass, or its rank among the instruments of a date | (n,) | |
| K | instrument | (n,) | |
| I | plug-in mutual information of X and K | | bit |
| tau | integrated autocorrelation time of X around the means of date and instrument | | date |
| I0 | I after the instruments were permuted within each period of max(63, 3 tau) dates, in whole blocks | (R,) | bit |

The corrected value is I - mean(I0): the plug-in estimate is biased upwards (Miller 1955; Treves and Panzeri 1995), and
the null carries that bias together with what a column's own persistence and the calendar add. It permutes within the
same dates: an instrument that was listed in turbulent years only is not told by what all of them shared then. A column
that persists so long that too few blocks are left gets the longest ones that leave 200 different permutations.

A regime is refitted on its instrument's own past, so that one turbulent year shifts its labels for years after: tau
does not see that within the few years of a panel. Regimes are therefore permuted in the fewest equal parts of the whole
time that leave 1000 permutations, halves from seven instruments up. A permutation keeps 1 / parts of what a name really
says, which the corrected value takes into account by the factor parts / (parts - 1). So few parts cannot single out
one instrument among many: a regime that would fail as a feature, in blocks of 3 tau, fails as well.

Invariants:
1. A column fails where the corrected value is above the limit and at most 1 in 100 permutations reaches I.
2. Renaming or reordering instruments changes nothing; a market-wide column says nothing.
3. Rows with NaN are left out. Fewer than two instruments, or than five periods of 63 dates in which two of them meet
   (nine for two instruments: 200 permutations), are not evaluable.
4. A return in the units of prices carries its instrument's scale as a volatility does. It is judged beyond scale:
   divided by its instrument's median absolute value, one number over all rows, which takes out a scale and nothing
   else. What it says in full bounds what it says beyond: a scale that is estimated differs by chance.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat._words import counted
from karat.core import InputError, generator
from karat.evidence._shapes import Check, Floats, Ints

FEATURE_LIMIT_BITS: Final = 0.1
REGIME_LIMIT_BITS: Final = 0.01
_BINS: Final = 8
_BLOCK: Final = 63
_LEAST_PERIODS: Final = 5
_RESOLUTION: Final = 200.0
_LASTING: Final = 1000.0
"""Least permutations: 199 are drawn, and the fewer there are, the more of them repeat the true names."""
_CORRELATED: Final = 0.05
_ROUNDS: Final = 5
_SPAN: Final = 3.0
"""Blocks of so many tau: blocks of one tau still depend on each other, and are told from chance too often."""
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


def identity_bits(
    values: Floats, instrument: Ints, ts: Ints, *, permutations: int = 199, lasting: bool = False, seed: int
) -> IdentityBits | None:
    """Return the bits that (n,) values carry about the (n,) instrument codes, None where there is too little data.

    Rows are sorted by (instrument, ts); ts: (n,) int64 instants, the same for the rows of one date. lasting: permute
    the longest parts of time, as regimes need it.

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
    if len(names) < 2:
        return None
    date = np.unique(ts[kept], return_inverse=True)[1]
    if (np.bincount(_blocks(code, date, _BLOCK)[2]) > 1).sum() < _LEAST_PERIODS:
        return None
    bins = _binned(values[kept])
    lengths = _long(int(date.max()) + 1) if lasting else _spans(_persistence(bins, code, date))
    for length in lengths:
        block, owner, alike = _blocks(code, date, length)
        if _permutations(alike, len(names)) >= (_LASTING if lasting else _RESOLUTION):
            break
    else:
        return None
    counts = np.zeros((len(owner), int(bins.max()) + 1))
    np.add.at(counts, (block, bins), 1.0)
    found = _bits(counts, owner, len(names))
    rng = generator(seed, "identity", "permutations")
    null = np.array([_bits(counts, _permuted(owner, alike, rng), len(names)) for _ in range(permutations)])
    p_value = (1.0 + float((null >= found - 1e-12).sum())) / (1.0 + permutations)
    parts = math.ceil((int(date.max()) + 1) / length)
    undone = parts / (parts - 1.0) if lasting else 1.0
    return IdentityBits(found, (found - float(null.mean())) * undone, p_value)


def _spans(tau: float) -> Iterator[int]:
    """Yield lengths of blocks in dates, from `_SPAN` tau down to `_BLOCK`."""
    length = max(_BLOCK, math.ceil(_SPAN * tau))
    while length > _BLOCK:
        yield length
        length = max(_BLOCK, length * 3 // 4)
    yield _BLOCK


def _long(dates: int) -> Iterator[int]:
    """Yield lengths of equal parts of the dates, from halves down to `_BLOCK`."""
    for parts in range(2, dates // _BLOCK + 1):
        yield math.ceil(dates / parts)


def identity_check(
    columns: Mapping[str, Floats],
    instrument: Ints,
    ts: Ints,
    *,
    limit: float = FEATURE_LIMIT_BITS,
    known: Mapping[str, str] | None = None,
    scaled: Collection[str] = (),
    seed: int,
) -> Check:
    """Return the check that no column tells instruments apart, by its value or by its rank on a date.

    columns: name to (n,) values, rows sorted by (instrument, ts). instrument, ts: (n,) int64. limit: bits. known:
    columns that are known to carry the scale of an instrument, with the reason: named in the note, never deciding.
    scaled: returns in the units of prices, which decide by what they say beyond scale, and are named where their scale
    alone is above the limit.
    """
    name, threshold = "static ids", f"<= {limit:g} bit about the instrument"
    known = {**(known or {}), **dict.fromkeys(scaled, "scale")}
    told = _told(columns, instrument, ts, seed)
    if not told:
        return Check(name, None, threshold, None, "not evaluable: one instrument, or too few bars of each")
    beyond = {column: _per_scale(columns[column], instrument) for column in scaled if column in told}
    judged = {column: bits for column, bits in told.items() if column not in known}
    judged |= {
        column: min(bits, told[column], key=lambda bits: bits.corrected)
        for column, bits in _told(beyond, instrument, ts, seed).items()
    }
    failed = sorted(column for column, bits in judged.items() if bits.above(limit))
    allowed = {column: why for column, why in known.items() if column in told and told[column].above(limit)}
    worst = max((bits.corrected for bits in judged.values()), default=0.0)
    note = "; ".join(f"{column} tells {judged[column].corrected:.2f} bit" for column in failed)
    if allowed:
        words = ", ".join(f"{column} {told[column].corrected:.2f} bit ({why})" for column, why in allowed.items())
        note += f"{'; ' if note else ''}allowed: {words}"
    return Check(name, worst, threshold, not failed, note or f"{counted(len(told), 'column')}, largest value shown")


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
    for column in sorted(columns):
        bits = regime_bits(columns[column], instrument, ts, seed=seed)
        problems += [f"{column} tells {bits:.2f} bit"] if bits > REGIME_LIMIT_BITS else []
    return Check(name, float(len(problems)), threshold, not problems, "; ".join(problems))


def regime_bits(values: Floats, instrument: Ints, ts: Ints, *, seed: int) -> float:
    """Return the bits that a regime tells about the instrument beyond chance, 0 where that is not above its limit."""
    found = [0.0]
    for lasting, limit in ((True, REGIME_LIMIT_BITS), (False, FEATURE_LIMIT_BITS)):
        bits = _telling(values, instrument, ts, seed, lasting=lasting)
        found += [bits.corrected] if bits is not None and bits.above(limit) else []
    return max(found)


def _told(columns: Mapping[str, Floats], instrument: Ints, ts: Ints, seed: int) -> dict[str, IdentityBits]:
    """Return the bits of each column that has enough data."""
    found = {column: _telling(values, instrument, ts, seed, lasting=False) for column, values in columns.items()}
    return {column: bits for column, bits in found.items() if bits is not None}


def _telling(values: Floats, instrument: Ints, ts: Ints, seed: int, *, lasting: bool) -> IdentityBits | None:
    """Return the bits of a column's value or of its rank on a date, whichever says more."""
    forms = (identity_bits(form, instrument, ts, lasting=lasting, seed=seed) for form in (values, _ranks(values, ts)))
    return max((bits for bits in forms if bits is not None), key=lambda bits: bits.corrected, default=None)


def _per_scale(values: Floats, instrument: Ints) -> Floats:
    """Return the values over the median absolute value of their instrument, NaN where it has none."""
    out = np.full(len(values), np.nan)
    for code in np.unique(instrument).tolist():
        rows = np.flatnonzero((instrument == code) & np.isfinite(values))
        scale = float(np.median(np.abs(values[rows]))) if len(rows) else 0.0
        if scale > 0:
            out[rows] = values[rows] / scale
    return out


def _persistence(bins: Ints, code: Ints, date: Ints) -> float:
    """Return tau of the bins around the means of their date and of their instrument: 1 plus twice the autocorrelations
    before the first small one.

    What all share on a date cannot tell one from another, and a value that is constant within every instrument does not
    persist: it is what the guard looks for.
    """
    rows, rows_of_date = np.bincount(code), np.bincount(date)
    centred = bins.astype(np.float64)
    for _ in range(_ROUNDS):  # once is enough where every instrument has every date
        centred -= (np.bincount(date, weights=centred) / rows_of_date)[date]
        centred -= (np.bincount(code, weights=centred) / rows)[code]
    total = np.zeros(int(rows.max()))
    for part in np.split(centred, np.cumsum(rows)[:-1]):
        power = np.abs(np.fft.rfft(part, 2 * len(part))) ** 2
        total[: len(part)] += np.fft.irfft(power)[: len(part)]
    if total[0] <= 1e-9 * len(bins):
        return 1.0
    found = total / total[0]
    small = np.flatnonzero(found < _CORRELATED)
    return float(1.0 + 2.0 * found[1 : small[0] if len(small) else len(found)].sum())


def _blocks(code: Ints, date: Ints, length: int) -> tuple[Ints, Ints, Ints]:
    """Return (n,) the block of each row, and (m,) the instrument and the group of each block.

    Blocks of one group may be exchanged: they belong to one period of `length` dates and cover the same tenths of it,
    so that who was listed in the middle of a period does not take the place of one who was there all along.
    """
    period = date // length
    fresh = np.r_[True, (code[1:] != code[:-1]) | (period[1:] != period[:-1])]
    first = np.flatnonzero(fresh)
    last = np.r_[first[1:], len(code)] - 1
    covered = np.stack([10 * (date[rows] % length) // length for rows in (first, last)])
    group = np.unique((period[first] * 10 + covered[0]) * 10 + covered[1], return_inverse=True)[1]
    return np.cumsum(fresh) - 1, code[first], group


def _permutations(group: Ints, names: int) -> float:
    """Return how many permutations within groups differ by more than a renaming of all instruments."""
    found = sum(math.lgamma(size + 1) for size in np.bincount(group).tolist()) - math.lgamma(names + 1)
    return math.exp(min(found, 50.0))


def _permuted(owner: Ints, group: Ints, rng: np.random.Generator) -> Ints:
    """Return the instruments of the blocks, permuted within each group."""
    out = np.empty_like(owner)
    out[np.argsort(group, kind="stable")] = owner[np.lexsort((rng.random(len(owner)), group))]
    return out


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
    number = np.unique(date, return_inverse=True)[1]
    total = np.bincount(number, weights=alive)[number]
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
