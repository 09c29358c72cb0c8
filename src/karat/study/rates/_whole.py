"""A whole study as a world: the study of a file, data to verdict, on the synthetic market of a seed of its own.

Each runs in a workspace that lasts as long as the world, so that no world is part of another's family.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from karat.core import InputError
from karat.study._config import ExecutorConfig, StudyConfig, read_study
from karat.study._pipeline import run_study
from karat.study._result import RunResult
from karat.study._workspace import Workspace
from karat.study.rates._config import Whole
from karat.study.rates._play import naive_verdict


def read_whole(kind: Whole, folder: Path) -> StudyConfig:
    """Return the study of a kind; its path is relative to the folder of the calibration's file.

    Raises:
        InputError: no such study, or one whose market is not made from a seed.
    """
    config = read_study(folder / kind.study)
    if config.data.source != "synthetic":
        raise InputError("data.source", config.data.source, allowed="synthetic", why="each world needs its own market")
    return config


def run_whole(config: StudyConfig, seed: int, scratch: str) -> dict[str, Any]:
    """Return what the verdict and the naive one say of the study on the market of a seed, ready for JSON."""
    data = config.data.model_copy(update={"params": {**config.data.params, "seed": seed}})
    one = config.model_copy(update={"data": data, "executor": ExecutorConfig(workers=1)})
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        result = run_study(one, Workspace.at(folder), progress=_quiet)
        return _facts(result)


def _facts(result: RunResult) -> dict[str, Any]:
    verdict = result.manifest["verdict"]
    candidates = result.frame("by_date").join(
        result.frame("scores").filter(role="baseline").select("model").unique(), on="model", how="anti"
    )
    primary = candidates.filter(horizon=result.config["primary_horizon"])
    nets = [part["net"].to_numpy() for _, part in primary.group_by("model", maintain_order=True)]
    return {
        "outcome": verdict["outcome"],
        "gates": {gate["name"]: gate["passed"] for gate in verdict["gates"]},
        "p_values": {gate["name"]: gate["p_value"] for gate in verdict["gates"] if gate["p_value"] is not None},
        "real": True,
        "shown_on_valid": result.manifest["selection"]["shown_on_valid"][result.config["primary_horizon"]]["baseline"],
        "money_baseline": verdict["money_baseline"],
        "money_comparison": verdict["money_comparison"],
        "net_excess_sharpe": verdict["net_excess_sharpe"],
        "detectable_sharpe": verdict["detectable_sharpe"],
        "naive": naive_verdict([np.asarray(net) for net in nets], result.config["verdict"]["alpha"]),
    }


def _quiet(_stage: str, _done: int, _total: int) -> None:
    return None
