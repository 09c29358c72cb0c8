"""Every Python block of the pages runs, in the order of its page, and every suite that a page defines holds.

1. A page's blocks share one namespace and run in a fresh folder; warnings are errors.
2. A class `Test...` of a page is a suite: each of its tests is run.
3. Links lead to pages and headings that are there.
4. A block that needs a server ends, where none answers, in the error that names the remedy, and in no other.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from karat.core import KaratError

DOCS = Path(__file__).parents[2] / "docs"
SERVER = "RedisOnline("
NO_SERVER = r"start the server, or use MemoryOnline|extra 'online'"


def blocks(text: str) -> list[str]:
    """Return the Python blocks of a page, each with empty lines before it so that tracebacks name the page's lines."""
    found = re.finditer(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return ["\n" * text.count("\n", 0, each.start(1)) + each[1] for each in found]


def run(text: str, name: str) -> None:
    """Run a page's blocks and its suites."""
    space: dict[str, object] = {"__name__": "page"}
    for block in blocks(text):
        try:
            exec(compile(block, name, "exec"), space)
        except KaratError as error:
            if SERVER not in block or not re.search(NO_SERVER, str(error)):
                raise
    for value in list(space.values()):
        if inspect.isclass(value) and value.__name__.startswith("Test") and value.__module__ == "page":
            for title, test in inspect.getmembers(value(), inspect.ismethod):
                if title.startswith("test_"):
                    test()


PAGES = [page for page in sorted(DOCS.rglob("*.md")) if blocks(page.read_text(encoding="utf-8"))]


@pytest.mark.req("EXP-08", "QUAL-04")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(page.read_text(encoding="utf-8"), page.name)


def test_the_pages_whose_suites_are_run_have_some() -> None:
    suites = {page.name for page in PAGES if re.search(r"^class Test\w+\(", page.read_text("utf-8"), re.MULTILINE)}
    assert suites == {"add-a-forecaster.md", "add-a-source.md"}


def broken(page: Path) -> list[str]:
    """Return the links of a page that lead to no file of the documents, or to no heading of one."""
    found = []
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE) if file.is_file() else []
        slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
        if not file.is_file() or (anchor and anchor not in slugs):
            found.append(target)
    return found


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.relative_to(DOCS).as_posix())
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_planted_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n[a](page.md#a-page) [b](pag.md) [c](page.md#b-page) [d](#a-page) [e](https://x.org)\n")
    assert broken(page) == ["pag.md", "page.md#b-page"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("words\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", 8),
        ("```python\nclass TestIt:\n    def test_one(self):\n        assert 1 == 2\n```\n", 4),
        (f"```python\nclass {SERVER[:-1]}: pass\n{SERVER}1)\n```\n", 3),
    ],
    ids=["a later block that uses an earlier one", "a suite", "a wrong call in a block that needs a server"],
)
def test_a_planted_fault_is_found_in_its_line(text: str, line: int) -> None:
    with pytest.raises((AssertionError, TypeError)) as caught:
        run(text, "planted.md")
    assert [each.lineno for each in caught.traceback if str(each.path).endswith("planted.md")][-1] == line - 1
