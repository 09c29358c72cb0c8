"""What a report refuses, what it says when something is missing, and the words of the verdict."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from report_factory import bare_story, make_story, make_verdict, replace

from karat.core import DataError, InputError
from karat.evidence import Verdict
from karat.report import AttributionRow, Costs, write
from karat.report._build import build
from karat.report._document import Cell, Column, Facts, Note, Table, text
from karat.report._sections_money import money, scenarios
from karat.report._sections_origin import data
from karat.report._sections_skill import forecasts
from karat.report._sections_verdict import banner, gate_cards, tiles


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
    page, twin = write(bare_story(), tmp_path)
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


def test_fan_without_calibration_is_stated() -> None:
    blocks = forecasts(replace(make_story(), calibration=None)).blocks
    assert [block.kind for block in blocks] == ["chart", "note"]


@pytest.mark.parametrize("outcome", ["accepted", "rejected", "indistinguishable", "invalid"])
def test_the_verdict_in_plain_words(outcome: str) -> None:
    shown = banner(make_verdict(outcome))
    assert shown.outcome == outcome
    assert shown.headline.endswith(".")
    limits = " ".join(shown.limits)
    assert ("Provisional until frozen forward days confirm it: 0 frozen" in limits) == (outcome == "accepted")
    assert tiles(make_verdict(outcome)).rows[1] == ("Detectable Sharpe a year", Cell("0.82", "with 80 % power"))


def test_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(InputError, match=r"verdict\.outcome: got 'acepted'.*did you mean 'accepted'"):
        banner(Verdict(**_fields("acepted")))


def test_gate_states_and_printed_checks() -> None:
    gates = make_verdict().gates
    cards = gate_cards((*gates[1:], dataclasses.replace(gates[0], passed=None)))
    assert [card.state for card in cards] == ["not evaluated", "passed", "failed", "passed"]
    skill, sturdy = cards[1].checks, cards[3].checks
    assert skill is not None
    assert sturdy is not None
    assert [row[3].text for row in skill.rows] == ["printed only", "printed only"]
    assert [row[3].text for row in sturdy.rows] == ["passed", "not evaluated", "passed", "passed"]


def test_numbers_a_verdict_lacks_are_dashes() -> None:
    nan = float("nan")
    for changes in ({"net_excess_sharpe": nan}, {"net_excess_sharpe": None, "net_excess_interval": None}):
        assert tiles(make_verdict(**changes)).rows[0][1].text == "–"
    assert tiles(make_verdict(net_excess_interval=(nan, nan))).rows[0][1].small == ""
    assert tiles(make_verdict(net_excess_interval=None)).rows[0][1].small == ""


def test_instruments_of_a_wide_panel_are_cut_and_counted() -> None:
    facts = data(make_story(instruments=30)).blocks[0]
    assert isinstance(facts, Facts)
    cell = dict(facts.rows)["Instruments"]
    assert cell.small == "and 6 more"


def test_words_made_elsewhere_are_set_well() -> None:
    document = build(make_story())
    assert dict(document.meta)["Finished"] == "2030-01-02T03:04:05Z"
    assert dict(document.gates[1].facts)["threshold"] == "p ≤ 0.0038"
    lower = dataclasses.replace(make_verdict().gates[1], reason="not shown: p = 0.1, needed p <= 0.0038")
    assert gate_cards([lower])[0].reason == "Not shown: p = 0.1, needed p ≤ 0.0038"


def test_one_seed_is_a_row_and_no_drawing() -> None:
    story = make_story()
    blocks = scenarios(replace(story, seeds=story.seeds[:1])).blocks
    assert [getattr(block, "title", "") for block in blocks if block.kind == "chart"] == ["Through time"]
    assert any(isinstance(block, Table) and block.caption == "Seeds in numbers" for block in blocks)


def test_clean_data_says_so() -> None:
    assert Note("Data quality: no rule was broken.", "good") in data(replace(make_story(), findings=())).blocks


def test_a_table_with_a_ragged_row_is_refused() -> None:
    with pytest.raises(InputError, match="table: got '2 cells'; allowed: 1, as columns; Caption"):
        Table("Caption", (Column("a"),), ((text("1"), text("2")),))


def test_unknown_measures_are_shown_under_their_own_name() -> None:
    story = make_story()
    row = dataclasses.replace(story.risk[0], measures={"sharpe": story.risk[0].measures["sharpe"], "omega": 1.25})
    table = next(
        block
        for block in money(replace(story, risk=(row,))).blocks
        if isinstance(block, Table) and block.caption.startswith("Profit and risk")
    )
    assert [column.title for column in table.columns] == ["Series", "Sharpe", "omega"]
    assert table.rows[0][2].text == "1.25"


def _fields(outcome: str) -> dict[str, Any]:
    verdict = make_verdict()
    return {field.name: getattr(verdict, field.name) for field in dataclasses.fields(verdict)} | {"outcome": outcome}
