"""The pages of this room say what the code does, and the examples of its docstrings run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import karat.data
from karat.data import RULES, load
from karat.data._bundled import DATASETS
from karat.data._ingest import IngestOptions

DOCS = Path(__file__).parents[2] / "docs"
MODULES = [name for _, name, _ in pkgutil.iter_modules(karat.data.__path__, "karat.data.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_option_is_described():
    text = (DOCS / "how-to" / "add-a-source.md").read_text(encoding="utf-8")
    assert [name for name in IngestOptions.model_fields if f"`{name}`" not in text] == []


@pytest.mark.req("DATA-34")
def test_every_rule_and_dataset_is_described():
    text = (DOCS / "reference" / "data-provenance.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.+) \| (error|warning) \| (.+) \|$", text, re.M)
    assert rows == [(rule.name, rule.severity, rule.remedy) for rule in RULES]
    described = re.findall(r"^\| `(\w+)` \| (\S+)", text, re.M)
    for name, facts in DATASETS.items():
        assert (name, facts.instrument or "20") in described
        licence = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert facts.licence.split(";")[0] in licence


def test_the_door_is_sorted_and_complete():
    names = karat.data.__all__
    assert all(hasattr(karat.data, name) for name in names)  # a name is loaded when it is first asked for
    constants = sorted(name for name in names if name.isupper())
    classes = sorted(name for name in names if name[0].isupper() and not name.isupper())
    functions = sorted(name for name in names if name[0].islower())
    assert names == [*constants, *classes, *functions]
    public = {
        name for name, value in vars(karat.data).items() if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(names)
    assert load is karat.data.load
