"""Fixtures of the study tests, and the package of planted cheats."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

STUDY = Path(__file__).parents[1] / "study"
sys.path.insert(0, str(STUDY))  # for study_factory, as the study tests have it
_spec = importlib.util.spec_from_file_location("study_conftest", STUDY / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
_study = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_study)
inline, world, quick = _study.inline, _study.world, _study.quick


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The cheats, installed for this process."""
    from cheats_table import PLANTED, install

    monkeypatch.syspath_prepend(str(install(tmp_path / "site")))
    monkeypatch.syspath_prepend(str(PLANTED))
    yield
    for name in [name for name in sys.modules if name.startswith("cheat_")]:
        del sys.modules[name]
