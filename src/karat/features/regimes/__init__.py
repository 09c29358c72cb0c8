"""Regimes: one service for every system of market states, causal by construction.

`label` gives a state to every row of a panel; `make_regime` gives the model of one series, with `fit(train)`,
`filter(panel)` and `step(ts, row)`, which say the same. `REGIMES` lists the systems, `MAPPING` says what their states
have in common, `describe` how long they last, `intraday_rate` how often they change within a day. Whether they differ
out of sample is a question of evidence: `karat.evidence.compare_regimes`.
"""

from karat.features.regimes._crises import PERIODS, Period, misses, stress_table
from karat.features.regimes._describe import RegimeDescription, cross_table, describe, sweep_bands
from karat.features.regimes._dictionary import regimes_markdown
from karat.features.regimes._hidden import STRESSED
from karat.features.regimes._inputs import as_train, with_market
from karat.features.regimes._intraday import INTRADAY_RATE, IntradayRate, intraday_rate
from karat.features.regimes._mapping import MAPPING, Common
from karat.features.regimes._model import NO_STATE, Label, Refits, RegimeModel
from karat.features.regimes._overrides import Overrides, ParameterChange
from karat.features.regimes._registry import FOLLOWING, REGIMES, RegimeSpec, make_regime, spec_of
from karat.features.regimes._service import RegimeFrame, label

__all__ = [
    "FOLLOWING",
    "INTRADAY_RATE",
    "MAPPING",
    "NO_STATE",
    "PERIODS",
    "REGIMES",
    "STRESSED",
    "Common",
    "IntradayRate",
    "Label",
    "Overrides",
    "ParameterChange",
    "Period",
    "Refits",
    "RegimeDescription",
    "RegimeFrame",
    "RegimeModel",
    "RegimeSpec",
    "as_train",
    "cross_table",
    "describe",
    "intraday_rate",
    "label",
    "make_regime",
    "misses",
    "regimes_markdown",
    "spec_of",
    "stress_table",
    "sweep_bands",
    "with_market",
]
