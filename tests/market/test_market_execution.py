"""`simulate_execution`: golden fills against depth, the same for any batch; and orders that walk many levels."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from market_doors import MATCHERS, played

from karat.core import DataError, InputError
from karat.data import Instrument
from karat.market import Ladder, Order, RateFee, TradingTerms, VenueSpec, simulate, simulate_execution

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "market" / "execution.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in GOLDEN["cases"]}
A = Instrument("A.X")
SPEC = VenueSpec(cash={"USD": 0}, terms=TradingTerms(fee=RateFee(taker_bps=GOLDEN["taker_bps"])))
LADDER = Ladder(A, GOLDEN["ladder"]["bids"], GOLDEN["ladder"]["asks"])


def orders_of(case: dict[str, Any]) -> list[Order]:
    return [Order(number, 0, "A.X", **order) for number, order in enumerate(case["orders"], start=1)]


@pytest.mark.parametrize("batch", [None, 1, 2, 3, 7, 1_000])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.req("SIM-21", "SIM-09")
def test_golden_fills_in_batches_of_any_size(name: str, batch: int | None) -> None:
    case = CASES[name]
    run = simulate_execution(LADDER, orders_of(case), SPEC, batch=batch)
    fills = run.fills.select("order", "quantity", "price").rows()
    assert fills == [(order, float(lots), float(price)) for order, lots, price in case["fills"]]
    assert run.money["USD"]["cash"] == Decimal(case["cash"])
    assert run.telemetry["slippage"] == pytest.approx(float(case["slippage"]))


@pytest.mark.parametrize("matcher", MATCHERS, ids=MATCHERS.values())
@pytest.mark.req("SIM-21")
def test_a_batch_changes_nothing_on_any_events(matcher: int) -> None:
    fills = 0
    for seed in range(12):
        case = played(seed, matcher, delayed=True)
        whole = simulate(case.events, case.intents, case.spec)
        for batch in (1, 3, 10):
            run = simulate_execution(case.events, case.intents, case.spec, batch=batch)
            assert run.fill_rows.tolist() == whole.fill_rows.tolist()
            assert run.news_rows.tolist() == whole.news_rows.tolist()
            assert (run.money, run.state_hash) == (whole.money, whole.state_hash)
        fills += len(whole.fill_rows)
    assert fills > 30


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(InputError, match="batch: got 0; allowed: 1 or more, or None for everything in one call"):
        simulate_execution(LADDER, [], batch=0)
    with pytest.raises(InputError, match=r"ladder: got 'no level'; allowed: one \(price, size\) or more"):
        simulate_execution(Ladder(A), [])
    with pytest.raises(InputError, match="ladder price: got 'ten'; allowed: a number"):
        simulate_execution(Ladder(A, [("ten", 1)]), [])
    with pytest.raises(DataError, match="a whole multiple of the tick 0.01"):
        simulate_execution(Ladder(A, [("9.995", 1)]), [])


def test_a_walk_of_500_levels_needs_no_room_that_is_not_there() -> None:
    """8,170 fills fill all but 86 rows of the table of fills; the walk after them needs 500."""
    many, levels = 8_170, [(Decimal(k) / 100, 1) for k in range(10_001, 10_501)]
    asks = [("100.00", many), *levels]
    ones = [Order(k, 0, "A.X", "buy", 1) for k in range(1, many + 1)]
    walk = Order(many + 1, 0, "A.X", "buy", 500)
    run = simulate_execution(Ladder(A, asks=asks), [*ones, walk], VenueSpec(open_orders=4))
    own = run.fills.filter(run.fills["order"] == many + 1)
    assert own["price"].to_list() == [float(price) for price, _ in levels]
    assert run.positions["quantity"].to_list() == [many + 500.0]
