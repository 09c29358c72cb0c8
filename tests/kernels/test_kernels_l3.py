"""The level-3 book against a plain one, and what it answers when something does not fit. Numbers are the module's."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.kernels.market import _l3 as l3
from karat.kernels.market import _l3_layout as records
from karat.kernels.market import _l3_room as room
from karat.kernels.market import _layout as layout

PlainBook = runpy.run_path(str(Path(__file__).parents[1] / "oracles" / "oracle_l3.py"))["PlainBook"]
CODES = {
    0: "ok",
    records.UNKNOWN: "unknown",
    records.DUPLICATE: "duplicate",
    records.TOO_MUCH: "too much",
    records.BAD_SIZE: "bad size",
}
ACTIONS = st.tuples(
    st.sampled_from(["add", "add", "add", "take", "delete", "modify"]),
    st.integers(-3, 25),
    st.sampled_from([1, -1]),
    st.integers(95, 105),
    st.integers(0, 12),
)


class Book:
    """A compiled book with its memory."""

    def __init__(self, orders: int = 64, levels: int = 32) -> None:
        self.words = np.full(records.l3_words(orders, levels), -77, np.int64)
        self.at = self.words.ctypes.data
        assert l3.l3_init(self.at, orders, levels) == len(self.words)

    def depth(self, side: int) -> list[list[int]]:
        out = np.zeros((64, 3), np.int64)
        return out[: l3.l3_depth(self.at, side, out.ctypes.data, 64)].tolist()


def step(book: Book, plain: object, action: tuple[str, int, int, int, int]) -> tuple[str, str]:
    name, order_id, side, price, qty = action
    if name == "add":
        return CODES[l3.l3_add(book.at, order_id, side, price, qty)], plain.add(order_id, side, price, qty)
    if name == "take":
        return CODES[l3.l3_reduce(book.at, order_id, qty)], plain.take(order_id, qty)
    if name == "delete":
        return CODES[l3.l3_delete(book.at, order_id)], plain.delete(order_id)
    return CODES[l3.l3_modify(book.at, order_id, price, qty)], plain.modify(order_id, price, qty)


def same(book: Book, plain: object) -> None:
    for side in (1, -1):
        prices = plain.prices(side)
        assert book.depth(side) == [[p, plain.quantity(side, p), plain.count(side, p)] for p in prices]
        assert l3.l3_best(book.at, side) == (prices[0] if prices else layout.NONE)
    for order in plain.orders:
        assert l3.l3_ahead_of(book.at, order[0]) == plain.ahead(order[0])
        assert l3.l3_quantity(book.at, order[1], order[2]) == plain.quantity(order[1], order[2])
    assert book.words[records.LIVE_ORDERS] == len(plain.orders)
    assert book.words[records.LIVE_LEVELS] == len(plain.prices(1)) + len(plain.prices(-1))


@pytest.mark.req("SIM-09")
@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(ACTIONS, max_size=80))
def test_1_2_4_the_book_equals_a_plain_one_after_every_action(actions: list[tuple[str, int, int, int, int]]) -> None:
    book, plain = Book(), PlainBook()
    for action in actions:
        ours, theirs = step(book, plain, action)
        assert ours == theirs, action
        same(book, plain)


def test_2_a_long_run_with_many_ids_and_far_prices_stays_equal() -> None:
    rng, book, plain = np.random.default_rng(5), Book(200, 200), PlainBook()
    for _ in range(1500):
        live = [order[0] for order in plain.orders]
        name = str(rng.choice(["add", "take", "delete", "modify"])) if len(live) > 60 else "add"
        order_id = int(rng.integers(-(2**62), 2**62)) if name == "add" else int(rng.choice(live))
        price = int(rng.choice([1, 2**50, *range(90, 110)]))
        assert (
            len(set(step(book, plain, (name, order_id, int(rng.choice([1, -1])), price, int(rng.integers(1, 9)))))) == 1
        )
    same(book, plain)


def test_3_a_full_book_answers_and_is_unchanged() -> None:
    book = Book(3, 2)
    assert [l3.l3_add(book.at, k, 1, 100 + k, 5) for k in (0, 1)] == [0, 0]
    before = book.words.copy()
    assert l3.l3_add(book.at, 9, 1, 50, 5) == records.FULL  # a third price
    assert (book.words == before).all()
    assert l3.l3_add(book.at, 2, 1, 100, 5) == 0
    before = book.words.copy()
    assert l3.l3_add(book.at, 3, 1, 100, 5) == records.FULL  # a fourth order
    assert l3.l3_modify(book.at, 2, 99, 5) == records.FULL  # its level stays, the new one has no room
    assert l3.l3_modify(book.at, 77, 99, 5) == records.UNKNOWN
    assert l3.l3_reduce(book.at, 2, 6) == records.TOO_MUCH
    assert l3.l3_add(book.at, 2, 1, 100, 5) == records.DUPLICATE
    assert (book.words == before).all()
    assert l3.l3_modify(book.at, 1, 99, 5) == 0  # the last order of its level frees it


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(ACTIONS, max_size=40), st.lists(ACTIONS, max_size=40), st.integers(0, 60), st.integers(0, 20))
def test_a_book_with_more_room_is_the_same_book(
    before: list[tuple[str, int, int, int, int]],
    after: list[tuple[str, int, int, int, int]],
    orders: int,
    levels: int,
) -> None:
    """1 and 2 of _l3_room: full, half full or empty, with more orders, more prices, both or neither."""
    small, plain = Book(30, 22), PlainBook()
    for action in before:
        step(small, plain, action)
    large = Book(30 + orders, 22 + levels)
    assert room.l3_copy(small.at, large.at) == len(plain.orders)
    same(large, plain)
    for action in after:
        ours, theirs = step(large, plain, action)
        assert ours == theirs, action
        same(large, plain)


def test_a_full_book_with_more_room_takes_what_it_could_not() -> None:
    small = Book(3, 2)
    for k, price in ((1, 100), (2, 101), (3, 101)):
        assert l3.l3_add(small.at, k, 1, price, 5) == 0
    assert l3.l3_add(small.at, 4, 1, 101, 5) == records.FULL
    for size, fits in (((4, 2), (0, records.FULL)), ((3, 4), (records.FULL, records.FULL)), ((5, 3), (0, 0))):
        large = Book(*size)
        assert room.l3_copy(small.at, large.at) == 3
        assert (l3.l3_add(large.at, 4, 1, 101, 5), l3.l3_add(large.at, 5, 1, 99, 5)) == fits
        assert [l3.l3_ahead_of(large.at, k) for k in (1, 2, 3)] == [0, 0, 5]
        assert l3.l3_delete(large.at, 2) == 0  # a freed record is used before a new one
        assert l3.l3_add(large.at, 6, 1, 100, 5) == 0
        assert l3.l3_ahead_of(large.at, 6) == 5


def test_4_an_order_loses_its_place_by_price_or_by_more_lots_only() -> None:
    book = Book()
    for k in (1, 2, 3):
        l3.l3_add(book.at, k, -1, 100, 10)
    l3.l3_modify(book.at, 1, 100, 4)
    assert [l3.l3_ahead_of(book.at, k) for k in (1, 2, 3)] == [0, 4, 14]
    l3.l3_modify(book.at, 1, 100, 5)
    assert [l3.l3_ahead_of(book.at, k) for k in (1, 2, 3)] == [20, 0, 10]


def test_5_what_is_ahead_of_a_moment_shrinks_only_by_what_was_there() -> None:
    book = Book()
    for k in (1, 2):
        l3.l3_add(book.at, k, 1, 100, 10)
    moment = int(book.words[records.SEQUENCE]) + 1
    assert l3.l3_ahead(book.at, 1, 100, moment) == 20
    l3.l3_add(book.at, 3, 1, 100, 10)
    l3.l3_delete(book.at, 3)
    l3.l3_reduce(book.at, 2, 4)
    assert l3.l3_ahead(book.at, 1, 100, moment) == 16
    assert l3.l3_ahead(book.at, 1, 101, moment) == 0


def test_a_stream_is_replayed_and_a_cross_is_found() -> None:
    kind = np.array(
        [layout.ADD_BID, layout.ADD_ASK, layout.TRADE, layout.EXECUTE, layout.MODIFY, layout.ADD_BID], np.int8
    )
    columns = [
        np.array(values, np.int64) for values in ([99, 101, 99, 99, 98, 101], [5, 5, 1, 2, 3, 1], [1, 2, 0, 1, 1, 7])
    ]
    table = np.zeros(layout.COLUMNS, np.int64)
    table[layout.V_KIND] = kind.ctypes.data
    for place, column in zip((layout.V_PRICE, layout.V_QTY, layout.V_A), columns):
        table[place] = column.ctypes.data
    book = Book()
    assert l3.l3_replay(book.at, table.ctypes.data, 0, 6) == 5
    assert book.words[records.HEADER - 1] == records.CROSSED
    assert book.depth(1)[1:] == [[98, 3, 1]]
    assert l3.l3_apply(book.at, layout.DEPTH_CLEAR, 0, 0, 0) == 0
    assert book.depth(1) == book.depth(-1) == []
    assert l3.l3_apply(book.at, layout.BAR, 1, 1, 1) == records.NOT_LEVEL3
