"""Small studies that run in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml


def small_study(**changes: Any) -> dict[str, Any]:
    """Return a study on 1,400 synthetic days with one cheap candidate; `changes` replace top-level keys."""
    study: dict[str, Any] = {
        "name": "small",
        "data": {"source": "synthetic", "params": {"seed": 3, "n_days": 1400, "edge_sharpe": 3.0}},
        "features": ["ret_1", "ret_5", "signal"],
        "splits": {"test_frac": 0.45, "select_folds": 1, "test_folds": 2, "valid_bars": 120},
        "models": [{"name": "linear_quantile"}],
        "seeds": 2,
        "verdict": {"draws": 400},
    }
    return study | changes


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    """A study file on disk."""
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(small_study()), encoding="utf-8")
    return path
