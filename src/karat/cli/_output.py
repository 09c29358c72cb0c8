"""How verbs speak: one JSON object with `--json`, plain tables otherwise; results on stdout, progress on stderr.

Exit codes: 0 done; 1 the answer is no; 2 wrong input; 3 broken environment; 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from karat.core import KaratError

DOCS = "docs/how-to/read-an-error.md"


def emit(value: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Write one result to stdout."""
    sys.stdout.write((json.dumps(value, indent=2, sort_keys=True, default=str) if as_json else text.rstrip()) + "\n")


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a plain aligned table; numbers keep the text they came with."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(header), *(len(row[k]) for row in cells), 0) for k, header in enumerate(headers)]
    lines = ["  ".join(header.ljust(width) for header, width in zip(headers, widths, strict=True)).rstrip()]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


@contextmanager
def errors(*, as_json: bool, debug: bool) -> Iterator[None]:
    """Turn karat's own errors into a message and an exit code; with --debug the traceback is shown."""
    try:
        yield
    except KaratError as error:
        if debug:
            raise
        if as_json:
            sys.stdout.write(json.dumps(error.to_dict(), indent=2, sort_keys=True, default=str) + "\n")
        sys.stderr.write(f"error: {error}\n")
        if error.exit_code == 2:
            sys.stderr.write(f"help: {DOCS}\n")
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
