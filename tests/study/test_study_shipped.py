"""The shipped studies end with the verdict they are there to show: one seed of the planted edge and of none."""

from __future__ import annotations

from pathlib import Path

import pytest

import karat
from karat.study import RunResult

STUDIES = Path(__file__).resolve().parents[2] / "studies"


def loss(result: RunResult, model: str) -> float:
    """Return a model's mean pinball on Test."""
    row = result.metrics.filter(model=model, metric="pinball", scope="pooled")
    return float(row["value"][0])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_planted_edge_is_accepted(tmp_path: Path) -> None:
    result = karat.run(STUDIES / "planted.yaml", workspace=tmp_path)
    assert result.verdict == "accepted"
    unaided = loss(result, "patch_transformer(direct=False)")
    assert unaided < loss(result, "climatology"), "the transformer finds the signal without the solved linear path"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_edge_is_not_accepted(tmp_path: Path) -> None:
    assert karat.run(STUDIES / "noise.yaml", workspace=tmp_path).verdict in ("rejected", "indistinguishable")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_vix_study_runs_on_closes_known_the_day_before(tmp_path: Path) -> None:
    result = karat.run(STUDIES / "vix.yaml", workspace=tmp_path)
    used = {row["name"] for row in result.manifest["features"]}
    assert sum(name.startswith("vix_") for name in used) == 8
    assert result.verdict != "invalid"
