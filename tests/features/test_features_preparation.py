"""Scalers and selectors: fitted on Train alone, row by row, equal to scikit-learn, and they find what was planted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import ElasticNet
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from karat.core import InputError
from karat.data import Inputs, Labels, Table, Train
from karat.features.preparation import LIMIT, SCALERS, SELECTORS, Preparation, Scaling, _scalers

N, P, CUT = 600, 8, 400
PAIRS = [(scaler, "none") for scaler in SCALERS] + [("robust", name) for name in SELECTORS if name != "none"]
EVERY = pytest.mark.parametrize(("scaler", "selector"), PAIRS)
Fit = Callable[[Train], Preparation]


def table(features: np.ndarray) -> Table:
    ts = np.arange(len(features), dtype=np.int64)
    names = tuple(f"f{k}" for k in range(features.shape[1]))
    return Table(ts, ts, np.zeros(len(ts), np.int64), ("A",), features, names, np.zeros(len(ts)))


def world(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, P) features of several kinds and (N,) labels that the first two drive, the third without a slope."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, P))
    x[:, 3] = np.exp(x[:, 3])
    x[:, 4] = np.round(x[:, 4])
    x[::7, 5] = np.nan
    z = x[:, 0] - 0.8 * x[:, 1] + 1.2 * (x[:, 2] ** 2 - 1) + 0.3 * rng.normal(size=N)
    return x, z


def train_of(features: np.ndarray, z: np.ndarray, rows: int = CUT) -> Train:
    held = np.arange(rows)
    return Train(table(features), held, "1d", Labels(z[:rows], held, held))


def fitted(scaler: str, selector: str) -> Fit:
    return lambda train: Preparation.fit(train, train.labels.value, scaler=scaler, selector=selector, keep=4)


def moved_by_the_future(fit: Fit, apply: Callable[[Preparation, np.ndarray], np.ndarray]) -> int:
    """Return how many of the rows up to CUT change when all later rows are replaced, and when they are cut off."""
    x, z = world()
    wild = x.copy()
    wild[CUT:] = 50.0 * np.random.default_rng(9).normal(size=(N - CUT, P))
    before = apply(fit(train_of(x, z)), x)[:CUT]
    moved = ~np.isclose(apply(fit(train_of(wild, z)), wild)[:CUT], before, rtol=1e-12, atol=1e-12).all(axis=1)
    moved |= ~np.isclose(apply(fit(train_of(x[:CUT], z)), x[:CUT]), before, rtol=1e-12, atol=1e-12).all(axis=1)
    return int(moved.sum())


def moved_by_company(made: Preparation) -> int:
    """Return how many rows come out otherwise one by one than all at once."""
    x, _ = world(1)
    whole = made.apply(x)
    alone = np.stack([made.apply(row) for row in x])
    return int((~np.isclose(alone, whole, rtol=1e-12, atol=1e-12).all(axis=1)).sum())


@EVERY
@pytest.mark.req("FEAT-14")
def test_the_future_changes_nothing_and_a_row_alone_is_the_row_in_the_batch(scaler: str, selector: str) -> None:
    fit = fitted(scaler, selector)
    assert moved_by_the_future(fit, Preparation.apply) == 0
    assert moved_by_company(fit(train_of(*world()))) == 0


@pytest.mark.req("FEAT-14")
def test_planted_faults_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scaler fitted on every row of the table, and one that looks at the batch it is given."""

    def whole(train: Train) -> Preparation:
        x = train.table.features
        return Preparation("standard", "none", SCALERS["standard"].fit(x))

    assert moved_by_the_future(whole, Preparation.apply) > CUT / 2
    batch = Scaling(lambda x: {"centre": x[0] * 0}, lambda x, _: x - np.nanmean(x, axis=0), lambda x, _: x)
    monkeypatch.setitem(_scalers.SCALERS, "batch", batch)  # type: ignore[arg-type]
    made = Preparation("batch", "none", {"centre": np.zeros(P)})
    assert moved_by_the_future(lambda train: made, Preparation.apply) > CUT / 2
    assert moved_by_company(made) > N / 2


@pytest.mark.req("FEAT-14", "FEAT-45")
@pytest.mark.parametrize("selector", [name for name in SELECTORS if name != "none"])
def test_a_selector_that_sees_later_rows_is_found(selector: str) -> None:
    """The planted fault: the scaler learns from Train, the selector from every row of the table."""

    def whole(train: Train) -> Preparation:
        scaled = SCALERS["robust"].fit(train.features)
        seen = SCALERS["robust"].apply(train.table.features, scaled)
        ahead = seen[:, 0] + np.where(np.arange(len(seen)) < CUT, 0.0, 5.0 * seen[:, 6] + 5.0 * seen[:, 7])
        return Preparation("robust", selector, scaled, *SELECTORS[selector].fit(seen, ahead, 2))

    assert moved_by_the_future(whole, Preparation.apply) > CUT / 2


