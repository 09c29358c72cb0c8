"""The market's state: one block of int64 words without pointers, and where each word lies in it.

A block begins with a header; the header says where the tables begin, as word offsets from the start of the block, so
that a copy of the block is a snapshot and loading it is resuming. Real numbers are stored as the bits of a float64.

| prefix | table | one record for each |
|---|---|---|
| H | header | block |
| C | currencies | currency |
| I | instruments | instrument |
| O | orders | order that is not forgotten yet |
| Q | queue | thing scheduled at the venue: arrivals, expiries, responses |
| F | fills | fill not yet read by the caller |
| N | news | message about an order not yet read by the caller |
| B | books | dense level-2 book; on level 3 beside a book of single orders, see `_l3_layout` |
| M | money | instrument: margin, settlement, borrow, locate |
| V | event columns | a table of addresses that the caller passes beside the block |
| T | intents | row of the caller's table of intents |

Prices are ticks, quantities lots, money quanta, rates units of 1e-9, times nanoseconds. `NONE` is a missing price,
`FAR` a time that never comes.
"""

from __future__ import annotations

from typing import Final

NONE: Final = -(2**62)
FAR: Final = 2**62
UNSEEN: Final = 2**50  # lots before an order whose level was never shown
RATE_ONE: Final = 1_000_000_000
MAGIC: Final = 0x4B41524154303031
LARGE: Final = 9.0e18  # money above this is refused: an int64 ends at 9.22e18

# -- header
H_MAGIC, H_WORDS, H_SEED, H_NOW, H_SEQUENCE, H_ROW, H_LOCAL_ROW, H_INTENT = range(8)
H_ERROR, H_ERROR_A, H_ERROR_B, H_STEPS, H_LAST_ID = range(8, 13)
H_CURRENCIES, H_INSTRUMENTS, H_ORDERS, H_QUEUE, H_FILLS, H_NEWS = range(16, 22)  # capacities
H_QUEUE_LENGTH, H_FILLS_LENGTH, H_NEWS_LENGTH, H_FREE_ORDER, H_OPEN_ORDERS, H_FILL_SEQUENCE = range(22, 28)
H_AT_CURRENCIES, H_AT_INSTRUMENTS, H_AT_ORDERS, H_AT_QUEUE, H_AT_FILLS, H_AT_NEWS, H_AT_MAP, H_MAP_MASK = range(28, 36)
H_MARGIN_POLICY, H_TARGET_TS, H_TARGET_EQUITY, H_NEWS_SEQUENCE = range(36, 40)
H_SELF_TRADES, H_GRAVE, H_DISTURBED, H_INTRABAR = range(43, 47)
H_INDEX: Final = 47  # number of the instrument whose prices set market-wide halts, plus one
H_QUESTION: Final = 48  # what the rules are asked about an order, eight words, see `_rules_layout`
H_PIECES: Final = 56  # fills that one chance to trade can give an order
H_ORDERS_ROW, H_ORDERS_TAKE, H_ORDERS_ENTER, H_ORDERS_FOLLOW = range(57, 61)  # addresses of `_match_orders`
H_SCRATCH: Final = 64  # one row of intents that the market writes for itself
H_HOOK_ROW, H_HOOK_ORDER, H_HOOK_FILL, H_REFUSED = range(84, 88)  # addresses of the rules' functions, and a count
H_DUE, H_DAY_DUE, H_RECALL_DUE, H_ACCOUNT, H_CALLED, H_CALLS, H_FORCED, H_EXPOSED = range(88, 96)
# due: the first of the next two; called: a margin call stands; forced: orders the market sent for the account;
# exposed: a position is or may be open, so that margin must be tested after every row (a note, not part of the hash)
HEADER: Final = 96

# -- currency
C_CASH, C_START, C_CHARGES, C_INCOME, C_REALISED, C_MARKED, C_RATE, C_UNSETTLED = range(8)
CURRENCY: Final = 8

