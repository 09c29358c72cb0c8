"""The pages about models: the page draws the interface, the table names every model and default."""

from __future__ import annotations

from pathlib import Path

import pytest

from karat.models import MODELS
from karat.models._problem import PREPARATION

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.req("EXP-08")
def test_the_page_draws_the_interface() -> None:
    text = (DOCS / "how-to" / "add-a-forecaster.md").read_text(encoding="utf-8")
    assert "```mermaid" in text
    assert all(word in text for word in ("karat.model", "karat.source", "plugins:", "_state()", "_restore(state)"))


@pytest.mark.parametrize("name", MODELS)
def test_the_table_names_every_model_and_default(name: str) -> None:
    text = (DOCS / "reference" / "models.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
    if "as `lightgbm`" in row:
        assert MODELS[name].PARAMS == MODELS["lightgbm"].PARAMS
        return
    for key, param in MODELS[name].PARAMS.items():
        where = text if key in PREPARATION else row  # what all candidates share is told once
        assert f"`{key}` {param.default}" in where, key
    assert ("baseline" in row) == MODELS[name].baseline