@EVERY
def test_what_was_stored_does_the_same_and_nothing_is_missing(scaler: str, selector: str) -> None:
    x, _ = world(2)
    x[:3] = np.nan
    made = fitted(scaler, selector)(train_of(*world()))
    again = Preparation.restore(scaler, selector, made.arrays() | {"other": np.zeros(1)})
    prepared = made.apply(x)
    assert np.isfinite(prepared).all()
    assert (again.apply(x) == prepared).all()
    assert prepared.shape == (N, made.width)
    assert len(made.kept(tuple("abcdefgh"))) == made.width == (P if selector == "none" else 4)
    assert (fitted(scaler, selector)(train_of(*world())).apply(x) == prepared).all()


@pytest.mark.parametrize("scaler", SCALERS)
@pytest.mark.req("FEAT-14")
def test_the_inverse_gives_the_features_back(scaler: str) -> None:
    x, z = world()
    x = x[:, :4]
    made = Preparation.fit(train_of(x, z), z[:CUT], scaler=scaler)
    scaled = made.apply(x[:CUT])
    inside = np.abs(scaled) < LIMIT
    np.testing.assert_allclose(made.invert(scaled)[inside], x[:CUT][inside], rtol=1e-9, atol=2e-3)
    combined = Preparation.fit(train_of(x, z), z[:CUT], scaler=scaler, selector="pca", keep=4)
    whole = x[:CUT][inside.all(axis=1)]
    np.testing.assert_allclose(combined.invert(combined.apply(whole)), whole, rtol=1e-6, atol=2e-3)


@pytest.mark.parametrize(
    ("scaler", "theirs"),
    [
        ("standard", StandardScaler()),
        ("robust", RobustScaler(unit_variance=True)),
        ("min_max", MinMaxScaler((-1, 1))),
        ("quantile", QuantileTransformer(n_quantiles=CUT, output_distribution="normal", subsample=None)),
        ("power", make_pipeline(StandardScaler(), PowerTransformer())),
    ],
)
@pytest.mark.req("FEAT-14")
def test_scalers_equal_scikit_learn(scaler: str, theirs: Any) -> None:
    x, z = world()
    x = np.delete(x, [4, 5], axis=1)  # theirs leaves a missing value missing, and sends a tie at the end to infinity
    ours = Preparation.fit(train_of(x, z), z[:CUT], scaler=scaler).apply(x)
    np.testing.assert_allclose(ours, np.clip(theirs.fit(x[:CUT]).transform(x), -LIMIT, LIMIT), atol=1e-4)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scaler", SCALERS)
def test_odd_features_do_no_harm(scaler: str) -> None:
    x, z = world()
    x[:, 0] = 7.0  # constant
    x[:, 1] = np.nan  # never defined
    x[:, 2] = 0.0
    x[::10, 2] = 1.0  # constant on more than half of the rows, yet not constant
    made = Preparation.fit(train_of(x, z), z[:CUT], scaler=scaler)
    wild = made.apply(np.array([[8.0, 1.0, np.nan, *[1e9] * 5], [-1.0, np.nan, 1.0, *[-np.inf] * 5]]))
    assert np.abs(wild[:, :2]).max() == 0.0
    assert wild[0, 2] == 0.0
    assert wild[1, 2] > 0.5
    assert np.abs(wild).max() <= LIMIT


@pytest.mark.parametrize(
    ("selector", "drivers"),
    [
        ("elastic_net", {"f0", "f1"}),
        ("stability", {"f0", "f1"}),
        ("mutual_information", {"f0", "f1", "f2"}),
        ("importance", {"f0", "f1", "f2"}),
    ],
)
@pytest.mark.req("FEAT-14", "FEAT-18")
def test_selectors_find_what_drives_the_label(selector: str, drivers: set[str]) -> None:
    """The third driver has no slope: only what looks beyond straight lines can find it."""
    train = train_of(*world())
    made = Preparation.fit(train, train.labels.value, selector=selector, keep=len(drivers))
    assert set(made.kept(train.table.names)) == drivers


