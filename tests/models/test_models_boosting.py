"""Boosting: splits against brute force, threads, early stopping, adapters and what they say without their library."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from karat.core import MissingExtraError, generator
from karat.models import create
from karat.models._boosting import ALL, Rows, Task
from karat.models._lightgbm import LightGbm
from karat.models._shape import Shape
from karat.models.contract import planted_views

sys.path.insert(0, str(Path(__file__).parent))
from fake_boosters import fake_catboost, fake_xgboost

RNG = generator(3, "boosting-tests")
X = RNG.integers(0, 30, (400, 5)).astype(np.float64)
Z = 0.05 * (X[:, 2] > 17) + RNG.standard_normal(400)
SHAPE = Shape.fit(Z)


def _task(bend: float = 0.3) -> Task:
    return Task(X, lambda raw, rows: SHAPE.shift_pull(Z[rows], raw), bend, X, lambda raw, rows: float(-raw.sum()))


def _best_split(gradient: NDArray[np.float64], least: int) -> tuple[int, float, float]:
    """Return (feature, threshold, gain) over all splits: gain = GL²/HL + GR²/HR - G²/H with every h equal."""
    best = (-1, 0.0, -np.inf)
    for j in range(X.shape[1]):
        for cut in np.unique(X[:, j])[:-1]:
            left = X[:, j] <= cut
            sums = [(gradient[side].sum(), side.sum()) for side in (left, ~left)]
            if min(n for _, n in sums) >= least:
                gain = sum(g * g / (0.3 * n) for g, n in sums) - gradient.sum() ** 2 / (0.3 * len(gradient))
                best = max(best, (j, float(cut), float(gain)), key=lambda item: item[2])
    return best


@pytest.mark.req("MOD-29")
def test_the_split_has_the_largest_gain_of_all() -> None:
    model = LightGbm(rounds=1, leaves=2, learning_rate=1.0, min_leaf_frac=0.05)
    tree = lightgbm.Booster(model_str=model._grow(_task())).dump_model()["tree_info"][0]["tree_structure"]
    gradient = SHAPE.shift_pull(Z, np.zeros(400))
    feature, cut, gain = _best_split(gradient, 20)
    assert (tree["split_feature"], tree["split_gain"]) == (feature, pytest.approx(gain, rel=1e-4))
    assert cut <= tree["threshold"] < cut + 1
    left = X[:, feature] <= cut
    assert tree["left_child"]["leaf_value"] == pytest.approx(-gradient[left].sum() / (0.3 * left.sum()), rel=1e-4)


@pytest.mark.req("MOD-29")
def test_parallel_trees_equal_serial_ones() -> None:
    class Parallel(LightGbm):
        def _settings(self, rows: int) -> dict[str, Any]:
            return {**super()._settings(rows), "num_threads": 2}

    texts = [kind(rounds=10)._grow(_task()).split("\nparameters:")[0] for kind in (LightGbm, Parallel)]
    assert texts[0] == texts[1]


def test_growing_stops_when_valid_stops_improving() -> None:
    losses = iter([5.0, 4.0, 3.0, *[6.0] * 100])
    task = Task(X, lambda raw, rows: SHAPE.shift_pull(Z[rows], raw), 0.3, X, lambda raw, rows: next(losses))
    text = LightGbm(rounds=100, patience=5)._grow(task)
    assert lightgbm.Booster(model_str=text).num_trees() == 3


@pytest.mark.req("MOD-30")
@pytest.mark.parametrize("name", ["xgboost", "catboost"])
def test_a_missing_library_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    train, valid, _ = planted_views(rows=200, width=3)
    with pytest.raises(MissingExtraError) as error:
        create(name).fit(train, valid)
    assert str(error.value) == f"{name}: not installed; it comes with the extra 'boost': pip install 'karat[boost]'"


@pytest.mark.req("MOD-30")
@pytest.mark.parametrize(("name", "fake"), [("xgboost", fake_xgboost()), ("catboost", fake_catboost())])
def test_adapters_speak_their_library(name: str, fake: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, name, fake)
    train, valid, test = planted_views(rows=300, width=3)
    model = create(name, {"rounds": 30}).fit(train, valid)
    model.save(tmp_path)
    again = type(model).load(tmp_path)
    assert (again.predict(test).quantiles == model.predict(test).quantiles).all()


@pytest.mark.parametrize("name", ["xgboost", "catboost"])
def test_real_libraries_find_the_split_too(name: str) -> None:
    pytest.importorskip(name, reason="the extra boost is not installed")
    x = np.linspace(-1.0, 1.0, 600)[:, None]
    z = np.where(x[:, 0] > 0.2, 1.0, -1.0) + generator(4, "boosting-tests").standard_normal(600)
    shape = Shape.fit(z)

    def pull(raw: NDArray[np.float64], rows: Rows) -> NDArray[np.float64]:
        return shape.shift_pull(z[rows], raw)

    task = Task(x, pull, shape.mean_curvature()[0], x, lambda raw, rows: float(np.abs(z[rows] - raw).mean()))
    model = create(name, {"rounds": 60, "learning_rate": 0.1})
    raw = model._evaluate(model._grow(task), x)  # type: ignore[attr-defined]
    assert raw[x[:, 0] > 0.25].mean() - raw[x[:, 0] < 0.15].mean() > 1.0
    assert slice(None) == ALL
