"""What each system says: bands, the VIX, rotation, hidden states and their names, changes."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from regimes_factory import PROVENANCE, bars, panel

from karat.core import NS_PER_DAY, InputError, iso_date
from karat.data import Panel, load
from karat.data._sqlite_regimes import volatility_regimes
from karat.features import VIX_REGIME_CODES, build
from karat.features.regimes import (
    FOLLOWING,
    REGIMES,
    STRESSED,
    Refits,
    as_train,
    describe,
    label,
    make_regime,
    with_market,
)
from karat.features.regimes._bands import Bands
from karat.features.regimes._hidden import NAMES, HiddenStates, named_order


def states(made_of: Panel, name: str, **given: object) -> np.ndarray:
    return label(made_of, name, **given).frame["state"].fill_null(-1).to_numpy()  # type: ignore[arg-type]


@pytest.mark.req("REG-01")
def test_other_bands_move_the_cuts() -> None:
    made_of = panel(700)
    until = int(made_of.frame["ts"][599])
    given = {"train_until": until, "refits": None}
    inside = slice(20, 600)
    for bands in ((0.5, 0.9), (0.2, 0.4)):
        share = np.bincount(states(made_of, "volatility", bands=bands, **given)[inside], minlength=3) / 580
        np.testing.assert_allclose(np.cumsum(share)[:2], bands, atol=0.005)


@pytest.mark.req("REG-01")
def test_an_edge_with_memory_is_passed_at_its_far_quantile_by_hand() -> None:
    past = np.arange(101.0)[:, None]  # the quantile q of it is 100 q
    bands = Bands(("low", "middle", "high"), [(0.3, 0.5), 0.8])
    bands.fit(past)
    x = np.array([45.0, 50.0, 50.1, 31.0, 30.0, 49.0, 81.0, 80.0, 40.0, 20.0])[:, None]
    wanted = [1, 1, 1, 1, 0, 0, 2, 1, 1, 0]  # the first row is above the middle of the pair, 40
    assert bands.scan(x)[0].tolist() == wanted
    bands.reset()
    assert [int(bands.scan(x[k : k + 1])[0][0]) for k in range(4)] == wanted[:4]
    bands.refit(past)
    again = Bands(bands.names, [0.5, 0.9])
    again.restore(bands.state())
    assert again.scan(np.array([[31.0]]))[0].tolist() == [1], "what was saved goes on"
    assert bands.scan(np.array([[31.0]]))[0].tolist() == [1], "a refit keeps the label"
    bands.reset()
    assert bands.scan(np.array([[31.0]]))[0].tolist() == [0]


@pytest.mark.req("REG-06")
@pytest.mark.parametrize(("name", "most"), [("volatility", 0.5), ("liquidity", 0.45)])
def test_memory_halves_how_often_labels_of_twenty_years_change(name: str, most: float) -> None:
    """Also printed by `benchmarks/regimes.py --jobs memory`."""
    made_of = load("bundled", dataset="nasdaq")
    plain, held = (
        label(made_of, name, bands=[(level - half, level + half) for level in REGIMES[name].bands])
        for half in (0.0, 0.05)
    )
    assert plain.frame.equals(label(made_of, name).frame), "a pair of one number is that number"
    assert describe(held).changes < most * describe(plain).changes
    assert (held.frame["state"] == plain.frame["state"]).mean() > 0.9


def test_volatility_labels_equal_those_of_the_operational_store() -> None:
    """The store's `regimes` table and this service have the same rule: 20 returns, 504 rows, then every 252."""
    made_of = panel(1100)
    series = made_of.frame.select("instrument", "ts", "known_at", "close").with_columns(frequency=pl.lit("1d"))
    stored, _ = volatility_regimes(series)
    np.testing.assert_array_equal(states(made_of, "volatility")[504:], stored["label"].to_numpy())


def test_the_vix_regime_is_the_feature_of_that_name() -> None:
    made_of = panel(300)
    feature = build(made_of, ["vix_regime"]).frame["vix_regime"].to_numpy()
    np.testing.assert_array_equal(states(made_of, "vix"), feature)
    assert {name: code for code, name in enumerate(REGIMES["vix"].states)} == VIX_REGIME_CODES
    edges = bars(4).with_columns(vix=pl.Series([14.99, 15.0, 20.0, 30.0]))
    assert states(Panel(edges, "XNYS", PROVENANCE), "vix").tolist() == [0, 1, 2, 3]


