"""The swappable assumptions: golden queues, distributions, bounds, users' functions. Numbers are the invariants."""

from __future__ import annotations

import ctypes
import json
import math
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from karat.kernels import bundles_compiled
from karat.kernels.market import _assumptions as models
from karat.kernels.market import _kinds as kinds
from karat.market import (
    AlmgrenChrissImpact,
    Assumption,
    BpsSlippage,
    ConstantLatency,
    LinearImpact,
    LogNormalLatency,
    LogQueue,
    NoImpact,
    NoLatency,
    NoQueue,
    NoSlippage,
    PoissonBetaFills,
    PowerQueue,
    RecordedLatency,
    RiskAverseQueue,
    SquareRootImpact,
    TickSlippage,
    UserFills,
    UserImpact,
    UserLatency,
    UserQueue,
    UserSlippage,
)

JIT_OFF = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
N = 300 if JIT_OFF else 4_000
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "market" / "queue_position.json").read_text())
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)


class Model:
    """A model as a kernel sees it: kind id and address; keeps the words alive."""

    def __init__(self, model: Assumption) -> None:
        self.words = model.words()
        self.at = (model.record()[0], self.words.ctypes.data)


def address_of(function: Callable[[int, int, int, int], int]) -> tuple[int, object]:
    """Return the address of a function and what must be kept alive for it."""
    made = CALLBACK(function)
    return ctypes.cast(made, ctypes.c_void_p).value or 0, made


def latencies(model: Assumption, seed: int, n: int) -> np.ndarray:
    held = Model(model)
    return np.array([models.latency_ns(*held.at, seed, key, kinds.PURPOSE_SEND, 0) for key in range(n)])


@pytest.mark.req("SIM-04", "EVAL-27")
def test_log_normal_latency_has_its_moments_and_passes_ks_where_wrong_parameters_fail() -> None:
    samples = [latencies(LogNormalLatency(), seed, N) / 1e6 for seed in range(20)]
    true = stats.lognorm(0.3, scale=math.exp(3.9))
    assert sum(stats.kstest(sample, true.cdf).pvalue < 0.05 for sample in samples) <= 4
    both = np.log(np.concatenate(samples))
    n = len(both)
    assert abs(both.mean() - 3.9) < 5 * 0.3 / n**0.5
    assert abs(both.std() - 0.3) < 5 * 0.3 / (2 * n) ** 0.5
    for wrong in (stats.lognorm(0.3, scale=math.exp(3.8)), stats.lognorm(0.36, scale=math.exp(3.9))):
        assert stats.kstest(np.exp(both), wrong.cdf).pvalue < 1e-6


def test_latency_in_another_unit_and_never_below_a_nanosecond() -> None:
    assert set(latencies(LogNormalLatency(mu=-40.0, sigma=0.0), 1, 5)) == {1}
    assert set(latencies(LogNormalLatency(mu=0.0, sigma=0.0, unit_ns=1e3), 1, 5)) == {1_000}
    assert set(latencies(LogNormalLatency(mu=50.0, sigma=0.0, unit_ns=1e18), 1, 2)) == {4 * 10**18}
    assert set(latencies(NoLatency(), 1, 5)) == {0}
    assert set(latencies(ConstantLatency(latency_ns=123), 1, 5)) == {123}


def test_requests_of_one_order_have_latencies_of_their_own() -> None:
    held = Model(LogNormalLatency())
    sends = [models.latency_ns(*held.at, 1, 7, purpose, 0) for purpose in (kinds.PURPOSE_SEND, kinds.PURPOSE_CANCEL)]
    again = [models.latency_ns(*held.at, 1, 7, kinds.PURPOSE_CANCEL + 256 * n, 0) for n in range(4)]
    assert sends[1] == again[0]
    assert len({*sends, *again}) == 5


@given(st.sets(st.integers(-1000, 1000), min_size=1, max_size=12), st.lists(st.integers(-1100, 1100), min_size=1))
@settings(max_examples=40, deadline=None)
def test_recorded_latency_is_the_last_measurement(times: set[int], asked: list[int]) -> None:
    ts = tuple(sorted(times))
    held = Model(RecordedLatency(ts_ns=ts, latency_ns=tuple(range(10, 10 + len(ts)))))
    for when in asked:
        want = 10 + max(0, int(np.searchsorted(ts, when, side="right")) - 1)
        assert models.latency_ns(*held.at, 1, 1, 1, when) == want


QUEUES = {"PowerProbQueueFunc(n=1)": PowerQueue(exponent=1.0), "LogProbQueueFunc": LogQueue(),
          "RiskAdverseQueueModel": RiskAverseQueue()}  # fmt: skip


