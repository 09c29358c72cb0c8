"""Money of the market against exact fractions: rounding, overflow, tiers, borrow. Numbers are the invariants."""

from __future__ import annotations

import ctypes
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karat.kernels.market import _charges as charges
from karat.kernels.market import _kinds as kinds
from karat.market import FeeTier, NoFee, PerShareFee, RateFee, TieredFee, UserFee, pack

AMOUNT = st.integers(-(2**63) + 1, 2**63 - 1)
TIERS = (
    FeeTier(volume=0.0, maker_bps=2.0, taker_bps=5.0),
    FeeTier(volume=100.0, maker_bps=1.0, taker_bps=4.0),
    FeeTier(volume=1000.0, maker_bps=-0.5, taker_bps=3.0),
)


def half_away(value: Fraction) -> int:
    rounded = math.floor(abs(value) + Fraction(1, 2))
    return rounded if value >= 0 else -rounded


@given(AMOUNT, st.integers(-(10**9), 10**9))
@settings(max_examples=300, deadline=None)
def test_1_a_charge_is_rounded_half_away_from_zero_and_mirrored(notional: int, rate: int) -> None:
    assert charges.share(notional, rate) == half_away(Fraction(notional * rate, 10**9))
    assert charges.share(notional, -rate) == -charges.share(notional, rate)


@pytest.mark.parametrize(
    ("notional", "rate", "want"),
    [(5, 10**8, 1), (-5, 10**8, -1), (4, 10**8, 0), (15, 10**8, 2), (2**63 - 1, 10**9, 2**63 - 1), (0, -5, 0)],
)
def test_1_halves_and_the_largest_amount(notional: int, rate: int, want: int) -> None:
    assert charges.share(notional, rate) == want


@given(AMOUNT, st.integers(10**9 + 1, 10**11))
@settings(max_examples=100, deadline=None)
def test_2_a_charge_above_the_notional_is_exact_or_overflow(notional: int, rate: int) -> None:
    want = half_away(Fraction(notional * rate, 10**9))
    assert charges.share(notional, rate) == (want if abs(want) < 2**63 else kinds.OVERFLOW)


@given(st.integers(-(2**62), 2**62), st.integers(-(2**62), 2**62), st.integers(1, 2**40))
@settings(max_examples=150, deadline=None)
def test_2_a_notional_is_exact_or_overflow(price: int, qty: int, unit: int) -> None:
    want = price * qty * unit
    fits = abs(price * qty) < 2**63 and abs(want) < 2**63
    assert charges.notional_quanta(price, qty, unit) == (want if fits else kinds.OVERFLOW)


def test_2_overflow_is_passed_on() -> None:
    assert charges.share(kinds.OVERFLOW, 5) == kinds.OVERFLOW
    assert charges.funding_quanta(2**40, 2**40, 1, 100) == kinds.OVERFLOW
    assert charges.per_share(2**62, 2**62) == kinds.OVERFLOW
    assert charges.fee_due(5, kinds.OVERFLOW, 10, 1) == kinds.OVERFLOW


@given(st.integers(-(2**50), 2**50), st.integers(-(10**12), 10**12))
@settings(max_examples=150, deadline=None)
def test_1_a_fee_by_share(qty: int, per_million: int) -> None:
    want = half_away(Fraction(abs(qty) * per_million, 10**6))
    assert charges.per_share(qty, per_million) == (want if abs(want) < 2**63 else kinds.OVERFLOW)


def fee(model: object, notional: int, qty: int, *, maker: int = 0, day: int = 0) -> int:
    kind, values = model.record()  # type: ignore[attr-defined]
    words = pack(values)
    return int(charges.fee_quanta(kind, words.ctypes.data, notional, qty, maker, day))


def test_fees_of_each_kind() -> None:
    rate = RateFee(maker_bps=-0.5, taker_bps=7.0)
    assert fee(rate, 10**12, 1) == 7 * 10**8
    assert fee(rate, 10**12, 1, maker=1) == -5 * 10**7
    share = PerShareFee(taker=0.005, maker=-0.002, cap_frac=0.01)
    assert fee(share, 10**12, 100) == 50_000_000  # 100 shares at half a cent, in quanta of 1e-8
    assert fee(share, 10**12, 100, maker=1) == -20_000_000
    assert fee(share, 10**8, 100) == 10**6  # 1 % of one dollar
    assert fee(NoFee(), 10**12, 100) == 0
    assert fee(TieredFee(tiers=TIERS), 10**12, 1) == 5 * 10**8


def test_a_users_fee_is_called_by_address() -> None:
    made = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 4)(lambda n, q, m, d: 1000 * n + 100 * q + 10 * m + d)
    user = UserFee(address=ctypes.cast(made, ctypes.c_void_p).value, minimum=1.0)
    assert fee(user, 7, 3, maker=1, day=2) == 7312
    kind, values = user.record()
    words = pack(values)
    assert charges.fee_minimum(kind, words.ctypes.data) == 10**8