@pytest.mark.req("REG-01", "REG-02")
def test_the_instrument_that_runs_ahead_of_the_market_leads() -> None:
    frame = pl.concat(
        [bars(700, seed=k, instrument=f"{name}.XNYS").drop("market_return") for k, name in enumerate("ABC")]
    )
    ahead = pl.when((pl.col("instrument") == "A.XNYS") & (pl.col("ts") > 12_600 * NS_PER_DAY))
    late = ((pl.col("ts") / NS_PER_DAY) - 12_600) * 0.01
    made_of = Panel(
        frame.with_columns(close=pl.col("close") * ahead.then(late.exp()).otherwise(1.0)), "XNYS", PROVENANCE
    )
    labels = label(made_of, "rotation", train_until=12_590 * NS_PER_DAY, refits=None).frame
    last = labels.group_by("instrument", maintain_order=True).last()
    assert last["name"].to_list()[0] == "leading"
    assert set(last["name"].to_list()[1:]) <= {"lagging", "neutral"}


def test_the_market_is_the_mean_of_what_was_known() -> None:
    frame = pl.concat([bars(5, seed=k, instrument=f"{name}.XNYS").drop("market_return") for k, name in enumerate("AB")])
    late = pl.col("instrument") == "B.XNYS"
    made_of = Panel(
        frame.with_columns(known_at=pl.col("known_at") + pl.when(late).then(5).otherwise(0)), "XNYS", PROVENANCE
    )
    own = {
        name: np.diff(part["close"]) / part["close"][:-1].to_numpy() for (name,), part in frame.group_by("instrument")
    }
    market = {name: part["market_return"][1:] for (name,), part in with_market(made_of).frame.group_by("instrument")}
    np.testing.assert_allclose(market["A.XNYS"], own["A.XNYS"])  # B's rows come later than A's
    np.testing.assert_allclose(market["B.XNYS"], (own["A.XNYS"] + own["B.XNYS"]) / 2)
    with pytest.raises(InputError, match="market_return is missing"):
        with_market(panel(5, without=("market_return",)))


@pytest.mark.req("REG-10")
def test_names_follow_volatility_then_trend_in_every_order() -> None:
    trend, spread = np.array([0.3, 0.1, 0.0, 0.2, -0.2, -0.5]), np.array([1.0, 2.0, 1.5, 3.0, 4.0, 5.0])
    assert NAMES[3:] == STRESSED
    for order in itertools.islice(itertools.permutations(range(6)), 0, 720, 37):
        chosen = list(order)
        found = named_order(np.column_stack([trend[chosen], spread[chosen]]))
        assert [chosen[k] for k in found] == [0, 1, 2, 3, 4, 5]


@pytest.mark.req("REG-10")
def test_hidden_states_of_simulated_markets_are_found_above_chance() -> None:
    """Six states in spells of 80 bars; fitted and named on the first half, judged by name on the second."""
    drift = np.array([0.005, 0.0015, -0.002, 0.008, -0.008, -0.008])
    spread = np.array([0.004, 0.004, 0.004, 0.016, 0.016, 0.045])
    agreed, chance = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        path = np.repeat(rng.permutation(np.repeat(np.arange(6), 8)), 80)
        close = 100 * np.exp(np.cumsum(rng.normal(drift[path], spread[path])))
        ts = np.arange(1, len(path) + 1, dtype=np.int64) * NS_PER_DAY
        frame = pl.DataFrame({"ts": ts, "known_at": ts, "instrument": ["A.XNYS"] * len(ts), "close": close})
        made_of = Panel(frame, "XNYS", PROVENANCE)
        half = len(path) // 2
        found = states(made_of, "hidden", train_until=int(ts[half]), refits=None, seed=seed)[half:]
        true = path[half:]
        agreed.append(np.mean(found == true))
        shares = np.bincount(found, minlength=6) / len(found) * np.bincount(true, minlength=6) / len(true)
        chance.append(shares.sum())
    assert min(agreed) > 2 * max(chance)
    assert np.mean(agreed) > 0.5


def test_a_label_switches_only_when_a_state_is_likely() -> None:
    made_of = panel(900)
    model = make_regime("hidden", refits=None)
    train = as_train(made_of, int(made_of.frame["ts"][600]))
    codes, _ = model.fit(train).filter(made_of)
    assert isinstance(model.labeller, HiddenStates)
    probabilities = []
    model.reset()
    for row in made_of.frame.iter_rows(named=True):
        found = model.step(row["ts"], row)
        probabilities.append(found.probability)
    moved = np.flatnonzero((codes[1:] != codes[:-1]) & (codes[:-1] >= 0)) + 1
    assert len(moved)
    assert np.array(probabilities)[moved].min() >= 0.9


