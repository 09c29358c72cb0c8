"""Sections on origin: trial history, data and its quality, leakage, splits, and how to repeat the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karat._words import counted
from karat.report._charts_data import fold_chart
from karat.report._document import Block, Cell, Column, Facts, Note, Section, Table, absent, num, text
from karat.report._format import MEASURES, flatten, number, prose, scalar
from karat.report._sections_verdict import check_table
from karat.report._story import SourceRow, Story

if TYPE_CHECKING:
    from karat.evidence import Forward

_TERMS = (
    ("Pinball loss", "mean distance between forecast quantiles and outcome, weighted so that honest quantiles win"),
    ("CRPS", "distance between the whole forecast distribution and the outcome; twice the pinball over all quantiles"),
    ("Log loss, Brier", "scores of the nine signed return classes"),
    ("PIT", "the forecast probability of an outcome at most as large as the one that came; uniform if honest"),
    ("Net excess Sharpe", "Sharpe of returns after costs over cash, a baseline's share, or a baseline: the hardest"),
    ("bp", "basis point, one hundredth of a per cent"),
)


def history(story: Story) -> Section:
    """Return every trial and opening of Test of the family, as the ledger knows them."""
    lead = "How often was it tried? Counted from the ledger: every study whose instruments and test dates overlap."
    blocks: list[Block] = [_trials(story) if story.trials else absent("Trials", "The ledger holds none.")]
    blocks.append(_openings(story) if story.openings else absent("Openings of Test", "Test was not opened."))
    if story.forward is not None:
        blocks.append(_forward(story.forward))
    if story.ledger:
        blocks.append(Facts(tuple((f"Ledger {key}", text(scalar(value))) for key, value in flatten(story.ledger))))
    return Section("history", "Trial history", lead, tuple(blocks))


def data(story: Story) -> Section:
    """Return provenance, quality, leakage guards, features and splits."""
    lead = "What was it learned from, is that data sound, and could the future have leaked into the past?"
    blocks: list[Block] = [Facts(_source(source)) for source in story.sources]
    blocks.append(_findings(story) if story.findings else Note("Data quality: no rule was broken.", "good"))
    blocks.append(_guards(story) or absent("Leakage guards", "Gate 0 lists none."))
    if story.folds:
        blocks += [fold_chart(story.folds), _folds(story)]
    else:
        blocks.append(absent("Splits", "The run recorded no folds."))
    blocks.append(_features(story) if story.features else absent("Features", "The run built none."))
    return Section("data", "Data and leakage", lead, tuple(blocks))


def reproduce(story: Story) -> Section:
    """Return the command, the environment and the resolved configuration."""
    lead = "Everything needed to get the same numbers again."
    settings = Table(
        "Resolved configuration, every default included",
        (Column("Key", False, code=True), Column("Value", False)),
        tuple((text(key), text(scalar(value))) for key, value in flatten(story.config)),
        summary="Resolved configuration",
    )
    machine = Table(
        "Environment of the run",
        (Column("Key", False, code=True), Column("Value", False)),
        tuple((text(key), text(scalar(value))) for key, value in flatten(story.environment)),
        summary="Environment",
    )
    return Section("reproduce", "Reproduce", lead, (Note(story.command, code=True), settings, machine))


def glossary(story: Story) -> Section:
    """Return what the words mean."""
    used = {key for row in story.risk for key in row.measures}
    measures = [(entry.title, entry.meaning) for key, entry in MEASURES.items() if key in used]
    rows = tuple((term, text(meaning)) for term, meaning in (*_TERMS, *measures))
    return Section("terms", "Terms", "What the words mean.", (Facts(rows),))


def _forward(found: Forward) -> Facts:
    """Return where the frozen selection stands on days that came after it."""
    rows = [
        ("Frozen forward days", Cell(scalar(found.days), f"the first {scalar(found.needed)} are tested")),
        ("Forward test", Cell(found.state, prose(found.text))),
    ]
    if found.state != "waiting":
        rows += [
            ("p skill, forward", Cell(number(found.skill_p, "p"), f"against {found.rival}")),
            ("p money, forward", num(found.money_p, "p")),
            ("Net excess Sharpe a year, forward", num(found.net_excess_sharpe, "ratio")),
        ]
    return Facts(tuple(rows))


def _trials(story: Story) -> Table:
    rows = tuple(
        (
            Cell(row.name, row.id[:12]),
            text(row.study),
            text(row.run_id),
            text(row.horizon),
            num(row.skill_p, "p"),
            num(row.money_p, "p"),
            text("stored" if row.stored else "not stored", tone="muted" if row.stored else "warn"),
        )
        for row in story.trials
    )
    names = ("Trial", "Study", "Run", "Horizon", "p skill", "p money", "Series")
    titles = tuple(Column(name, numeric=name.startswith("p ")) for name in names)
    marked = tuple(k for k, row in enumerate(story.trials) if row.selected)
    terms = "one-sided p-values adjusted over the family; a trial without a stored series counts as an independent one"
    return Table(f"{counted(len(story.trials), 'trial')}; {terms}", titles, rows, marked)


def _openings(story: Story) -> Table:
    rows = tuple(
        (text(str(row.number)), text(row.study), text(row.run_id), num(row.alpha, "alpha")) for row in story.openings
    )
    titles = (Column("Opening"), Column("Study", False), Column("Run", False), Column("α it may spend"))
    marked = tuple(k for k, row in enumerate(story.openings) if row.current)
    return Table("Openings of Test by this family; each later one may spend less", titles, rows, marked)


def _source(source: SourceRow) -> tuple[tuple[str, Cell], ...]:
    shown = ", ".join(source.instruments[:24])
    more = len(source.instruments) - 24
    rows = [
        ("Source", Cell(source.name, f"joined as {source.joined_as}" if source.joined_as else "")),
        ("Origin", text(source.origin)),
        ("Licence", text(source.licence)),
        ("Dates", text(f"{source.first} to {source.last}")),
        ("Rows", num(source.rows, "count")),
        ("Instruments", Cell(shown, f"and {more} more" if more > 0 else "")),
        ("Calendar", text(source.calendar)),
        ("Prices", text(source.prices)),
        ("Preprocessing", text("; ".join(source.preprocessing))),
        ("Notes", text("; ".join(source.notes))),
        ("Content SHA-256", text(source.content_hash)),
    ]
    return tuple((label, cell) for label, cell in rows if cell.text)


def _findings(story: Story) -> Table:
    rows = tuple(
        (
            text(row.severity, tone="bad" if row.severity == "error" else "warn"),
            text(row.table),
            text(row.rule),
            num(row.rows, "count"),
            text(row.remedy),
        )
        for row in story.findings
    )
    names = ("Severity", "Table", "Rule", "Rows", "Remedy")
    return Table("Data quality", tuple(Column(name, numeric=name == "Rows") for name in names), rows)


def _guards(story: Story) -> Table | None:
    checks = [check for gate in story.verdict.gates if gate.number == 0 for check in gate.checks]
    return check_table("Leakage and validity guards (gate 0)", checks)


def _folds(story: Story) -> Table:
    rows = []
    for row in story.folds:
        cells: list[Cell] = [text(f"{row.role} {row.index}")]
        for (first, last), n in ((row.train, row.n_train), (row.valid, row.n_valid), (row.test, row.n_test)):
            cells += [text(f"{first} to {last}" if first else ""), num(n, "count")]
        rows.append(tuple(cells))
    names = ("Fold", "Train", "Rows", "Valid", "Rows", "Test", "Rows")
    titles = tuple(Column(name, numeric=name == "Rows") for name in names)
    return Table("Splits in numbers, after purging", titles, tuple(rows), summary="Splits in numbers")


def _features(story: Story) -> Table:
    rows = tuple(
        (
            text(row.name),
            text(row.category),
            text(row.formula),
            num(row.lookback, "count"),
            text(f"absent: {row.absent}" if row.absent else "used", tone="warn" if row.absent else "good"),
        )
        for row in story.features
    )
    names = ("Feature", "Category", "Formula", "Lookback", "State")
    used = sum(not row.absent for row in story.features)
    caption = f"Features: {used} used, {len(story.features) - used} absent"
    titles = tuple(Column(name, name == "Lookback", name in ("Feature", "Formula")) for name in names)
    return Table(caption, titles, rows, summary=caption)
