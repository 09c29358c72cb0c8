"""The calendar: where in the year, the month and the week a bar lies, and what such days brought before."""

from __future__ import annotations

import math

from karat.features._expressions import calendar, mean, sine, weighted
from karat.features._graph import TS, Node, column, lagged
from karat.features._returns import LOG_RANGE, LOG_RETURN
from karat.features._spec import Function, family

_DATE = column(TS)
_CALENDAR = "the bar's date, UTC"
_YEAR = "waves of the year"
_DAYS = 365.25


def _annual(times: int, quarter: float) -> Node:
    return sine(calendar(_DATE, "day of year"), 2.0 * math.pi * times / _DAYS, quarter * math.pi / 2.0)


def _monthly(quarter: float) -> Node:
    return sine(calendar(_DATE, "day of month"), 2.0 * math.pi / 31.0, quarter * math.pi / 2.0)


def _same_weekday(x: Node, w: int) -> Node:
    """Return the mean of every fifth value of the window, the newest of them five bars old."""
    return weighted(x, [0.0] * 5 + [1.0 / (w // 5) if j % 5 == 0 else 0.0 for j in range(w - 4)])


def _last_year(w: int) -> Node:
    """Return the mean of the w bars that follow the same day of last year."""
    return lagged(mean(LOG_RETURN, w), 251 - w)


SEASONAL = family(
    "seasonal",
    Function("year_sine", lambda _: _annual(1, 0.0), (0,), "-1 to 1", "sin(2 pi (day of year - 1) / 365.25)", _YEAR),
    Function("year_cosine", lambda _: _annual(1, 1.0), (0,), "-1 to 1", "cos(2 pi (day of year - 1) / 365.25)", _YEAR),
    Function("half_year_sine", lambda _: _annual(2, 0.0), (0,), "-1 to 1",
             "sin(4 pi (day of year - 1) / 365.25)", _YEAR),
    Function("half_year_cosine", lambda _: _annual(2, 1.0), (0,), "-1 to 1",
             "cos(4 pi (day of year - 1) / 365.25)", _YEAR),
    Function("month_sine", lambda _: _monthly(0.0), (0,), "-1 to 1", "sin(2 pi (day of month - 1) / 31)",
             "waves of the month"),
    Function("month_cosine", lambda _: _monthly(1.0), (0,), "-1 to 1", "cos(2 pi (day of month - 1) / 31)",
             "waves of the month"),
    Function("weekday", lambda _: calendar(_DATE, "weekday"), (0,), "0 Monday to 6", "day of the week", _CALENDAR),
    Function("same_weekday", lambda w: _same_weekday(LOG_RETURN, w), (20, 60, 120, 250), "log, per bar",
             "mean log return of the bars 5, 10, ..., {w} before", "Keloharju, Linnainmaa and Nyberg 2016"),
    Function("same_weekday_range", lambda w: _same_weekday(LOG_RANGE, w), (20, 60), "log",
             "mean ln(high / low) of the bars 5, 10, ..., {w} before", "seasonal mean"),
    Function("last_year", _last_year, (15, 30), "log, per bar",
             "mean log return of the {w} bars that began 250 bars ago", "Heston and Sadka 2008"),
)  # fmt: skip
