"""The shapes that cross a boundary: panels, forecasts, tables and views, grids; their numbered invariants."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from karat.core import DataError, InputError
from karat.data import (
    CUTS,
    HORIZONS,
    INNER,
    LEVELS,
    MEDIAN,
    N_CLASSES,
    Forecast,
    Inputs,
    Labels,
    Panel,
    Permit,
    Provenance,
    Table,
    Test,
    horizon_bars,
    load,
)

MADE = Provenance("hand", "by hand", "CC0-1.0")


def frame(**changed: object) -> pl.DataFrame:
    columns = {"ts": [1, 2, 1], "known_at": [1, 3, 2], "instrument": ["A.B", "A.B", "C.D"], "close": [1.0, 2.0, 3.0]}
    return pl.DataFrame({**columns, **changed})


def table() -> Table:
    code = np.array([0, 0, 0, 1, 1])
    features = np.arange(10.0).reshape(5, 2)
    ts = np.array([1, 2, 3, 1, 2])
    return Table(ts, ts, code, ("A.B", "C.D"), features, ("f", "g"), np.full(5, 0.1))


def test_the_grid_is_the_one_that_is_scored():
    assert len(LEVELS) == 23
    assert LEVELS[MEDIAN] == 0.5
    assert np.allclose(LEVELS[INNER], np.arange(1, 20) / 20)
    assert (np.diff(LEVELS) > 0).all()
    assert len(CUTS) == N_CLASSES - 1
    assert [horizon_bars(name) for name in HORIZONS] == [1, 2, 3, 5, 5]
    with pytest.raises(InputError, match=r"horizon: got '4d'; allowed: 1d, 2d, 3d, 5d, week"):
        horizon_bars("4d")


def test_a_panel_knows_its_columns():
    panel = Panel(frame(), "24/7", MADE)
    assert panel.values == ("close",)
    assert panel.instruments == ("A.B", "C.D")
    assert not panel.has_open
    assert load("synthetic", n_days=2).has_open


def test_as_of_shows_what_was_known():
    panel = Panel(frame(), "24/7", MADE)
    assert panel.as_of(2).frame["close"].to_list() == [1.0, 3.0]
    assert len(panel.as_of(0).frame) == 0


def test_the_hash_is_of_content_and_calendar():
    panel = Panel(frame(), "24/7", MADE)
    same = Panel(frame(), "24/7", Provenance("other", "elsewhere", "MIT"), ("a note",))
    assert panel.content_hash == same.content_hash
    assert panel.content_hash != Panel(frame(), "XNYS", MADE).content_hash
    assert panel.content_hash != Panel(frame(close=[1.0, 2.0, 3.5]), "24/7", MADE).content_hash


@pytest.mark.parametrize(
    ("broken", "rule", "seen"),
    [
        (frame().drop("known_at"), "key columns", "['ts', 'instrument', 'close']"),
        (frame(close=[1, 2, 3]), "column types", "{'close': 'Int64'}"),
        (frame(known_at=[0, 3, 2]), "known_at is never before ts", "'known_at 0'"),
        (frame(ts=[2, 1, 1], known_at=[3, 3, 3]), "sorted by instrument and ts, each once", "'A.B@1 after A.B@2'"),
        (frame(ts=[1, 1, 1], known_at=[3, 3, 3]), "sorted by instrument and ts, each once", "'A.B@1 after A.B@1'"),
        (frame(instrument=["C.D", "C.D", "A.B"]), "sorted by instrument and ts, each once", "'A.B@1 after C.D@2'"),
    ],
)
def test_an_invalid_panel_cannot_be_made(broken, rule, seen):
    with pytest.raises(DataError) as caught:
        Panel(broken, "24/7", MADE)
    assert caught.value.rule == rule
    assert caught.value.value == seen
    assert caught.value.fix


def test_windows_stop_at_the_instruments_first_bar():
    inputs = Inputs(table(), np.array([1, 3]), "1d")
    window = inputs.windows(3)
    assert window.shape == (2, 3, 2)
    assert np.isnan(window[0, 0]).all()
    assert window[0, 1:].tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert np.isnan(window[1, :2]).all()
    assert window[1, 2].tolist() == [6.0, 7.0]


def test_inputs_answer_for_their_rows():
    inputs = Inputs(table(), np.array([1, 3]), "1d")
    assert len(inputs) == 2
    assert inputs.ts.tolist() == inputs.known_at.tolist() == [2, 1]
    assert inputs.instrument.tolist() == ["A.B", "C.D"]
    assert inputs.features.tolist() == [[2.0, 3.0], [6.0, 7.0]]
    assert table().take(np.array([0, 3])).first.tolist() == [0, 1]


def test_the_test_view_opens_only_against_a_permit():
    labels = Labels(np.array([0.1]), np.array([1]), np.array([2]))
    view = Test(table(), np.array([1]), "1d", labels)
    assert type(view.inputs()) is Inputs
    for wrong in (None, Permit("run", "cell", "short")):
        with pytest.raises(InputError, match=r"permit: got .*Test opens once, on the record; allowed: a Permit"):
            view.open(wrong)
    assert view.open(Permit("run", "cell", "0" * 64)) is labels


def forecast(**changed: object) -> Forecast:
    inputs = Inputs(table(), np.array([1, 3]), "1d")
    quantiles = np.tile(np.linspace(-0.02, 0.02, 23), (2, 1))
    return Forecast.of(
        inputs,
        **{"quantiles": quantiles, "probabilities": np.full((2, 9), 1 / 9), "model": "m", **changed},
    )


def test_a_forecast_survives_its_frame():
    made = forecast()
    back = Forecast.from_frame(made.frame())
    assert made.frame().equals(back.frame())
    assert made.frame().columns[:6] == ["ts", "known_at", "instrument", "horizon", "q0.01", "q0.025"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"quantiles": np.zeros((2, 22))}, r"forecast: got '\(2, 22\) and \(2, 9\)'; allowed: \(2, 23\) quantiles"),
        ({"quantiles": np.full((2, 23), np.nan)}, "forecast: got 'NaN or infinite values'; allowed: finite"),
        (
            {"quantiles": np.tile(np.arange(23.0)[::-1], (2, 1))},
            "crossing quantiles.*non-decreasing rows; sort each row",
        ),
        ({"probabilities": np.full((2, 9), 0.2)}, "rows off the simplex"),
    ],
)
def test_an_invalid_forecast_cannot_be_made(changed, message):
    with pytest.raises(InputError, match=message):
        forecast(**changed)
