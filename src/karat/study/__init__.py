"""The research runtime: one YAML file to cells, forecasts, positions, fills, evidence, a verdict and a report.

Only this room turns configuration into objects. `run` is the whole of it; `reproduce` is the same again, compared.
A name is loaded when it is first asked for, so that a command that lists guards or trials does not load a market.
"""

import typing

from karat._doors import on_demand as _on_demand

if typing.TYPE_CHECKING:
    from karat.study._config import StudyConfig, read_study, shipped_study, study_schema
    from karat.study._context import Progress
    from karat.study._environment import measured_on
    from karat.study._forward import ForwardDays, forward
    from karat.study._freeze import Frozen, freeze
    from karat.study._guard_ids import scan_for_static_ids
    from karat.study._guard_list import QUESTIONS
    from karat.study._guard_table import GUARDS, Guard, GuardReport, run_guards
    from karat.study._history import Family, families
    from karat.study._names import check_names
    from karat.study._pipeline import run_study
    from karat.study._prepare import load_finest, load_panel, prepare_dataset, selection_of
    from karat.study._reproduce import Comparison, Reproduction, reproduce
    from karat.study._result import RunResult
    from karat.study._run import run
    from karat.study._story import write_report
    from karat.study._workspace import Workspace
    from karat.study.rates import (
        Calibration,
        CalibrationConfig,
        error_rates,
        read_calibration,
        read_finished,
        run_campaigns,
        run_worlds,
    )

__all__ = [
    "GUARDS",
    "QUESTIONS",
    "Calibration",
    "CalibrationConfig",
    "Comparison",
    "Family",
    "ForwardDays",
    "Frozen",
    "Guard",
    "GuardReport",
    "Progress",
    "Reproduction",
    "RunResult",
    "StudyConfig",
    "Workspace",
    "check_names",
    "error_rates",
    "families",
    "forward",
    "freeze",
    "load_finest",
    "load_panel",
    "measured_on",
    "prepare_dataset",
    "read_calibration",
    "read_finished",
    "read_study",
    "reproduce",
    "run",
    "run_campaigns",
    "run_guards",
    "run_study",
    "run_worlds",
    "scan_for_static_ids",
    "selection_of",
    "shipped_study",
    "study_schema",
    "write_report",
]

__getattr__ = _on_demand(
    __name__,
    {
        "_config": ("StudyConfig", "read_study", "shipped_study", "study_schema"),
        "_context": ("Progress",),
        "_environment": ("measured_on",),
        "_forward": ("ForwardDays", "forward"),
        "_freeze": ("Frozen", "freeze"),
        "_guard_ids": ("scan_for_static_ids",),
        "_guard_list": ("QUESTIONS",),
        "_guard_table": ("GUARDS", "Guard", "GuardReport", "run_guards"),
        "_history": ("Family", "families"),
        "_names": ("check_names",),
        "_pipeline": ("run_study",),
        "_prepare": ("load_finest", "load_panel", "prepare_dataset", "selection_of"),
        "_reproduce": ("Comparison", "Reproduction", "reproduce"),
        "_result": ("RunResult",),
        "_run": ("run",),
        "_story": ("write_report",),
        "_workspace": ("Workspace",),
        "rates": (
            *("Calibration", "CalibrationConfig", "error_rates", "read_calibration", "read_finished"),
            *("run_campaigns", "run_worlds"),
        ),
    },
)
