"""From `Document` to files: one HTML page and its Markdown twin, from the templates beside this module.

Invariants:
1. Every value is escaped by autoescape; the only markup passed through is that of the drawings made here.
2. The same story gives the same bytes; both files are rendered before either is written.
3. The page asks the network for nothing, and its content policy forbids scripts and requests.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from karat.report._build import build
from karat.report._document import Document
from karat.report._markdown import render_markdown
from karat.report._sections_verdict import banner, gate_cards
from karat.report._story import Story

if TYPE_CHECKING:
    from jinja2 import Environment

    from karat.evidence import Verdict


def write(story: Story, directory: str | Path) -> tuple[Path, Path]:
    """Write report.html and report.md into `directory`, which is made if missing, and return their paths.

    Raises:
        InputError: the story lacks provenance. DataError: its costs or attribution do not add up.

    Example:
        >>> write.__name__
        'write'
    """
    document = build(story)
    folder = Path(directory)
    pages = {folder / "report.html": render_html(document), folder / "report.md": render_markdown(document)}
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in pages.items():
        partial = path.with_suffix(path.suffix + ".partial")
        partial.write_text(content, encoding="utf-8", newline="\n")
        partial.replace(path)
    html, markdown = pages
    return html, markdown


def verdict_html(verdict: Verdict) -> str:
    """Return the verdict and its gates as a small HTML fragment for notebooks, escaped and without style."""
    template = _html().get_template("verdict.html.j2")
    return template.render(banner=banner(verdict), gates=gate_cards(verdict.gates)).strip()


def render_html(document: Document) -> str:
    """Return the page."""
    return _html().get_template("report.html.j2").render(doc=document)


@functools.cache
def _html() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("karat.report", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
