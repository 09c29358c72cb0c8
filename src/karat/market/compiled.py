"""What a compiled strategy may call: `from karat.market import compiled as on`, then `on.best(market, 0, on.BUY)`.

`market` is the first argument of the strategy. Instruments are numbers in the order of the events' instruments, sides
`BUY` (bid) and `SELL` (ask), prices ticks, quantities lots, times UTC ns. Everything is what the strategy knows by then:
rows whose known_at has come, and the venue's answers that have arrived.

| function | returns |
|---|---|
| `best(market, instrument, side)` | best price of the depth seen, `NONE` for an empty side, bars and quotes |
| `size_at(market, instrument, side, price)` | lots seen at a price of the depth |
| `position(market, instrument)` | lots held |
| `state(market, order)` | `PENDING`, `WAITING`, `LIVE` or `PARTIAL`, plus `CHANGING` while a cancel or an amendment is under way; 0 when it is over |
| `next_id(market)` | the id of the next order |
| `send_limit(market, instrument, side, qty, price, force, flags)` | the id of a limit order |
| `send_market(market, instrument, side, qty)` | the id of a market order |
| `send_cancel(market, order)`, `send_amend(market, order, qty, price)` | the id; of an amendment 0 leaves a value |

force: `GTC`, `DAY`, `IOC` or `FOK`. flags: 0, or `POST_ONLY` and `REDUCE_ONLY` added up. A refusal is a message of the
run, and the order is over. Importing this module loads the compiled market, which takes seconds the first time.
"""  # noqa: E501 - rows of a table

from karat.kernels.market._calls import (
    CHANGING,
    best,
    next_id,
    position,
    send_amend,
    send_cancel,
    send_limit,
    send_market,
    size_at,
    state,
)
from karat.kernels.market._layout import (
    DAY,
    FOK,
    GTC,
    IOC,
    LIVE,
    NONE,
    PARTIAL,
    POST_ONLY,
    REDUCE_ONLY,
    WAITING,
)
from karat.kernels.market._layout import PENDING_NEW as PENDING

BUY, SELL = 1, -1

__all__ = [
    "BUY",
    "CHANGING",
    "DAY",
    "FOK",
    "GTC",
    "IOC",
    "LIVE",
    "NONE",
    "PARTIAL",
    "PENDING",
    "POST_ONLY",
    "REDUCE_ONLY",
    "SELL",
    "WAITING",
    "best",
    "next_id",
    "position",
    "send_amend",
    "send_cancel",
    "send_limit",
    "send_market",
    "size_at",
    "state",
]
