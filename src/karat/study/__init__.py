"""The research runtime: one YAML file to cells, forecasts, positions, fills, evidence, a verdict and a report.

Only this room turns configuration into objects. `run` is the whole of it; `reproduce` is the same again, compared.
"""

from karat.study._config import StudyConfig, read_study, shipped_study, study_schema
from karat.study._context import Progress
from karat.study._environment import measured_on
from karat.study._forward import ForwardDays, forward
from karat.study._freeze import Frozen, freeze
from karat.study._guard_ids import scan_for_static_ids
from karat.study._guard_table import GUARDS, Guard, GuardReport, run_guards
from karat.study._history import Family, families
from karat.study._names import check_names
from karat.study._pipeline import run_study
from karat.study._plugins import selection_of
from karat.study._prepare import load_panel, prepare_dataset
from karat.study._reproduce import Comparison, Reproduction, reproduce
from karat.study._result import RunResult
from karat.study._run import run
from karat.study._story import write_report
from karat.study._workspace import Workspace
from karat.study.rates import Calibration, CalibrationConfig, rates, read_calibration, run_campaigns, run_worlds

__all__ = [
    "GUARDS",
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
    "families",
    "forward",
    "freeze",
    "load_panel",
    "measured_on",
    "prepare_dataset",
    "rates",
    "read_calibration",
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