# -- instrument
I_UNIT, I_CURRENCY, I_STATUS, I_LAST, I_BID, I_BID_QTY, I_ASK, I_ASK_QTY = range(8)
I_MARK, I_POSITION, I_BASIS, I_REALISED, I_CHARGES, I_INCOME, I_FEES, I_SLIPPAGE = range(8, 16)
I_HEAD, I_TAIL, I_LIVE, I_PARTICIPATION, I_BAR_END, I_BAR_LEFT, I_MAKER, I_TAKER = range(16, 24)
I_PER_LOT, I_MIN_FEE, I_SLIP_KIND, I_SLIP_AT, I_QUEUE_KIND, I_QUEUE_AT, I_ENTRY_KIND, I_ENTRY_AT = range(24, 32)
I_RESPONSE_KIND, I_RESPONSE_AT, I_BOOK, I_LOCAL_BOOK, I_RULES, I_FILTERS, I_FLAGS, I_TRADED = range(32, 40)
I_FILLED, I_OPEN_NS, I_CLOSE_NS, I_CUTOFF, I_AMBIGUOUS, I_AMBIGUOUS_MONEY, I_BID_USED, I_ASK_USED = range(40, 48)
I_INITIAL, I_LOCAL_POSITION, I_FUNDING, I_DIVIDEND, I_WITHOUT_VOLUME = range(48, 53)
I_SHIFT, I_BREAKER = range(53, 55)  # ticks that own fills have moved the prices (float64), where the breaker lies
I_PRIOR_CLOSE, I_BAR_START, I_SESSION_OPEN, I_SESSION_CLOSE, I_MATCHER, I_RESERVED = range(55, 61)
I_REST_LOW, I_REST_HIGH, I_IMPACT_KIND, I_IMPACT_AT, I_NUMBER, I_ARRIVAL = range(61, 67)
I_FILLS_KIND, I_FILLS_AT = range(67, 69)
I_PLACE, I_STATUSES, I_RING = range(69, 72)  # the ring of the last statuses: ts, status, open, close each
STATUSES: Final = 8
I_FEE_KIND, I_FEE_AT, I_SCHEDULE, I_RULES_DUE = range(I_RING + 4 * STATUSES, I_RING + 4 * STATUSES + 4)
I_BUY_LOW, I_BUY_HIGH, I_SELL_LOW, I_SELL_HIGH, I_UNPLAIN = range(I_RULES_DUE + 1, I_RULES_DUE + 6)  # see `_orders`
I_MONEY: Final = I_UNPLAIN + 1  # where its record of the account's terms begins
I_VENUE_ORDERS, I_LOCAL_ORDERS = I_MONEY + 1, I_MONEY + 2  # the level-3 books: the venue's, the one a strategy sees
INSTRUMENT: Final = 120
# matchers
BARS, QUOTES, DEPTH, ORDERS = range(1, 5)
# flags of an instrument
MARK_MID: Final = 1  # value at the middle of the best quotes, not at the last trade
WHOLE_ONLY: Final = 2  # a resting order fills wholly or not at all
HAS_STATUS: Final = 4
MAY_CROSS: Final = 8  # the feed shows crossed books and they are to be taken as they are

# -- money: what the account's terms of an instrument are and did
M_MAINTENANCE, M_LAG, M_BORROWED, M_LOCATED, M_EXPIRES, M_RECALLED, M_BOUGHT_IN, M_FORCED = range(8)
M_BORROW: Final = 8  # the record of `_charges.borrow_accrue`: rate, last ts, two remainders
M_RING: Final = 12  # proceeds of sales of today and the days before that are not settled
LAGS: Final = 5  # the longest settlement, days
MONEY: Final = M_RING + LAGS
# margin policies: what is done when equity is below the maintenance margin; from the second on orders need free margin
MARGIN_NONE, MARGIN_CHECK, MARGIN_BLOCK, MARGIN_LIQUIDATE, MARGIN_STOP = range(5)
CASH_ACCOUNT: Final = 1  # H_ACCOUNT: only settled cash buys

# -- order
O_ID, O_INSTRUMENT, O_SIDE, O_TYPE, O_TIF, O_FLAGS, O_STATE, O_QTY = range(8)
O_FILLED, O_PRICE, O_STOP, O_OFFSET, O_DISPLAY, O_EXPIRE, O_STP, O_PARENT = range(8, 16)
O_GROUP_MODE, O_SENT, O_ARRIVED, O_SEQUENCE, O_FRONT, O_TRADED, O_NOTIONAL = range(16, 23)
O_NEXT, O_PREVIOUS, O_TRIGGERED, O_LOCAL, O_PENDING, O_SHOWN = range(24, 30)
O_RING, O_SIBLING, O_CHARGES, O_RESPONSES, O_CHILDREN, O_FULL, O_RETIRED, O_RESERVED = range(32, 40)
O_FEES, O_ABOVE, O_TAKEN = range(40, 43)  # taken: lots that other legs of a reducing list have had
O_BAR, O_PLACE = 43, 44  # end of the last bar that gave it a chance, plus one; place in the venue's level-3 sequence
O_ATTEMPT, O_PIECE, O_PIECE_LEFT = 23, 30, 31  # chances to trade, see `_chance`
ORDER: Final = 45

# -- queue: a binary heap ordered by (ts, sequence)
Q_TS, Q_SEQUENCE, Q_ACTION, Q_SUBJECT, Q_STATE, Q_LOTS = range(6)
QUEUED: Final = 6
ARRIVE, ARRIVE_CANCEL, ARRIVE_AMEND, RESPOND, EXPIRE, DAY_OVER, RULES_CLOCK = range(1, 8)

# -- fills
F_SEQUENCE, F_TS, F_KNOWN, F_ID, F_INSTRUMENT, F_SIDE, F_PRICE, F_QTY = range(8)
F_MAKER, F_FEE, F_REFERENCE, F_POSITION, F_ROW, F_SENT, F_REALISED, F_TYPE = range(8, 16)
FILL: Final = 16

# -- news
N_SEQUENCE, N_TS, N_KNOWN, N_ID, N_KIND, N_REASON, N_A, N_B = range(8)
NEWS: Final = 8
ACCEPTED, REJECTED_GATEWAY, REJECTED_VENUE, CANCEL_DONE, CANCEL_REJECTED, EXPIRED_NEWS = range(1, 7)
AMENDED, AMEND_REJECTED, TRIGGERED, PREVENTED_NEWS, ACTIVATED = range(7, 12)
MARGIN_CALL, MARGIN_MET = range(12, 14)

