"""D-08: how often labels change within a day, by hand, on made bars and on real ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from regimes_factory import PROVENANCE, panel

from karat.core import NS_PER_DAY, generator
from karat.data import Panel, load
from karat.features.regimes import INTRADAY_RATE, RegimeFrame, intraday_rate, label

HOUR = NS_PER_DAY // 24


def labels(ts: list[int], codes: list[int | None], instruments: list[str]) -> RegimeFrame:
    keys = {"ts": ts, "known_at": ts, "instrument": instruments}
    frame = pl.DataFrame({**keys, "state": pl.Series(codes, dtype=pl.Int64)})
    return RegimeFrame("made up", ("calm", "wild"), frame)


def test_the_rate_by_hand() -> None:
    """A: one change of two bars on day 0 and on day 1, at its first bar; day 2 has a single bar. B: none of two."""
    hours = [1, 2, 24, 25, 26, 49, 30, 31, 32]  # the bar that closes at midnight is day 0's
    codes = [0, 0, 1, 0, 0, 1, 1, 1, 1]
    found = intraday_rate(labels([HOUR * h for h in hours], [*codes], ["A"] * 6 + ["B"] * 3))
    assert found is not None
    assert (found.days, found.bars) == (3, 6)
    assert found.rate == pytest.approx(1 / 3)
    assert found.still == pytest.approx(1 / 3)
    assert found.highest == 0.5
    assert not found.steady
    assert found.describe()["definition"] == INTRADAY_RATE


def test_days_weigh_the_same_and_rows_without_a_state_do_not_count() -> None:
    ts = [HOUR * h for h in (1, 2, 3, 25, 26, 27, 28, 29, 30, 31, 32)]
    codes: list[int | None] = [None, 0, 1, 1, None, 1, 1, 1, 1, 1, 1]
    found = intraday_rate(labels(ts, codes, ["A"] * 11))
    assert found is not None
    assert (found.days, found.bars, found.rate) == (1, 7, 0.0)  # day 0 has one bar with another before it


def test_daily_bars_have_no_rate_within_a_day() -> None:
    assert intraday_rate(label(panel(600), "volatility")) is None


def hourly(n: int, seed: int) -> Panel:
    """Hourly bars whose volatility switches every three weeks or so."""
    rng = generator(seed, "hourly bars")
    wild = np.cumsum(rng.random(n) < 0.002) % 2
    close = 100 * np.exp(np.cumsum(rng.normal(0.0, 0.002 + 0.004 * wild)))
    ts = (12_000 * 24 + 1 + np.arange(n, dtype=np.int64)) * HOUR
    frame = pl.DataFrame({"ts": ts, "known_at": ts, "instrument": ["A.TEST"] * n, "close": close})
    return Panel(frame, "none", PROVENANCE)


def plain_rate(codes: list[int | None]) -> float:
    """The rate of hourly codes from midnight on, in loops."""
    days: list[float] = []
    for start in range(0, len(codes), 24):
        pairs = [(codes[k - 1], codes[k]) for k in range(max(start, 1), min(start + 24, len(codes)))]
        labelled = [(one, other) for one, other in pairs if one is not None and other is not None]
        if len(labelled) > 1:
            days.append(sum(one != other for one, other in labelled) / len(labelled))
    return sum(days) / len(days)


@pytest.mark.req("REG-06")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_labels_of_hourly_bars_are_recomputed_at_each_and_counted_within_days(seed: int) -> None:
    """Change points change on fewer than one bar in twenty; bands of 20 bars flicker where volatility is constant."""
    made_of = hourly(2000, seed)
    rates = {}
    for name in ("volatility", "change"):
        found = label(made_of, name)
        within = intraday_rate(found)
        assert within is not None
        assert within.days == (2000 - 504) // 24 + 1
        assert within.rate == pytest.approx(plain_rate(found.frame["state"].to_list()))
        assert found.frame["state"].drop_nulls().n_unique() >= 2
        rates[name] = within
    assert rates["change"].steady
    assert not rates["volatility"].steady


@pytest.mark.req("REG-06")
@pytest.mark.realdata
@pytest.mark.parametrize(("name", "hours"), [("crypto/BTCUSD_H1.csv.gz", 1), ("fx/EURUSD_H4.csv.gz", 4)])
def test_volatility_of_real_bars_is_steady_within_days(name: str, hours: int) -> None:
    folder = Path(os.environ.get("KARAT_DATA", "../shared/data"))
    assert folder.is_dir(), f"{folder} is missing: set KARAT_DATA to the folder of real data"
    path = folder / name
    given = {"licence": "MIT", "instrument": "X.OTC", "calendar": "none", "tz": "UTC", "repair": True}
    bars = load("csv", path=path, stamp="open", bar=f"{hours}h", **given)
    within = intraday_rate(label(bars, "volatility"))
    assert within is not None
    assert within.steady
