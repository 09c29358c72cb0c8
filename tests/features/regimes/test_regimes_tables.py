"""Tables around labels: descriptions, mapping, crises, overrides, the dictionary."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from regimes_factory import PROVENANCE, panel

from karat.core import NS_PER_DAY, InputError, to_ns
from karat.data import Panel, load
from karat.evidence import regime_check
from karat.features.regimes import (
    MAPPING,
    PERIODS,
    REGIMES,
    STRESSED,
    Overrides,
    RegimeFrame,
    cross_table,
    describe,
    label,
    misses,
    regimes_markdown,
    stress_table,
    sweep_bands,
)

DOCS = Path(__file__).parents[3] / "docs"


def labels(codes: list[int | None], instruments: list[str] | None = None) -> RegimeFrame:
    names = ("calm", "usual", "wild")
    ts = [NS_PER_DAY * (k + 1) for k in range(len(codes))]
    frame = pl.DataFrame(
        {
            "ts": ts,
            "known_at": ts,
            "instrument": instruments or ["A.XNYS"] * len(codes),
            "state": pl.Series(codes, dtype=pl.Int64),
            "name": pl.Series([None if c is None else names[c] for c in codes], dtype=pl.String),
            "probability": [1.0] * len(codes),
        }
    )
    return RegimeFrame("made up", names, frame)


@pytest.mark.req("REG-06")
def test_a_description_counts_by_hand() -> None:
    found = describe(labels([None, 0, 0, 1, 1, 1, 0, 0, 0, 1], ["A"] * 8 + ["B"] * 2))
    assert found.states["rows"].to_list() == [5, 4, 0]
    assert found.states["spells"].to_list() == [
        3,
        2,
        0,
    ]  # B's first day begins a spell though A ended in the same state
    assert found.states["mean_bars"].to_list() == [5 / 3, 2.0, None]
    assert found.changes == pytest.approx(3 / 7)
    np.testing.assert_allclose(found.transitions[:2], [[0.5, 0.5, 0.0], [1 / 3, 2 / 3, 0.0]])
    assert np.isnan(found.transitions[2]).all()
    assert (found.rows, found.unlabelled, found.steady) == (9, 1, False)
    with pytest.raises(
        InputError,
        match="labels: got '2 rows without a state'; no row of .* comes after the first fit.*; label a longer history",
    ):
        describe(labels([None, None]))


def test_constant_labels_are_not_steady() -> None:
    assert not describe(labels([1] * 50)).steady
    assert describe(labels([1] * 50 + [0] * 50)).steady


def test_a_cross_table_counts_pairs() -> None:
    first, second = labels([0, 0, 1, None]), labels([1, 1, 1, 1])
    second = RegimeFrame("other", second.states, second.frame)
    assert cross_table(first, second).rows() == [("calm", "usual", 2, 1.0), ("usual", "usual", 1, 1.0)]
    with pytest.raises(InputError, match="labels of the same rows"):
        cross_table(first, labels([0]))


@pytest.mark.req("QUAL-21")
def test_labels_are_finite_vary_and_do_not_tell_instruments_apart() -> None:
    """Bands are each instrument's own; bands that all share would tell the wild one from the others."""
    rng, n = np.random.default_rng(1), 1500
    ts = np.arange(1, n + 1, dtype=np.int64) * NS_PER_DAY
    parts = [
        pl.DataFrame({"ts": ts, "known_at": ts, "instrument": [f"{name}.XNYS"] * n}).with_columns(
            close=pl.Series(np.exp(np.cumsum(rng.normal(0, scale, n))))
        )
        for name, scale in (("A", 0.01), ("B", 0.01), ("C", 0.03))
    ]
    made_of = Panel(pl.concat(parts), "XNYS", PROVENANCE)
    instrument, times = np.repeat(np.arange(3), n), np.tile(ts, 3)
    found = label(made_of, "volatility", train_until=int(ts[-1]), refits=None)
    own = found.frame["state"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    assert regime_check({"volatility": own}, instrument, times, seed=1).passed
    shared = np.where(instrument == 2, 2.0, np.minimum(own, 1.0))
    assert not regime_check({"volatility": shared}, instrument, times, seed=1).passed
    assert not regime_check({"volatility": np.where(np.isnan(own), own, 1.0)}, instrument, times, seed=1).passed


def test_every_state_is_mapped_and_nothing_else() -> None:
    assert list(MAPPING) == list(REGIMES)
    for name, spec in REGIMES.items():
        assert sorted(MAPPING[name]) == sorted(spec.states)
        assert len(set(spec.states)) == len(spec.states) >= 2
    assert {state for state, common in MAPPING["hidden"].items() if common.risk == "stressed"} == set(STRESSED)


@pytest.mark.req("REG-03")
def test_a_sweep_of_bands_shows_what_each_setting_does() -> None:
    found = sweep_bands(panel(900), "volatility", [(0.5, 0.9), (0.33, 0.67), (0.2, 0.8)])
    assert found.columns == ["bands", "least_share", "largest_share", "changes", "mean_bars"]
    assert found["changes"].is_between(0, 1).all()
    assert found["mean_bars"].n_unique() == 3
    held = sweep_bands(panel(900), "volatility", [(0.5, 0.9), ((0.4, 0.6), (0.85, 0.95))])
    assert held["bands"].to_list() == [[0.5, 0.9], [0.4, 0.6, 0.85, 0.95]]
    assert held["changes"][1] < held["changes"][0]
    with pytest.raises(InputError, match="regime: got 'vix'"):
        sweep_bands(panel(60), "vix", [(0.5,)])


@pytest.mark.req("REG-16")
def test_overrides_follow_the_label_within_bounds_and_are_logged() -> None:
    bounds = {"leverage": (0.0, 1.5), "stop_bps": (20.0, 500.0)}
    rule = Overrides(
        ("calm", "usual", "wild"), {"leverage": 1.0, "stop_bps": 100.0}, {"wild": {"leverage": 0.3}}, bounds
    )
    log = rule.changes(labels([None, 0, 2, 2, 0]))
    assert [(each.ts // NS_PER_DAY, each.state, each.parameters["leverage"]) for each in log] == [
        (1, "", 1.0),
        (3, "wild", 0.3),
        (5, "calm", 1.0),
    ]
    assert {each.parameters["stop_bps"] for each in log} == {100.0}
    with pytest.raises(InputError, match=r"overrides.wild.leverage: got 2.0; allowed: 0 to 1.5"):
        Overrides(("wild",), {"leverage": 1.0}, {"wild": {"leverage": 2.0}}, bounds)
    with pytest.raises(InputError, match="overrides.state: got 'wlid'; allowed: wild"):
        Overrides(("wild",), {"leverage": 1.0}, {"wlid": {}}, bounds)
    with pytest.raises(InputError, match="overrides.wild: got 'lever'"):
        Overrides(("wild",), {"leverage": 1.0}, {"wild": {"lever": 1.0}}, bounds)


def test_overrides_keep_what_they_were_checked_with() -> None:
    base, by_state, bounds = {"leverage": 1.0}, {"wild": {"leverage": 0.5}}, {"leverage": (0.0, 2.0)}
    rule = Overrides(("calm", "wild"), base, by_state, bounds)
    base["leverage"] = by_state["wild"]["leverage"] = 99.0
    bounds["leverage"] = (0.0, 100.0)
    assert (rule.effective(None), rule.effective("wild")) == ({"leverage": 1.0}, {"leverage": 0.5})
    assert rule.bounds == {"leverage": (0.0, 2.0)}


def test_the_dictionary_page_is_the_registry() -> None:
    page = DOCS / "reference" / "regimes.md"
    assert page.read_text() == regimes_markdown(), "write karat.features.regimes.regimes_markdown() to the page"


def test_a_stress_table_counts_days_of_periods_and_names_what_it_misses() -> None:
    first, last = to_ns(PERIODS[0].first), to_ns(PERIODS[0].last)
    days = np.arange(first, last + 1, NS_PER_DAY) + NS_PER_DAY  # each closes at the midnight that ends it
    frame = labels([2] * 10 + [0] * (len(days) - 10)).frame.with_columns(ts=pl.Series(days))
    table = stress_table(RegimeFrame("made up", ("calm", "usual", "wild"), frame), ["wild"])
    assert table[PERIODS[0].name] == pytest.approx(10 / len(days))
    assert np.isnan(table[PERIODS[1].name])
    assert table["states"] == 2
    around = frame.with_columns(ts=pl.Series(days - NS_PER_DAY))  # the first of them closes with the day before
    early = stress_table(RegimeFrame("made up", ("calm", "usual", "wild"), around), ["wild"])
    assert early[PERIODS[0].name] == pytest.approx(9 / (len(days) - 1))
    missed = misses(table)
    assert missed[0].startswith("after September 11: 0.2")
    assert "states of 3% or more: 2, wanted 5" in missed
    with pytest.raises(InputError, match="stressed: got 'wlid'"):
        stress_table(labels([0]), ["wlid"])


@pytest.mark.req("REG-06", "REG-10")
@pytest.mark.parametrize(
    ("dataset", "seed"),
    [
        pytest.param(dataset, seed, marks=[] if (dataset, seed) == ("nasdaq", 0) else pytest.mark.slow)
        for dataset in ("nasdaq", "sp500")
        for seed in range(5)
    ],
)
def test_hidden_states_know_the_crises_of_twenty_years(dataset: str, seed: int) -> None:
    """Filtered, past data only, yearly refits; also printed by `benchmarks/regimes.py --jobs stress`."""
    found = label(load("bundled", dataset=dataset), "hidden", seed=seed)
    assert misses(stress_table(found, STRESSED)) == []


@pytest.mark.realdata
def test_the_vix_baseline_sees_the_crises_too_in_two_states() -> None:
    """What stands beside the hidden states in the concept page: the days of the Nasdaq, the VIX known by then."""
    folder = Path(os.environ.get("KARAT_DATA", "../shared/data"))
    assert folder.is_dir(), f"{folder} is missing: set KARAT_DATA to the folder of real data"
    path = folder / "vix" / "vix-daily.csv.gz"
    given = {"licence": "PDDL", "instrument": "VIX.INDEX", "off_session": "drop", "lag": "15m"}
    found = label(load("csv", path=path, columns={"CLOSE": "vix"}, **given), "vix_high")
    values = found.frame.select("known_at", "state", "name", "probability").sort("known_at")
    days = load("bundled", dataset="nasdaq").frame.select("ts", "known_at", "instrument")
    table = stress_table(RegimeFrame("vix_high", found.states, days.join_asof(values, on="known_at")), ["high"])
    assert {name: round(share, 3) for name, share in table.items()} == {
        "after September 11": 1.0, "financial crisis": 1.0, "debt crisis of 2011": 0.875, "calm years": 0.0,
        "overall": 0.238, "changes": 0.04, "states": 2.0,
    }  # fmt: skip
    assert misses(table) == ["states of 3% or more: 2, wanted 5"]
