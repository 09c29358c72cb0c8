"""Time: UTC int64 nanoseconds inside, one seam for the clock.

Invariants:
1. Every instant is an int64 count of nanoseconds since 1970-01-01T00:00:00Z.
2. A time without a zone is refused, never guessed.
3. `now_ns` is the only place that reads the wall clock.
"""

from __future__ import annotations

import datetime as dt
import re
import time

from karat.core._errors import InputError

NS_PER_SECOND = 1_000_000_000
NS_PER_DAY = 86_400 * NS_PER_SECOND
_FRACTION = re.compile(r"[.,]\d{6}(\d+)")
_FIRST_YEAR, _LAST_YEAR = 1678, 2261  # the whole years that int64 nanoseconds hold
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def now_ns() -> int:
    """Return the wall clock as UTC nanoseconds."""
    return time.time_ns()


def monotonic_ns() -> int:
    """Return a clock for durations that never runs back, in nanoseconds."""
    return time.monotonic_ns()


def to_ns(value: dt.datetime | dt.date | str, *, field: str = "time") -> int:
    """Return UTC nanoseconds of an aware datetime, a date (its midnight UTC) or an ISO 8601 string of either.

    Raises:
        InputError: no time, a datetime without a zone, text that is no ISO 8601 time, or a year outside 1678 to 2261.

    Example:
        >>> to_ns("1970-01-02")
        86400000000000
    """
    rest = 0
    if isinstance(value, str):
        value, rest = _parse(value, field)
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise InputError(field, value.isoformat(), why="it has no time zone", fix="append 'Z' or an offset")
        delta = value - _EPOCH
        seconds = delta.days * 86_400 + delta.seconds
        # pandas' subclass of datetime keeps what is below a microsecond beside it
        rest += delta.microseconds * 1_000 + int(getattr(value, "nanosecond", 0))
    elif isinstance(value, dt.date):
        seconds = (value - _EPOCH.date()).days * 86_400
    else:
        raise InputError(field, value, allowed="a date, a datetime with a zone, or ISO 8601 text")
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise InputError(field, value.isoformat(), allowed=f"years {_FIRST_YEAR} to {_LAST_YEAR}", why="out of range")
    return seconds * NS_PER_SECOND + rest


def iso(ns: int) -> str:
    """Return ISO 8601 text with a trailing Z; whole seconds show no fraction.

    Example:
        >>> iso(0)
        '1970-01-01T00:00:00Z'
    """
    seconds, rest = divmod(int(ns), NS_PER_SECOND)
    text = (_EPOCH + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}Z" if rest else f"{text}Z"


def iso_date(ns: int) -> str:
    """Return the UTC date of an instant as YYYY-MM-DD."""
    return iso(ns)[:10]


def _parse(text: str, field: str) -> tuple[dt.datetime | dt.date, int]:
    """Return the time and the nanoseconds below its last microsecond, which `fromisoformat` would cut off."""
    try:
        if len(text) == 10:
            return dt.date.fromisoformat(text), 0
        digits = _FRACTION.search(text)
        rest = int(f"{digits[1]:0<3}") if digits else 0
        if rest > 999:
            raise ValueError("finer than a nanosecond")
        return dt.datetime.fromisoformat(text), rest
    except ValueError:
        raise InputError(field, text, allowed="ISO 8601, e.g. 2018-12-31 or 2018-12-31T21:00:00Z") from None
