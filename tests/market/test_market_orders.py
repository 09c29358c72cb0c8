"""Orders in words and units become rows of whole steps; what does not fit is an error that says what would."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from market_doors import MATCHERS, intent_of, played

from karat.core import InputError
from karat.data import Events, Instrument
from karat.kernels.market import layout as at
from karat.market import Amend, Cancel, Order, Target, intents_on
from karat.market._orders import FORCES, LISTS, SELF_TRADES, TYPES

ITEMS = (
    Instrument("A.X"),
    Instrument("C.X", tick=Decimal("0.5"), lot=Decimal("0.001")),
    Instrument("IDX.X", asset_class="index", tradable=False),
)
NOTHING = np.zeros(0, dtype=np.int64)
EVENTS = Events(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, ITEMS)
GOOD = Order(1, 5, "C.X", "buy", "0.25", type="limit", price="100.5")


def row(intent: Any) -> list[int]:
    return intents_on(EVENTS, [intent]).rows[0].tolist()


def test_an_order_becomes_whole_steps() -> None:
    order = replace(
        GOOD, stop=Decimal("99.0"), offset=1.5, display=0.05, force="gtd", expires_ns=9, parent=3, list_with=2
    )
    words = row(replace(order, on_fill="reduce", self_trades="decrement", post_only=True, touch=True))
    assert words[at.T_TS] == 5
    assert (words[at.T_ACTION], words[at.T_ID], words[at.T_INSTRUMENT], words[at.T_SIDE]) == (at.SEND, 1, 1, 1)
    assert (words[at.T_TYPE], words[at.T_TIF], words[at.T_FLAGS]) == (at.LIMIT, at.GTD, at.POST_ONLY | at.TOUCH)
    assert (words[at.T_QTY], words[at.T_PRICE], words[at.T_STOP], words[at.T_OFFSET]) == (250, 201, 198, 3)
    assert (words[at.T_DISPLAY], words[at.T_EXPIRE], words[at.T_STP]) == (50, 9, at.STP_DECREMENT)
    assert (words[at.T_PARENT], words[at.T_GROUP], words[at.T_GROUP_MODE]) == (3, 2, at.GROUP_REDUCE)
    flags = row(replace(GOOD, reduce_only=True, short_exempt=True))[at.T_FLAGS]
    assert flags == at.REDUCE_ONLY | at.SHORT_EXEMPT


def test_commands_and_targets_become_rows() -> None:
    assert row(Cancel(7, 5))[:3] == [5, at.CANCEL, 7]
    amend = row(Amend(7, 5, "C.X", quantity=1, price=2))
    assert (amend[at.T_ACTION], amend[at.T_QTY], amend[at.T_PRICE]) == (at.AMEND, 1_000, 4)
    assert row(Amend(7, 5, "A.X", price=2))[at.T_QTY] == 0
    assert row(Target(7, 5, "C.X", quantity="-0.004"))[at.T_QTY] == -4
    assert row(Target(7, 5, "C.X", weight=-0.1))[at.T_QTY] == -100_000_000
    assert row(Target(7, 5, "C.X", weight=1 / 3))[at.T_QTY] == 333_333_333


@pytest.mark.parametrize("value", [0.3, "0.3", Decimal("0.3"), np.float64(0.3), 3])
def test_numbers_of_any_kind_are_exact(value: Any) -> None:
    """0.1 + 0.2 is not 0.3 as a float; a number is what its shortest text says."""
    assert row(Order(1, 5, "A.X", "sell", 1, type="limit", price=value))[at.T_PRICE] == Decimal(str(value)) * 100


@pytest.mark.parametrize("words", [TYPES, FORCES, SELF_TRADES, LISTS], ids=["type", "force", "self_trades", "on_fill"])
def test_every_word_has_its_code(words: Any) -> None:
    field = next(name for name, table in WORDS.items() if table is words)
    for word, code in words.items():
        assert row(replace(GOOD, **{field: word}))[PLACES[field]] == code


WORDS = {"type": TYPES, "force": FORCES, "self_trades": SELF_TRADES, "on_fill": LISTS}
PLACES = {"type": at.T_TYPE, "force": at.T_TIF, "self_trades": at.T_STP, "on_fill": at.T_GROUP_MODE}

BAD: dict[str, tuple[Any, str]] = {
    "unknown instrument": (replace(GOOD, instrument="C.Y"), "instrument: got 'C.Y'; allowed: .*did you mean 'C.X'"),
    "not tradable": (replace(GOOD, instrument="IDX.X"), "instrument: got 'IDX.X'; it is not tradable"),
    "side": (replace(GOOD, side="long"), "order.side: got 'long'; allowed: buy, sell"),
    "side code": (replace(GOOD, side=1), "order.side: got 1; allowed: buy, sell"),
    "type": (replace(GOOD, type="limt"), "order.type: got 'limt'; .*did you mean 'limit'"),
    "force": (replace(GOOD, force="ICO"), "order.force: got 'ICO'; allowed: gtc, day, gtd, ioc, fok"),
    "self trades": (replace(GOOD, self_trades="none"), "order.self_trades: got 'none'; allowed: allow, cancel_new"),
    "on fill": (replace(GOOD, on_fill="end"), "order.on_fill: got 'end'; allowed: none, cancel, reduce"),
    "flag": (replace(GOOD, post_only="yes"), "order.post_only: got 'yes'; allowed: True or False"),
    "off the tick": (
        replace(GOOD, price="100.3"),
        r"it is off the step; allowed: multiples of 0.5 for C.X; the nearest are 100.0 and 100.5",
    ),
    "negative, off the tick": (replace(GOOD, price="-0.3"), "the nearest are -0.5 and 0.0"),
    "off the lot": (replace(GOOD, quantity=0.0015), "order.quantity: got 0.0015.*the nearest are 0.001 and 0.002"),
    "stop off the tick": (replace(GOOD, stop=0.1), "order.stop: got 0.1"),
    "offset off the tick": (replace(GOOD, offset=0.1), "order.offset: got 0.1"),
    "shown off the lot": (replace(GOOD, display=0.0001), "order.display: got 0.0001"),
    "NaN price": (replace(GOOD, price=float("nan")), "order.price: got nan; allowed: a finite number"),
    "infinite size": (replace(GOOD, quantity=float("inf")), "order.quantity: got inf; allowed: a finite number"),
    "text": (replace(GOOD, quantity="many"), "order.quantity: got 'many'; allowed: a finite number"),
    "truth as size": (replace(GOOD, quantity=True), "order.quantity: got True; allowed: a number"),
    "too large": (replace(GOOD, quantity=10**16), r"order.quantity: got 10+; allowed: below 2\*\*52 steps of 0.001"),
    "time as float": (replace(GOOD, ts_ns=5.0), "intent.ts_ns: got 5.0; allowed: a whole number"),
    "id as text": (replace(GOOD, id="1"), "intent.id: got '1'; allowed: a whole number"),
    "id too large": (replace(GOOD, id=2**62), "intent.id: got 4611686018427387904"),
    "parent": (replace(GOOD, parent=None), "intent.parent: got None"),
    "both targets": (Target(1, 5, "A.X", quantity=1, weight=0.5), "target: got .*allowed: either quantity or weight"),
    "no target": (Target(1, 5, "A.X"), "target: got .*allowed: either quantity or weight"),
    "NaN weight": (Target(1, 5, "A.X", weight=float("nan")), "target.weight: got nan; allowed: a number from -9 to 9"),
    "weight as text": (Target(1, 5, "A.X", weight="much"), "target.weight: got 'much'"),
    "leverage": (Target(1, 5, "A.X", weight=9.5), "target.weight: got 9.5; allowed: a number from -9 to 9"),
    "empty amendment": (Amend(1, 5, "A.X"), "amend: got .*allowed: a quantity, a price, or both"),
    "amended to nothing": (Amend(1, 5, "A.X", quantity=0), "amend.quantity: got 0; allowed: above 0.*Cancel"),
    "amended below zero": (Amend(1, 5, "A.X", price=-1), "amend.price: got -1; allowed: above 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_an_error(name: str) -> None:
    intent, message = BAD[name]
    with pytest.raises(InputError, match=message):
        intents_on(EVENTS, [intent])


def test_intents_are_in_the_order_of_time() -> None:
    with pytest.raises(InputError, match="intents: got 'row 1'; its ts_ns is before the row's above; sort by ts_ns"):
        intents_on(EVENTS, [GOOD, replace(GOOD, id=2, ts_ns=4)])
    assert len(intents_on(EVENTS, [])) == 0


@pytest.mark.parametrize("matcher", MATCHERS, ids=MATCHERS.values())
def test_words_and_rows_are_two_spellings_of_one_thing(matcher: int) -> None:
    for seed in range(10):
        case = played(seed, matcher)
        case.rows[case.rows[:, at.T_ACTION] == at.CANCEL, at.T_QTY] = 0
        again = intents_on(case.events, [intent_of(words, case.events) for words in case.rows])
        keep = [place for place in range(at.INTENT) if place not in (at.T_INSTRUMENT, at.T_DELAY)]
        assert again.rows[:, keep].tolist() == case.rows[:, keep].tolist()
