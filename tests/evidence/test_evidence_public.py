"""The package's door: its names, and how little opening it loads."""

from __future__ import annotations

import subprocess
import sys

import karat.evidence as room


def test_names_are_sorted_and_there() -> None:
    constants = sorted(name for name in room.__all__ if name.isupper())
    classes = sorted(name for name in room.__all__ if name[0].isupper() and not name.isupper())
    functions = sorted(name for name in room.__all__ if name[0].islower())
    assert room.__all__ == [*constants, *classes, *functions]
    public = {name for name in vars(room) if not name.startswith("_")}
    assert public == set(room.__all__)
    assert all(getattr(room, name).__doc__ for name in room.__all__ if not name.isupper())


def test_importing_it_loads_neither_arch_nor_statsmodels_nor_torch() -> None:
    code = (
        "import sys, karat.evidence; print([m for m in ('arch', 'statsmodels', 'torch', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
