"""Regimes by day: known before the day, whatever comes later."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from karat.core import InputError
from karat.data import Panel, load
from karat.study._regimes import UNNAMED, VIX, VOLATILITY, names_of, regimes_at

PANEL = load("synthetic", seed=5, n_days=700, n_instruments=2, correlation=0.5)
STAMPS = np.unique(PANEL.frame["ts"].to_numpy())


def with_vix(values: np.ndarray) -> Panel:
    """Return the panel with a column `vix`, one value a day."""
    daily = pl.DataFrame({"ts": STAMPS, "vix": values})
    frame = PANEL.frame.join(daily, on="ts", how="left", maintain_order="left")
    return Panel(frame, PANEL.calendar, PANEL.provenance)


def slowly() -> list[str]:
    """The definition, bar by bar."""
    wide = PANEL.frame.pivot("instrument", index="ts", values="close").sort("ts").drop("ts").to_numpy()
    market = np.r_[np.nan, (wide[1:] / wide[:-1] - 1.0).mean(axis=1)]
    spread = [float(np.std(market[t - 20 : t], ddof=1)) if t >= 21 else np.nan for t in range(len(market))]
    names = []
    for t in range(len(market)):
        seen = np.array([value for value in spread[: t + 1] if np.isfinite(value)])
        rank = int((seen < spread[t]).sum()) if len(seen) else 0
        names.append(VOLATILITY[min(2, 3 * rank // len(seen))] if len(seen) >= 250 else UNNAMED)
    return names


def test_terciles_of_volatility_equal_a_slow_count() -> None:
    found = regimes_at(PANEL, STAMPS, "volatility")
    assert found.tolist() == slowly()
    assert set(found) == {UNNAMED, *names_of("volatility")}


def test_levels_of_the_vix_are_those_of_the_day_before() -> None:
    levels = np.resize([10.0, 15.0, 19.99, 20.0, 29.0, 30.0, 80.0], len(STAMPS))
    found = regimes_at(with_vix(levels), STAMPS, "vix")
    assert found[:8].tolist() == [UNNAMED, VIX[0], VIX[1], VIX[1], VIX[2], VIX[2], VIX[3], VIX[3]]
    assert names_of("vix") == VIX


@pytest.mark.parametrize("kind", ["volatility", "vix"])
def test_the_day_itself_and_later_days_change_nothing(kind: str) -> None:
    panel = with_vix(np.random.default_rng(1).uniform(10, 40, len(STAMPS)))
    cut = STAMPS[500]
    late = pl.col("ts") >= cut
    wild = panel.frame.with_columns(
        [
            pl.when(late).then(pl.col(name) * (2.0 + pl.col("ts") % 7)).otherwise(pl.col(name))
            for name in ("close", "vix")
        ]
    )
    before = regimes_at(panel, STAMPS, kind)  # type: ignore[arg-type]
    after = regimes_at(Panel(wild, panel.calendar, panel.provenance), STAMPS, kind)  # type: ignore[arg-type]
    assert (before[:501] == after[:501]).all()
    assert (before[501:] != after[501:]).any(), "the change is large enough to be seen"


def test_a_panel_without_the_vix_has_no_such_regimes() -> None:
    with pytest.raises(InputError, match="join it"):
        regimes_at(PANEL, STAMPS, "vix")
