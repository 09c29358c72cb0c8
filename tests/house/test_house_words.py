"""A count stands with its noun through `karat._words.counted`, so that no message says "1 rows"."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from karat._words import counted

SOURCES = Path(__file__).resolve().parents[2] / "src" / "karat"
BREAKS = {"and", "has", "in", "is", "of", "on", "share", "takes", "the", "when", "with"}
"""Words after which a plural belongs to something else than the value before them."""

CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+\b")
FRACTION = re.compile(r"\.\d+[fg%e]")

NO_COUNTS = {
    "evidence/_scores.py: {y.shape} outcomes": "the shape of an array",
    "features/_context.py: {self.bars} bars": "the name of a scale",
    "labels/_fold.py: {name} rows": "the name of a view",
    "market/_venue.py: {item.id} trades": "an instrument, and a verb",
}
"""Values before a plural that are no numbers."""


def nouns(trees: dict[str, ast.AST]) -> set[str]:
    """Return the plurals of all nouns that are counted somewhere: whoever counts a new one has it checked."""
    calls = (node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.Call))
    given = (call.args[1] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "counted")
    texts = (each.value for each in given if isinstance(each, ast.Constant))
    return {counted(2, str(text).split()[-1]).removeprefix("2 ") for text in texts}


def may_be_one(value: ast.FormattedValue) -> bool:
    """Return whether a value can be the number 1: it is no constant, and no number with decimals."""
    spec = ast.unparse(value.format_spec) if value.format_spec else ""
    return not CONSTANT.match(ast.unparse(value.value)) and not FRACTION.search(spec)


def counts(place: str, tree: ast.AST, plurals: set[str]) -> Iterator[str]:
    """Yield the places of a source where a plural is written after a value, with at most two words between."""
    pattern = re.compile(rf" ((?:[a-z-]+ ){{0,2}}(?:{'|'.join(sorted(plurals))}))\b")
    for node in (each for each in ast.walk(tree) if isinstance(each, ast.JoinedStr)):
        for value, text in zip(node.values, node.values[1:]):
            if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant) and may_be_one(value):
                found = pattern.match(str(text.value))
                if found and not BREAKS & set(found[1].split()):
                    yield f"{place}: {{{ast.unparse(value.value)}}} {found[1]}"


def test_a_count_and_its_noun_agree() -> None:
    files = sorted(SOURCES.rglob("*.py"))
    trees = {path.relative_to(SOURCES).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in files}
    plurals = nouns(trees)
    found = {each for place, tree in trees.items() for each in counts(place, tree, plurals)}
    assert found == set(NO_COUNTS), "write counted(n, 'row'), or take out what is not needed any more"


def test_a_planted_plural_is_found() -> None:
    planted = """
a = f"{len(x)} rows, {n:,} equal values, {counted(n, 'entry')}"
b = f"{_LEAST} rows or {MOST.of_all} rows, {age:.1f} days, {n} of its rows, {what} on rows"
"""
    plurals = nouns({"x.py": ast.parse("counted(1, 'row'), counted(n, 'other value'), counted(n, 'day')")})
    assert plurals == {"rows", "values", "days"}
    assert list(counts("x.py", ast.parse(planted), plurals)) == ["x.py: {len(x)} rows", "x.py: {n} equal values"]
