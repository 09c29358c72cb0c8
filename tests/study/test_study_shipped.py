"""The shipped studies end with the verdict they are there to show: one seed of the planted edge and of none."""

from __future__ import annotations

from pathlib import Path

import pytest

import karat
from karat.study import RunResult, Workspace, reproduce

STUDIES = Path(__file__).resolve().parents[2] / "studies"


def loss(result: RunResult, model: str) -> float:
    """Return a model's mean pinball on Test."""
    row = result.metrics.filter(model=model, metric="pinball", scope="pooled")
    return float(row["value"][0])


@pytest.mark.slow
def test_the_planted_edge_is_accepted(tmp_path: Path) -> None:
    result = karat.run(STUDIES / "planted.yaml", workspace=tmp_path)
    assert result.verdict == "accepted"
    unaided = loss(result, "patch_transformer(direct=False)")
    assert unaided < loss(result, "climatology"), "the transformer finds the signal without the solved linear path"


@pytest.mark.slow
def test_no_edge_is_not_accepted(tmp_path: Path) -> None:
    assert karat.run(STUDIES / "noise.yaml", workspace=tmp_path).verdict in ("rejected", "indistinguishable")


@pytest.mark.slow
def test_the_vix_study_runs_on_closes_known_the_day_before(tmp_path: Path) -> None:
    result = karat.run(STUDIES / "vix.yaml", workspace=tmp_path)
    used = {row["name"] for row in result.manifest["features"]}
    assert sum(name.startswith("vix_") for name in used) == 8
    assert result.verdict != "invalid"


@pytest.mark.slow
@pytest.mark.req("DATA-29")
def test_the_study_with_a_context_is_valid_and_runs_again_to_the_bit(tmp_path: Path) -> None:
    result = karat.run(STUDIES / "context.yaml", workspace=tmp_path)
    used = {row["name"] for row in result.manifest["features"]}
    assert {"week_rsi_14", "now_regime_volatility", "sp500_ret_1", "sp500_regime_hidden"} <= used
    checks = {check["name"]: check["passed"] for check in result.manifest["verdict"]["gates"][0]["checks"]}
    assert checks["context invariance week"] is True
    assert checks["context invariance sp500"] is True
    assert result.verdict != "invalid"
    assert reproduce(result, Workspace.at(tmp_path), progress=lambda *_: None).equal