@pytest.mark.req("FEAT-44")
def test_the_elastic_net_is_scikit_learn_s_and_keeps_correlated_features_together() -> None:
    rng = np.random.default_rng(4)
    common = rng.normal(size=CUT)
    x = rng.normal(size=(CUT, 6))
    x[:, 1], x[:, 4] = common + 0.05 * rng.normal(size=CUT), common + 0.05 * rng.normal(size=CUT)
    z = common + 0.6 * x[:, 0] + 0.3 * rng.normal(size=CUT)
    chosen = {}
    for keep in (2, 3):
        train = train_of(x, z)
        chosen[keep] = Preparation.fit(train, z, scaler="standard", selector="elastic_net", keep=keep).kept(
            train.table.names
        )
    assert chosen == {2: ("f1", "f4"), 3: ("f0", "f1", "f4")}


@pytest.mark.req("FEAT-44")
@pytest.mark.parametrize("seed", range(6))
def test_the_elastic_net_keeps_what_scikit_learn_s_own_fit_takes_up_first(seed: int) -> None:
    """The penalty falls until ElasticNet has taken up as many features as are asked for: they are the same ones."""
    rng = np.random.default_rng(seed)
    mixing = np.eye(P) + 0.4 * rng.normal(size=(P, P))
    x = rng.normal(size=(CUT, P)) @ mixing
    z = x @ (rng.normal(size=P) * (rng.random(P) < 0.7)) + rng.normal(size=CUT)
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    taken_up: dict[int, float] = {}
    for penalty in np.geomspace(10.0, 1e-3, 400):
        fit = ElasticNet(alpha=penalty, l1_ratio=0.5, tol=1e-8, max_iter=50_000).fit(scaled, z)
        taken_up = dict.fromkeys(np.flatnonzero(fit.coef_).tolist(), float(penalty)) | taken_up
    order = sorted(taken_up, key=lambda k: -taken_up[k])
    train, compared = train_of(x, z), 0
    for keep in range(1, len(order)):
        if taken_up[order[keep - 1]] > 1.15 * taken_up[order[keep]]:  # more than a step of the path apart
            made = Preparation.fit(train, z, scaler="standard", selector="elastic_net", keep=keep)
            assert set(made.kept(train.table.names)) == {f"f{k}" for k in order[:keep]}
            compared += 1
    assert compared >= 4


@pytest.mark.parametrize("selector", ["pca", "ica"])
@pytest.mark.req("FEAT-45")
def test_combinations_are_uncorrelated_out_of_sample(selector: str) -> None:
    rng = np.random.default_rng(5)
    sources = np.stack([rng.laplace(size=4_000), rng.uniform(-1, 1, 4_000), np.sign(rng.normal(size=4_000))], axis=1)
    x = sources @ rng.normal(size=(3, 3))
    train = train_of(x, np.zeros(4_000), 2_000)
    made = Preparation.fit(train, train.labels.value, scaler="standard", selector=selector, keep=3)
    found = made.apply(x)[2_000:]
    correlation = np.corrcoef(found.T)
    assert np.abs(correlation - np.eye(3)).max() < 0.06
    raw = np.corrcoef(x[2_000:].T)
    assert np.abs(raw - np.eye(3)).max() > 0.2
    recovered = np.abs(np.corrcoef(found.T, sources[2_000:].T)[:3, 3:]).max(axis=0).min()
    assert (recovered > 0.95) == (selector == "ica")  # independence tells sources apart, variance does not


@pytest.mark.parametrize("selector", ["pca", "ica"])
def test_features_that_do_not_vary_leave_no_combination(selector: str) -> None:
    train = train_of(np.full((CUT, 3), 7.0), np.arange(CUT, dtype=np.float64))
    made = Preparation.fit(train, train.labels.value, selector=selector, keep=2)
    assert (made.width, made.kept(("a", "b", "c"))) == (0, ())
    assert made.apply(np.ones((5, 3))).shape == (5, 0)


@pytest.mark.parametrize("size", [1e-100, 1e-20, 1e-13, 1.0, 1e13])
@pytest.mark.parametrize("scaler", SCALERS)
def test_a_feature_is_switched_off_by_its_own_size_alone(scaler: str, size: float) -> None:
    """Prices in another unit are the same feature; what rounding alone moves is none."""
    rng = np.random.default_rng(3)
    moving, still = rng.normal(size=CUT), 3.3 * (1.0 + 1e-15 * rng.integers(-1, 2, size=CUT))
    x, z = np.column_stack([moving, still]), np.zeros(CUT)
    plain = Preparation.fit(train_of(x, z), z, scaler=scaler).apply(x)
    scaled = Preparation.fit(train_of(size * x, z), z, scaler=scaler).apply(size * x)
    assert np.abs(plain[:, 0]).max() > 0.5
    np.testing.assert_allclose(scaled[:, 0], plain[:, 0], rtol=1e-6, atol=1e-6)
    if scaler != "quantile":  # which looks at the order of values alone
        assert not scaled[:, 1].any()


