"""`Story`: everything one report shows, as plain records that the study fills in.

A report computes nothing that could decide a verdict: it formats, draws and checks that parts add up. Whatever the
study leaves at its default is stated as "not available" in both formats, never silently left out.

Invariants:
1. Instants are UTC int64 nanoseconds (`ts`, a bar's close); dates in rows are text, YYYY-MM-DD.
2. Returns, ROI and drawdowns are fractions, money is USD, losses are in units of the return; only the page shows %.
3. NaN is "not available", for a value and for either end of an interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from karat.evidence import Forward, Verdict

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Role = Literal["selected", "candidate", "baseline"]


@dataclass(frozen=True)
class Estimate:
    """A number with its bootstrap 95 % interval."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class SourceRow:
    """One dataset: where it came from and what identifies its bytes. `joined_as` names the column of a join."""

    name: str
    origin: str
    licence: str
    content_hash: str
    rows: int
    instruments: tuple[str, ...]
    first: str
    last: str
    calendar: str = ""
    prices: str = "raw"
    preprocessing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    joined_as: str = ""


@dataclass(frozen=True)
class FindingRow:
    """One broken rule of data quality: `rows` is how many rows broke it."""

    table: str
    rule: str
    severity: str
    rows: int
    remedy: str


@dataclass(frozen=True)
class FeatureRow:
    """One feature; an absent one says why in `absent`, a used one leaves it empty."""

    name: str
    category: str = ""
    formula: str = ""
    lookback: int = 0
    absent: str = ""


@dataclass(frozen=True)
class FoldRow:
    """One fold: ISO dates of each block (empty where there is none) and its number of rows after purging."""

    index: int
    role: str
    train: tuple[str, str]
    n_train: int
    valid: tuple[str, str]
    n_valid: int
    test: tuple[str, str] = ("", "")
    n_test: int = 0


@dataclass(frozen=True)
class ScoreRow:
    """Scores of one model on `Test` for one horizon; `scope` is "pooled", "macro" or an instrument. Lower is better.

    pinball, crps: in units of the forward return (fraction). log_loss, brier: of the nine classes.
    """

    model: str
    role: Role
    horizon: str
    n: int
    pinball: Estimate
    crps: Estimate
    log_loss: Estimate
    brier: Estimate
    scope: str = "pooled"


@dataclass(frozen=True)
class Fan:
    """The last forecasts of the selected model: realised (n,) and quantiles (n, 23) at `karat.data.LEVELS`."""

    model: str
    instrument: str
    horizon: str
    ts: Ints
    realised: Floats
    quantiles: Floats


@dataclass(frozen=True)
class ReliabilityRow:
    """Forecast probability against observed frequency with its 95 % interval, over `n` forecasts."""

    forecast: float
    observed: float
    low: float = math.nan
    high: float = math.nan
    n: int = 0


@dataclass(frozen=True)
class Calibration:
    """PIT values (n,) of the selected model on `Test`, coverage of its quantiles, reliability of its classes."""

    model: str
    pit: Floats
    coverage: tuple[ReliabilityRow, ...] = ()
    classes: tuple[ReliabilityRow, ...] = ()


@dataclass(frozen=True)
class FigureRow:
    """One figure of calibration on `Test`, of the forecasts as the model made them and, where calibrated, as used.

    `raw_p`, `used_p`: where the figure has one, the p-value of a calibrated forecast.
    """

    metric: str
    raw: Estimate
    used: Estimate
    raw_p: float = math.nan
    used_p: float = math.nan


@dataclass(frozen=True)
class MapRow:
    """What became of one map: the method in use (identity where it fell back), its score without and with it, why."""

    model: str
    horizon: str
    part: str
    regime: str
    method: str
    rows: int
    before: float
    after: float
    reason: str


@dataclass(frozen=True)
class Curve:
    """An equity curve (n,) in USD after costs; `role`: selected, baseline, or reference (e.g. buy and hold)."""

    name: str
    role: Literal["selected", "baseline", "reference"]
    equity_usd: Floats


