"""Every requirement that is claimed has a criterion and a test that exists, and a gap in either is found."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "requirements.md"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("requirements_doc", ROOT / "tools" / "requirements_doc.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.req("EVAL-17")
def test_every_requirement_has_a_criterion_and_tests_that_exist() -> None:
    rows = re.findall(r"^\| ([A-Z]+-\d+) \| (.+?) \| (`.+`) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == PAGE.read_text(encoding="utf-8").count("\n| ") - 1  # all but the heading
    for requirement, criterion, shown in rows:
        assert len(criterion) > 5, requirement
        for path, name in re.findall(r"`([^`]+)::(\w+)`", shown):
            assert re.search(rf"^\s*(?:def|class) {name}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.req("EVAL-17")
def test_a_mark_without_a_criterion_and_a_criterion_without_a_mark_are_errors(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_one.py").write_text('@pytest.mark.req("EVAL-99")\ndef test_it():\n    ...\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"criteria\.csv: no criterion of EVAL-99; add what decides"):
        tool.render(tmp_path)
    table = tmp_path / "criteria.csv"
    monkeypatch.setattr(tool, "CRITERIA", table)
    table.write_text("requirement,criterion\nEVAL-98,zero of ten\nEVAL-99,one of ten\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"criteria\.csv: no test shows EVAL-98; mark one or take the line out"):
        tool.render(tmp_path)
    table.write_text("requirement,criterion\nEVAL-99,one of ten\n", encoding="utf-8")
    assert "| EVAL-99 | one of ten |" in tool.render(tmp_path)
