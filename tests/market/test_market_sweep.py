"""Many settings at once: each is what `simulate` gives, whatever the threads. Numbers are the module's invariants."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.core import InputError, RangeError
from karat.kernels import many_crossings, moving_means
from karat.market import Bars, Decisions, MarketSpec, TargetQuantities, TargetWeights, simulate, sweep

DAY = 86_400 * 10**9
PAIRS = np.array([[0, 2], [1, 2], [0, 1]] * 50)
SPECS = st.builds(
    MarketSpec,
    proportional_bps=st.sampled_from([0.0, 50.0]),
    fixed_usd=st.sampled_from([0.0, 2.0]),
    slippage_bps=st.sampled_from([0.0, 5.0]),
    fill=st.sampled_from(["next_open", "next_close", "same_close"]),
    cash=st.sampled_from(["borrow", "scale", "reject"]),
    delay_bars=st.integers(0, 2),
)


def world(seed: int) -> tuple[Bars, Decisions]:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.03, 120)))
    bars = Bars(np.arange(120) * DAY, ("A",), (close * 1.001)[:, None], close[:, None])
    return bars, many_crossings(moving_means(close, [2, 5, 9]), PAIRS, above=0.9, below=-0.4)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(SPECS, st.integers(0, 10**6), st.booleans(), st.sampled_from([1, 3]))
def test_1_each_setting_is_a_simulation_of_its_own(spec: MarketSpec, seed: int, by_weight: bool, threads: int) -> None:
    bars, made = world(seed)

    def decide(a: int, b: int) -> Decisions:
        starts = made.starts[a : b + 1]
        inside = slice(starts[0], starts[-1])
        return Decisions(starts - starts[0], made.rows[inside], made.targets[inside])

    found = sweep(bars, decide, len(PAIRS), spec, by_weight=by_weight, threads=threads)
    for k in (0, 1, 124, 125, 149):  # the second turn begins with 125
        inside = slice(made.starts[k], made.starts[k + 1])
        ts, values = bars.ts[made.rows[inside]], made.targets[inside][:, None]
        alone = simulate(bars, TargetWeights(ts, values) if by_weight else TargetQuantities(ts, values), spec)
        assert found.equity[k].tolist() == alone.run.equity.tolist()
        assert (found.fills[k], found.ruined[k]) == (len(alone.fills), alone.run.ruined)
        assert found.equity_usd(k).tolist() == alone.equity_usd.tolist()
        assert found.final_usd[k] == alone.equity_usd[-1]
    assert found.fill == spec.fill
    room = np.empty_like(found.equity)
    again = sweep(bars, decide, len(PAIRS), spec, by_weight=by_weight, out=room)
    assert again.equity is room
    np.testing.assert_array_equal(room, found.equity)


def test_what_does_not_fit_is_refused() -> None:
    bars, made = world(1)
    two = Bars(bars.ts, ("A", "B"), None, np.hstack([bars.close, bars.close]))
    with pytest.raises(InputError, match="bars: got '2 instruments'; allowed: one"):
        sweep(two, lambda a, b: made, 150)
    with pytest.raises(InputError, match="n_settings: got 0; allowed: 1 or more"):
        sweep(bars, lambda a, b: made, 0)
    with pytest.raises(InputError, match=r"out: got 'float64 \(150, 120\)'; allowed: int64 \(150, 120\), in C"):
        sweep(bars, lambda a, b: made, 150, out=np.empty((150, 120)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="threads: got 0; allowed: 1 or more"):
        sweep(bars, lambda a, b: made, 150, threads=0)
    with pytest.raises(InputError, match="decide: got '150 settings'; allowed: 125"):
        sweep(bars, lambda a, b: made, 150)
    huge = Decisions(made.starts[:2], made.rows[: made.starts[1]], made.targets[: made.starts[1]] * 1e15)
    with pytest.raises(
        RangeError, match=r"market.lot_quantum: got 0\.0001; an order is of 2\*\*50 lots or more in the"
    ):
        sweep(bars, lambda a, b: huge, 1, by_weight=False)