@pytest.mark.parametrize("vector", GOLDEN["vectors"], ids=lambda vector: vector["model"])
def test_queue_positions_are_the_golden_ones(vector: dict) -> None:
    held = Model(QUEUES[vector["model"]])
    front = models.queue_enter(*held.at, 60)
    seen = [front]
    for previous, new, traded in ((60, 100, 0), (100, 70, 15), (70, 30, 0)):
        if traded:
            front = models.queue_trade(front, traded)
            seen.append(front)
        front = models.queue_change(*held.at, front, previous, new, traded)
        seen.append(front)
    assert seen == pytest.approx([want for _, want in vector["steps"]], rel=1e-14)


@given(st.sampled_from([PowerQueue(exponent=2.0), PowerQueue(exponent=0.5), LogQueue(), RiskAverseQueue(), NoQueue()]),
       st.floats(-5, 2000), st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_4_the_front_never_grows_nor_exceeds_the_level(
    model: Assumption, front: float, previous: int, new: int, traded: int
) -> None:
    held = Model(model)
    moved = models.queue_change(*held.at, front, previous, new, traded)
    assert moved <= min(front, new)


def test_trades_are_not_counted_twice() -> None:
    """The usual fault: 15 traded and 15 gone from the level means nobody cancelled, so the front stays."""
    held = Model(PowerQueue(exponent=2.0))
    front = models.queue_trade(60.0, 15)
    assert models.queue_change(*held.at, front, 100, 85, 15) == 45.0
    assert models.queue_change(*held.at, front, 100, 85, 0) < 45.0


@pytest.mark.parametrize(
    ("front", "reached", "lots"),
    [(0.0, 0, 0), (1.0, 0, 0), (-0.49, 0, 0), (-0.5, 1, 0), (-1.0, 1, 1), (-2.7, 1, 2)],
)
def test_an_order_is_reached_strictly_below_zero(front: float, reached: int, lots: int) -> None:
    assert models.queue_reached(front) == reached
    assert models.queue_lots(front) == lots


@pytest.mark.req("SIM-03", "EVAL-27")
def test_fill_counts_and_ratios_follow_poisson_and_beta() -> None:
    held = Model(PoissonBetaFills())
    counts = np.array([models.partial_count(*held.at, 3, key, 0) for key in range(10 * N)])
    bins = np.array([-0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 64.5])
    seen = np.histogram(counts, bins)[0]
    expected = {mean: len(counts) * np.diff(stats.poisson(mean).cdf(bins)) for mean in (3.0, 2.7)}
    totals = {mean: values * len(counts) / values.sum() for mean, values in expected.items()}
    assert stats.chisquare(seen, totals[3.0]).pvalue > 0.001
    assert stats.chisquare(seen, totals[2.7]).pvalue < 1e-6
    ratios = [np.array([models.partial_ratio(*held.at, seed, key, 0) for key in range(N)]) for seed in range(20)]
    assert sum(stats.kstest(sample, stats.beta(2, 5).cdf).pvalue < 0.05 for sample in ratios) <= 4
    assert stats.kstest(np.concatenate(ratios), stats.beta(2, 4.5).cdf).pvalue < 1e-6


@pytest.mark.req("SIM-03")
@given(st.integers(1, 2**60), st.integers(0, 50), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_2_pieces_never_exceed_the_order(qty: int, key: int, attempt: int) -> None:
    held = Model(PoissonBetaFills())
    first = kinds.PIECES * attempt
    remaining, pieces = qty, []
    for k in range(first, first + 8):
        pieces.append(models.partial_next(*held.at, 1, key, remaining, k))
        remaining -= pieces[-1]
    assert min(pieces) >= 0
    assert sum(pieces) <= qty
    assert all(pieces[: models.partial_count(*held.at, 1, key, attempt)]) or remaining == 0


def test_full_fills_take_all_at_once() -> None:
    assert models.partial_next(kinds.PARTIAL_NONE, 0, 1, 1, 10, 0) == 10
    assert models.partial_next(kinds.PARTIAL_NONE, 0, 1, 1, 10, 1) == 0


@given(st.integers(-(10**12), 10**12), st.integers(0, 999_999_999))
@settings(max_examples=100, deadline=None)
def test_slippage_in_bps_is_rounded_away_from_the_trader(price: int, rate: int) -> None:
    words = np.array([rate])
    ticks = models.slippage_ticks(kinds.SLIPPAGE_BPS, words.ctypes.data, 1, price, 5, 1, 1)
    assert ticks == math.ceil(Fraction(abs(price) * rate, 10**9))


def test_slippage_by_ticks_and_none() -> None:
    held = Model(TickSlippage(slippage_ticks=3))
    assert models.slippage_ticks(*held.at, -1, 100, 5, 1, 1) == 3
    assert models.slippage_ticks(*Model(NoSlippage()).at, -1, 100, 5, 1, 1) == 0
    bps = Model(BpsSlippage(slippage_bps=1.0))
    assert models.slippage_ticks(*bps.at, 1, 10_000, 5, 1, 1) == 1
    assert models.slippage_ticks(*bps.at, 1, 10_001, 5, 1, 1) == 2


IMPACTS = {
    "linear": (LinearImpact(impact_frac=0.1, volume_lots=1000.0), lambda p, q: p * 0.1 * q / 1000),
    "square root": (
        SquareRootImpact(y=0.8, sigma_frac=0.02, volume_lots=1e6),
        lambda p, q: p * 0.8 * 0.02 * math.sqrt(q / 1e6),
    ),
    "Almgren-Chriss": (
        AlmgrenChrissImpact(epsilon_ticks=0.5, eta_ticks=0.01, gamma_ticks=0.002),
        lambda p, q: 0.5 + 0.01 * q,
    ),
}


@pytest.mark.req("SIM-08")
@pytest.mark.parametrize("name", IMPACTS)
@given(price=st.integers(1, 10**6), sizes=st.lists(st.integers(1, 10**7), min_size=2, max_size=6))
@settings(max_examples=25, deadline=None)
def test_1_impact_is_its_formula_rounded_up_and_never_falls_with_size(name: str, price: int, sizes: list[int]) -> None:
    model, formula = IMPACTS[name]
    held = Model(model)
    ticks = [models.impact_ticks(*held.at, price, size) for size in sorted(sizes)]
    assert ticks == sorted(ticks)
    for size, seen in zip(sorted(sizes), ticks):
        assert formula(price, size) - 1e-6 <= seen < formula(price, size) + 1 + 1e-6
    assert ticks[0] == models.impact_ticks(*held.at, price, -min(sizes)) >= 0


@pytest.mark.req("SIM-08")
def test_permanent_impact_and_none() -> None:
    held = Model(IMPACTS["Almgren-Chriss"][0])
    assert models.impact_permanent(*held.at, 500) == pytest.approx(1.0)
    assert models.impact_ticks(*held.at, 100, 0) == 0
    assert models.impact_ticks(*Model(NoImpact()).at, 100, 500) == 0
    assert models.impact_permanent(*Model(NoImpact()).at, 500) == 0.0


def test_a_users_function_is_called_by_address() -> None:
    """Each argument arrives in its place; answers that would help the trader or break a bound are cut."""
    seen: list[tuple[int, ...]] = []
    answers = iter([55, -3, -7, 8, 10**9, 12 * 10**6, 99 * 10**6])

    def function(a: int, b: int, c: int, d: int) -> int:
        seen.append((a, b, c, d))
        return next(answers)

    address, keep = address_of(function)
    latency, slippage = Model(UserLatency(address=address)), Model(UserSlippage(address=address))
    impact, fills, queue = (
        Model(UserImpact(address=address)),
        Model(UserFills(address=address)),
        Model(UserQueue(address=address)),
    )
    assert models.latency_ns(*latency.at, 9, 4, 1, 1234) == 55
    assert models.latency_ns(*latency.at, 9, 4, 1, 1234) == 0
    assert models.slippage_ticks(*slippage.at, -1, 100, 5, 9, 4) == 0
    assert models.impact_ticks(*impact.at, 100, 5) == 8
    assert models.partial_next(*fills.at, 9, 4, 20, 1) == 20
    assert models.queue_change(*queue.at, 15.5, 40, 30, 2) == 12.0
    assert models.queue_change(*queue.at, 15.5, 40, 30, 2) == 15.5
    assert keep is not None
    assert [row[:3] for row in seen[:3]] == [(4, 1, 1234), (4, 1, 1234), (-1, 100, 5)]
    assert seen[0][3] == seen[1][3] != seen[2][3]
    assert seen[3] == (100, 5, 0, 0)
    assert seen[4][:3] == (20, 1, 4)
    assert seen[5] == (15_500_000, 40, 30, 2)


@pytest.mark.skipif(JIT_OFF, reason="numba compiles nothing now")
def test_a_compiled_users_function_needs_no_new_kernel() -> None:
    half = numba.cfunc("int64(int64, int64, int64, int64)")(lambda key, purpose, ts, word: 10 * key + purpose)
    held = Model(UserLatency(address=half.address))
    models.latency_ns(*Model(ConstantLatency(latency_ns=5)).at, 9, 4, 1, 0)
    before = bundles_compiled()
    assert models.latency_ns(*held.at, 9, 4, 1, 0) == 41
    assert bundles_compiled() == before


def test_3_results_do_not_depend_on_the_order_of_calls() -> None:
    latency, fills = Model(LogNormalLatency()), Model(PoissonBetaFills())
    ask = [(models.latency_ns, (*latency.at, 1, key, 1, 0)) for key in range(20)]
    ask += [(models.partial_next, (*fills.at, 1, key, 1000, k)) for key in range(5) for k in range(4)]
    forward = [function(*args) for function, args in ask]
    backward = [function(*args) for function, args in reversed(ask)]
    assert forward == backward[::-1]
