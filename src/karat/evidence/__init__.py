"""What the data say about a forecaster: scores, tests, multiplicity, intervals and the four-gate verdict.

Works on the arrays it is given and touches nothing else: no ledger, no files, no clock. Arrays are float64, one row a
date unless a function says otherwise; NaN marks a missing value and each function states what it does with one.
Whoever calls decides what the rows are; `judge` decides what they prove.
"""

from karat.evidence._adversarial import adversarial_auc, adversarial_validation
from karat.evidence._arrivals import known_check, same_as_of, survivor_check
from karat.evidence._budget import MAX_PARAMETERS, budget_check, verify_budget_compliance
from karat.evidence._draws import block_length
from karat.evidence._effects import Anova, Strata, TukeyPair, anova_tukey, cohens_d, hedges_g, stratify
from karat.evidence._forecast_tests import DieboldMariano, clark_west, diebold_mariano
from karat.evidence._id_scan import IDENTITIES, IdHit, scan_source
from karat.evidence._identity import (
    FEATURE_LIMIT_BITS,
    REGIME_LIMIT_BITS,
    IdentityBits,
    id_probe,
    identity_bits,
    identity_check,
    regime_check,
)
from karat.evidence._intervals import (
    Aggregate,
    Interval,
    aggregate,
    bca_interval,
    bootstrap_interval,
    performance_intervals,
    run_seeds,
)
from karat.evidence._judge import judge
from karat.evidence._max_t import MaxT, max_t
from karat.evidence._multiplicity import METHODS, Mcs, Spa, adjust_p, mcs, spa, stepm
from karat.evidence._pbo import Pbo, pbo_cscv
from karat.evidence._scores import (
    Reliability,
    brier_classes,
    crps_from_quantiles,
    crps_normal,
    interval_score,
    log_loss_classes,
    pinball,
    pinball_each,
    pit,
    quantile_reliability,
    reliability,
)
from karat.evidence._sentinel import shuffled_label_drop, shuffled_label_sentinel
from karat.evidence._shapes import PRINTED, Case, Check, Gate, TrialSeries, Verdict
from karat.evidence._sharpe import (
    detectable_sharpe,
    dsr,
    expected_max_sharpe,
    matched_excess,
    min_track_record,
    psr,
    spend_alpha,
)

__all__ = [
    "FEATURE_LIMIT_BITS",
    "IDENTITIES",
    "MAX_PARAMETERS",
    "METHODS",
    "PRINTED",
    "REGIME_LIMIT_BITS",
    "Aggregate",
    "Anova",
    "Case",
    "Check",
    "DieboldMariano",
    "Gate",
    "IdHit",
    "IdentityBits",
    "Interval",
    "MaxT",
    "Mcs",
    "Pbo",
    "Reliability",
    "Spa",
    "Strata",
    "TrialSeries",
    "TukeyPair",
    "Verdict",
    "adjust_p",
    "adversarial_auc",
    "adversarial_validation",
    "aggregate",
    "anova_tukey",
    "bca_interval",
    "block_length",
    "bootstrap_interval",
    "brier_classes",
    "budget_check",
    "clark_west",
    "cohens_d",
    "crps_from_quantiles",
    "crps_normal",
    "detectable_sharpe",
    "diebold_mariano",
    "dsr",
    "expected_max_sharpe",
    "hedges_g",
    "id_probe",
    "identity_bits",
    "identity_check",
    "interval_score",
    "judge",
    "known_check",
    "log_loss_classes",
    "matched_excess",
    "max_t",
    "mcs",
    "min_track_record",
    "pbo_cscv",
    "performance_intervals",
    "pinball",
    "pinball_each",
    "pit",
    "psr",
    "quantile_reliability",
    "regime_check",
    "reliability",
    "run_seeds",
    "same_as_of",
    "scan_source",
    "shuffled_label_drop",
    "shuffled_label_sentinel",
    "spa",
    "spend_alpha",
    "stepm",
    "stratify",
    "survivor_check",
    "verify_budget_compliance",
]
