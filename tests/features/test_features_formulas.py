"""What the data dictionary says of a feature of the tiers is what is computed: each formula, written again apart."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from features_factory import oracle, panel

from karat.features import FEATURES, TIERS, build

ORACLE = oracle("oracle_tiers")
ROWS = 1000


@cache
def values() -> tuple[SimpleNamespace, dict[str, np.ndarray]]:
    """Return bars and what is computed of them."""
    made_of = panel(ROWS)
    frame = build(made_of, list(ORACLE.FORMULAS)).frame
    columns = {name: made_of.frame[name].to_numpy() for name in ("ts", *made_of.values)}
    return ORACLE.bars_of(columns), {name: frame[name].to_numpy() for name in ORACLE.FORMULAS}


@pytest.mark.req("FEAT-03", "FEAT-13")
@pytest.mark.parametrize("name", ORACLE.FORMULAS)
def test_a_feature_of_the_tiers_is_what_its_formula_says(name: str) -> None:
    """Rows from the first value on; the last 200 of what smooths exponentially, which begins in another way."""
    bars, found = values()
    wanted = np.asarray(ORACLE.FORMULAS[name](bars))
    first = ROWS - 200 if FEATURES[name].recursive else FEATURES[name].warm_up
    size = np.nanmax(np.abs(wanted[first:]))
    rough = 1e-5 if FEATURES[name].recursive and FEATURES[name].window >= 30 else 1e-8
    np.testing.assert_allclose(found[name][first:], wanted[first:], rtol=0, atol=rough * size)
    assert np.ptp(wanted[first:]) > 0.0


@pytest.mark.req("FEAT-03")
def test_every_function_of_the_tiers_has_its_values_checked_somewhere() -> None:
    """Here, or in the tests of a20, of published values and of known truths, which these names stand for."""
    elsewhere = {
        *(FEATURES[name].function for name in TIERS["a20"]),
        *("parkinson", "yang_zhang", "jump_share", "amihud", "roll", "corwin_schultz", "abdi_ranaldo"),
        *("hurst", "dfa", "permutation_entropy", "kurtosis", "lean", "compactness", "autocorrelation5"),
        *("time_arrow", "hjorth", "sign_memory", "vix_close", "vix_percentile", "vix_zscore", "vix_return"),
    }
    functions = {FEATURES[name].function for name in TIERS["a500"]}
    assert functions - elsewhere - {FEATURES[name].function for name in ORACLE.FORMULAS} == set()
