"""The document both formats render: sections of blocks whose text is already formatted.

Invariants:
1. Everything here is plain text; escaping is the templates' work, done for every value without exception.
2. A table's rows are as long as its columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from karat._words import counted
from karat.core import InputError
from karat.report._format import interval, number
from karat.report._story import Estimate

Tone = Literal["", "good", "bad", "warn", "muted", "strong"]


@dataclass(frozen=True)
class Cell:
    """One cell: its text, an interval or remark in small type behind it, and a tone."""

    text: str
    small: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class Column:
    """A column title; numbers are right-aligned."""

    title: str
    numeric: bool = True
    code: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption that says how to read it; one with a `summary` opens on a click in HTML."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marked: tuple[int, ...] = ()
    summary: str = ""
    half: bool = False
    kind: str = "table"

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InputError(
                    "table", counted(len(row), "cell"), allowed=f"{len(self.columns)}, as columns", fix=self.caption
                )


@dataclass(frozen=True)
class Chart:
    """A drawing with its title, one sentence on how to read it, and a text alternative that carries its message."""

    title: str
    explain: str
    alt: str
    svg: str
    half: bool = False
    kind: str = "chart"


@dataclass(frozen=True)
class Facts:
    """Label and value pairs shown as tiles or as a list."""

    rows: tuple[tuple[str, Cell], ...]
    tiles: bool = False
    kind: str = "facts"


@dataclass(frozen=True)
class Note:
    """A paragraph; `code` shows it as a command."""

    text: str
    tone: Tone = ""
    code: bool = False
    kind: str = "note"


Block = Table | Chart | Facts | Note


@dataclass(frozen=True)
class Section:
    """A titled part of the report; `lead` says in plain words what it answers."""

    id: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class GateCard:
    """One gate of the verdict as shown: its state in words, the deciding numbers and the checks behind it."""

    number: int
    name: str
    question: str
    state: str
    tone: Tone
    facts: tuple[tuple[str, str], ...]
    reason: str
    checks: Table | None


@dataclass(frozen=True)
class Banner:
    """The verdict: outcome in one word, a headline, one sentence why, and what limits it."""

    outcome: str
    headline: str
    reason: str
    limits: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    description: str
    meta: tuple[tuple[str, str], ...]
    banner: Banner
    tiles: Facts
    warnings: tuple[str, ...]
    gates: tuple[GateCard, ...]
    sections: tuple[Section, ...]


def text(value: str, *, small: str = "", tone: Tone = "") -> Cell:
    """Return a text cell."""
    return Cell(value, small, tone)


def num(value: float | Estimate | None, kind: str, *, tone: Tone = "") -> Cell:
    """Return a cell with a number, or an estimate with its interval behind it."""
    if isinstance(value, Estimate):
        return Cell(number(value.value, kind), interval(value, kind), tone)
    return Cell(number(value, kind), "", tone)


def absent(what: str, why: str) -> Note:
    """Return the sentence that stands where a part of the report has no data."""
    return Note(f"{what}: not available. {why}", "muted")


def columns(titles: Sequence[str], *, words: int = 1) -> tuple[Column, ...]:
    """Return columns of which the first `words` hold text and the rest numbers."""
    return tuple(Column(title, numeric=k >= words) for k, title in enumerate(titles))
