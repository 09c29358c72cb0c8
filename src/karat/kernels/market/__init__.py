"""The compiled half of the market: event loop, books, matching, rules and money on one block of 8-byte words.

`new_block(terms, cash)` makes the state of a market, `engine()` gives the compiled functions that move it, `layout`
says where every word lies, `table` and `mark_read` read it. Importing this package compiles and imports nothing heavy.
"""

from karat.kernels.market import _layout as layout
from karat.kernels.market._block import NO_MODEL, Block, Model, Sizes, Terms, mark_read, new_block, table
from karat.kernels.market._engine import Engine, bind_orders, bind_rules, empty_orders, engine, without_session
from karat.kernels.market._resize import enlarge, more_room
from karat.kernels.market._rules_layout import rules_words

__all__ = [
    "NO_MODEL",
    "Block",
    "Engine",
    "Model",
    "Sizes",
    "Terms",
    "bind_orders",
    "bind_rules",
    "empty_orders",
    "engine",
    "enlarge",
    "layout",
    "mark_read",
    "more_room",
    "new_block",
    "rules_words",
    "table",
    "without_session",
]
