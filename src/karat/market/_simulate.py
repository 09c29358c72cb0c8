"""`simulate`: what intents would have done in a market, whichever kind of market the data are.

Events with orders go to the event market, bars with targets to the target panel. What the two assume and what their
results share stands in docs/concepts/market.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, overload

from karat.core import InputError
from karat.data import Events
from karat.market._bars import Bars
from karat.market._intents import TargetQuantities, TargetWeights
from karat.market._market import Market
from karat.market._orders import Amend, Cancel, Intent, Intents, Order, Target, intents_on
from karat.market._panel import simulate_targets
from karat.market._record import MarketRun
from karat.market._simulation import Simulation
from karat.market._spec import MarketSpec
from karat.market._venue import VenueSpec

_ORDERS: Final = (Order, Cancel, Amend, Target)
_TARGETS: Final = (TargetWeights, TargetQuantities)


@overload
def simulate(data: Events, intents: Intents | Sequence[Intent], spec: VenueSpec | None = None) -> MarketRun: ...
@overload
def simulate(data: Bars, intents: TargetWeights | TargetQuantities, spec: MarketSpec | None = None) -> Simulation: ...
def simulate(
    data: Events | Bars,
    intents: Intents | Sequence[Intent] | TargetWeights | TargetQuantities,
    spec: VenueSpec | MarketSpec | None = None,
) -> MarketRun | Simulation:
    """Return what the intents would have done in the market of the data.

    data, intents, spec go together: `Events`, a list of orders (`Order`, `Cancel`, `Amend`, `Target`, or the `Intents`
    of `intents_on` or `read_orders`) and a `VenueSpec` give a `MarketRun`; `Bars`, `TargetWeights` or
    `TargetQuantities` and a `MarketSpec` give a `Simulation`.

    On bars, a row of targets is decided after the close of the bar at its ts and sized with that close and that equity;
    it is filled as `spec.fill` says. NaN prices: the order is dropped and counted, the position keeps its last price.

    Raises:
        InputError: kinds that do not go together, a decision at no bar's close, columns or orders that do not fit.
        MarketStopped: at a faulty row of events; `partial` is what came before.
        RangeError: on bars, a price, an order or money left the range in which it is exact in the spec's quanta.

    Example:
        >>> import numpy as np
        >>> from karat.data import Instrument, events_from_bars
        >>> from karat.market import Bars, MarketSpec, Order, TargetWeights, simulate
        >>> prices = {"open": [10.0, 10.0], "high": [10.0, 11.0], "low": [10.0, 10.0], "close": [10.0, 11.0]}
        >>> events = events_from_bars({"ts": [1, 2]} | prices, Instrument("A.X"))
        >>> simulate(events, [Order(1, 1, "A.X", "buy", 5)]).money["USD"]["unrealised"]
        Decimal('5.00000000')
        >>> ts = np.array([1, 2, 3], dtype=np.int64)
        >>> bars = Bars(ts, ("A",), None, np.array([[100.0], [100.0], [110.0]]))
        >>> costless = MarketSpec(proportional_bps=0, fill="next_close")
        >>> simulate(bars, TargetWeights(ts[:1], np.array([[0.5]])), costless).net_returns.round(6).tolist()
        [0.0, 0.0, 0.05]
    """
    if isinstance(data, Bars):
        if not isinstance(intents, _TARGETS):
            fix = "events_from_bars makes events of bars, for orders"
            raise _unfit("intents", intents, "TargetWeights or TargetQuantities", "the data are Bars", fix)
        if not (spec is None or isinstance(spec, MarketSpec)):
            raise _unfit("spec", spec, "a MarketSpec or None", "the data are Bars", "a VenueSpec is for Events")
        return simulate_targets(data, intents, spec)
    market = Market(*checked(data, intents, spec))
    market.advance()
    return market.result()


def checked(data: object, intents: object, spec: object) -> tuple[Events, VenueSpec | None, Intents]:
    """Return what an event market takes, or say what does not go together.

    Raises:
        InputError: see `simulate`.
    """
    if not isinstance(data, Events):
        fix = "events_from_bars makes Events of a table (or _quotes, _trades, _depth), bars_from_panel Bars of a Panel"
        raise _unfit("data", data, "Events or Bars", None, fix)
    if isinstance(intents, _TARGETS):
        fix = "give Bars instead, or one Target(...) for each instrument and time"
        raise _unfit("intents", intents, "orders", "the data are Events", fix)
    if not (spec is None or isinstance(spec, VenueSpec)):
        raise _unfit("spec", spec, "a VenueSpec or None", "the data are Events", "a MarketSpec is for Bars and targets")
    if isinstance(intents, Intents):
        return data, spec, intents
    if isinstance(intents, _ORDERS):
        intents = [intents]
    if not isinstance(intents, Sequence) or isinstance(intents, str):
        fix = "read_orders reads them from a file"
        raise _unfit("intents", intents, "a list of Order, Cancel, Amend and Target, or Intents", None, fix)
    return data, spec, intents_on(data, intents)


def _unfit(field: str, value: object, allowed: str, why: str | None, fix: str) -> InputError:
    return InputError(field, type(value).__name__, allowed=allowed, why=why, fix=fix)
