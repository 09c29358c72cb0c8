"""No memory is allocated once the market is warm: none in the compiled code, none that stays or peaks in Python."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import llvmlite.binding as llvm
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
from market_oracle_types import BARS, DEPTH, ORDERS, QUOTES
from market_parity import JIT_OFF, compiled, varied
from market_scenarios import Options, Seeded

from karat.kernels._build import asked
from karat.kernels._bundle import library
from karat.kernels._jit import BUNDLES
from karat.kernels.market import engine
from karat.kernels.market import layout as k

compiled_only = pytest.mark.skipif(JIT_OFF, reason="plain Python allocates")
MATCHERS = pytest.mark.parametrize("matcher", [BARS, QUOTES, DEPTH, ORDERS], ids=["bars", "quotes", "depth", "orders"])
KIBIBYTE = 1_024


MATHS = {"exp", "log", "pow", "sqrt", "floor", "ceil", "fabs", "round"}
"""Functions of the C library that own nothing."""


@compiled_only
@pytest.mark.req("PERF-13")
def test_compiled_code_asks_for_no_memory() -> None:
    """The machine code of the market calls nothing outside of itself but mathematical functions and users' models."""
    asks = library("market", BUNDLES["market"]).asks
    assert set(asks) <= MATHS
    assert "sqrt" in asks  # the list is not empty for want of looking


@compiled_only
def test_code_that_takes_memory_shows_in_what_it_asks_for() -> None:
    """numba's own name for taking memory: planted beside a function that is fine."""
    module = "declare double @sqrt(double)\ndeclare i8* @NRT_MemInfo_alloc_aligned(i64, i32)\n"
    assert not set(asked(llvm.parse_assembly(module))) <= MATHS


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
