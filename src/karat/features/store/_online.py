"""Online storage: the latest values of each instrument, where a strategy looks before it decides.

Invariants:
1. What is served is older than or equal to what was put last; a value with an earlier `ts` never replaces a later one.
2. A value travels as bytes with the id of its definition: another definition is never served in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from karat.core import DataError, InputError, require
from karat.features._rows import check_instant
from karat.features._spec import Floats

_TIMES = 40  # digits of `ts` and `known_at` before the values
_OFFSET = 2**63


@dataclass(frozen=True, eq=False)
class Served:
    """The latest features of an instrument: (p,) float64 values with the bar's `ts` and `known_at`, int64 UTC ns."""

    instrument: str
    ts: int
    known_at: int
    values: Floats


def check_row(row: object, n: int) -> None:
    """Refuse what is no row of n features.

    Raises:
        InputError: the part that is another.
    """
    if not isinstance(row, Served):
        raise InputError("row", type(row).__name__, allowed="Served(instrument, ts, known_at, values)")
    if not isinstance(row.instrument, str):
        raise InputError("row.instrument", row.instrument, allowed="its name, such as 'AAPL.XNAS'")
    check_instant(row.ts, "row.ts")
    check_instant(row.known_at, "row.known_at")
    values = row.values
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu" or values.shape != (n,):
        array = isinstance(values, np.ndarray)
        seen = f"{values.dtype}, shape {values.shape}" if array else type(values).__name__
        raise InputError("values", seen, allowed=f"a float64 array of shape ({n},)")


class Online(Protocol):
    """What holds the latest values; `MemoryOnline` and `RedisOnline` do."""

    def put(self, definition: str, rows: list[Served]) -> None:
        """Keep the rows that are not older than what is held."""

    def get(self, definition: str, instrument: str) -> Served | None:
        """Return the latest row, None where there is none."""


class MemoryOnline:
    """Values in this process.

    Example:
        >>> store = MemoryOnline()
        >>> store.put("d", [Served("A", 2, 2, np.array([1.0])), Served("A", 1, 1, np.array([9.0]))])
        >>> float(store.get("d", "A").values[0])
        1.0
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Served] = {}

    def put(self, definition: str, rows: list[Served]) -> None:
        """Keep the rows that are not older than what is held."""
        for row in rows:
            held = self._rows.get((definition, row.instrument))
            if held is None or (row.ts, row.known_at) >= (held.ts, held.known_at):
                self._rows[definition, row.instrument] = _own(row)

    def get(self, definition: str, instrument: str) -> Served | None:
        """Return the latest row, None where there is none."""
        return self._rows.get((definition, instrument))


def _own(row: Served) -> Served:
    """Return a copy that nobody who holds the row, or is served it, can change."""
    values = np.array(row.values, dtype=np.float64)
    values.flags.writeable = False
    return Served(row.instrument, int(row.ts), int(row.known_at), values)


_PUT = """
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, 40) > string.sub(ARGV[1], 1, 40) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""


class RedisOnline:
    """Values in a Redis server, shared by processes; needs the extra `online`.

    url: where the server listens, loopback unless told otherwise. prefix: before every key.

    Raises:
        InputError: the extra is not installed. DataError: the server does not answer.
    """

    def __init__(self, url: str = "redis://127.0.0.1:6379/0", *, prefix: str = "karat:features") -> None:
        redis = require("redis", "online")
        self._client: Any = redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
        self._prefix, self._url, self._failed = prefix, url, redis.RedisError
        self._ask(self._client.ping)
        self._put = self._client.register_script(_PUT)

    def put(self, definition: str, rows: list[Served]) -> None:
        """Keep the rows that are not older than what is held; the server compares, so writers may overlap."""
        for row in rows:
            # digits compare as text: numbers of the server's scripts hold 53 bits, instants need 64
            order = b"".join(b"%020d" % (item + _OFFSET) for item in (int(row.ts), int(row.known_at)))
            packed = order + np.ascontiguousarray(row.values, dtype="<f8").tobytes()
            self._ask(self._put, keys=[self._key(definition, row.instrument)], args=[packed])

    def get(self, definition: str, instrument: str) -> Served | None:
        """Return the latest row, None where there is none."""
        found = self._ask(self._client.get, self._key(definition, instrument))
        if found is None:
            return None
        ts, known_at = (int(part) - _OFFSET for part in (found[:20], found[20:_TIMES]))
        return Served(instrument, ts, known_at, np.frombuffer(found[_TIMES:], dtype="<f8"))

    def _key(self, definition: str, instrument: str) -> str:
        return f"{self._prefix}:{definition}:{instrument}"

    def _ask(self, call: Any, *given: Any, **named: Any) -> Any:
        try:
            return call(*given, **named)
        except self._failed as error:
            fix = "start the server, or use MemoryOnline"
            raise DataError("online store", f"{self._url} answers", seen=str(error), fix=fix) from None
