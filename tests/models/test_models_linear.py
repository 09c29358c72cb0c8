"""Linear candidates: the solver against scikit-learn, an edge that is found, and noise that is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import ElasticNet

from karat.core import generator
from karat.data import MEDIAN
from karat.models import create, load_model
from karat.models._elastic import POINTS, elastic_path
from karat.models._problem import Frame
from karat.models._shape import mean_pinball
from karat.models.contract import planted_views

CANDIDATES = ("logistic", "linear_quantile", "lightgbm")


@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
def test_the_path_equals_coordinate_descent(l1_ratio: float) -> None:
    rng = generator(1, "elastic-tests")
    x = rng.standard_normal((300, 8))
    x[:, 1] += 0.8 * x[:, 0]
    y = x @ np.r_[1.0, -0.5, 0.3, np.zeros(5)] + rng.standard_normal(300)
    path = list(elastic_path(x, lambda s: s - y, 1.0, l1_ratio))
    assert len(path) == POINTS
    assert (path[0] == 0.0).all()
    largest = np.abs(x.T @ y).max() / 300 / l1_ratio
    for penalty, found in zip(largest * np.geomspace(1.0, 1e-2, POINTS), path, strict=True):
        model = ElasticNet(alpha=penalty, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-10, max_iter=100_000)
        assert np.allclose(found, model.fit(x, y).coef_, atol=1e-3)


def test_features_without_any_pull_have_no_slopes() -> None:
    path = list(elastic_path(np.zeros((10, 2)), lambda s: s - 1.0, 1.0, 0.5))
    assert [slopes.tolist() for slopes in path] == [[0.0, 0.0]]


@pytest.mark.parametrize("name", CANDIDATES)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_edge_is_found(name: str, seed: int) -> None:
    train, valid, test = planted_views(seed=seed, ic=0.25, rows=3000, width=21, names=("A.X",))
    inputs = test.inputs()
    forecast = create(name).fit(train, valid).predict(inputs)
    climatology = create("climatology").fit(train, valid).predict(inputs)
    y = test._labels.value
    assert mean_pinball(y, forecast.quantiles) < 0.99 * mean_pinball(y, climatology.quantiles)
    edge = forecast.quantiles[:, MEDIAN] / (forecast.quantiles[:, 20] - forecast.quantiles[:, 2])
    assert np.corrcoef(edge, inputs.features[:, -1])[0, 1] > 0.6


@pytest.mark.parametrize("name", CANDIDATES)
def test_without_an_edge_the_unconditional_model_is_left(name: str) -> None:
    for seed in (0, 1):
        train, valid, test = planted_views(seed=seed, ic=0.0, rows=3000, width=21, names=("A.X",))
        frame, inputs = Frame.fit(train), test.inputs()
        still = np.zeros(len(inputs))
        base = frame.scale.of(inputs)[:, None] * frame.shape.quantiles(still, still)
        forecast = create(name).fit(train, valid).predict(inputs)
        y = test._labels.value
        assert mean_pinball(y, forecast.quantiles) < 1.005 * mean_pinball(y, base)
        moved = (forecast.quantiles[:, MEDIAN] - base[:, MEDIAN]) / frame.scale.of(inputs)
        assert np.std(moved) < 0.06


def test_a_feature_can_widen_the_forecast() -> None:
    train, valid, test = planted_views(seed=5, ic=0.0, rows=3000, width=4, names=("A.X",))
    factor = {id(view): np.exp(0.4 * np.clip(view.features[:, 0], -2, 2)) for view in (train, valid)}
    wide = [
        type(view)(
            view.table, view.rows, "1d", type(view.labels)(view.labels.value * factor[id(view)], *_spans(view.labels))
        )
        for view in (train, valid)
    ]
    for name in ("linear_quantile", "lightgbm"):
        forecast = create(name).fit(wide[0], wide[1]).predict(test)  # type: ignore[arg-type]
        frame = Frame.fit(wide[0])  # type: ignore[arg-type]
        width = np.log((forecast.quantiles[:, 20] - forecast.quantiles[:, 2]) / frame.scale.of(test))
        assert np.corrcoef(width, test.features[:, 0])[0, 1] > 0.8, name


def _spans(labels: object) -> tuple[np.ndarray, np.ndarray]:
    return labels.start_ns, labels.end_ns  # type: ignore[attr-defined]


@pytest.mark.parametrize(("scaler", "selector"), [("power", "ica"), ("quantile", "stability"), ("min_max", "pca")])
@pytest.mark.req("FEAT-14")
def test_a_candidate_keeps_how_its_features_were_prepared(scaler: str, selector: str, tmp_path: Path) -> None:
    train, valid, test = planted_views(rows=400, width=5)
    model = create("linear_quantile", {"scaler": scaler, "selector": selector, "keep": 3}, seed=1).fit(train, valid)
    model.save(tmp_path)
    before, after = model.predict(test.inputs()), load_model(tmp_path).predict(test.inputs())
    assert (before.quantiles == after.quantiles).all()
    plain = create("linear_quantile", {}, seed=1).fit(train, valid).predict(test.inputs())
    assert (plain.quantiles != after.quantiles).any()