@dataclass(frozen=True)
class Equity:
    """Equity curves on common dates ts (n,), with the pointwise bootstrap 95 % band of the selected one (n,)."""

    ts: Ints
    curves: tuple[Curve, ...]
    band_low_usd: Floats | None = None
    band_high_usd: Floats | None = None


@dataclass(frozen=True)
class RiskRow:
    """Measures of one net return series over `Test`; keys of `measures` are those of `MEASURES`."""

    name: str
    role: Literal["selected", "baseline", "reference"]
    measures: Mapping[str, Estimate]


@dataclass(frozen=True)
class Costs:
    """From gross to net P&L of the selected model, USD: gross - sum(items) = net, checked before writing."""

    gross_usd: float
    items_usd: Mapping[str, float]
    net_usd: float


@dataclass(frozen=True)
class AttributionRow:
    """P&L of one instrument, USD; over the rows net sums to `Costs.net_usd`, checked before writing."""

    instrument: str
    gross_usd: float
    costs_usd: float
    net_usd: float


@dataclass(frozen=True)
class WindowRow:
    """One of the worst or best windows of the selected model: its return beside the baseline's, fractions."""

    kind: Literal["worst", "best", "drawdown"]
    label: str
    first: str
    last: str
    selected: float
    baseline: float = math.nan


@dataclass(frozen=True)
class PeriodRow:
    """Annualised net Sharpe of one sub-period of `Test`."""

    first: str
    last: str
    sharpe: float


@dataclass(frozen=True)
class SeedRow:
    """One seed of a stochastic model: mean pinball on `Test` and annualised net Sharpe."""

    model: str
    seed: int
    pinball: float
    sharpe: float


@dataclass(frozen=True)
class TrialRow:
    """One trial of the family. p-values are one-sided and adjusted over the family; `stored`: its series is kept."""

    id: str
    name: str
    study: str
    run_id: str
    horizon: str = ""
    stored: bool = True
    skill_p: float = math.nan
    money_p: float = math.nan
    selected: bool = False


@dataclass(frozen=True)
class OpeningRow:
    """One opening of `Test` by the family, with the share of alpha it could spend."""

    number: int
    run_id: str
    study: str
    alpha: float
    current: bool = False


@dataclass(frozen=True)
class Story:
    """One finished run. Only the first group is required; `sources` and `environment` are its provenance.

    title: the study's name. created: ISO 8601 UTC. config: the resolved study. environment: the extract of run.json
    (versions, sources, lock, git, hardware …). command: what reproduces the run. warnings: shown at the top, e.g. zero
    trades, filling at the observed price, closes only, "history before this ledger unknown".
    """

    title: str
    run_id: str
    created: str
    verdict: Verdict
    config: Mapping[str, Any]
    sources: tuple[SourceRow, ...]
    environment: Mapping[str, Any]
    command: str

    description: str = ""
    selected: str = ""
    baseline: str = ""
    primary_horizon: str = ""
    warnings: tuple[str, ...] = ()

    findings: tuple[FindingRow, ...] = ()
    features: tuple[FeatureRow, ...] = ()
    folds: tuple[FoldRow, ...] = ()

    scores: tuple[ScoreRow, ...] = ()
    fan: Fan | None = None
    calibration: Calibration | None = None
    figures: tuple[FigureRow, ...] = ()
    maps: tuple[MapRow, ...] = ()

    equity: Equity | None = None
    risk: tuple[RiskRow, ...] = ()
    costs: Costs | None = None
    attribution: tuple[AttributionRow, ...] = ()
    windows: tuple[WindowRow, ...] = ()
    periods: tuple[PeriodRow, ...] = ()
    seeds: tuple[SeedRow, ...] = ()

    forward: Forward | None = None
    trials: tuple[TrialRow, ...] = ()
    openings: tuple[OpeningRow, ...] = ()
    ledger: Mapping[str, Any] = field(default_factory=dict)
