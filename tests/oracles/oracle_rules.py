"""The market's rules once more, plain and slow, straight from the text of the rules and sharing nothing with karat.

Prices are Fractions of a dollar, times seconds since midnight in New York plus 86,400 a day. Everything is kept
in lists and worked out anew: the window's mean from all trades, the next deadline from all candidates.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

DAY = 86_400
NINE_THIRTY = 9 * 3600 + 30 * 60


def cents(value: Fraction) -> Fraction:
    """Nearest cent, a half upwards."""
    return Fraction(floor(value * 100 + Fraction(1, 2)), 100)


def outward(value: Fraction, side: int) -> Fraction:
    """Whole cents away from the reference."""
    return Fraction(ceil(value * 100) if side > 0 else floor(value * 100), 100)


def band_amount(tier: int, prior: Fraction, reference: Fraction, doubled: bool) -> Fraction:
    """Width of one band: 5 % or 10 % above $3.00, 20 % from $0.75 to $3.00, below it $0.15 or 75 %, the smaller."""
    if prior > 3:
        amount = reference * Fraction(5 if tier == 1 else 10, 100)
    elif prior >= Fraction(75, 100):
        amount = reference * Fraction(20, 100)
    else:
        amount = min(Fraction(15, 100), reference * Fraction(75, 100))
    return amount * 2 if doubled else amount


def is_doubled(tier: int, prior: Fraction, second: int, close: int, year: int) -> bool:
    """Until 2019 the first 15 and the last 25 minutes; since then the last 25 only, not for tier 2 above $3.00."""
    last = second >= close - 25 * 60
    if year < 2019:
        return last or second < NINE_THIRTY + 15 * 60
    return last and not (tier == 2 and prior > 3)


@dataclass
class Day:
    """One session of one stock."""

    tier: int
    prior: Fraction
    start: int
    close: int
    year: int
    restricted_from_before: bool = False
    trades: list[tuple[Fraction, Fraction]] = field(default_factory=list)
    triggered: bool = False
    reference: Fraction | None = None
    reference_since: Fraction = Fraction(-1)
    waiting_since: Fraction = Fraction(0)
    fallback: Fraction = Fraction(0)
    quote: tuple[Fraction | None, Fraction | None] = (None, None)
    state: str = "normal"
    since: Fraction = Fraction(0)
    side: int = 0
    resumes: Fraction | None = None
    bands: tuple[Fraction, Fraction] | None = None

    def __post_init__(self) -> None:
        self.now = Fraction(self.start)
        self.done = self.now - 1
        self.waiting_since = self.now
        self.fallback = self.prior

    def window(self, at: Fraction) -> list[Fraction]:
        return [price for when, price in self.trades if at - 300 < when]

    def candidates(self) -> list[Fraction]:
        found = [Fraction(self.close), Fraction(self.close - 1500), Fraction(self.start + 900)]
        found += [when + 300 for when, _ in self.trades]
        found += [self.reference_since + 30, self.waiting_since + 300]
        if self.state == "limit":
            found.append(self.since + 15)
        if self.state == "pause" and self.resumes is not None:
            found.append(self.resumes)
        return [when for when in found if when > self.done]

    def up_to(self, at: Fraction) -> None:
        """Everything that time alone does before `at`."""
        while True:
            coming = [when for when in self.candidates() if when < at]
            if not coming:
                break
            self.now = self.done = min(coming)
            self.time_passes()
        self.now = at

    def time_passes(self) -> None:
        if self.now >= self.close:
            self.state, self.bands, self.reference, self.side = "normal", None, None, 0
            return
        if self.state == "limit" and self.now >= self.since + 15:
            self.state, self.since, self.side = "pause", self.now, 0
            resumes = self.now + 300
            self.resumes = None if resumes > self.close - 600 else resumes
            return
        if self.state == "pause":
            if self.resumes is None or self.now < self.resumes:
                return
            self.fallback = self.reference or self.fallback
            self.state, self.since, self.reference, self.bands = "normal", self.now, None, None
            self.trades, self.waiting_since = [], self.now
        if self.reference is None and self.now >= self.waiting_since + 300:
            seen = self.window(self.now)
            self.reference = sum(seen, Fraction(0)) / len(seen) if seen else self.fallback
            self.reference_since = self.now
        self.settle()

    def settle(self) -> None:
        self.look_at_quote()
        if self.state in ("limit", "pause"):
            return
        seen = self.window(self.now)
        if seen and self.reference is not None:
            proposal = sum(seen, Fraction(0)) / len(seen)
            moved = abs(proposal / self.reference - 1) >= Fraction(1, 100)
            if moved and self.now >= self.reference_since + 30:
                self.reference, self.reference_since = proposal, self.now
        self.make_bands()
        self.look_at_quote()

    def make_bands(self) -> None:
        if self.reference is None:
            self.bands = None
            return
        doubled = is_doubled(self.tier, self.prior, self.second, self.close - self.start + NINE_THIRTY, self.year)
        amount = band_amount(self.tier, self.prior, self.reference, doubled)
        self.bands = (max(Fraction(0), cents(self.reference - amount)), cents(self.reference + amount))

    @property
    def second(self) -> Fraction:
        return self.now - self.start + NINE_THIRTY

    def look_at_quote(self) -> None:
        if self.state == "pause" or self.bands is None:
            if self.state != "pause":
                self.set_state("normal", 0)
            return
        (bid, ask), (lower, upper) = self.quote, self.bands
        crossed = bid is not None and ask is not None and bid > ask
        if ask == lower and not crossed:
            self.set_state("limit", -1)
        elif bid == upper and not crossed:
            self.set_state("limit", 1)
        elif (bid is not None and bid < lower) or (ask is not None and ask > upper):
            self.set_state("straddle", 0)
        else:
            self.set_state("normal", 0)

    def set_state(self, state: str, side: int) -> None:
        if (state, side) != (self.state, self.side):
            self.state, self.side, self.since = state, side, self.now

    def take_trade(self, at: Fraction, price: Fraction) -> None:
        self.up_to(at)
        if not self.start <= at <= self.close:
            return
        if 10 * price <= 9 * self.prior:
            self.triggered = True
        if at >= self.close or self.state == "pause":
            return
        self.trades.append((at, price))
        if self.reference is None:
            self.reference, self.reference_since = price, at
            self.make_bands()
        self.settle()

    def take_quote(self, at: Fraction, bid: Fraction | None, ask: Fraction | None) -> None:
        self.up_to(at)
        self.quote = (bid, ask)
        if self.start <= at < self.close:
            self.settle()

    @property
    def restricted(self) -> bool:
        return self.triggered or self.restricted_from_before

    def sale_forbidden(self, side: int, short: bool, exempt: bool, price: Fraction) -> bool:
        bid, ask = self.quote
        if side > 0 or not short or exempt or not self.restricted or bid is None:
            return False
        return price <= bid and not (ask is not None and bid > ask)

    def may_send(self, at: Fraction, side: int, short: bool, exempt: bool, price: Fraction) -> bool:
        self.up_to(at)
        if self.state == "pause":
            return False
        step = Fraction(1, 100) if price >= 1 else Fraction(1, 10_000)
        if price <= 0 or price % step != 0 or self.sale_forbidden(side, short, exempt, price):
            return False
        if self.bands is None:
            return True
        return price <= self.bands[1] if side > 0 else price >= self.bands[0]

    def may_execute(self, at: Fraction, side: int, short: bool, exempt: bool, above: bool, price: Fraction) -> bool:
        self.up_to(at)
        if self.state == "pause" or self.sale_forbidden(side, short, exempt or above, price):
            return False
        return self.bands is None or self.bands[0] <= price <= self.bands[1]


def wild_day(rng: random.Random, day: int, prior_cents: int, n: int, year: int) -> list[dict[str, object]]:
    """Events of a violent session in cents and seconds: trades, quotes, quotes pinned to a band, orders, executions."""
    start = day * DAY + NINE_THIRTY
    close = start + 23_400
    at, price, events = start, prior_cents, []
    slow = rng.choice([3, 20, 60])
    for _ in range(n):
        at = min(at + rng.choice([0, 1, 1, rng.randrange(1, 2 * slow), rng.choice([15, 30, 300])]), close)
        jump = rng.choice([1, 1, 1, 0.999, 1.001, 0.99, 1.01, 0.985, 1.012, rng.uniform(0.95, 1.05)])
        price = max(2, round(price * jump))
        kind = rng.choice(["trade"] * 8 + ["quote"] * 3 + ["pin"] + ["order", "execution"] * 4)
        event: dict[str, object] = {"kind": kind, "at": at, "price": price}
        if kind == "quote":
            gap = rng.choice([1, 1, 2, 5, -1, round(price * 0.05)])
            event |= {"bid": rng.choice([price, price, None]), "ask": rng.choice([price + gap, price + gap, None])}
        else:
            far = rng.choice([0, 0, 1, -1, round(price * rng.uniform(-0.15, 0.15))])
            event |= {"side": rng.choice([1, -1, -1]), "short": rng.random() < 0.7, "exempt": rng.random() < 0.1}
            event |= {"above": rng.random() < 0.1}
            event["price"] = price if kind == "trade" else max(1, price + far)
        events.append(event)
    return events
