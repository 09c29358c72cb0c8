"""A policy that never trades is refused while `Test` is still closed."""

from __future__ import annotations

import numpy as np
import pytest
from study_factory import World

from karat.core import InputError
from karat.study import _judge

NEVER = {"flat_edge": 30, "full_edge": 40}


def test_7_test_stays_closed_and_the_try_is_counted(quick: World) -> None:
    with pytest.raises(InputError, match=r"policy.flat_edge: got 30.0; no candidate trades on Valid.*Test was not"):
        quick.run(policy=NEVER)
    kinds = quick.kinds()
    assert kinds["trial"] == 1
    assert "open" not in kinds
    assert "verdict" not in kinds


@pytest.mark.parametrize(
    ("edge", "mode", "fix"),
    [
        (-0.2, "long_flat", "allow short positions: policy.mode: long_flat_short; Test"),
        (-0.2, "long_flat_short", "lower it below 0.2; Test"),
        (0.0, "long_flat_short", "choose models whose medians are not zero; Test"),
    ],
)
def test_the_fix_fits_the_reason(
    edge: float, mode: str, fix: str, quick: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_judge, "edges", lambda forecast: np.full(len(forecast.ts), edge))
    with pytest.raises(InputError, match=fix):
        quick.run(policy={**NEVER, "mode": mode})
