"""The integrity gate of a database: schemas, foreign keys and labels, one structured log record for each broken rule.

Strict stops before anything is loaded; lenient warns and hands the findings back. Neither repairs anything.

Invariants:
1. Every broken rule of every table gives exactly one log record naming table, rule and rows.
2. Strict raises when an error was found, after all of them were logged; warnings never stop anything.
3. A sound database logs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from karat._words import counted
from karat.core import DataError
from karat.data._log import log_violation
from karat.data._quality import QualityReport
from karat.data._schemas import Violation, check_frame, row_names, rules
from karat.data._sqlite_labels import check_labels
from karat.data._sqlite_read import read_tables
from karat.data._sqlite_schema import foreign_keys


def check_database(path: str | Path, *, strict: bool = True) -> QualityReport:
    """Check a whole database against the contract: strict stops at errors, lenient warns and reports them.

    Raises:
        InputError: no such file.
        DataError: strict, and an error was found; also, in both modes, a file that cannot be read or a missing column.
    """
    tables = read_tables(Path(path))
    found = enforce((*tables.violations, *check_tables(tables.frames)), strict=strict)
    passed = all(item.severity != "error" for item in found)
    names = tuple(f"{table}: {rule.name}" for table in tables.frames for rule in rules(table))
    n_rows = sum(len(frame) for frame in tables.frames.values())
    return QualityReport(Path(path).name, passed, n_rows, tuple(item.finding for item in found), names)


def check_tables(frames: Mapping[str, pl.DataFrame], *, partial: bool = False) -> tuple[Violation, ...]:
    """Return what the tables break: each its schema, then keys across tables, then labels.

    partial: the frames hold a part of the instruments, which cannot tell whether every label occurs.
    """
    found = [item for name, frame in frames.items() for item in check_frame(name, frame)]
    malformed = {item.table for item in found if item.rule in ("declared columns", "column types")}
    sound = {name: frame for name, frame in frames.items() if name not in malformed}
    found += check_foreign_keys(sound)
    if {"series", "regimes", "regime_quantiles"} <= set(sound):
        found += check_labels(sound["series"], sound["regimes"], sound["regime_quantiles"], partial=partial)
    return tuple(found)


def check_foreign_keys(frames: Mapping[str, pl.DataFrame]) -> tuple[Violation, ...]:
    """Return the rows whose parent is missing, one violation a key; a parent table that is not there has no rows."""
    found = []
    for name, frame in frames.items():
        for parent, own, theirs in foreign_keys(name):
            rows = frame.with_row_index("_row").drop_nulls(own)
            if parent in frames:
                rows = rows.join(frames[parent], left_on=own, right_on=theirs, how="anti")
            if len(rows):
                index = np.sort(rows["_row"].to_numpy().astype(np.int64))
                rule = f"{', '.join(own)} is in {parent}"
                remedy = f"add the parent rows to {parent}, or delete these"
                found.append(Violation(name, rule, "error", row_names(name, frame, index), remedy, index))
    return tuple(found)


def enforce(violations: Sequence[Violation], *, strict: bool) -> tuple[Violation, ...]:
    """Log every violation once; strict then raises on the first error, lenient returns them all.

    Raises:
        DataError: strict, and one of them is an error; Pandera's failure cases are attached as a note.
    """
    for item in violations:
        log_violation("data rule broken", **item.finding.to_dict())
    errors = [item for item in violations if item.severity == "error"]
    if strict and errors:
        raise _error(errors)
    return tuple(violations)


def _error(errors: Sequence[Violation]) -> DataError:
    first, others = errors[0], len(errors) - 1
    fix = first.remedy + (f"; the log has {counted(others, 'more broken rule')}" if others else "")
    error = DataError(first.table, first.rule, rows=first.rows, seen=first.seen, fix=fix)
    for item in errors:
        if item.cases:
            error.add_note(f"Pandera failure cases of {item.table}, rule '{item.rule}':\n{item.cases}")
    return error
