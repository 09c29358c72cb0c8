"""Sections on money: equity and risk with intervals, costs, attribution, best and worst windows, sturdiness."""

from __future__ import annotations

from karat.report._charts_money import attribution_chart, cost_chart, equity_chart, period_chart, seed_chart
from karat.report._document import Block, Cell, Column, Section, Table, absent, columns, num, text
from karat.report._format import MEASURES
from karat.report._story import Costs, Story

_NO_MONEY = "The run did not reach the point where positions are simulated."


def money(story: Story) -> Section:
    """Return equity, the risk table and the way from gross to net by cost and by instrument."""
    lead = (
        "Is it worth more after costs than cash, than what it shares with a baseline, and than one that Valid showed?"
    )
    blocks: list[Block] = [equity_chart(story.equity) if story.equity else absent("Equity", _NO_MONEY)]
    blocks.append(_risk(story) if story.risk else absent("Profit and risk", _NO_MONEY))
    blocks += [cost_chart(story.costs), _costs(story.costs)] if story.costs else [absent("Costs", _NO_MONEY)]
    if len(story.attribution) > 1:
        blocks.append(attribution_chart(story.attribution))
    blocks.append(_attribution(story) if story.attribution else absent("Attribution by instrument", _NO_MONEY))
    return Section("money", "Money", lead, tuple(blocks))


def scenarios(story: Story) -> Section:
    """Return best and worst windows, sub-periods and seeds."""
    lead = "How bad did it get, and does the result hang on a few dates or on one lucky seed?"
    blocks: list[Block] = [_windows(story) if story.windows else absent("Best and worst windows", _NO_MONEY)]
    if story.periods:
        blocks.append(period_chart(story.periods))
    if len(story.seeds) > 1:
        blocks.append(seed_chart(story.seeds))
    blocks.append(_periods(story) if story.periods else absent("Sub-periods", _NO_MONEY))
    blocks.append(_seeds(story) if story.seeds else absent("Seeds", "No model of this run draws random numbers."))
    return Section("scenarios", "Scenarios and sturdiness", lead, tuple(blocks))


def _risk(story: Story) -> Table:
    used = [key for key in MEASURES if any(key in row.measures for row in story.risk)]
    used += sorted({key for row in story.risk for key in row.measures} - set(MEASURES))
    rows = []
    for row in story.risk:
        cells = [num(row.measures.get(key), MEASURES[key].kind if key in MEASURES else "general") for key in used]
        rows.append((text(row.name), *cells))
    titles = ["Series", *(MEASURES[key].title if key in MEASURES else key for key in used)]
    marked = tuple(k for k, row in enumerate(story.risk) if row.role == "selected")
    return Table("Profit and risk after costs, with bootstrap 95 % intervals", columns(titles), tuple(rows), marked)


def _costs(costs: Costs) -> Table:
    rows: list[tuple[Cell, ...]] = [(text("Gross P&L"), num(costs.gross_usd, "usd"))]
    rows += [(text(name.replace("_", " ")), num(-value, "usd")) for name, value in costs.items_usd.items()]
    rows.append((text("Net P&L", tone="strong"), num(costs.net_usd, "usd", tone="strong")))
    return Table("Costs of the selected model, USD", columns(("Item", "USD")), tuple(rows), (len(rows) - 1,), half=True)


def _attribution(story: Story) -> Table:
    ordered = sorted(story.attribution, key=lambda row: (-row.net_usd, row.instrument))
    keys = ("gross_usd", "costs_usd", "net_usd")
    rows: list[tuple[Cell, ...]] = [
        (text(row.instrument), *(num(getattr(row, key), "usd") for key in keys)) for row in ordered
    ]
    totals = (num(sum(getattr(row, key) for row in ordered), "usd", tone="strong") for key in keys)
    rows.append((text("Total", tone="strong"), *totals))
    titles = ("Instrument", "Gross", "Costs", "Net")
    half = len(ordered) > 1  # beside the chart, which one instrument does not need
    return Table("P&L by instrument, USD", columns(titles), tuple(rows), (len(rows) - 1,), half=half)


def _windows(story: Story) -> Table:
    titles = ("Kind", "Window", "From", "To", story.selected or "Selected", story.baseline or "Baseline")
    rows = tuple(
        (
            text(row.kind, tone="bad" if row.kind != "best" else "good"),
            text(row.label),
            text(row.first),
            text(row.last),
            num(row.selected, "pct"),
            num(row.baseline, "pct"),
        )
        for row in story.windows
    )
    return Table("Best and worst windows of the selected model, returns after costs", columns(titles, words=4), rows)


def _periods(story: Story) -> Table:
    rows = tuple(
        (text(row.first), text(row.last), num(row.sharpe, "ratio", tone="good" if row.sharpe > 0 else "bad"))
        for row in story.periods
    )
    titles = ("From", "To", "Net Sharpe a year")
    return Table("Sub-periods in numbers", columns(titles, words=2), rows, summary="Sub-periods in numbers")


def _seeds(story: Story) -> Table:
    titles = (Column("Model", False), Column("Seed"), Column("Pinball"), Column("Net Sharpe a year"))
    rows = tuple(
        (text(row.model), text(str(row.seed)), num(row.pinball, "bps"), num(row.sharpe, "ratio")) for row in story.seeds
    )
    return Table("Seeds in numbers", titles, rows, summary="Seeds in numbers")
