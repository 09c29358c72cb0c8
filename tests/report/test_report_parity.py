"""The page and its Markdown twin say the same: every table cell, every fact, every chart's text alternative."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from report_factory import make_story

from karat.report import Story, write

Rows = list[list[str]]
NUMBER = re.compile(r"[−-]?\d[\d,]*(?:\.\d+)?(?:e[−+-]?\d+)?")


class Reader(HTMLParser):
    """Collects captions with their cells, facts, and chart captions."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[tuple[str, Rows]] = []
        self.facts: list[tuple[str, str]] = []
        self.captions: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("meta", "link", "use", "br"):
            return
        self.open.append(tag)
        if tag == "caption":
            self.tables.append(("", []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][1][-1].append("")
        elif tag == "dt":
            self.facts.append(("", ""))
        elif tag == "figcaption":
            self.captions.append("")

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "caption" in self.open:
            self.tables[-1] = (self.tables[-1][0] + data, self.tables[-1][1])
        elif "td" in self.open or "th" in self.open:
            self.tables[-1][1][-1][-1] += data
        elif "dt" in self.open:
            self.facts[-1] = (self.facts[-1][0] + data, "")
        elif "dd" in self.open:
            self.facts[-1] = (self.facts[-1][0], self.facts[-1][1] + data)
        elif "figcaption" in self.open:
            self.captions[-1] += data


def plain(markdown: str) -> str:
    """Undo the escapes of the twin."""
    text = re.sub(r"^\*\*(.*)\*\*$", r"\1", markdown.strip())
    text = re.sub(r"^`+ ?(.*?) ?`+$", r"\1", text)
    return html.unescape(re.sub(r"\\(.)", r"\1", text))


def markdown_tables(source: str) -> list[tuple[str, Rows]]:
    tables = []
    for match in re.finditer(r"^\*\*(.+)\*\*\n\n((?:\|.*\n)+)", source, flags=re.MULTILINE):
        lines = match[2].strip().splitlines()
        rows = [[plain(cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines if "---" not in line]
        tables.append((plain(match[1]), rows))
    return tables


def both(story: Story, folder: Path) -> tuple[Reader, str]:
    page, twin = write(story, folder)
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader, twin.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reader, str]:
    return both(make_story(instruments=3), tmp_path_factory.mktemp("panel"))


@pytest.mark.req("REP-01")
def test_every_table_has_the_same_cells_in_both(panel: tuple[Reader, str]) -> None:
    reader, twin = panel
    tables = markdown_tables(twin)
    assert len(tables) >= 18
    assert {caption for caption, _ in tables} == {caption for caption, _ in reader.tables}
    assert sorted(tables) == sorted(reader.tables)


@pytest.mark.req("REP-01")
def test_every_number_of_the_tables_is_in_both(panel: tuple[Reader, str]) -> None:
    reader, twin = panel
    of_page = [number for _, rows in reader.tables for row in rows for cell in row for number in NUMBER.findall(cell)]
    of_twin = [
        number for _, rows in markdown_tables(twin) for row in rows for cell in row for number in NUMBER.findall(cell)
    ]
    assert len(of_page) > 500
    assert sorted(of_page) == sorted(of_twin)


@pytest.mark.req("REP-01")
def test_facts_and_chart_texts_are_in_both(panel: tuple[Reader, str]) -> None:
    reader, twin = panel
    text = plain(twin)
    assert len(reader.facts) > 25
    for label, value in reader.facts:
        assert f"{label}:** {value}" in text
    assert len(reader.captions) == 11
    for caption in reader.captions:
        assert caption in text


@pytest.mark.req("REP-01")
def test_the_sections_a_report_promises_are_there(panel: tuple[Reader, str]) -> None:
    reader, twin = panel
    titles = ("Skill", "Forecasts", "Money", "Scenarios and sturdiness", "Trial history", "Data and leakage")
    for title in (*titles, "Reproduce", "Terms"):
        assert f"\n## {title}\n" in twin
    captions = {caption for caption, _ in reader.tables}
    assert "Profit and risk after costs, with bootstrap 95 % intervals" in captions
    assert "Best and worst windows of the selected model, returns after costs" in captions


@pytest.mark.req("REP-02")
def test_attribution_by_instrument_is_shown_with_its_total(panel: tuple[Reader, str]) -> None:
    story = make_story(instruments=3)
    reader, _ = panel
    rows = dict(reader.tables)["P&L by instrument, USD"]
    shown = [row[0] for row in rows]
    assert shown[0] == "Instrument"
    assert sorted(shown[1:-1]) == ["STOCK00", "STOCK01", "STOCK02"]
    assert shown[-1] == "Total"
    assert story.costs is not None
    assert rows[-1][3] == f"{story.costs.net_usd:,.0f}".replace("-", "−")
