"""The market's benchmark jobs run on small inputs, agree with their limits and print what a requirement asks for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest

ROOT = Path(__file__).parents[2]
FIGURES = {
    "decision": (
        "decisions",
        "decision_ns",
        "call_p50_ns",
        "call_p99_ns",
        "nrt_allocations",
        "net_bytes",
        "peak_bytes",
    ),
    "orders": ("operations", "sustained_s", "operations_per_s_worst", "send_p50_ns", "send_p99_ns"),
    "signals": ("decisions", "decisions_per_s", "single_call_p50_ns", "cpu", "vector"),
}
pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="plain Python is not what is timed")


@pytest.fixture(scope="module")
def printed() -> dict[str, dict[str, Any]]:
    """The line of each job."""
    command = [sys.executable, "benchmarks/market.py", "--json", "--quick", "--jobs", *FIGURES]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {line["job"]: line for line in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("job", FIGURES)
@pytest.mark.req("PERF-01", "PERF-05", "PERF-07", "PERF-13")
def test_a_job_agrees_with_its_limit_and_has_the_single_call_beside_the_batch(
    job: str, printed: dict[str, dict[str, Any]]
) -> None:
    line = printed[job]
    assert line["check_equal"] is True
    assert line["karat_s"] > 0 < line["limit_s"]
    assert [name for name in FIGURES[job] if name not in line] == []


@pytest.mark.req("PERF-13")
def test_decisions_allocate_nothing_that_grows_with_them(printed: dict[str, dict[str, Any]]) -> None:
    line = printed["decision"]
    assert line["nrt_allocations"] < 100 < line["decisions"]  # a batch adopts its memory each time it is entered
    assert line["net_bytes"] < 1_024
    assert line["peak_bytes"] < 1_024