@pytest.mark.parametrize(("tail", "lost"), [(1.0, 0.5), (2.0, 1e-9)])
def test_the_power_of_a_long_tail_comes_back_with_the_digits_that_the_docstring_says(tail: float, lost: float) -> None:
    x = -np.random.default_rng(0).pareto(tail, size=(2_000, 1))
    made = Preparation.fit(train_of(x, x[:, 0], 2_000), x[:, 0], scaler="power")
    scaled, fitted = made.apply(x), made.scaled_by
    assert np.abs(scaled).max() < LIMIT
    width = fitted["width"]
    v = 1.0 + np.abs(x - fitted["centre"]) / width
    exponent = np.where(x >= fitted["centre"], fitted["power"], 2.0 - fitted["power"])
    error = np.abs(made.invert(scaled) - x) / width
    assert (error <= v * np.minimum(1.0, 2e-15 * v ** np.abs(exponent))).all()
    assert (error.max() / v.max() > lost) == (tail == 1.0)


@pytest.mark.parametrize(("selector", "least"), [("mutual_information", 4), ("stability", 2), ("pca", 1)])
def test_a_selector_says_how_many_rows_it_needs(selector: str, least: int) -> None:
    x, z = world()
    Preparation.fit(train_of(x, z, least), z[:least], selector=selector)
    told = f"train: got {least - 1}; too few rows to choose by {selector}; allowed: {least} or more"
    with pytest.raises(InputError, match=told):
        Preparation.fit(train_of(x, z, least - 1), z[: least - 1], selector=selector)


def test_what_cannot_be_learned_from_or_prepared_is_refused() -> None:
    x, z = world()
    train, label = train_of(x, z), z[:CUT]
    for wrong in (np.nan, np.inf):
        target = np.where(np.arange(CUT) == 7, wrong, label)
        with pytest.raises(InputError, match=f"target: got {wrong}; allowed: finite numbers, one label a row"):
            Preparation.fit(train, target, selector="elastic_net")
    for kind, other in (("list", label.tolist()), ("NoneType", None)):
        with pytest.raises(InputError, match=rf"target: got '{kind}'; allowed: an array of shape \(400,\)"):
            Preparation.fit(train, other)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="target: got 'dtype <U"):
        Preparation.fit(train, label.astype(str))
    for keep in (2.5, True, "2"):
        with pytest.raises(InputError, match="keep: got .*; allowed: a whole number of 1 or more"):
            Preparation.fit(train, label, keep=keep)  # type: ignore[arg-type]
    made = Preparation.fit(train, label)
    for way in (made.apply, made.invert):
        for what in (x.tolist(), pl.DataFrame(x), x.astype(str), np.float64(1.0)):
            with pytest.raises(InputError, match=r"got .*; allowed: an array of numbers \(\.\.\., 8\)"):
                way(what)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r"got 'shape \(600, 7\)'"):
            way(x[:, :7])


def test_arrays_of_something_else_are_not_restored() -> None:
    x, z = world()
    made = Preparation.fit(train_of(x, z), z[:CUT], scaler="power", selector="pca")
    with pytest.raises(InputError, match="scaler: got 'powr'"):
        Preparation.restore("powr", "pca", made.arrays())
    with pytest.raises(InputError, match="selector: got 'pcs'"):
        Preparation.restore("power", "pcs", made.arrays())
    for lost in made.arrays():
        rest = {name: value for name, value in made.arrays().items() if name != lost}
        with pytest.raises(InputError, match=f"arrays: got .*; {lost} is missing; allowed: what `arrays` of power and"):
            Preparation.restore("power", "pca", rest)
    with pytest.raises(InputError, match=r"arrays: got \[\]; scaler.centre, scaler.width is missing"):
        Preparation.restore("robust", "none", {})


def test_what_does_not_fit_is_refused() -> None:
    x, z = world()
    train = train_of(x, z)
    rows = Inputs(train.table, train.rows, "1d")
    with pytest.raises(InputError, match=r"train: got 'Inputs'; .*learns from Train alone"):
        Preparation.fit(rows, z[:CUT])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="scaler: got 'robus'"):
        Preparation.fit(train, z[:CUT], scaler="robus")
    with pytest.raises(InputError, match="selector: got 'lasso'"):
        Preparation.fit(train, z[:CUT], selector="lasso")
    with pytest.raises(InputError, match="keep: got 0; allowed: a whole number of 1 or more"):
        Preparation.fit(train, z[:CUT], keep=0)
    with pytest.raises(InputError, match=r"target: got 'shape \(600,\)'; allowed: an array of shape \(400,\)"):
        Preparation.fit(train, z)
    few = Preparation.fit(replace(train), z[:CUT], selector="pca", keep=100)
    assert few.width == P
