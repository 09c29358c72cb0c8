"""The synthetic generator: its numbered invariants, and the size of what it plants."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from karat.core import InputError
from karat.data import SyntheticSource, check_quality, load


def oracle(source: SyntheticSource) -> np.ndarray:
    """Return the daily profit of the equally weighted oracle: w = E[r] / s², held from open to close of t+1."""
    frame = source.load().frame.join(source.truth(), on=["ts", "instrument"])
    session = (pl.col("close") / pl.col("open")).log().shift(-1).over("instrument")
    paid = frame.select("ts", pnl=pl.col("expected") / pl.col("sigma") ** 2 * session).filter(pl.col("pnl").is_finite())
    return paid.group_by("ts").agg(pl.col("pnl").mean()).sort("ts")["pnl"].to_numpy()


def sharpe(pnl: np.ndarray) -> float:
    return float(np.sqrt(252) * pnl.mean() / pnl.std())


@pytest.mark.req("DATA-19")
@pytest.mark.parametrize("planted", [1.0, 3.0])
def test_the_oracle_earns_the_planted_sharpe(planted):
    # 40,000 sessions: the standard error of an annual Sharpe ratio is sqrt(252 / 40000) = 0.08, four of them are 0.32
    pnl = np.concatenate([oracle(SyntheticSource(seed=s, n_days=5000, edge_sharpe=planted)) for s in range(8)])
    assert abs(sharpe(pnl) - planted) < 0.32


def test_the_oracle_of_a_panel_earns_it_in_total():
    pnl = np.concatenate(
        [oracle(SyntheticSource(seed=s, n_days=5000, n_instruments=5, edge_sharpe=2.0)) for s in range(6)]
    )
    assert abs(sharpe(pnl) - 2.0) < 4 * np.sqrt(252 / 30_000)


def test_without_an_edge_nothing_is_expected():
    source = SyntheticSource(n_days=300)
    assert source.truth()["expected"].drop_nans().to_list() == [0.0] * 299


def test_the_edge_changes_the_effect_and_nothing_else():
    none, some = (SyntheticSource(seed=7, n_days=800, edge_sharpe=s) for s in (0.0, 3.0))
    a, b = none.load().frame, some.load().frame
    for column in ("ts", "known_at", "instrument", "signal", "volume"):
        assert a[column].equals(b[column])
    assert none.truth()["sigma"].equals(some.truth()["sigma"])
    # taking the drift out of the one gives the other: the same shocks
    session = [(f["close"] / f["open"]).log().to_numpy() for f in (a, b)]
    drift = np.r_[0.0, some.truth()["expected"].to_numpy()[:-1]]
    np.testing.assert_allclose(session[1] - drift, session[0], atol=1e-12)


@pytest.mark.req("DATA-19")
def test_tails_are_fat_and_volatility_clusters():
    close = load("synthetic", n_days=8000).frame["close"]
    r = np.diff(np.log(close.to_numpy()))
    z = (r - r.mean()) / r.std()
    assert (z**4).mean() - 3.0 > 2.0
    squared = np.minimum(z**2, 25.0)
    centred = squared - squared.mean()
    for lag in (1, 5, 20):
        assert (centred[lag:] * centred[:-lag]).mean() / centred.var() > 0.05
    assert abs(np.corrcoef(r[1:], r[:-1])[0, 1]) < 0.05


def test_the_signal_is_standard_and_has_the_stated_half_life():
    x = load("synthetic", n_days=2000, n_instruments=40).frame["signal"].to_numpy().reshape(40, 2000)
    assert abs(x.mean()) < 0.05
    assert abs(x.var() - 1.0) < 0.05
    assert abs((x[:, 5:] * x[:, :-5]).mean() - 0.5) < 0.05


def test_prices_are_consistent():
    report = check_quality(load("synthetic", n_days=1500, n_instruments=3, edge_sharpe=3.0), strict=True)
    assert report.passed
    assert {item.rule for item in report.findings} <= {"no jump beyond 12 sigma"}


def test_longer_and_wider_panels_keep_what_there_was():
    short = load("synthetic", n_days=300, n_instruments=1).frame
    wide = load("synthetic", n_days=400, n_instruments=3).frame
    kept = wide.filter(pl.col("instrument") == "SYN000.SYNTH").head(300)
    assert short.select("ts", "signal", "volume").equals(kept.select("ts", "signal", "volume"))


def test_the_same_seed_gives_the_same_bytes_in_another_process():
    code = "from karat.data import load; print(load('synthetic', seed=11, n_days=200, edge_sharpe=2.0).content_hash)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == load("synthetic", seed=11, n_days=200, edge_sharpe=2.0).content_hash
    assert done.stdout.strip() != load("synthetic", seed=12, n_days=200, edge_sharpe=2.0).content_hash


def test_regimes_are_hidden_unless_asked_for():
    assert "regime" not in load("synthetic", n_days=50).values
    shown = load("synthetic", n_days=4000, regime_column=True)
    moves = shown.frame.with_columns(move=(pl.col("close") / pl.col("open")).log())
    calm, wild = (moves.filter(pl.col("regime") == k)["move"].std() for k in (0.0, 1.0))
    assert wild > 1.5 * calm
    assert load("synthetic", n_days=50, regimes=False, regime_column=True).frame["regime"].sum() == 0.0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"seed": -1}, "seed: got -1; allowed: a whole number from 0 to 4.29497e+09"),
        ({"n_days": 1}, "n_days: got 1; allowed: a whole number from 2 to 100000"),
        ({"n_days": 10.0}, "n_days: got 10.0; allowed: a whole number from 2 to 100000"),
        ({"df": True}, "df: got True; allowed: a number from 2.5 to 1000"),
        ({"edge_sharpe": 9.0}, "edge_sharpe: got 9.0; allowed: 0 up to (not including) 7.9 a year"),
        ({"edge_sharpe": -1.0}, "edge_sharpe: got -1.0; allowed: 0 up to (not including) 7.9 a year"),
        ({"start": "soon"}, "start: got 'soon'; allowed: an ISO date, e.g. 2018-12-31"),
        ({"calendar": "none"}, "calendar: got 'none'; it has too few sessions; use XNYS or 24/7"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(InputError) as caught:
        load("synthetic", **params)
    assert str(caught.value) == message
