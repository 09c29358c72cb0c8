"""`karat.run`: the one call that most users need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import PydanticSerializationError

from karat.core import InputError, content_hash
from karat.data import open_source, to_polars
from karat.study._config import DataConfig, JoinConfig, StudyConfig, read_study
from karat.study._context import Progress
from karat.study._pipeline import run_study
from karat.study._result import RunResult
from karat.study._workspace import Workspace

Block = TypeVar("Block", DataConfig, JoinConfig)


def run(
    study: str | Path | Mapping[str, Any] | StudyConfig,
    *,
    workspace: str | Path | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Run a study and return its result; finished work of the same content is not done again.

    study: path of a YAML file, the same content as a mapping, or a validated configuration. A table in memory (source
    `frame`) is kept in the workspace as Parquet, so that the run can be repeated without this process.
    workspace: folder of ledger, cells and runs; default KARAT_WORKSPACE, else ./workspace.

    Raises:
        ConfigError, InputError, DataError: what is wrong, what is allowed, and the fix.
    """
    config = _parsed(study)
    place = Workspace.at(workspace)
    config = config.model_copy(
        update={
            "data": _kept(config.data, place),
            "joins": tuple(_kept(join, place) for join in config.joins),
        }
    )
    try:
        config.model_dump(mode="json")
    except PydanticSerializationError as error:
        fix = "give numbers, text, dates, lists and mappings; tables only as the source frame"
        raise InputError("study", str(error), why="run.json cannot hold it", fix=fix) from None
    return run_study(config, place, progress=progress or _quiet)


def _parsed(study: str | Path | Mapping[str, Any] | StudyConfig) -> StudyConfig:
    if isinstance(study, StudyConfig):
        return study
    if not isinstance(study, str | Path | Mapping):
        allowed = "a study file, a mapping or a StudyConfig"
        fix = "a table stands in a mapping: {'data': {'source': 'frame', 'params': {'frame': ...}}}"
        raise InputError("study", type(study).__name__, allowed=allowed, fix=fix)
    return StudyConfig.parse(study, source="study") if isinstance(study, Mapping) else read_study(study)


def _kept(block: Block, place: Workspace) -> Block:
    """Return the block with its table in memory replaced by a file of the workspace, named by all that is in it."""
    if block.source != "frame":
        return block
    open_source("frame", block.params)  # says what is wrong with the parameters before anything is written
    params = dict(block.params)
    frame = to_polars(params.pop("frame"))
    beside = {"licence": params.pop("licence"), "origin": params.pop("origin", "in memory")}
    path = place.inputs / f"{content_hash([frame, beside])[:32]}.parquet"
    if not path.is_file():
        path.with_name(f"{path.name}.provenance.json").write_text(json.dumps(beside), encoding="utf-8")
        partial = path.with_suffix(".partial")
        frame.write_parquet(partial)
        partial.replace(path)
    return block.model_copy(update={"source": "parquet", "params": {"path": str(path), **params}})


def _quiet(_stage: str, _done: int, _total: int) -> None:
    return None
