"""The 158 columns beside qlib's own: stored ones of made-up bars, and, with KARAT_PEERS, qlib on a whole panel.

Both sides read the same rows in single precision: a row that an instrument lacks is passed over by karat, and left out
of what qlib gets. `tests/golden/features/ORIGIN_ALPHA158.md` lists what else differs, and what was found.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from features_factory import GOLDEN, PROVENANCE, loaded

from karat.core import NS_PER_DAY
from karat.data import Panel
from karat.features import FEATURES, TIERS, FeatureSpec, build
from karat.features._expressions import CLOSE, HIGH, VOLUME, correlation, lagged_pair, log, since_highest
from karat.features._graph import Node
from karat.kernels.features import ops

MAKE = loaded(GOLDEN / "make_alpha158.py")
ROWS, AFTER, BAR = MAKE.ROWS, MAKE.AFTER, MAKE.BAR
INSTRUMENTS = ("WALK", "TIES", "THIN", "DEAR")


def panel_of(bars: pl.DataFrame) -> Panel:
    """Return bars (`instrument` and the bar, sorted) as a panel, the rows of an instrument a day apart."""
    day = (pl.int_range(pl.len()).over("instrument") + 1) * NS_PER_DAY
    frame = bars.with_columns(pl.col(BAR).cast(pl.Float64), ts=day, known_at=day)
    return Panel(frame.select("ts", "known_at", "instrument", *BAR), "XNYS", PROVENANCE)


def agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the share of values within the tolerance, NaN where the other is NaN."""
    return float(np.isclose(ours, theirs, rtol=2e-3, atol=2e-4, equal_nan=True).mean())


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(GOLDEN / "alpha158.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def bars(golden: dict[str, np.ndarray]) -> pl.DataFrame:
    columns = {name: golden["bars"][:, k].ravel() for k, name in enumerate(BAR)}
    return pl.DataFrame({"instrument": np.repeat(golden["instruments"], ROWS), **columns})


def shares(bars: pl.DataFrame, golden: dict[str, np.ndarray], specs: dict[str, FeatureSpec]) -> dict[str, list[float]]:
    """Return the agreement of columns with qlib's, by name, for each instrument."""
    made = build(panel_of(bars), list(specs.values())).frame
    frames = made.partition_by("instrument", maintain_order=True, include_key=False)
    places = {str(name): k for k, name in enumerate(golden["columns"])}
    values = {str(name): frame for name, frame in zip(sorted(golden["instruments"]), frames, strict=True)}
    return {
        qlib: [
            agreement(values[name][spec.name].to_numpy()[AFTER:], golden["made"][places[qlib], k])
            for k, name in enumerate(INSTRUMENTS)
        ]
        for qlib, spec in specs.items()
    }


def test_the_158_columns_are_qlibs(bars: pl.DataFrame, golden: dict[str, np.ndarray]) -> None:
    assert tuple(golden["instruments"]) == INSTRUMENTS
    assert set(golden["columns"]) == set(TIERS["alpha158"])
    found = shares(bars.sort("instrument", maintain_order=True), golden, {n: FEATURES[n] for n in TIERS["alpha158"]})
    assert {name: each for name, each in found.items() if min(each) < 0.99} == {}


def test_the_bars_have_ties_and_zero_ranges_and_days_without_volume(golden: dict[str, np.ndarray]) -> None:
    high, low, close, volume = (golden["bars"][:, k] for k in (1, 2, 3, 4))
    ties, thin = INSTRUMENTS.index("TIES"), INSTRUMENTS.index("THIN")
    windows = np.lib.stride_tricks.sliding_window_view(high[ties], 20)
    assert ((windows == windows.max(axis=1, keepdims=True)).sum(axis=1) > 1).mean() > 0.3
    assert (high[thin] == low[thin]).sum() > 70
    assert (volume[thin] == 0).sum() > 20
    assert np.isnan(golden["made"][list(golden["columns"]).index("rsqr20"), thin]).any()
    assert (np.ptp(np.lib.stride_tricks.sliding_window_view(close[thin], 60), axis=1) == 0).any()


@pytest.mark.parametrize(
    ("column", "instrument", "wrong"),
    [
        ("imax20", "TIES", lambda w: (w - since_highest(HIGH, w)) / w),  # the latest of equal extremes
        ("rsqr20", "THIN", lambda w: FEATURES["rsqr20"].expression * 1.0 + 0.01),
        ("cord60", "THIN", lambda w: correlation(
            lagged_pair(ops.DIV, CLOSE, CLOSE, 1), log(lagged_pair(ops.DIV, VOLUME, VOLUME, 1) + 1.0), w)),
    ],
)  # fmt: skip
def test_another_rule_is_noticed(
    column: str, instrument: str, wrong: Callable[[int], Node], bars: pl.DataFrame, golden: dict[str, np.ndarray]
) -> None:
    """The planted faults."""
    made = wrong(int(column[4:]))
    spec = FeatureSpec("mine", FEATURES[column].inputs, 0, "custom", "ratio", "test", "test", made)
    found = shares(bars.sort("instrument", maintain_order=True), golden, {column: spec})
    assert found[column][INSTRUMENTS.index(instrument)] < 0.95


def peers() -> str:
    python = os.environ.get("KARAT_PEERS")
    assert python, "KARAT_PEERS must name the Python of the peers' own environment"
    return python


@pytest.mark.peers
def test_qlib_gives_what_is_stored(golden: dict[str, np.ndarray]) -> None:
    made = MAKE.golden(peers())
    assert {name for name in golden if not np.array_equal(made[name], golden[name])} <= {"made"}
    np.testing.assert_allclose(made["made"], golden["made"], rtol=3e-4, atol=1e-6)


@pytest.mark.peers
@pytest.mark.realdata
def test_the_158_columns_of_88_stocks_are_qlibs() -> None:
    """Each column of each stock, without the days that a stock lacks."""
    folder = Path(os.environ.get("KARAT_DATA", "../shared/data")) / "panel" / "stocknet"
    assert folder.is_dir(), f"{folder} is missing: set KARAT_DATA to the folder of real data"
    stocks = [
        pl.read_csv(path, null_values="null")
        .rename(str.lower)
        .select(pl.lit(path.name.removesuffix(".csv.gz")).alias("instrument"), pl.col(BAR).cast(pl.Float32))
        .drop_nulls()
        for path in sorted(folder.glob("*.csv.gz"))
    ]
    bars = pl.concat(stocks).sort("instrument", maintain_order=True)
    made = build(panel_of(bars), "alpha158").frame
    late = (pl.int_range(pl.len()).over("instrument") >= AFTER).alias("late")
    kept = bars.select(late).to_series()
    theirs, ours = MAKE.by_qlib(bars, peers()).filter(kept), made.filter(kept)
    where = ours["instrument"].rle_id().to_numpy()
    assert where.max() == 87
    low = {
        (name, int(k)): share
        for name in TIERS["alpha158"]
        for k in range(88)
        if (share := agreement(ours[name].to_numpy()[where == k], theirs[name].to_numpy()[where == k])) < 0.99
    }
    assert low == {}
