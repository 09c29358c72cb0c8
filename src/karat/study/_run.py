"""`karat.run`: the one call that most users need."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from karat.study._config import StudyConfig, read_study
from karat.study._pipeline import Progress, run_study
from karat.study._result import RunResult
from karat.study._workspace import Workspace


def run(
    study: str | Path | Mapping[str, Any] | StudyConfig,
    *,
    workspace: str | Path | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Run a study and return its result; finished work of the same content is not done again.

    study: path of a YAML file, the same content as a mapping, or a validated configuration.
    workspace: folder of ledger, cells and runs; default KARAT_WORKSPACE, else ./workspace.

    Raises:
        ConfigError, InputError, DataError: what is wrong, what is allowed, and the fix.
    """
    config = study if isinstance(study, StudyConfig) else None
    if config is None:
        config = StudyConfig.parse(study, source="study") if isinstance(study, Mapping) else read_study(study)  # type: ignore[arg-type]
    return run_study(config, Workspace.at(workspace), progress=progress or _quiet)


def _quiet(_stage: str, _done: int, _total: int) -> None:
    return None
