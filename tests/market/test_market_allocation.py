"""No memory is allocated once the market is warm: none in the compiled code, none that stays or peaks in Python."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
from market_oracle_types import BARS, DEPTH, ORDERS, QUOTES
from market_parity import JIT_OFF, compiled, varied
from market_scenarios import Options, Seeded

from karat.kernels.market import engine
from karat.kernels.market import layout as k

compiled_only = pytest.mark.skipif(JIT_OFF, reason="plain Python allocates")
MATCHERS = pytest.mark.parametrize("matcher", [BARS, QUOTES, DEPTH, ORDERS], ids=["bars", "quotes", "depth", "orders"])
KIBIBYTE = 1_024


def counters() -> tuple[int, int, int, int]:
    """Return numba's counts of allocations and releases in compiled code, by size and by object."""
    from numba.core.registry import cpu_target
    from numba.core.runtime import _nrt_python, rtsys

    rtsys.initialize(cpu_target.target_context)
    if not _nrt_python.memsys_stats_enabled():
        _nrt_python.memsys_enable_stats()
    stats = rtsys.get_allocation_stats()
    return stats.alloc, stats.free, stats.mi_alloc, stats.mi_free


@compiled_only
@MATCHERS
@pytest.mark.req("PERF-13")
def test_compiled_code_allocates_nothing(matcher: int) -> None:
    runs = [compiled(varied(Seeded(seed), Options(matcher=matcher))) for seed in range(20)]
    runs[0].advance()
    before = counters()
    for run in runs[1:]:
        run.advance()
    assert counters() == before
    assert sum(int(run.block[k.H_FILL_SEQUENCE]) for run in runs[1:]) > 20


@compiled_only
def test_the_counters_see_an_allocation() -> None:
    import numba

    @numba.njit
    def allocates(n: int) -> float:
        return np.zeros(n).sum()

    allocates(3)
    before = counters()
    allocates(3)
    assert counters() != before


@compiled_only
@MATCHERS
@pytest.mark.req("PERF-13")
def test_a_call_from_python_keeps_nothing_and_peaks_below_a_kibibyte(matcher: int) -> None:
    """Steps one by one through the address, after a warm run of the same calls; peak and net of the whole loop."""
    advance = engine().advance
    warm, run = (compiled(varied(Seeded(3), Options(matcher=matcher))) for _ in range(2))
    steps = [1] * len(varied(Seeded(3), Options(matcher=matcher)).events)
    for one in (warm, run):
        s, v, far = one.block.ctypes.data, one.columns.ctypes.data, k.FAR
        tracemalloc.start()
        advance(s, v, far, 1)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for step in steps:
            advance(s, v, far, step)
        after, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert after - before == 0
    assert peak - before < KIBIBYTE
    assert int(run.block[k.H_STEPS]) > len(steps) // 2


def test_the_measurement_sees_what_python_keeps() -> None:
    kept: list[bytes] = []
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept.append(bytes(2 * KIBIBYTE))
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before >= 2 * KIBIBYTE
    assert peak - before >= 2 * KIBIBYTE
