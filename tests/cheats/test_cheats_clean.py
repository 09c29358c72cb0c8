"""Clean studies raise no alarm: a handful here; `benchmarks/false_alarms.py` runs two hundred."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from scipy.stats import binom


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script that draws clean studies."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "false_alarms.py"
    spec = importlib.util.spec_from_file_location("false_alarms", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_clean_study_raises_no_alarm(script: ModuleType, seed: int) -> None:
    assert script.alarms(script.clean_study(seed), script.USUAL) == []


def test_clean_studies_differ_and_depend_on_the_seed_alone(script: ModuleType) -> None:
    studies = [script.clean_study(seed) for seed in range(40)]
    assert studies[7] == script.clean_study(7)
    assert {study["primary_horizon"] for study in studies} == set(script.HORIZONS)
    assert {study["data"]["params"]["n_instruments"] for study in studies} == {1, 2, 3, 4, 5, 6}


def test_the_bound_is_clopper_s_and_pearson_s(script: ModuleType) -> None:
    """No alarm in n: 1 - 0.05 ** (1 / n), by hand; else the share under which so few alarms have 5 % probability."""
    assert script.upper_bound(0, 200) == pytest.approx(1 - 0.05 ** (1 / 200))
    assert binom.cdf(5, 200, script.upper_bound(5, 200)) == pytest.approx(0.05)
    assert script.upper_bound(3, 3) == 1.0
