"""What gate 3 prints: neighbours of the selection and its worth by regime, never deciding."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from study_factory import World, prices

from karat.data import Panel
from karat.evidence import PRINTED
from karat.features.regimes import spec_of
from karat.kernels import sharpe
from karat.portfolio import PolicySpec
from karat.study import RunResult, _sturdiness
from karat.study._prepare import load_panel
from karat.study._regimes import regime_days
from karat.study._sturdiness import _steps, adjacent, neighbour_checks


def printed(result: RunResult, beginning: str) -> dict[str, dict[str, Any]]:
    """Return the checks of gate 3 whose names begin so, by the rest of the name."""
    checks = result.manifest["verdict"]["gates"][3]["checks"]
    return {row["name"].removeprefix(beginning): row for row in checks if row["name"].startswith(beginning)}


def panel_of(result: RunResult) -> Panel:
    """Return the panel of a run."""
    return load_panel(result.study)


def test_2_a_neighbour_differs_in_one_setting_by_the_next_value_searched() -> None:
    selected = {"depth": 3, "rate": 0.1, "loss": "l2", "dart": False}
    others = [
        selected | {"depth": 2},
        selected | {"depth": 1},  # beyond depth 2
        selected | {"depth": 8},
        selected | {"depth": 4, "rate": 0.2},  # two settings
        selected | {"rate": 0.01},
        selected | {"loss": "l1"},
        selected | {"loss": "huber"},
        selected | {"dart": True},
        {"depth": 2, "rate": 0.1, "loss": "l2"},  # another set of settings
        dict(selected),
    ]
    assert adjacent(selected, others) == [0, 2, 4, 5, 6, 7]
    assert adjacent(selected, []) == []


def test_a_policy_takes_only_steps_that_it_allows() -> None:
    steps = list(_steps(PolicySpec(full_edge=0.05, flat_edge=0.0, cap=1.0)))
    assert [key for key, _ in steps] == ["full_edge", "full_edge", "flat_edge", "cap", "cap"]
    assert [value for _, value in steps] == pytest.approx([0.04, 0.0625, 0.005, 0.8, 1.25])
    tight = list(_steps(PolicySpec(full_edge=0.05, flat_edge=0.05)))
    assert [key for key, _ in tight] == ["full_edge", "flat_edge", "cap", "cap"]
    assert all(PolicySpec(**{"full_edge": 0.05, "flat_edge": 0.05, key: value}) for key, value in tight)


@pytest.mark.req("EVAL-20")
def test_neighbours_are_candidates_and_steps_of_the_policy(quick: World) -> None:
    models = [{"name": "linear_quantile", "params": {"l1_ratio": ratio}} for ratio in (0.1, 0.4, 0.6, 0.9)]
    result = quick.run(models=models)
    chosen = result.manifest["selection"]["selected"]
    titles = [f"linear_quantile(l1_ratio={ratio})" for ratio in (0.1, 0.4, 0.6, 0.9)]
    place = titles.index(chosen)
    near = titles[max(place - 1, 0) : place] + titles[place + 1 : place + 2]
    by_date = result.frame("by_date")
    worth = [sharpe(by_date.filter(model=name)["net"].to_numpy(), periods_per_year=252.0) for name in near]
    checks = printed(result, "neighbouring parameters: ")
    assert set(checks) == {"net Sharpe above 0", "at least half of the net Sharpe"}
    count = len(near) + 5  # full_edge, cap twice, flat_edge once
    assert checks["net Sharpe above 0"]["note"].startswith(
        f"{round(checks['net Sharpe above 0']['value'] * count)} of {count};"
    )
    assert checks["net Sharpe above 0"]["value"] >= np.mean([value > 0 for value in worth]) * len(near) / count
    assert all(row["passed"] is None and row["threshold"] == PRINTED for row in checks.values())
    assert len(quick.entries("trial")) == 4, "a neighbour is no trial"


def test_every_step_of_the_policy_is_traded(quick: World) -> None:
    wide = quick.run(policy={"full_edge": 0.05})
    step = quick.run(policy={"full_edge": 0.0625})
    worst = printed(wide, "neighbouring parameters: ")["net Sharpe above 0"]["note"]
    own = sharpe(step.equity["net"].to_numpy(), periods_per_year=252.0)
    if "full_edge 0.0625" in worst:
        assert f"worst {own:.2f}" in worst
    else:
        assert float(worst.split("worst ")[1].split(",")[0]) <= round(own, 2)


def fake(monkeypatch: pytest.MonkeyPatch, net: np.ndarray, worth: dict[str, float]) -> tuple[Any, Any]:
    """Return a run and tests that say only what neighbours read."""
    monkeypatch.setattr(_sturdiness, "_candidates", lambda *_: worth)
    monkeypatch.setattr(_sturdiness, "_policies", lambda *_: {})
    return SimpleNamespace(bars_per_year=252.0), SimpleNamespace(chosen=SimpleNamespace(net=net))


def test_shares_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    net = np.random.default_rng(1).normal(0.001, 0.01, 500)
    own = sharpe(net, periods_per_year=252.0)
    neighbours = {"a": own, "b": 0.4 * own, "c": -0.1, "never": float("nan")}
    above, half = neighbour_checks(*fake(monkeypatch, net, neighbours))
    assert (above.value, half.value) == (0.5, 0.25)
    assert above.note == f"2 of 4; worst -0.10, c; the selected one's is {own:.2f}"
    above, half = neighbour_checks(*fake(monkeypatch, -net, neighbours))
    assert (above.value, half.value, half.note) == (0.5, None, "not evaluated: it earns nothing itself")
    flat = neighbour_checks(*fake(monkeypatch, np.zeros(500), neighbours))
    assert {row.value for row in flat} == {None}


@pytest.mark.req("EVAL-20")
def test_worth_and_skill_by_regime(finished: World) -> None:
    result = finished.latest()
    checks = printed(result, "net Sharpe, volatility ")
    assert tuple(checks) == spec_of("volatility").states
    equity = result.equity
    regime = regime_days(panel_of(result), "volatility", seed=42).at(equity["ts"].to_numpy())
    skill = result.frame("by_date").filter(model=result.manifest["selection"]["selected"])["skill"].to_numpy()
    for name, row in checks.items():
        days = regime == name
        assert row["value"] == pytest.approx(sharpe(equity["net"].to_numpy()[days], periods_per_year=252.0))
        good = skill[days][np.isfinite(skill[days])]
        t = good.mean() / good.std(ddof=1) * np.sqrt(len(good))
        assert row["note"] == f"{int(days.sum())} days; skill {good.mean():.3g}, t {t:.1f}"
        assert (row["passed"], row["threshold"]) == (None, PRINTED)
    assert printed(result, "net Sharpe, vix ") == {}


def test_levels_of_the_vix_are_shown_where_the_panel_has_them(quick: World) -> None:
    frame = prices().with_columns(vix=pl.Series(np.resize(np.linspace(10, 40, 97), 1000)), instrument=pl.lit("A.XNYS"))
    source = {"source": "frame", "params": {"frame": frame, "licence": "own data"}}
    result = quick.run(data=source, features=["ret_1", "ret_5"])
    checks = printed(result, "net Sharpe, vix ")
    assert tuple(checks) == spec_of("vix").states
    assert sum(int(row["note"].split(" ")[0]) for row in checks.values()) == len(result.equity)


@pytest.mark.req("EVAL-20")
def test_gate_3_shows_the_systems_that_a_study_names(quick: World) -> None:
    result = quick.run(regimes=["hidden", "volatility"], calibration={"quantiles": "conformal", "by_regime": "change"})
    shown = list(printed(result, "net Sharpe, "))
    wanted = [f"{system} {state}" for system in ("volatility", "change", "hidden") for state in spec_of(system).states]
    assert shown == wanted
    for system in ("volatility", "change", "hidden"):
        rows = printed(result, f"net Sharpe, {system} ")
        found = regime_days(panel_of(result), system, seed=42).at(result.equity["ts"].to_numpy())
        assert [int(row["note"].split(" ")[0]) for row in rows.values()] == [
            int((found == name).sum()) for name in rows
        ]


def test_gate_3_decides_as_before(finished: World) -> None:
    gate = finished.latest().manifest["verdict"]["gates"][3]
    deciding = [row for row in gate["checks"] if row["passed"] is not None]
    assert gate["passed"] == all(row["passed"] for row in deciding)
    assert not any(row["name"].startswith(("neighbouring", "net Sharpe, ")) for row in deciding)
