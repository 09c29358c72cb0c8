"""Reads Python source for places where an instrument's identity can become a number that a model learns from.

A hit is a mention of an identity (`instrument`, `symbol`, `puzzle_id`, …) as a name, an alias of one, an attribute, a
key or a column, and a hit names what is made of it: a one-hot, an embedding, a code, a hash, or just its use. Mentions
that only route are no hits: grouping, joining and sorting, logging, error messages.

Invariants:
1. A line that ends in `# id: REASON` and a place on the allow list are no hits; nothing else is excused.
2. An alias is followed through assignments of its file, in the order of the lines.
3. Source that does not parse is refused, never passed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from karat.core import InputError

IDENTITIES: Final = frozenset(
    ("instrument", "instruments", "instrument_id", "symbol", "symbols", "ticker", "tickers", "isin", "cusip", "figi")
) | {"permno", "puzzle_id", "sample_id"}
_ROUTING: Final = frozenset(
    ("group_by", "groupby", "partition_by", "over", "sort", "sort_values", "join", "join_asof", "unique", "filter")
) | {"rename", "drop", "select"}
_SPEAKING: Final = frozenset(
    ("debug", "info", "warning", "error", "exception", "critical", "log", "warn", "print", "say")
)
_MAKERS: Final = {
    "get_dummies": "one-hot",
    "to_dummies": "one-hot",
    "one_hot": "one-hot",
    "OneHotEncoder": "one-hot",
    "eye": "one-hot",
    "Embedding": "embedding",
    "EmbeddingBag": "embedding",
    "LabelEncoder": "code",
    "OrdinalEncoder": "code",
    "factorize": "code",
    "to_physical": "code",
    "searchsorted": "code",
    "hash": "hash",
    "crc32": "hash",
    "md5": "hash",
    "sha256": "hash",
}
_CARRYING: Final = frozenset(
    ("asarray", "array", "list", "tuple", "set", "sorted", "unique", "enumerate", "zip", "str", "col", "get", "getattr")
)
_PRAGMA: Final = re.compile(r"#\s*id:\s*\S")


@dataclass(frozen=True)
class IdHit:
    """One place: file, line, the function it is in, the form of the mention, and the source of it."""

    where: str
    line: int
    function: str
    form: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}:{self.line} {self.form}: {self.text}"


def scan_source(text: str, where: str, *, allow: Collection[str] = ()) -> list[IdHit]:
    """Return the hits of one source, by line. `allow` holds `file` or `file::function` in which mentions are routing.

    Raises:
        InputError: the source does not parse.

    Example:
        >>> [str(hit) for hit in scan_source("row = view.symbol", "mine.py")]
        ['mine.py:1 attribute: view.symbol']
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise InputError("source", where, why=f"line {error.lineno} does not parse: {error.msg}") from None
    if where in allow:
        return []
    reader = _Reader(where)
    reader.visit(tree)
    lines = text.splitlines()
    kept = [hit for hit in reader.hits if f"{where}::{hit.function}" not in allow]
    return sorted((hit for hit in kept if not _PRAGMA.search(lines[hit.line - 1])), key=lambda hit: hit.line)


class _Reader(ast.NodeVisitor):
    """Walks a tree in the order of its lines, knowing aliases, the function it is in and what is made of a mention."""

    def __init__(self, where: str) -> None:
        self.hits: list[IdHit] = []
        self._where = where
        self._function: list[str] = []
        self._aliases: set[str] = set()
        self._made: list[str] = []

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._function.append(node.name)
        outer, self._aliases = self._aliases, set(self._aliases)
        for part in [*node.decorator_list, *node.body]:
            self.visit(part)
        self._aliases = outer
        self._function.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Raise(self, node: ast.Raise) -> None:
        return

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._alias(target, node.value)
            if not isinstance(target, ast.Name):
                self.visit(target)
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._alias(node.target, node.value)
            self.visit(node.value)

    def visit_For(self, node: ast.For) -> None:
        self._alias(node.target, node.iter)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = _called(node)
        if name in _SPEAKING:
            return
        if name in _ROUTING:
            self.visit(node.func)
            return
        if name in _MAKERS:
            self._made.append(_MAKERS[name])
        self.generic_visit(node)
        if name in _MAKERS:
            self._made.pop()

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and (node.id in IDENTITIES or node.id in self._aliases):
            self._hit(node, "name" if node.id in IDENTITIES else "alias")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if _is_identity(node):
            self._hit(node, "attribute")
        else:
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if _is_key(node):
            self._hit(node, "key")

    def _alias(self, target: ast.expr, value: ast.expr) -> None:
        names = {item.id for item in ast.walk(target) if isinstance(item, ast.Name)}
        if self._denotes(value):
            self._aliases |= names
        else:
            self._aliases -= names

    def _denotes(self, value: ast.expr) -> bool:
        """Return whether an expression is an identity, not only made with the help of one."""
        if isinstance(value, ast.Name):
            return value.id in self._aliases or value.id in IDENTITIES
        if isinstance(value, ast.Attribute):
            return _is_identity(value)
        if isinstance(value, ast.Subscript):
            return _is_key(value.slice) or self._denotes(value.value)
        if isinstance(value, ast.Call):
            base = isinstance(value.func, ast.Attribute) and self._denotes(value.func.value)
            given = _called(value) in _CARRYING and any(_is_key(item) or self._denotes(item) for item in value.args)
            return base or given
        if isinstance(value, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            return any(self._denotes(part.iter) for part in value.generators)
        return False

    def _hit(self, node: ast.expr, form: str) -> None:
        made = self._made[-1] if self._made else form
        place = self._function[-1] if self._function else "module"
        self.hits.append(IdHit(self._where, node.lineno, place, made, ast.unparse(node)))


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _is_key(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in IDENTITIES


def _is_identity(node: ast.Attribute) -> bool:
    """Return whether an attribute is an identity; `code` is one of a table's."""
    if node.attr == "code":
        return ast.unparse(node.value).rpartition(".")[2] == "table"
    return node.attr in IDENTITIES
