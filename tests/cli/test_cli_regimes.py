"""karat regimes: the systems, one definition, labels of a study's panel."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from cli_factory import karat, write_study

from karat.core import iso_date
from karat.features.regimes import REGIMES


def test_list_shows_every_system_with_its_states() -> None:
    assert karat("regimes", "list", "--json").facts["regimes"]["vix"] == ["calm", "normal", "elevated", "crisis"]
    assert len(karat("regimes", "list").out.splitlines()) == 1 + len(REGIMES)


def test_show_states_the_definition_and_knows_near_names() -> None:
    facts = karat("regimes", "show", "hidden", "--json").facts
    assert facts["states"] == list(REGIMES["hidden"].states)
    assert facts["common"]["Crisis"] == "stressed Crisis"
    said = karat("regimes", "show", "hiden")
    assert said.code == 2
    assert "did you mean 'hidden'" in said.err


def test_label_describes_and_writes(tmp_path: Path) -> None:
    study, out = write_study(tmp_path), tmp_path / "new" / "labels.parquet"
    facts = karat("regimes", "label", study, "volatility", "--out", out, "--json").facts
    assert facts["rows"] + facts["unlabelled"] == 1400
    assert facts["unlabelled"] == 504
    assert [row["name"] for row in facts["states"]] == ["calm", "elevated", "turbulent"]
    assert pl.read_parquet(out)["state"].null_count() == 504
    said = karat("regimes", "label", study, "volatility")
    assert "504 rows without a state; the state changes on" in said.out
    until = iso_date(pl.read_parquet(out)["ts"][900])
    said = karat("regimes", "label", study, "volatility", "--until", until, "--json")
    assert 0 < said.facts["out_of_sample"]["volatility_p"] <= 1
    said = karat("regimes", "label", study, "volatility", "--until", until)
    assert "after the fit: volatility differs with p = " in said.out
    assert (
        karat("regimes", "label", study, "volatility", "--until", "2030-01-01", "--json").facts["out_of_sample"] is None
    )
    said = karat("regimes", "label", study, "vix")
    assert said.code == 2
    assert "vix is missing; vix: join the source vix to the panel" in said.err
