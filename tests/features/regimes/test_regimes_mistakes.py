"""Arguments that no regime can have: errors name the argument, what is allowed and the fix."""

from __future__ import annotations

import numpy as np
import pytest
from regimes_factory import panel

from karat.core import NS_PER_DAY, InputError
from karat.features.regimes import Refits, as_train, label, make_regime


def test_settings_that_say_nothing_are_refused() -> None:
    made_of = panel(60)
    for wrong in ("yearly", "never", 5, (504, 252)):
        with pytest.raises(InputError, match="refits: got .*; allowed: 'default', None or Refits"):
            make_regime("volatility", refits=wrong)  # type: ignore[arg-type]
        with pytest.raises(InputError, match="refits: got"):
            label(made_of, "volatility", refits=wrong)  # type: ignore[arg-type]
    for first, every in ((504, "month"), ("504", 252), (504.0, 252), (True, 252), (504, 0), (504, None)):
        with pytest.raises(InputError, match="refits: got .*; allowed: whole numbers of 1 or more, or 'year'"):
            Refits(first, every)  # type: ignore[arg-type]
    for seed in ("a", 1.5, None, True, -1):
        with pytest.raises(InputError, match="seed: got .*; allowed: a whole number of 0 or more"):
            label(made_of, "hidden", seed=seed)  # type: ignore[arg-type]
    for bands in (0.5, "half", ("low", "high"), (0.5, np.nan), (0.5, None), ((0.5,), (0.9,)), ()):
        with pytest.raises(InputError, match="bands: got"):
            make_regime("volatility", bands=bands)  # type: ignore[arg-type]
    for row in (None, [20.0], "vix"):
        with pytest.raises(InputError, match="row: got .*; allowed: a mapping of columns to values"):
            make_regime("vix").step(NS_PER_DAY, row)  # type: ignore[arg-type]


def test_misuse_is_named() -> None:
    made_of = panel(1000)
    with pytest.raises(InputError, match="regime: got 'hiden'; allowed: .* did you mean 'hidden'"):
        make_regime("hiden")
    with pytest.raises(InputError, match=r"it has no fit yet; call fit\(train\)"):
        make_regime("volatility", refits=None).filter(made_of)
    with pytest.raises(InputError, match="bands: got .* none: hidden has no quantile bands"):
        make_regime("hidden", bands=(0.5,))
    with pytest.raises(InputError, match="strictly ascending numbers between 0 and 1"):
        make_regime("volatility", bands=(0.9, 0.5))
    for wrong in ((0.5, (0.9, 0.8)), ((0.4, 0.6), (0.6, 0.8)), ((0.4, 0.5, 0.6), 0.9), (0.5, (0.9, 1.0))):
        with pytest.raises(InputError, match="bands: got .* or pairs of them for edges with memory"):
            make_regime("volatility", bands=wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="bands: got .* 2 of them, for calm, elevated, turbulent"):
        make_regime("volatility", bands=(0.5,))
    with pytest.raises(InputError, match="refits: got"):
        Refits(0)
    two = panel(1000, instruments=("A.XNYS", "B.XNYS"))
    with pytest.raises(InputError, match=r"one instrument; use label\(panel, regime\)"):
        make_regime("vix").filter(two)
    with pytest.raises(InputError, match="train: got .* one instrument"):
        make_regime("volatility").fit(as_train(two, 10**19))
    model = make_regime("vix")
    model.step(NS_PER_DAY, {"vix": 12.0})
    with pytest.raises(InputError, match=f"ts: got {NS_PER_DAY}; rows come in the order of time"):
        model.step(NS_PER_DAY, {"vix": 12.0})
    with pytest.raises(
        InputError,
        match="rows: got 40; too few with a measure to fit regimes on; allowed: 120 or more; .* a longer history",
    ):
        make_regime("hidden").fit(as_train(panel(60), 10**19))
    with pytest.raises(
        InputError,
        match="until_ns: got .1970-01-01T00:00:00.*Z.; nothing of .* was known by then; allowed: an instant from",
    ):
        as_train(made_of, 5)
