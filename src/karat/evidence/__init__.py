"""What the data say about a forecaster: scores, tests, multiplicity, intervals and the four-gate verdict.

Works on the arrays it is given and touches nothing else: no ledger, no files, no clock. Arrays are float64, one row a
date unless a function says otherwise; NaN marks a missing value and each function states what it does with one.
Whoever calls decides what the rows are; `judge` decides what they prove. `PROTOCOL` says which test is for
which question. Two rooms have doors of their own: `karat.evidence.calibration` and `karat.evidence.scaling`.
"""

from karat.evidence._adversarial import adversarial_auc, adversarial_validation
from karat.evidence._arrivals import known_check, same_as_of, survivor_check
from karat.evidence._binomial import Rate, exact_rate
from karat.evidence._budget import MAX_PARAMETERS, budget_check, verify_budget_compliance
from karat.evidence._circular import circular_block_length, circular_interval
from karat.evidence._compare import Compared, Comparison, compare_losses
from karat.evidence._draws import block_length
from karat.evidence._durations import DurationDependence, duration_dependence, spells
from karat.evidence._effects import Anova, Strata, TukeyPair, anova_tukey, cohens_d, hedges_g, stratify
from karat.evidence._enough import MIN_DATES, MIN_HORIZONS, require_enough
from karat.evidence._exceedances import Exceedances, var_backtest
from karat.evidence._families import FAMILIES, Family, correct
from karat.evidence._forecast_tests import DieboldMariano, clark_west, diebold_mariano
from karat.evidence._forward import FEWEST_DAYS, USUAL_DAYS, Forward, ForwardTest, judge_forward, with_forward
from karat.evidence._id_scan import IDENTITIES, IdHit, scan_source
from karat.evidence._identity import (
    FEATURE_LIMIT_BITS,
    REGIME_LIMIT_BITS,
    IdentityBits,
    id_probe,
    identity_bits,
    identity_check,
    regime_bits,
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
    sharpe_interval,
)
from karat.evidence._judge import judge
from karat.evidence._max_t import MaxT, max_t, max_t_exceeds
from karat.evidence._multiplicity import METHODS, Mcs, Spa, adjust_p, mcs, reality_check, spa, stepm
from karat.evidence._nested import ClarkWest, GiacominiWhite, clark_west_test, giacomini_white
from karat.evidence._pbo import Pbo, pbo_cscv
from karat.evidence._power import DESIGNS, detectable_effect, required_n, required_periods
from karat.evidence._protocol import PROTOCOL, Rule, family_table, protocol_table
from karat.evidence._ranks import RankSum, rank_sum
from karat.evidence._regimes import RegimeDifferences, RegimeProfile, compare_regimes
from karat.evidence._rival import CASH, Rival, hardest_in_money, shows
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
from karat.evidence._sentinel import LabelledRows, shuffled_label_drop, shuffled_label_sentinel
from karat.evidence._shapes import PRINTED, Case, Check, Gate, TrialSeries, Verdict
from karat.evidence._sharpe import (
    detectable_sharpe,
    dsr,
    expected_max_sharpe,
    hedged_excess,
    matched_excess,
    min_track_record,
    psr,
    spend_alpha,
)
from karat.evidence._strata import Stratum, compare_strata, stratify_by
from karat.evidence._welch import Welch, anova_welch, welch_t

__all__ = [
    "CASH",
    "DESIGNS",
    "FAMILIES",
    "FEATURE_LIMIT_BITS",
    "FEWEST_DAYS",
    "IDENTITIES",
    "MAX_PARAMETERS",
    "METHODS",
    "MIN_DATES",
    "MIN_HORIZONS",
    "PRINTED",
    "PROTOCOL",
    "REGIME_LIMIT_BITS",
    "USUAL_DAYS",
    "Aggregate",
    "Anova",
    "Case",
    "Check",
    "ClarkWest",
    "Compared",
    "Comparison",
    "DieboldMariano",
    "DurationDependence",
    "Exceedances",
    "Family",
    "Forward",
    "ForwardTest",
    "Gate",
    "GiacominiWhite",
    "IdHit",
    "IdentityBits",
    "Interval",
    "LabelledRows",
    "MaxT",
    "Mcs",
    "Pbo",
    "RankSum",
    "Rate",
    "RegimeDifferences",
    "RegimeProfile",
    "Reliability",
    "Rival",
    "Rule",
    "Spa",
    "Strata",
    "Stratum",
    "TrialSeries",
    "TukeyPair",
    "Verdict",
    "Welch",
    "adjust_p",
    "adversarial_auc",
    "adversarial_validation",
    "aggregate",
    "anova_tukey",
    "anova_welch",
    "bca_interval",
    "block_length",
    "bootstrap_interval",
    "brier_classes",
    "budget_check",
    "circular_block_length",
    "circular_interval",
    "clark_west",
    "clark_west_test",
    "cohens_d",
    "compare_losses",
    "compare_regimes",
    "compare_strata",
    "correct",
    "crps_from_quantiles",
    "crps_normal",
    "detectable_effect",
    "detectable_sharpe",
    "diebold_mariano",
    "dsr",
    "duration_dependence",
    "exact_rate",
    "expected_max_sharpe",
    "family_table",
    "giacomini_white",
    "hardest_in_money",
    "hedged_excess",
    "hedges_g",
    "id_probe",
    "identity_bits",
    "identity_check",
    "interval_score",
    "judge",
    "judge_forward",
    "known_check",
    "log_loss_classes",
    "matched_excess",
    "max_t",
    "max_t_exceeds",
    "mcs",
    "min_track_record",
    "pbo_cscv",
    "performance_intervals",
    "pinball",
    "pinball_each",
    "pit",
    "protocol_table",
    "psr",
    "quantile_reliability",
    "rank_sum",
    "reality_check",
    "regime_bits",
    "regime_check",
    "reliability",
    "require_enough",
    "required_n",
    "required_periods",
    "run_seeds",
    "same_as_of",
    "scan_source",
    "sharpe_interval",
    "shows",
    "shuffled_label_drop",
    "shuffled_label_sentinel",
    "spa",
    "spells",
    "spend_alpha",
    "stepm",
    "stratify",
    "stratify_by",
    "survivor_check",
    "var_backtest",
    "verify_budget_compliance",
    "welch_t",
    "with_forward",
]
