"""Words of the rules' records and the codes they answer with: plain constants, no compiled code, no numba.

Record of one instrument, `r`, `rules_words(capacity)` words of int64. The first part is copied from the row of the
rule schedule that holds at the open of a session; the rest is state. Prices in ticks, times in UTC ns, durations in ns,
fractions in basis points; a reference price is a sum of prices and their number, so that it is exact. NONE where there
is no price, FAR for never.

| words | what |
|---|---|
| SINCE .. CAPACITY | parameters of the session, one schedule row of ROW words |
| MWCB_BYTES | distance in bytes from `r` to the breaker's record, 0 without one: set by the owner of the block |
| OPEN_NS, CLOSE_NS, PRIOR | the session and the prior regular close on the listing market |
| ACTIVE | the rules that can be applied in this session: bits SSR, LULD, TICK, DAILY |
| STATUS | last status of the market: 0 closed .. 6 cancel only, as in the events |
| SSR_UNTIL | the short-sale price test holds up to this instant (exclusive); NONE when it does not |
| SSR_SINCE | when it was triggered last |
| BID, ASK | last national best quote |
| STATE, STATE_SINCE | LULD state and its begin |
| LIMIT_SIDE | -1 at the lower band, +1 at the upper one, 0 not in a limit state |
| PAUSE_UNTIL | end of the pause, FAR when trading does not reopen; NONE when there is none |
| CATEGORY | of the prior close: 0 above the high limit, 1 middle, 2 below the low limit |
| REFERENCE, REFERENCE_COUNT | reference price: sum of prices and their number; NONE before the opening trade |
| REFERENCE_SINCE | since when it holds |
| FALLBACK, FALLBACK_COUNT | reference price when no opening trade comes: prior close, or the one before the pause |
| FIXED_SINCE | open or reopening instant, from which the opening trade is waited for |
| LOWER, UPPER | bands in force, NONE when there are none |
| HOLD | when a reference price held back by the minimum time is tried again; FAR when none is |
| NEXT | first instant at which `rules_clock` changes anything |
| SUM, COUNT | of the trades in the window |
| HEAD, USED | first entry of the ring, and how many there are |
| MERGED | trades that share an entry with a trade of another instant: 0 means the mean was exact |
| HALTS_SEEN | halts of the breaker that were taken note of |
| SESSIONS | sessions begun |
| ALWAYS, EVER | the rules that could be applied in all of them, in any of them: bits |
| EVER_MERGED | MERGED over all sessions |
| UNTESTED | short fills during a restriction that were not tested, because bars show no bid |
| RING .. | CAPACITY entries of 3 words: instant of the first trade, sum of prices, number of trades |

Schedule `p`: word 0 is the number of rows, then rows of ROW words ascending by SINCE.
Breaker `m`: BREAKER_WORDS words, see the B_ constants; it counts its sessions and those it could judge. Question `q`:
QUESTION_WORDS words, see the Q_ constants. Filters `f`: FILTER_WORDS words, see the F_ constants.
"""

from __future__ import annotations

from typing import Final

NONE: Final = -(2**62)
FAR: Final = 2**62
BPS: Final = 10_000

# A schedule row, and the first words of a record.
SINCE: Final = 0
ON: Final = 1
SSR_BPS: Final = 2
SSR_AFTER_NS: Final = 3
BAND_HIGH_BPS: Final = 4
BAND_MIDDLE_BPS: Final = 5
BAND_LOW_BPS: Final = 6
BAND_LOW_AMOUNT: Final = 7
LIMIT_HIGH: Final = 8
LIMIT_LOW: Final = 9
DOUBLE_FIRST: Final = 10
DOUBLE_LAST: Final = 11
DOUBLE_FIRST_NS: Final = 12
DOUBLE_LAST_NS: Final = 13
ROUND_UNIT: Final = 14
ROUND_MODE: Final = 15
WINDOW_NS: Final = 16
CHANGE_BPS: Final = 17
HOLD_NS: Final = 18
LIMIT_NS: Final = 19
PAUSE_NS: Final = 20
LAST_NS: Final = 21
FIRST_TRADE_OPENS: Final = 22
TICK_FROM: Final = 23
TICK_STEP: Final = 24
TICK_LOW_STEP: Final = 25
DAILY_BPS: Final = 26
CAPACITY: Final = 27
ROW: Final = 28