@pytest.mark.parametrize(
    ("model", "want"),
    [(RateFee(minimum=0.5), 5 * 10**7), (PerShareFee(minimum=1.0), 10**8),
     (TieredFee(tiers=TIERS, minimum=2.0), 2 * 10**8),
     (NoFee(), 0)],
)  # fmt: skip
def test_the_minimum_of_each_kind(model: RateFee, want: int) -> None:
    kind, values = model.record()
    words = pack(values)
    assert charges.fee_minimum(kind, words.ctypes.data) == want


@given(st.lists(st.integers(-50, 100), min_size=1, max_size=8), st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_the_bill_of_an_order_is_its_fees_or_the_minimum(fees: list[int], minimum: int) -> None:
    paid = [charges.fee_due(sum(fees[:k]), one, minimum, int(k == 0)) for k, one in enumerate(fees)]
    assert sum(paid) == (max(sum(fees), minimum) if minimum else sum(fees))


@pytest.mark.req("SIM-11")
@pytest.mark.parametrize("today", [True, False])
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10**9)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_4_the_window_of_30_days_is_that_of_a_plain_sum(today: bool, steps: list[tuple[int, int]]) -> None:
    words = pack(TieredFee(tiers=TIERS, includes_today=today).record(first_day=19_000)[1])
    p, day, traded = words.ctypes.data, 19_000, []
    for ahead, notional in steps:
        day += ahead
        first, last = (day - 29, day) if today else (day - 30, day - 1)
        assert charges.tier_volume(p, day) == sum(n for d, n in traded if first <= d <= last)
        assert charges.tier_volume_add(p, day, notional) == 0
        traded.append((day, notional))
    assert charges.tier_volume(p, day + 31) == 0
    assert charges.tier_volume_add(p, day, 5) == 2


@pytest.mark.req("SIM-11")
def test_a_tier_begins_at_its_volume_and_ends_when_the_day_leaves() -> None:
    words = pack(TieredFee(tiers=TIERS).record(first_day=100)[1])
    p, unit = words.ctypes.data, 10**8
    assert charges.tier_volume_add(p, 100, 100 * unit - 1) == 0
    assert charges.tier_rate(p, 100, 0) == 500_000
    assert charges.tier_volume_add(p, 100, 1) == 0
    assert (charges.tier_rate(p, 100, 0), charges.tier_rate(p, 100, 1)) == (400_000, 100_000)
    assert charges.tier_volume_add(p, 110, 900 * unit) == 0
    assert (charges.tier_rate(p, 129, 0), charges.tier_rate(p, 129, 1)) == (300_000, -50_000)
    assert charges.tier_rate(p, 130, 0) == 400_000  # day 100 has left
    assert charges.tier_rate(p, 140, 0) == 500_000  # day 110 too
    assert charges.tier_volume_add(p, 150, 2**62) == 0
    assert charges.tier_volume_add(p, 150, 1) == 1


@pytest.mark.req("SIM-11")
def test_volume_of_before_the_start_counts_for_its_days() -> None:
    words = pack(TieredFee(tiers=TIERS, volume_before=(40.0, 0.0, 60.0)).record(first_day=50)[1])
    p = words.ctypes.data
    assert charges.tier_volume(p, 50) == 100 * 10**8
    assert charges.tier_rate(p, 50, 0) == 400_000
    assert charges.tier_volume(p, 77) == 60 * 10**8  # the 40 were traded on day 47, 30 days ago
    assert charges.tier_volume(p, 79) == 0


@given(
    st.lists(st.tuples(st.integers(0, 10**17), st.integers(-(10**15), 10**15)), min_size=1, max_size=6),
    st.integers(0, 9 * 10**9),
)
@settings(max_examples=150, deadline=None)
def test_3_borrow_is_exact_over_any_split_of_time(spans: list[tuple[int, int]], rate: int) -> None:
    words = np.array([rate, 1_000, 0, 0])
    ts, owed, exact = 1_000, 0, Fraction(0)
    for span, notional in spans:
        for part in (span // 3, span):  # the same span in two steps
            owed += charges.borrow_accrue(words.ctypes.data, ts + part, notional)
        ts += span
        exact += Fraction(abs(notional) * rate * span, 10**9 * charges.YEAR_NS)
        assert owed == math.floor(exact)
    assert charges.borrow_accrue(words.ctypes.data, ts - 5, 10**9) == 0


def test_3_a_year_at_three_percent_and_2_overflow() -> None:
    words = np.array([30_000_000, 0, 0, 0])
    assert charges.borrow_accrue(words.ctypes.data, charges.YEAR_NS, -(10**12)) == 3 * 10**10
    before = words.copy()
    words[0] = 9 * 10**9
    assert charges.borrow_accrue(words.ctypes.data, 50 * charges.YEAR_NS, 2**62) == kinds.OVERFLOW
    assert list(words[1:]) == list(before[1:])


@pytest.mark.req("SIM-12")
@pytest.mark.parametrize(("position", "want"), [(3, 30), (-3, -30), (0, 0)])
def test_longs_pay_positive_funding_and_shorts_get_it(position: int, want: int) -> None:
    assert charges.funding_quanta(position, 50_000, 2, 100_000) == want
