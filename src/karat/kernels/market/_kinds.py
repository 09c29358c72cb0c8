"""Numbers that name the built-in assumptions and the purposes of random draws. Plain constants: imports nothing.

A model is (kind id, record): the id picks the formula in `_assumptions` or `_charges`, the record is a row of 8-byte
words with its parameters. Each kind of assumption has its own ids; 0 is always "none" and USER a function by address.
"""

from __future__ import annotations

from typing import Final

USER: Final = 99
"""Every kind of assumption: the record's word 0 is the address of an int64 function of four int64 arguments."""

LATENCY_NONE: Final = 0
LATENCY_CONSTANT: Final = 1
LATENCY_LOGNORMAL: Final = 2
LATENCY_RECORDED: Final = 3

QUEUE_NONE: Final = 0
QUEUE_RISK_AVERSE: Final = 1
QUEUE_POWER: Final = 2
QUEUE_LOG: Final = 3

PARTIAL_NONE: Final = 0
PARTIAL_POISSON_BETA: Final = 1
PIECES: Final = 64
"""Largest number of pieces in one attempt; a Poisson(3) number above it has probability below 1e-60."""

SLIPPAGE_NONE: Final = 0
SLIPPAGE_TICKS: Final = 1
SLIPPAGE_BPS: Final = 2

IMPACT_NONE: Final = 0
IMPACT_LINEAR: Final = 1
IMPACT_SQUARE_ROOT: Final = 2
IMPACT_ALMGREN_CHRISS: Final = 3

FEE_NONE: Final = 0
FEE_RATE: Final = 1
FEE_PER_SHARE: Final = 2
FEE_TIERED: Final = 3

PURPOSE_SEND: Final = 1
"""Latency of a new order on its way to the venue."""
PURPOSE_RESPONSE: Final = 2
"""Latency of the venue's answer on its way back."""
PURPOSE_CANCEL: Final = 3
"""Latency of a cancel; the request number belongs into the purpose word, see `_assumptions`."""
PURPOSE_AMEND: Final = 4
PURPOSE_FEED: Final = 5
"""Latency of market data; the key is the row of the event instead of an order id."""
PURPOSE_FILL_COUNT: Final = 6
PURPOSE_FILL_RATIO: Final = 7
PURPOSE_SLIPPAGE: Final = 8
PURPOSE_QUEUE: Final = 9
PURPOSE_USER: Final = 64
"""First number that karat will never use itself; 255 is the last."""

OVERFLOW: Final = -(2**63)
"""Returned in place of an amount of money that does not fit an int64."""

TIER_WORDS: Final = 3
BUCKETS: Final = 31
TIER_HEAD: Final = 5 + BUCKETS
"""Words of a tier record before the first tier: count, today's flag, minimum, last day, total, 31 daily buckets."""