# The state of a record.
MWCB_BYTES: Final = 28
OPEN_NS: Final = 29
CLOSE_NS: Final = 30
PRIOR: Final = 31
ACTIVE: Final = 32
STATUS: Final = 33
SSR_UNTIL: Final = 34
SSR_SINCE: Final = 35
BID: Final = 36
ASK: Final = 37
STATE: Final = 38
STATE_SINCE: Final = 39
LIMIT_SIDE: Final = 40
PAUSE_UNTIL: Final = 41
CATEGORY: Final = 42
REFERENCE: Final = 43
REFERENCE_COUNT: Final = 44
REFERENCE_SINCE: Final = 45
FALLBACK: Final = 46
FALLBACK_COUNT: Final = 47
FIXED_SINCE: Final = 48
LOWER: Final = 49
UPPER: Final = 50
HOLD: Final = 51
NEXT: Final = 52
SUM: Final = 53
COUNT: Final = 54
HEAD: Final = 55
USED: Final = 56
MERGED: Final = 57
HALTS_SEEN: Final = 58
SESSIONS: Final = 59
ALWAYS: Final = 60
EVER: Final = 61
EVER_MERGED: Final = 62
UNTESTED: Final = 63
RING: Final = 64
ENTRY: Final = 3

SSR: Final = 1
LULD: Final = 2
TICK: Final = 4
DAILY: Final = 8

HALF_UP: Final = 0
OUTWARD: Final = 1

NORMAL: Final = 0
LIMIT: Final = 1
STRADDLE: Final = 2
PAUSE: Final = 3

CLOSED: Final = 0
PRE_OPEN: Final = 1
CONTINUOUS: Final = 2
CLOSING_AUCTION: Final = 3
HALTED: Final = 4
PAUSED: Final = 5
CANCEL_ONLY: Final = 6

# The breaker's record; ratios in basis points.
B_FROM: Final = 0
B_LEVEL_1: Final = 1
B_LEVEL_2: Final = 2
B_LEVEL_3: Final = 3
B_HALT_NS: Final = 4
B_CUTOFF_NS: Final = 5
B_OPEN_NS: Final = 6
B_CLOSE_NS: Final = 7
B_PRIOR: Final = 8
B_DONE: Final = 9
B_LEVEL: Final = 10
B_SINCE: Final = 11
B_UNTIL: Final = 12
B_HALTS: Final = 13
B_SESSIONS: Final = 14
B_COVERED: Final = 15
BREAKER_WORDS: Final = 16

# What the rules are asked about an order or an execution, `q`. side: +1 buy, -1 sell. short, exempt, market: 0 or 1.
# price: its limit, or that of the execution. bid, ask: national best quote as the order meets it, or just before the
# execution; NONE for an empty side. above: 1 if it was displayed above the best bid when it was first displayed.
Q_SIDE: Final = 0
Q_SHORT: Final = 1
Q_EXEMPT: Final = 2
Q_MARKET: Final = 3
Q_PRICE: Final = 4
Q_BID: Final = 5
Q_ASK: Final = 6
Q_ABOVE: Final = 7
QUESTION_WORDS: Final = 8

# The filters' record: prices in ticks, quantities in lots, notionals in ticks x lots, multipliers in basis points.
F_MIN_PRICE: Final = 0
F_MAX_PRICE: Final = 1
F_PRICE_STEP: Final = 2
F_MIN_QTY: Final = 3
F_MAX_QTY: Final = 4
F_QTY_STEP: Final = 5
F_MIN_NOTIONAL: Final = 6
F_MAX_NOTIONAL: Final = 7
F_MIN_MARKET: Final = 8
F_MAX_MARKET: Final = 9
F_BID_UP: Final = 10
F_BID_DOWN: Final = 11
F_ASK_UP: Final = 12
F_ASK_DOWN: Final = 13
FILTER_WORDS: Final = 14

# Answers of the checks; `karat.market.REASONS` has their names and plain words.
OK: Final = 0
R_CLOSED: Final = 100
R_PRE_OPEN: Final = 101
R_HALTED: Final = 102
R_CANCEL_ONLY: Final = 103
R_PAUSED: Final = 104
R_SSR: Final = 110
R_LULD_UPPER: Final = 120
R_LULD_LOWER: Final = 121
R_LULD_PAUSE: Final = 122
R_MWCB_1: Final = 130
R_MWCB_2: Final = 131
R_MWCB_3: Final = 132
R_PRICE: Final = 140
R_TICK: Final = 141
R_DAILY_UPPER: Final = 142
R_DAILY_LOWER: Final = 143
R_MIN_PRICE: Final = 150
R_MAX_PRICE: Final = 151
R_PRICE_STEP: Final = 152
R_MIN_QTY: Final = 153
R_MAX_QTY: Final = 154
R_QTY_STEP: Final = 155
R_MIN_NOTIONAL: Final = 156
R_MAX_NOTIONAL: Final = 157
R_PERCENT_UP: Final = 158
R_PERCENT_DOWN: Final = 159

RING_DEFAULT: Final = 1024
RULES_WORDS: Final = RING + ENTRY * RING_DEFAULT
"""Words of a record with the default ring."""


def rules_words(capacity: int = RING_DEFAULT) -> int:
    """Return the number of words of a record whose ring holds `capacity` entries (8 or more)."""
    return RING + ENTRY * capacity
