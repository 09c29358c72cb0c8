"""The Markdown twin: the same document, every value escaped, nothing left out but the drawings.

Invariants:
1. Text is taken literally by Markdown and by the HTML inside it, and stays on its line.
2. Every table, fact and text alternative of the page is here, in the same order and with the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from karat.report._document import Block, Cell, Chart, Document, Facts, GateCard, Note, Section, Table

_SPACE: Final = re.compile(r"[ \t\n\r\f\v]+")  # what ends a line or a word in Markdown; a no-break space stays
_SPECIAL: Final = re.compile(r"([\\`*\[\]|~])")
_EDGE_UNDERSCORE: Final = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def render_markdown(document: Document) -> str:
    """Return the document as Markdown, ending in one newline."""
    paragraphs = [*_head(document)]
    for section in document.sections:
        paragraphs += _section(section)
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def escape(value: str) -> str:
    """Return text that Markdown and the HTML within it take literally, on one line.

    Example:
        >>> escape("<i> patch_transformer *x*")
        '&lt;i&gt; patch_transformer \\\\*x\\\\*'
    """
    text = _SPACE.sub(" ", value).strip(" ").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = _EDGE_UNDERSCORE.sub(r"\\_", _SPECIAL.sub(r"\\\1", text))
    return f"\\{text}" if text[:1] in ("#", "+", "-", "=") else text


def code(value: str) -> str:
    """Return a code span that its content cannot leave, also inside a table; empty text stays empty."""
    text = _SPACE.sub(" ", value).strip(" ").replace("|", "\\|")
    if not text:
        return ""
    fence = "`" * (max((len(run) for run in re.findall(r"`+", text)), default=0) + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _head(document: Document) -> Iterator[str]:
    yield f"# {escape(document.title)}"
    yield escape(document.description)
    yield _list(document.meta)
    banner = document.banner
    yield f"## Verdict: {escape(banner.outcome)}"
    yield f"**{escape(banner.headline)}** {escape(banner.reason)}"
    yield from (escape(limit) for limit in banner.limits)
    yield _facts(document.tiles)
    yield "\n".join(f"- **Warning:** {escape(warning)}" for warning in document.warnings)
    for gate in document.gates:
        yield from _gate(gate)


def _gate(gate: GateCard) -> Iterator[str]:
    yield f"### Gate {gate.number}, {escape(gate.name)}: {escape(gate.state)}"
    yield f"*{escape(gate.question)}*"
    yield _list(gate.facts)
    yield escape(gate.reason)
    if gate.checks:
        yield from _table(gate.checks)


def _section(section: Section) -> Iterator[str]:
    yield f"## {escape(section.title)}"
    yield escape(section.lead)
    for block in section.blocks:
        yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Chart):
        yield f"**{escape(block.title)}.** {escape(block.explain)} {escape(block.alt)}"
    elif isinstance(block, Facts):
        yield _facts(block)
    else:
        yield _note(block)


def _table(table: Table) -> Iterator[str]:
    yield f"**{escape(table.caption)}**"
    lines = [
        _row([escape(column.title) for column in table.columns]),
        _row(["---:" if column.numeric else "---" for column in table.columns]),
    ]
    for cells in table.rows:
        lines.append(_row([code(c.text) if k.code else _cell(c) for c, k in zip(cells, table.columns)]))
    yield "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    text = f"**{text}**" if cell.tone == "strong" and text else text
    return f"{text} {escape(cell.small)}" if cell.small else text


def _facts(facts: Facts) -> str:
    return "\n".join(f"- **{escape(label)}:** {_cell(cell)}" for label, cell in facts.rows)


def _list(pairs: tuple[tuple[str, str], ...]) -> str:
    return "\n".join(f"- **{escape(label)}:** {escape(value)}" for label, value in pairs)


def _note(note: Note) -> str:
    return code(note.text) if note.code else escape(note.text)
