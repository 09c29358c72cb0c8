"""The package's door: its names, and how little opening it loads."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import karat.evidence
import karat.evidence.calibration
import karat.evidence.scaling


@pytest.mark.parametrize("room", [karat.evidence, karat.evidence.calibration, karat.evidence.scaling])
def test_names_are_sorted_and_there(room: ModuleType) -> None:
    constants = sorted(name for name in room.__all__ if name.isupper())
    classes = sorted(name for name in room.__all__ if name[0].isupper() and not name.isupper())
    functions = sorted(name for name in room.__all__ if name[0].islower())
    assert room.__all__ == [*constants, *classes, *functions]
    public = {
        name for name, value in vars(room).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    }
    assert public == set(room.__all__)
    assert all(getattr(room, name).__doc__ for name in room.__all__ if not name.isupper())


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = ("arch", "statsmodels", "sklearn", "matplotlib", "torch", "pandas")
    rooms = "karat.evidence.calibration, karat.evidence.scaling"
    code = f"import sys, {rooms}; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
