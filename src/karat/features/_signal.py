"""The feature `signal`: a column that somebody else computed and that is known at the bar's close."""

from __future__ import annotations

from karat.features._spec import Columns, FeatureSpec, Floats


def _signal(columns: Columns) -> Floats:
    return columns["signal"]


SIGNAL = FeatureSpec(
    name="signal",
    inputs=("signal",),
    lookback=0,
    category="signal",
    unit="as given",
    formula="signal[t]",
    source="the panel's column `signal`, unchanged",
    compute=_signal,
)
