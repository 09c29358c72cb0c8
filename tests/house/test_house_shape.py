"""Functions stay short and take few arguments; what does not is named here with its reason, and nothing else is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "src" / "karat"
MOST_PARAMETERS, MOST_LINES, MOST_LINES_OF_A_KERNEL = 6, 60, 120
COMPILED = ("compiled", "exported")

EXCEPTIONS = {
    "data/_event_builders.py::events_from_bars": "bars, and six declarations that are all of a file",
    "evidence/_identity.py::identity_check": "columns, keys, and what is known of columns",
    "evidence/_max_t.py::max_t": "series, the three settings of a bootstrap, and two counts",
    "features/_graph.py::Node.__init__": "the fields of a node",
    "features/_graph.py::node": "the fields of a node",
    "market/_rule_checks.py::check_luld_bands": "the facts that a rule reads",
    "market/_rules_engine.py::RulesEngine.execution": "the facts that a rule reads",
    "market/_rules_engine.py::RulesEngine.order": "the facts that a rule reads",
    "market/_sweep.py::sweep": "what is swept, how it is traded, and where it is written",
}
"""Functions with more than six parameters that are neither kernels, verbs nor sources."""


def functions(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions of a module with their names; those within functions are part of them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from functions(node, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield f"{inside}{node.name}", node


def parameters(node: ast.FunctionDef) -> list[str]:
    """Return the names of a function's parameters but self and cls."""
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    starred = [each for each in (node.args.vararg, node.args.kwarg) if each is not None]
    return [each.arg for each in (*given, *starred) if each.arg not in ("self", "cls")]


def lines(node: ast.FunctionDef) -> int:
    """Return the lines of a function's body without its docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def is_kernel(node: ast.FunctionDef) -> bool:
    """Return whether a function is compiled: numbers and arrays are all that can be handed over."""
    called = (each.func if isinstance(each, ast.Call) else each for each in node.decorator_list)
    return any(isinstance(each, ast.Name) and each.id in COMPILED for each in called)


def may_take_more(place: str, name: str, node: ast.FunctionDef) -> bool:
    """Return whether the parameters are no choice: a kernel's, a verb's options, the keys of a source in YAML."""
    verb = place.startswith("cli/") and {"json", "debug"} <= set(parameters(node))
    source = place.startswith("data/") and name.endswith("Source.__init__")
    return is_kernel(node) or verb or source


def too_wide(place: str, source: str) -> list[str]:
    """Return the functions of a source with more parameters than a reader can hold."""
    return [
        f"{place}::{name}"
        for name, node in functions(ast.parse(source))
        if len(parameters(node)) > MOST_PARAMETERS and not may_take_more(place, name, node)
    ]


def too_long(place: str, source: str) -> list[str]:
    """Return the functions of a source whose body is too long."""
    return [
        f"{place}::{name}"
        for name, node in functions(ast.parse(source))
        if lines(node) > (MOST_LINES_OF_A_KERNEL if place.startswith("kernels/") else MOST_LINES)
    ]


def sources() -> Iterator[tuple[str, str]]:
    """Yield (place, source) of every file."""
    for path in sorted(SOURCES.rglob("*.py")):
        yield path.relative_to(SOURCES).as_posix(), path.read_text(encoding="utf-8")


def test_functions_take_few_parameters_or_say_why() -> None:
    found = {name for place, source in sources() for name in too_wide(place, source)}
    assert found == set(EXCEPTIONS), "give them a frozen record, or take a name out that is not needed any more"


def test_bodies_are_short() -> None:
    assert [name for place, source in sources() for name in too_long(place, source)] == []


def test_a_planted_function_is_found() -> None:
    wide = "def f(a, b, c, d, e, f, *, g): return a"
    assert too_wide("study/_x.py", wide) == ["study/_x.py::f"]
    assert too_wide("study/_x.py", f"class A:\n    {wide}") == ["study/_x.py::A.f"]
    assert too_wide("kernels/_x.py", f'@compiled("f8(f8)")\n{wide}') == []
    assert too_wide("cli/_x.py", "def f(a, b, c, d, e, json, debug): return a") == []
    assert too_wide("data/_x.py", "class XSource:\n    def __init__(self, a, b, c, d, e, f, g): self.a = a") == []
    assert too_wide("study/_x.py", "def f(self, a, b, c, d, e, f): return a") == []
    body = "\n".join(["    x = 1"] * 61)
    assert too_long("study/_x.py", f'def f():\n    """Say."""\n{body}') == ["study/_x.py::f"]
    assert too_long("kernels/_x.py", f"def f():\n{body}") == []
