"""The assumptions as records: what they hold, what they refuse, and which venue is cheaper."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from pydantic import Field, TypeAdapter

from karat.core import Config, ConfigError, InputError
from karat.kernels.market import _kinds as kinds
from karat.market import (
    Borrow,
    BpsSlippage,
    Costed,
    Fee,
    FeeQuery,
    FeeTier,
    FullFills,
    Impact,
    Latency,
    Locate,
    LogNormalLatency,
    NoFee,
    PartialFills,
    PerShareFee,
    PoissonBetaFills,
    PowerQueue,
    Queue,
    RateFee,
    RecordedLatency,
    Slippage,
    TieredFee,
    UserLatency,
    compare_fees,
    pack,
)

KINDS = {
    "latency": (Latency, {"none": 0, "constant": 1, "log_normal": 2, "recorded": 3, "user": kinds.USER}),
    "queue": (Queue, {"none": 0, "risk_averse": 1, "power": 2, "log": 3, "user": kinds.USER}),
    "partial": (PartialFills, {"full": 0, "poisson_beta": 1, "user": kinds.USER}),
    "slippage": (Slippage, {"none": 0, "ticks": 1, "bps": 2, "user": kinds.USER}),
    "impact": (Impact, {"none": 0, "linear": 1, "square_root": 2, "almgren_chriss": 3, "user": kinds.USER}),
    "fee": (Fee, {"none": 0, "rate": 1, "per_share": 2, "tiered": 3, "user": kinds.USER}),
}
NEEDED = {
    "constant": {"latency_ns": 5},
    "recorded": {"ts_ns": [1], "latency_ns": [2]},
    "user": {"address": 4096},
    "ticks": {"slippage_ticks": 1},
    "bps": {"slippage_bps": 1.0},
    "linear": {"impact_frac": 0.1, "volume_lots": 10.0},
    "square_root": {"sigma_frac": 0.1, "volume_lots": 10.0},
    "tiered": {"tiers": [{"volume": 0, "maker_bps": 1, "taker_bps": 2}]},
}


@pytest.mark.parametrize(("group", "kind"), [(group, kind) for group, (_, ids) in KINDS.items() for kind in ids])
def test_every_kind_is_found_by_its_name_and_carries_its_id(group: str, kind: str) -> None:
    union, ids = KINDS[group]
    model = TypeAdapter(union).validate_python({"kind": kind, **NEEDED.get(kind, {})})
    assert model.record()[0] == ids[kind]
    assert len(model.words()) == max(1, len(model.record()[1]))


def test_words_hold_ints_and_floats_by_their_bits() -> None:
    words = pack((7, 3.9, -1))
    assert list(words[[0, 2]]) == [7, -1]
    assert words.view(np.float64)[1] == 3.9
    assert list(LogNormalLatency().words().view(np.float64)) == [3.9, 0.3, 1e6]
    with pytest.raises(InputError, match=r"record: got 9223372036854775808; word 1 is an int64"):
        pack((1, 2**63))


class Holder(Config):
    """A record with a model inside, as a spec has it."""

    latency: Latency = Field(default_factory=LogNormalLatency)
    fee: Fee = Field(default_factory=NoFee)


REFUSED = [
    (LogNormalLatency, {"sigma": -0.1}, "sigma: got -0.1; allowed: 0 or more"),
    (LogNormalLatency, {"sigm": 0.1}, "did you mean 'sigma'?"),
    (RecordedLatency, {"ts_ns": [2, 1], "latency_ns": [1, 1]}, "ts_ns: times must ascend strictly"),
    (RecordedLatency, {"ts_ns": [1, 2], "latency_ns": [1]}, "latency_ns: got 1 value; ts_ns has 2"),
    (RecordedLatency, {"ts_ns": [1], "latency_ns": [-4]}, "latency_ns: got -4; allowed: 0 or more"),
    (BpsSlippage, {"slippage_bps": 1e-6}, "slippage_bps: got 1e-06; allowed: a multiple of 1e-05 bps"),
    (BpsSlippage, {"slippage_bps": 10_000}, "allowed: below 10000"),
    (PowerQueue, {"exponent": 0}, "exponent: got 0; allowed: above 0"),
    (PoissonBetaFills, {"mean": 31}, "mean: got 31; allowed: 30 or less"),
    (UserLatency, {"address": 0}, "address: got 0; allowed: above 0"),
    (RateFee, {"taker_bps": 1e-7}, "taker_bps: got 1e-07; allowed: a multiple of 1e-05 bps"),
    (
        TieredFee,
        {"tiers": [{"volume": 5, "maker_bps": 1, "taker_bps": 1}]},
        "tiers: got a first volume of 5; allowed: 0",
    ),
    (TieredFee, {"tiers": [{"volume": 0, "maker_bps": 1, "taker_bps": 1}] * 2}, "they must ascend strictly"),
    (TieredFee, {**NEEDED["tiered"], "volume_before": [-1]}, "volume_before: got -1; allowed: 0 or more"),
    (Borrow, {"rate_frac": 10}, "rate_frac: got 10; allowed: 9 or less"),
    (Locate, {"quantity_lots": -1, "expires_ns": 5}, "quantity_lots: got -1; allowed: 0 or more"),
]


@pytest.mark.parametrize(("model", "values", "message"), REFUSED)
def test_what_is_refused_is_named(model: type[Config], values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        model.parse(values, source="spec")
    assert message in str(caught.value)


def test_an_unknown_kind_inside_a_spec_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match="log_normal"):
        Holder.parse({"latency": {"kind": "lognormal"}}, source="spec")
    assert Holder.parse({"latency": {"kind": "constant", "latency_ns": 4}}, source="spec").latency.record() == (1, (4,))


def test_money_that_is_not_whole_quanta_is_refused() -> None:
    with pytest.raises(InputError, match=r"minimum: got 0\.001; allowed: whole multiples of 1/100"):
        RateFee(minimum=0.001).record(quanta_per_unit=100)
    assert PerShareFee(taker=0.005).record(quanta_per_unit=100)[1] == (0, 0, 500_000, 0)
    assert PerShareFee(taker=0.005).record(quanta_per_unit=100, lots_per_unit=1_000)[1] == (0, 0, 500, 0)


def test_borrow_and_locate_records() -> None:
    assert Borrow(rate_frac=0.03).rate() == 30_000_000
    assert Locate(quantity_lots=5, expires_ns=9).words() == (5, 9, 2**62)
    assert Locate(quantity_lots=5, recalled_ns=7).words() == (5, 2**62, 7)


TIERS = TieredFee(
    tiers=(FeeTier(volume=0, maker_bps=10, taker_bps=10), FeeTier(volume=50_000, maker_bps=-1, taker_bps=4)),
)
FLAT = RateFee(maker_bps=6, taker_bps=6)


@pytest.mark.req("SIM-11")
@pytest.mark.parametrize(
    ("volume", "maker_frac", "cheaper", "bps"),
    [(0, 0.0, "flat", "6"), (49_999, 0.0, "flat", "6"), (50_000, 0.0, "tiered", "4"), (50_000, 1.0, "tiered", "-1")],
)
def test_the_cheaper_venue_depends_on_the_volume_there(volume: int, maker_frac: float, cheaper: str, bps: str) -> None:
    here = FeeQuery(notional=Decimal(1000), volume_30d=Decimal(volume))
    found = compare_fees({"tiered": TIERS, "flat": FLAT}, {"tiered": here, "flat": here}, maker_frac=maker_frac)
    assert found[0].venue == cheaper
    assert found[0].fee_bps == Decimal(bps)
    assert found[0].fee == Decimal(bps) / 10
    assert found[0].fee <= found[1].fee


def test_fees_outside_the_kernel() -> None:
    query = FeeQuery(notional=Decimal(1000), quantity=Decimal(100))
    assert NoFee().cost(query, maker=False) == 0
    assert PerShareFee(taker=0.005).cost(query, maker=False) == Decimal("0.5")
    assert PerShareFee(taker=0.005, minimum=1.0).cost(query, maker=False) == 1
    assert PerShareFee(taker=0.5, cap_frac=0.01).cost(query, maker=False) == 10
    assert RateFee(taker_bps=1, minimum=2).cost(query, maker=False) == 2
    assert TieredFee(tiers=TIERS.tiers, minimum=2).cost(query, maker=True) == 2
    same = compare_fees({"b": FLAT, "a": FLAT}, {"a": query, "b": query})
    assert [item.venue for item in same] == ["a", "b"]


@pytest.mark.parametrize(
    ("venues", "queries", "maker_frac", "message"),
    [
        ({}, {}, 0.0, "venues: got 'none'; allowed: one or more"),
        ({"x": FLAT}, {}, 0.0, "trades: got 'x'; allowed: a trade with value above 0 for each venue"),
        ({"x": FLAT}, {"x": FeeQuery(Decimal(0))}, 0.0, "a trade with value above 0"),
        ({"x": FLAT}, {"x": FeeQuery(Decimal(1))}, 1.5, "maker_frac: got 1.5; allowed: 0 to 1"),
    ],
)
def test_a_comparison_that_cannot_be_made(
    venues: dict[str, Costed], queries: dict[str, FeeQuery], maker_frac: float, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        compare_fees(venues, queries, maker_frac=maker_frac)
    assert message in str(caught.value)


def test_full_fills_are_the_default_form() -> None:
    assert FullFills().record() == (kinds.PARTIAL_NONE, ())
