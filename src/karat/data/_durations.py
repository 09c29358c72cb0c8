"""Lengths of time written by people: `15m`, `4h`, `1d`."""

from __future__ import annotations

import re

from karat.core import NS_PER_DAY, NS_PER_SECOND, InputError

_UNITS = {"s": NS_PER_SECOND, "m": 60 * NS_PER_SECOND, "h": 3600 * NS_PER_SECOND, "d": NS_PER_DAY}


def duration_ns(text: str, field: str) -> int:
    """Return the nanoseconds of a length of time.

    Raises:
        InputError: anything but a whole number and one of s, m, h, d.

    Example:
        >>> duration_ns("4h", "bar") // 1_000_000_000
        14400
    """
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        raise InputError(field, text, allowed="a whole number of s, m, h or d, e.g. 15m, 4h, 1d")
    return int(match[1]) * _UNITS[match[2]]
