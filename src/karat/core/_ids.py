"""Identifiers: instruments are `SYMBOL.VENUE`; run and cell ids are content hashes."""

from __future__ import annotations

import re

from karat.core._errors import InputError

_INSTRUMENT = re.compile(r"[A-Z0-9^][A-Z0-9^=_/:-]{0,31}\.[A-Z0-9_]{1,16}")


def instrument_id(text: str) -> str:
    """Return `text` if it is a valid instrument id.

    Raises:
        InputError: anything but SYMBOL.VENUE in capitals.

    Example:
        >>> instrument_id("COMP.XNAS")
        'COMP.XNAS'
    """
    if not isinstance(text, str) or _INSTRUMENT.fullmatch(text) is None:
        raise InputError("instrument", text, allowed="SYMBOL.VENUE in capitals, e.g. SPY.XNYS or BTC/USDT.BINANCE")
    return text


def short_id(content_hash: str) -> str:
    """Return the first 16 hex digits of a content hash: 64 bits, enough to tell runs of one workspace apart."""
    return content_hash[:16]
