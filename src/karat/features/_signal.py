"""The feature `signal`: a column that somebody else computed and that is known at the bar's close."""

from __future__ import annotations

from karat.features._graph import column
from karat.features._spec import Function, family

SIGNAL = family(
    "signal",
    Function("signal", lambda _: column("signal"), (0,), "as given", "signal[t]",
             "the panel's column `signal`, unchanged"),
)  # fmt: skip