# -- dense book: header, then bid quantities, ask quantities, consumed quantities
B_LOW, B_SLOTS, B_BID, B_ASK = range(4)
BOOK: Final = 8

# -- event columns: addresses (0: absent) after two counts
V_ROWS, V_INTENTS, V_TS, V_KNOWN, V_KIND, V_INSTRUMENT, V_PRICE, V_QTY = range(8)
V_A, V_B, V_C, V_D, V_INTENT_ROWS, V_EQUITY, V_HASHES = range(8, 15)
COLUMNS: Final = 16

# -- kinds of events
BAR, QUOTE, TRADE, TRADE_BUY, TRADE_SELL, DEPTH_BID, DEPTH_ASK, DEPTH_CLEAR = range(1, 9)
ADD_BID, ADD_ASK, REDUCE, DELETE, MODIFY, EXECUTE = range(9, 15)
STATUS, SPLIT, DIVIDEND, FUNDING, FX, REFERENCE = range(32, 38)

# -- intents, one row of words each
T_TS, T_ACTION, T_ID, T_INSTRUMENT, T_SIDE, T_TYPE, T_TIF, T_FLAGS = range(8)
T_QTY, T_PRICE, T_STOP, T_OFFSET, T_DISPLAY, T_EXPIRE, T_STP, T_PARENT = range(8, 16)
T_GROUP, T_GROUP_MODE, T_DELAY = range(16, 19)
INTENT: Final = 20
SEND, CANCEL, AMEND, TARGET_QTY, TARGET_WEIGHT = range(1, 6)

# -- order types, times in force, flags, self-trade modes, group modes
MARKET, LIMIT, STOP, STOP_LIMIT, TRAILING, TAKE_PROFIT = range(1, 7)
MARKET_ON_OPEN, MARKET_ON_CLOSE, LIMIT_ON_OPEN, LIMIT_ON_CLOSE = range(7, 11)
GTC, DAY, GTD, IOC, FOK = range(1, 6)
POST_ONLY, REDUCE_ONLY, TOUCH, SHORT_EXEMPT = 1, 2, 4, 8
STP_NONE, STP_CANCEL_NEW, STP_CANCEL_RESTING, STP_CANCEL_BOTH, STP_DECREMENT = range(5)
GROUP_CANCEL, GROUP_REDUCE = 1, 2  # what a fill of one leg does to the others: cancel them, or take its lots away

# -- states of an order
PENDING_NEW, WAITING, LIVE, PARTIAL, FILLED, CANCELLED, REJECTED, EXPIRED, PREVENTED = range(1, 10)
# requests under way on an order, bits
CANCEL_SENT, AMEND_SENT, DOOMED, ARRIVING, DROPPED = 1, 2, 4, 8, 16
# doomed: another leg was filled or set off before this one arrived; dropped: the list was cancelled before

# -- statuses of a market
CLOSED, PRE_OPEN, OPEN, CLOSING, HALTED, PAUSED, CANCEL_ONLY = range(7)

# -- what `advance` answers
DONE, FILLS_FULL, NEWS_FULL, FAILED = range(4)

# -- errors that stop a simulation (H_ERROR); the caller makes them typed errors
(
    NO_ERROR,
    E_TIME,
    E_BAR,
    E_CROSSED,
    E_SIZE,
    E_WINDOW,
    E_OVERFLOW,
    E_INSTRUMENT,
    E_KIND,
    E_PRICE,
    E_QUEUE_FULL,
    E_NO_BOOK,
    E_ACTION,
    E_FILLS_FULL,
    E_NEWS_FULL,
    E_DEPTH_ONLY,
    E_MARGIN_CALL,
    E_UNKNOWN_ORDER,
    E_KNOWN_ORDER,
    E_TOO_MUCH,
    E_BOOK_FULL,
) = range(21)

# -- reasons of rejections and expiries, 1 to 99 (the rules of markets use 100 and above)
(
    OK,
    R_INSTRUMENT,
    R_COMBINATION,
    R_QUANTITY,
    R_PRICE,
    R_DUPLICATE,
    R_TABLE_FULL,
    R_REDUCE_ONLY,
    R_FUNDS,
    R_POST_ONLY,
    R_CLOSED,
    R_HALTED,
    R_CANCEL_ONLY,
    R_TOO_LATE,
    R_UNKNOWN_ORDER,
    R_IMMEDIATE,
    R_ALL_OR_NONE,
    R_DAY_OVER,
    R_DATE_OVER,
    R_AUCTION_MISSED,
    R_CUTOFF,
    R_OTHER_LEG,
    R_PARENT,
    R_SELF_TRADE,
    R_REQUESTED,
    R_LIQUIDATION,
    R_PENDING,
    R_NO_MARKET,
    R_SPLIT,
    R_MARGIN_CALL,
    R_NO_SHORT,
    R_LOCATE,
    R_LOCATE_EXPIRED,
    R_RECALLED,
) = range(34)