def test_a_change_of_volatility_is_a_change_for_some_days() -> None:
    rng = np.random.default_rng(4)
    returns = np.concatenate([rng.normal(0, 0.01, 700), rng.normal(0, 0.04, 200)])
    ts = np.arange(1, 901, dtype=np.int64) * NS_PER_DAY
    frame = pl.DataFrame(
        {"ts": ts, "known_at": ts, "instrument": ["A.XNYS"] * 900, "close": np.exp(np.cumsum(returns))}
    )
    found = states(Panel(frame, "XNYS", PROVENANCE), "change", train_until=int(ts[599]), refits=None)
    assert found[700:715].max() == 1
    assert found[640:698].mean() < 0.1
    assert found[760:].mean() < 0.2


@pytest.mark.parametrize("name", FOLLOWING)
def test_an_instrument_that_stands_still_has_no_state_until_it_varies_and_others_have_theirs(name: str) -> None:
    both = panel(900, instruments=("A.XNYS", "B.XNYS"))
    halted = (pl.col("instrument") == "B.XNYS") & (pl.int_range(pl.len()).over("instrument") < 700)
    still = [pl.when(halted).then(50.0).otherwise(column).alias(column) for column in ("close", "high", "low")]
    found = label(Panel(both.frame.with_columns(still), "XNYS", PROVENANCE), name).frame
    alone = label(Panel(both.frame.filter(instrument="A.XNYS"), "XNYS", PROVENANCE), name).frame
    assert found.filter(instrument="A.XNYS").equals(alone)
    state = found.filter(instrument="B.XNYS")["state"]
    if name == "change":
        assert state[:701].null_count() == 701
        assert state[701:].null_count() == 0


def test_a_fit_on_train_of_a_price_that_stands_still_is_refused() -> None:
    still = Panel(bars(900).with_columns(close=pl.lit(50.0)), "XNYS", PROVENANCE)
    with pytest.raises(
        InputError, match="rows: got 'a constant measure'; there is nothing to tell states by; allowed: one that"
    ):
        label(still, "change", train_until=int(still.frame["ts"][600]))


def test_a_bar_that_closes_at_midnight_belongs_to_the_year_that_ends() -> None:
    """The fit of a year comes before its first bar: that of 1 January, which closes as 2 January begins."""
    made_of = panel(900)  # bars close at midnight
    model, ts = make_regime("change", refits=Refits(100, "year")), made_of.frame["ts"]
    sizes = []
    model.reset()
    for row in made_of.frame.iter_rows(named=True):
        model.step(row["ts"], row)
        sizes.append(model.labeller.state()["prior"][0])
    refitted = [iso_date(int(ts[k])) for k in range(102, 900) if sizes[k] != sizes[k - 1]]
    assert refitted == ["2004-01-02", "2005-01-02"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("closes", [[50.0, 50.5], [50.0, 50.5, 51.0], [50.0, 51.0, 49.5, 50.7], [50.0] * 30 + [51.0]])
def test_hidden_states_of_prices_that_repeat_warn_of_nothing(closes: list[float]) -> None:
    """Fewer different rows than states: k-means leaves groups empty; with a single one there is no fit."""
    still = bars(800).with_columns(close=pl.Series(np.resize(closes, 800)))
    found = label(Panel(still, "XNYS", PROVENANCE), "hidden").frame.drop_nulls("state")
    assert found["probability"].is_finite().all()
    measured = REGIMES["hidden"].measure.of({"close": still["close"].to_numpy()})
    usable = np.isfinite(measured).all(axis=1)
    same = (measured[usable] == measured[usable][0]).all()
    assert len(found) == (0 if same else usable[504:].sum())


@pytest.mark.req("REG-11")
def test_twenty_years_can_be_fitted_and_refitted() -> None:
    made_of = load("bundled", dataset="nasdaq")
    model = make_regime("hidden", refits=None)
    whole = as_train(made_of, int(made_of.frame["ts"][-1]))
    codes, _ = model.fit(whole).filter(made_of)
    assert len(np.unique(codes[codes >= 0])) == 6
