"""How verbs speak: one JSON object with `--json`, plain tables otherwise; results on stdout, progress on stderr.

Exit codes: 0 done; 1 the answer is no; 2 wrong input; 3 broken environment; 130 interrupted.

Invariants:
1. Nothing but the result reaches stdout; with `--json` it is one object, also for an error.
2. `--debug` adds the traceback and changes nothing else: code and message stay the same.
3. An error that karat did not foresee is called a fault of the program, never of the input.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

DOCS = "docs/how-to/read-an-error.md"


def emit(value: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Write one result to stdout."""
    sys.stdout.write((json.dumps(value, indent=2, sort_keys=True, default=str) if as_json else text.rstrip()) + "\n")
    sys.stdout.flush()


def say(line: str) -> None:
    """Write one line for the person who waits to stderr."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a plain aligned table; numbers keep the text they came with."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(header), *(len(row[k]) for row in cells), 0) for k, header in enumerate(headers)]
    lines = ["  ".join(header.ljust(width) for header, width in zip(headers, widths, strict=True)).rstrip()]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


def listed(facts: Mapping[str, object]) -> str:
    """Return a line for each fact, values below each other, lists and mappings written as a reader would."""
    width = max(len(key) for key in facts)
    return "\n".join(f"{key:<{width}}  {_plainly(value)}".rstrip() for key, value in facts.items())


def _plainly(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@contextmanager
def errors(*, as_json: bool, debug: bool) -> Iterator[None]:
    """Turn errors into a message and an exit code."""
    try:
        yield
    except BrokenPipeError:  # the reader of stdout has seen enough: `karat … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        _fail({"error": "KeyboardInterrupt", "message": "interrupted"}, 130, as_json=as_json, debug=debug)
    except ModuleNotFoundError as error:
        what = f"{error.name}: this library is missing; `karat doctor` names every one that is"
        _fail({"error": type(error).__name__, "message": what}, 3, as_json=as_json, debug=debug)
    except Exception as error:  # the supervisor of every verb: nothing may end in a traceback that was not asked for
        from karat.core import KaratError

        if isinstance(error, KaratError):
            _fail(error.to_dict(), error.exit_code, as_json=as_json, debug=debug)
        what = "cannot read or write" if isinstance(error, OSError) else "a fault of karat or of a plug-in"
        hint = "" if isinstance(error, OSError) else "; --debug shows where"
        facts = {"error": type(error).__name__, "message": f"{what}: {type(error).__name__}: {error}{hint}"}
        _fail(facts, 3, as_json=as_json, debug=debug)


def _fail(facts: Mapping[str, object], code: int, *, as_json: bool, debug: bool) -> None:
    if debug:
        say(traceback.format_exc())
    if as_json:
        emit({**facts, "exit_code": code}, "", as_json=True)
    say(f"error: {facts['message']}")
    if code == 2:
        say(f"help: {DOCS}")
    raise SystemExit(code) from None
