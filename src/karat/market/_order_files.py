"""Orders from a file: CSV, Parquet or JSON lines, one row for each order, cancel, amendment or target.

The columns are the fields of `Order`, `Cancel`, `Amend` and `Target`, with `action` to tell which one a row is (an
order without it); times may be called `ts` and `expires` and are ISO 8601 with a zone, or whole UTC nanoseconds.

Invariants:
1. A number is taken as the decimal that is written: CSV and JSON numbers never pass through a float.
2. Nothing is skipped: a column that no action has, or a value that a row's action does not have, is an error.
3. An error names the file, the row (from 1, without the header), the field and the value.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from karat.core import InputError, iso, nearest, to_ns
from karat.data import Events
from karat.kernels.market import layout as at
from karat.market._orders import Amend, Cancel, Intent, Intents, Order, Steps, Target

ACTIONS: Final[Mapping[str, type[Intent]]] = {"order": Order, "cancel": Cancel, "amend": Amend, "target": Target}
_TIMES: Final = {"ts": "ts_ns", "expires": "expires_ns"}
_FIELDS: Final = {
    action: {item.name: str(item.type) for item in dataclasses.fields(kind)} for action, kind in ACTIONS.items()
}
_COLUMNS: Final = tuple(dict.fromkeys(["action", *_TIMES, *(name for own in _FIELDS.values() for name in own)]))
_WORDS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TIMES_LESS: Final = 100  # than the first event: milliseconds since 1970 are a millionth of nanoseconds
_SUFFIXES: Final = (".csv", ".parquet", ".jsonl", ".ndjson")


def read_orders(path: str | Path, events: Events) -> Intents:
    """Return the orders of a file as rows for a market over these events.

    Raises:
        InputError: an unreadable file, an unknown column, or a row that does not fit; the message names it.
    """
    file = Path(path)
    steps, latest = Steps(events), 0
    rows: list[list[int]] = []
    for number, record in enumerate(_records(file), start=1):
        try:
            row = steps.row(_intent(record))
        except InputError as error:
            field = error.field.rpartition(".")[2]
            cell = next((name for name in (field, field.removesuffix("_ns")) if name in record), field)
            place, seen = f"{file.name} row {number}, {cell}", record.get(cell)
            raise InputError(place, seen, allowed=error.allowed, why=error.why, fix=error.fix) from None
        if rows and row[at.T_TS] < latest:
            why = f"it is before the row above, {latest}"
            raise InputError(f"{file.name} row {number}, ts", row[at.T_TS], why=why, fix="sort the rows by ts")
        if len(events) and 0 < _TIMES_LESS * row[at.T_TS] < events.ts[0]:
            why, fix = f"it is {iso(row[at.T_TS])}", "write UTC nanoseconds, not seconds, or ISO 8601 with a zone"
            raise InputError(f"{file.name} row {number}, ts", row[at.T_TS], why=why, fix=fix)
        latest = row[at.T_TS]
        rows.append(row)
    return Intents(np.array(rows, dtype=np.int64).reshape(len(rows), at.INTENT))


def _records(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file without their empty cells."""
    if not file.is_file():
        raise InputError("orders", str(file), why="no such file", fix="give a .csv, .parquet or .jsonl file")
    if file.suffix not in _SUFFIXES:
        raise InputError("orders", file.name, allowed=f"a file that ends in {', '.join(_SUFFIXES)}")
    if file.suffix in (".jsonl", ".ndjson"):
        yield from _json_records(file)
        return
    try:
        frame = pl.read_csv(file, infer_schema=False) if file.suffix == ".csv" else pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        why = str(error).splitlines()[0]
        raise InputError("orders", file.name, why=why, fix="write it again as a table with a header") from None
    for name in frame.columns:
        _known_column(file.name, name)
    for record in frame.iter_rows(named=True):
        yield {name: value for name, value in record.items() if value is not None and value != ""}


def _json_records(file: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, parse_float=Decimal)
        except ValueError as error:
            raise InputError(f"{file.name} line {number}", line, why=str(error), fix="one JSON object a line") from None
        if not isinstance(record, dict):
            raise InputError(f"{file.name} line {number}", line, allowed="one JSON object a line")
        for name in record:
            _known_column(f"{file.name} line {number}", name)
        yield {name: value for name, value in record.items() if value is not None}


def _known_column(place: str, name: str) -> None:
    if name not in _COLUMNS:
        raise InputError(f"{place}, column", name, allowed=_COLUMNS)


def _intent(record: dict[str, Any]) -> Intent:
    action = str(record.get("action", "order"))
    if action not in ACTIONS:
        raise InputError("action", action, allowed=list(ACTIONS))
    fields, values = _FIELDS[action], {}
    for name, value in record.items():
        field = _TIMES.get(name, name)
        if name == "action":
            continue
        if field not in fields:
            guess = nearest(name, list(fields))
            fix = f"did you mean {guess!r}?" if guess else "leave the cell empty"
            raise InputError(name, value, why=f"a row with action '{action}' has no {name}", fix=fix)
        values[field] = _value(name, value, fields[field])
    for item in dataclasses.fields(ACTIONS[action]):
        needed = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if needed and item.name not in values:
            name = "ts" if item.name == "ts_ns" else item.name
            raise InputError(name, None, why=f"a row with action '{action}' needs it", fix="fill it in")
    return ACTIONS[action](**values)


def _value(name: str, value: Any, kind: str) -> Any:
    """Return a cell as its field has it; `kind` is the field's annotation."""
    if name in _TIMES or name in _TIMES.values():
        return _time(name, value)
    if kind == "bool":
        word = _WORDS.get(str(value).lower())
        if word is None:
            raise InputError(name, value, allowed="true or false")
        return word
    if kind == "int":
        return _whole(name, value)
    if "Number" in kind or "float" in kind:
        number = _decimal(name, value)
        return float(number) if "float" in kind else number
    return str(value)


def _time(name: str, value: Any) -> int:
    if isinstance(value, int | np.integer) or (isinstance(value, str) and value.lstrip("-").isdecimal()):
        return int(value)
    return to_ns(value, field=name)


def _whole(name: str, value: Any) -> int:
    number = _decimal(name, value)
    if number != int(number):
        raise InputError(name, value, allowed="a whole number")
    return int(number)


def _decimal(name: str, value: Any) -> Decimal:
    try:
        number = Decimal(str(value).strip())
    except ArithmeticError:
        raise InputError(name, value, allowed="a number") from None
    if isinstance(value, bool) or not number.is_finite():
        raise InputError(name, value, allowed="a finite number")
    return number
