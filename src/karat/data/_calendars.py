"""Exchange calendars: which days had a session, when it opened and when it closed, in UTC nanoseconds.

Invariants:
1. Sessions are ascending, disjoint, each with `open_ns < close_ns`; half days and changes of clock are those of the
   exchange (the library exchange-calendars holds the facts).
2. Two names need no exchange: `24/7` has a session for every UTC day, from midnight to midnight, and `none` has no
   sessions at all: it belongs to published series that follow no exchange, and nothing is checked against it.
3. Asking for a longer range never changes the sessions of a shorter one.
"""

from __future__ import annotations

import datetime as dt
import warnings
from functools import lru_cache
from typing import Final

import polars as pl

from karat.core import NS_PER_DAY, InputError

ALWAYS: Final = "24/7"
NO_CALENDAR: Final = "none"
_SCHEMA: Final = {"date": pl.Date, "open_ns": pl.Int64, "close_ns": pl.Int64}


def check_calendar(name: str) -> str:
    """Return `name` if it is a known calendar.

    Raises:
        InputError: an unknown name, with the nearest known one.
    """
    if name in (ALWAYS, NO_CALENDAR):
        return name
    import exchange_calendars  # half a second: only where an exchange is asked for

    names = exchange_calendars.get_calendar_names()
    if name not in names:
        common = [ALWAYS, NO_CALENDAR, "XNYS", "XNAS", "XLON", "XTKS", "CMES"]
        raise InputError("calendar", name, allowed=[*common, *sorted(set(names) - set(common))])
    return name


def sessions(calendar: str, start: dt.date | str, end: dt.date | str) -> pl.DataFrame:
    """Return the sessions of a calendar from `start` to `end`, both inclusive: date, open_ns, close_ns.

    Raises:
        InputError: an unknown calendar, or a start after the end.

    Example:
        >>> sessions("XNYS", "2024-07-03", "2024-07-05")["date"].to_list()[1].isoformat()
        '2024-07-05'
    """
    first, last = to_date(start, "start"), to_date(end, "end")
    if first > last:
        raise InputError("start", first.isoformat(), allowed=f"a date up to end={last.isoformat()}")
    check_calendar(calendar)
    if calendar == NO_CALENDAR:
        return pl.DataFrame(schema=_SCHEMA)
    if calendar == ALWAYS:
        return _every_day(first, last)
    return _schedule(calendar, first.year, last.year).filter(pl.col("date").is_between(first, last))


def _every_day(first: dt.date, last: dt.date) -> pl.DataFrame:
    days = pl.date_range(first, last, eager=True).alias("date")
    open_ns = days.cast(pl.Int32).cast(pl.Int64) * NS_PER_DAY
    return pl.DataFrame({"date": days, "open_ns": open_ns, "close_ns": open_ns + NS_PER_DAY}, schema=_SCHEMA)


@lru_cache(maxsize=32)
def _schedule(calendar: str, first_year: int, last_year: int) -> pl.DataFrame:
    """Whole years: one cached schedule serves neighbouring requests, and a range of one holiday still builds."""
    import exchange_calendars

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # exchange-calendars 4.13 uses what pandas 3 has deprecated
        start, end = f"{first_year}-01-01", f"{last_year}-12-31"
        try:
            built = exchange_calendars.get_calendar(calendar, start=start, end=end)
        except (ValueError, OverflowError) as error:
            raise InputError("start..end", f"{start}..{end}", why=str(error).strip(), fix="ask for less") from None
        dates = [stamp.date() for stamp in built.sessions]
        opens, closes = built.opens_nanos, built.closes_nanos
    return pl.DataFrame({"date": dates, "open_ns": opens, "close_ns": closes}, schema=_SCHEMA)


def to_date(value: dt.date | str, field: str) -> dt.date:
    """Return a date parameter as a date.

    Raises:
        InputError: text that is no ISO date.
    """
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise InputError(field, value, allowed="an ISO date, e.g. 2018-12-31") from None


def maybe_date(value: dt.date | str | None, field: str) -> dt.date | None:
    """Return a date parameter as a date, None as None."""
    return None if value is None else to_date(value, field)
