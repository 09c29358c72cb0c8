"""The report of a run: made from what is stored, as often as one likes, and numbers that add up."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from study_factory import World, edit_json

from karat.core import InputError
from karat.data import LEVELS, N_CLASSES, Forecast, Panel, Provenance
from karat.market import MarketSpec
from karat.portfolio import PolicySpec
from karat.study import RunResult, write_report
from karat.study._score import Venue, average_seeds, score
from karat.study._story import make_story, verdict_of


@pytest.mark.req("REP-01")
def test_a_report_is_made_again_from_what_is_stored(finished: World) -> None:
    result = finished.latest()
    page, twin = write_report(result.folder)
    first = page.read_bytes(), twin.read_bytes()
    assert (write_report(result.folder), (page.read_bytes(), twin.read_bytes())) == ((page, twin), first)
    text = twin.read_text(encoding="utf-8")
    assert result.run_id in text
    assert result.manifest["verdict"]["reason"].split(":")[0] in text
    assert not re.search(r"https?://(?!www\.w3\.org)", page.read_text(encoding="utf-8"))


@pytest.mark.req("REP-01", "REP-02", "EVAL-23")
def test_the_story_holds_the_numbers_of_the_run(finished: World) -> None:
    result = finished.latest()
    story = make_story(result)
    assert story.verdict.to_dict() == result.manifest["verdict"]
    assert story.costs is not None
    assert sum(row.net_usd for row in story.attribution) == pytest.approx(story.costs.net_usd, abs=1e-6)
    paid = sum(story.costs.items_usd.values())
    assert story.costs.gross_usd - paid == pytest.approx(story.costs.net_usd, abs=1e-6)
    assert [row.role for row in story.risk][:2] == ["selected", "baseline"]
    sharpe = story.risk[0].measures["sharpe"]
    assert sharpe.low < sharpe.value < sharpe.high
    assert story.equity is not None
    low, high = story.equity.band_low_usd, story.equity.band_high_usd
    assert low is not None
    assert high is not None
    assert (low <= high).all()
    assert [row.kind for row in story.windows] == ["worst", "best", "drawdown"]
    worst, best, drawdown = story.windows
    assert worst.selected < best.selected
    assert drawdown.selected == pytest.approx(-story.risk[0].measures["max_drawdown"].value)
    assert len(story.periods) == 10
    assert [(row.number, row.current) for row in story.openings] == [(1, True)]
    assert story.openings[0].alpha == pytest.approx(0.025 * 6 / np.pi**2)
    assert [row.selected for row in story.trials] == [True]
    assert story.trials[0].money_p == result.manifest["verdict"]["gates"][2]["p_value"]


def test_a_verdict_is_rebuilt_with_what_it_lacks(finished: World) -> None:
    def edit(values: Any) -> None:
        values["verdict"]["net_excess_interval"] = [None, None]
        values["verdict"]["net_excess_sharpe"] = None

    path = finished.latest().folder / "run.json"
    edit_json(path, edit)
    verdict = verdict_of(RunResult(path.parent).manifest)
    assert np.isnan([verdict.net_excess_sharpe, *verdict.net_excess_interval]).all()


def test_a_short_account_has_no_windows(finished: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from karat.study import _story_money

    monkeypatch.setattr(_story_money, "_WINDOW_BARS", 10_000)
    assert list(_story_money.windows(finished.latest())) == []


def test_absent_features_are_told(finished: World) -> None:
    path = finished.latest().folder / "run.json"
    edit_json(path, lambda values: values.update(features_absent={"vix_close": "the panel has no column vix"}))
    story = make_story(RunResult(path.parent))
    assert any(row.name == "vix_close" and row.absent for row in story.features)


def forecast(ts: list[int], centre: float = 0.0) -> Forecast:
    """Return a forecast of one instrument at the given instants."""
    n = len(ts)
    quantiles = centre + np.tile(np.linspace(-0.02, 0.02, len(LEVELS)), (n, 1))
    stamps = np.array(ts, dtype=np.int64)
    return Forecast(stamps, stamps, np.array(["A.X"] * n), "1d", quantiles, np.full((n, N_CLASSES), 1 / N_CLASSES), "m")


def test_seeds_are_averaged_by_quantile() -> None:
    one, two = forecast([1, 2], 0.0), forecast([1, 2], 0.01)
    assert average_seeds([one]) is one
    np.testing.assert_allclose(average_seeds([one, two]).quantiles, one.quantiles + 0.005)


def test_a_forecast_without_a_label_is_refused() -> None:
    import polars as pl

    labels = pl.DataFrame({"ts": [1], "instrument": ["A.X"], "value": [0.0]})
    frame = pl.DataFrame({"ts": [1, 2], "known_at": [1, 2], "instrument": ["A.X"] * 2, "close": [1.0, 1.1]})
    panel = Panel(frame, "24/7", Provenance("test", "counted", "CC0-1.0"))
    with pytest.raises(InputError, match="1 forecast without a label"):
        score("m", forecast([1, 2]), labels, Venue(panel, PolicySpec(), MarketSpec()))
