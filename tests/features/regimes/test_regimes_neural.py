"""The neural classifier on the Nasdaq: 60 % of the days to learn from, the rest to be judged on."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from sklearn.metrics import f1_score

from karat.core import monotonic_ns
from karat.data import Panel, load
from karat.evidence import compare_regimes
from karat.features.regimes import REGIMES, RegimeFrame, RegimeModel, as_train, describe, label, make_regime
from karat.features.regimes._measures import LOUDNESS, MARKET_STATE
from karat.features.regimes._neural import AHEAD, BANDS, NAMES, NeuralStates, rule_sides, rule_states
from karat.nets import StateClassifier, count_parameters

CUT, WARM = 3018, 250


@cache
def market() -> tuple[Panel, np.ndarray]:
    panel = load("bundled", dataset="nasdaq")
    return panel, MARKET_STATE.of({name: panel.frame[name].to_numpy() for name in MARKET_STATE.columns})


@cache
def trained() -> RegimeModel:
    panel, _ = market()
    return make_regime("neural", seed=0).fit(as_train(panel, int(panel.frame["ts"][CUT - 1])))


def macro(true: np.ndarray, found: np.ndarray) -> float:
    return float(f1_score(true, found, average="macro", labels=range(8), zero_division=0))


def held_out() -> tuple[np.ndarray, np.ndarray]:
    """Return the rule's states AHEAD of each held-out row, and the labels."""
    panel, x = market()
    states = rule_states(rule_sides(x[WARM:], None))
    codes, _ = trained().filter(panel)
    return states[CUT - WARM + AHEAD :], codes[CUT : len(x) - AHEAD]


@pytest.mark.req("REG-04")
def test_the_network_is_small() -> None:
    counts = count_parameters(StateClassifier(20, 8, hidden=64))
    assert sum(counts.values()) == 6024
    weights = trained().labeller.state()
    assert sum(value.size for name, value in weights.items() if "." in name) == 3 * 6024 <= 100_000


@pytest.mark.req("REG-07")
def test_there_are_eight_states_with_names_of_their_own() -> None:
    assert REGIMES["neural"].states == NAMES
    assert len(set(NAMES)) == 8


@pytest.mark.req("REG-08")
def test_held_out_labels_beat_majority_volatility_quantiles_and_no_training() -> None:
    _, x = market()
    true, found = held_out()
    past = rule_states(rule_sides(x[WARM:CUT], None))
    loudness = x[WARM:CUT, LOUDNESS]
    edges = np.quantile(loudness, np.arange(1, 8) / 8)
    band = np.searchsorted(edges, loudness[:-AHEAD])
    best = np.array([np.bincount(past[AHEAD:][band == k], minlength=8).argmax() for k in range(8)])
    by_volatility = best[np.searchsorted(edges, x[CUT : len(x) - AHEAD, LOUDNESS])]
    majority = np.full(len(true), np.bincount(past).argmax())
    assert macro(true, found) > 0.5
    assert macro(true, by_volatility) < 0.25
    assert macro(true, majority) < 0.1
    untrained = NeuralStates(0)
    weights = {name: value for name, value in trained().labeller.state().items() if name != "held"}
    rng = np.random.default_rng(0)
    noise = {name: rng.normal(0, 0.1, v.shape) if "." in name else v for name, v in weights.items()}
    untrained.restore({**noise, "held": np.array([-1, -1, -1, -1])})
    assert macro(true, untrained.scan(x[CUT : len(x) - AHEAD])[0]) < 0.2


@pytest.mark.req("REG-06")
def test_held_out_labels_are_steady_and_every_state_occurs() -> None:
    panel, _ = market()
    until = int(panel.frame["ts"][CUT - 1])
    whole = label(panel, "neural", train_until=until, seed=0)
    found = describe(RegimeFrame("neural", NAMES, whole.frame[CUT:]))
    assert found.steady
    assert found.states["share"].min() >= 0.02


@pytest.mark.req("REG-07")
def test_held_out_profiles_differ() -> None:
    panel, _ = market()
    close = panel.frame["close"].to_numpy()
    after = np.append(close[1:] / close[:-1] - 1.0, np.nan)
    codes, _ = trained().filter(panel)
    found = compare_regimes(after[CUT:], codes[CUT:], NAMES, draws=199, seed=1)
    assert found.volatility_p <= 0.05
    volatility = {profile.name: profile.volatility for profile in found.profiles}
    assert len(volatility) == 8
    assert volatility["LoudDecline"] > 1.5 * volatility["QuietRise"]


@pytest.mark.req("REG-05", "REG-12")
@pytest.mark.parametrize(("name", "limit_ms"), [("neural", 20.0), ("hidden", 10.0)])
def test_a_step_takes_milliseconds_at_most(name: str, limit_ms: float) -> None:
    panel, _ = market()
    model = trained() if name == "neural" else make_regime(name, refits=None)
    model.fit(as_train(panel, int(panel.frame["ts"][CUT - 1])))
    model.reset()
    frame, taken, codes = panel.frame[CUT - 300 : CUT + 200], [], []
    for row in frame.iter_rows(named=True):
        start = monotonic_ns()
        codes.append(model.step(row["ts"], row).code)
        taken.append((monotonic_ns() - start) / 1e6)
    assert np.median(taken[-200:]) < limit_ms
    assert codes == model.filter(Panel(frame, panel.calendar, panel.provenance))[0].tolist()
    assert len(set(codes)) >= 4


def test_a_side_turns_only_beyond_its_band_and_pieces_agree() -> None:
    x = np.zeros((6, 17))
    column, sign, band = BANDS[1]
    x[:, column] = sign * np.array([0.5, 0.9 * -1, 0.1, 3, -0.1, -3]) * band
    sides = rule_sides(x, None)
    assert sides[:, 1].tolist() == [1, 1, 1, 1, 1, 0]
    np.testing.assert_array_equal(np.vstack([rule_sides(x[:2], None), rule_sides(x[2:], sides[1])]), sides)
    assert rule_states(np.array([[1, 0, 1]])).tolist() == [NAMES.index("LoudPullback")]
