"""What a report refuses, what it says when something is missing, and the words of the verdict."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from report_factory import make_story, make_verdict, replace

from karat.core import DataError, InputError
from karat.evidence import Verdict
from karat.report import AttributionRow, Costs, Story, write
from karat.report._build import build
from karat.report._document import Column, Note, Table, text


def bare() -> Story:
    full = make_story()
    return Story(
        title="bare",
        run_id="r1",
        created="",
        verdict=make_verdict("invalid", gates=()),
        config={"name": "bare"},
        sources=full.sources,
        environment={"versions": {}},
        command="karat reproduce r1",
    )


@pytest.mark.parametrize("field", ["run_id", "sources", "environment", "config", "command"])
def test_no_report_without_provenance(tmp_path: Path, field: str) -> None:
    empty: Any = {"run_id": "", "sources": (), "environment": {}, "config": {}, "command": ""}[field]
    with pytest.raises(InputError, match=rf"story\.{field}: .*never written without its provenance; fill it from"):
        write(replace(make_story(), **{field: empty}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("field", ["name", "origin", "licence", "content_hash"])
def test_no_report_without_a_sources_origin(tmp_path: Path, field: str) -> None:
    story = make_story()
    source = dataclasses.replace(story.sources[0], **{field: " "})
    with pytest.raises(InputError, match=rf"story\.sources\[0\]\.{field}: got ' '.*provenance; fill it from the panel"):
        write(replace(story, sources=(source,)), tmp_path)


@pytest.mark.req("REP-02")
def test_attribution_that_does_not_sum_is_refused() -> None:
    story = make_story(instruments=3)
    first = story.attribution[0]
    moved = dataclasses.replace(first, gross_usd=first.gross_usd + 5, net_usd=first.net_usd + 5)
    with pytest.raises(DataError, match=r"attribution: .*rule 'net sums to the total net P&L' is broken"):
        build(replace(story, attribution=(moved, *story.attribution[1:])))


@pytest.mark.req("REP-02")
def test_a_row_whose_costs_do_not_lead_to_its_net_is_refused() -> None:
    rows = (AttributionRow("A", 60.0, 0.0, 50.0), AttributionRow("B", 60.0, 20.0, 50.0))
    with pytest.raises(DataError, match="gross - costs = net of A"):
        build(replace(make_story(), costs=Costs(120.0, {"proportional": 20.0}, 100.0), attribution=rows))


def test_costs_that_do_not_lead_from_gross_to_net_are_refused() -> None:
    with pytest.raises(DataError, match=r"costs: got '90\.00 USD, not 95\.00 USD'; rule 'gross - items = net'"):
        build(replace(make_story(), costs=Costs(100.0, {"proportional": 10.0}, 95.0), attribution=()))


def test_attribution_without_costs_is_refused() -> None:
    with pytest.raises(InputError, match=r"story\.costs: got None; attribution cannot be checked without it"):
        build(replace(make_story(), costs=None))


def test_a_nan_does_not_pass_for_a_sum() -> None:
    with pytest.raises(DataError, match="gross - items = net"):
        build(replace(make_story(), costs=Costs(float("nan"), {}, 0.0), attribution=()))


def test_what_is_missing_is_stated(tmp_path: Path) -> None:
    page, twin = write(bare(), tmp_path)
    for part in (
        "Scores",
        "Fan chart",
        "Calibration",
        "Equity",
        "Profit and risk",
        "Costs",
        "Attribution by instrument",
        "Best and worst windows",
        "Sub-periods",
        "Seeds",
        "Trials",
        "Openings of Test",
        "Leakage guards",
        "Splits",
        "Features",
    ):
        for file in (page, twin):
            assert f"{part}: not available." in file.read_text(encoding="utf-8")


def test_fan_without_calibration_is_stated(tmp_path: Path) -> None:
    document = build(replace(make_story(), calibration=None))
    blocks = next(section.blocks for section in document.sections if section.id == "forecasts")
    assert [block.kind for block in blocks] == ["chart", "note"]


@pytest.mark.parametrize("outcome", ["accepted", "rejected", "indistinguishable", "invalid"])
def test_the_verdict_in_plain_words(outcome: str) -> None:
    banner = build(make_story(outcome)).banner
    assert banner.outcome == outcome
    assert banner.headline.endswith(".")
    limits = " ".join(banner.limits)
    assert ("Provisional until frozen forward days confirm it: 0 frozen" in limits) == (outcome == "accepted")
    assert ("would have shown a net excess Sharpe of 0.82 a year" in limits) == (outcome != "accepted")


def test_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(InputError, match=r"verdict\.outcome: got 'acepted'.*did you mean 'accepted'"):
        build(replace(make_story(), verdict=Verdict(**_fields("acepted"))))


def test_gate_states_and_printed_checks() -> None:
    story = make_story()
    gates = (dataclasses.replace(story.verdict.gates[0], passed=None), *story.verdict.gates[1:])
    document = build(replace(story, verdict=make_verdict(gates=gates)))
    assert [gate.state for gate in document.gates] == ["not evaluated", "passed", "failed", "passed"]
    skill, sturdy = document.gates[1].checks, document.gates[3].checks
    assert skill is not None
    assert sturdy is not None
    assert [row[3].text for row in skill.rows] == ["printed only", "printed only"]
    assert [row[3].text for row in sturdy.rows] == ["passed", "not evaluated", "passed", "passed"]


def test_numbers_a_verdict_lacks_are_dashes() -> None:
    nan = float("nan")
    document = build(make_story(verdict=make_verdict(net_excess_sharpe=nan, net_excess_interval=(nan, nan))))
    assert document.tiles.rows[0][1].text == "–"
    document = build(make_story(verdict=make_verdict(net_excess_sharpe=None, net_excess_interval=None)))
    assert document.tiles.rows[0][1].text == "–"
    document = build(make_story(verdict=make_verdict(net_excess_interval=None)))
    assert document.tiles.rows[0][1].small == ""


def test_instruments_of_a_wide_panel_are_cut_and_counted() -> None:
    document = build(make_story(instruments=30))
    facts = next(section for section in document.sections if section.id == "data").blocks[0]
    cell = dict(facts.rows)["Instruments"]  # type: ignore[union-attr]
    assert cell.small == "and 6 more"


def test_clean_data_says_so() -> None:
    document = build(replace(make_story(), findings=()))
    blocks = next(section for section in document.sections if section.id == "data").blocks
    assert Note("Data quality: no rule was broken.", "good") in blocks


def test_a_table_with_a_ragged_row_is_refused() -> None:
    with pytest.raises(InputError, match="table: got '2 cells'; allowed: 1 cells, as columns; Caption"):
        Table("Caption", (Column("a"),), ((text("1"), text("2")),))


def test_unknown_measures_are_shown_under_their_own_name() -> None:
    story = make_story()
    row = dataclasses.replace(story.risk[0], measures={"sharpe": story.risk[0].measures["sharpe"], "omega": 1.25})
    table = next(
        block
        for section in build(replace(story, risk=(row,))).sections
        for block in section.blocks
        if isinstance(block, Table) and block.caption.startswith("Profit and risk")
    )
    assert [column.title for column in table.columns] == ["Series", "Sharpe", "omega"]
    assert table.rows[0][2].text == "1.25"


def _fields(outcome: str) -> dict[str, Any]:
    verdict = make_verdict()
    return {field.name: getattr(verdict, field.name) for field in dataclasses.fields(verdict)} | {"outcome": outcome}
