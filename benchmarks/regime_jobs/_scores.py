"""How labels of the neural classifier are scored: macro-F1 of the state by rule some bars later, and the baselines."""

from __future__ import annotations

import numpy as np
import polars as pl

from karat.data import Panel
from karat.features.regimes import RegimeDescription, RegimeFrame, RegimeModel, describe
from karat.features.regimes._measures import LOUDNESS, MARKET_STATE
from karat.features.regimes._neural import AHEAD, NAMES, NeuralStates, rule_sides, rule_states


class FromAnyHistory(NeuralStates):
    """The classifier with as little to learn from as is there: the least history was measured with it."""

    least = 300


def macro_f1(true: np.ndarray, found: np.ndarray) -> float:
    """Return the mean F1 of the eight states; one that occurs on neither side counts as 0."""
    from sklearn.metrics import f1_score

    return float(f1_score(true, found, average="macro", labels=range(len(NAMES)), zero_division=0))


def outlook(states: np.ndarray) -> np.ndarray:
    """Return (n,) the state AHEAD rows after each, -1 in the last rows."""
    return np.concatenate([states[AHEAD:], np.full(AHEAD, -1)])


def baselines(x: np.ndarray, cut: int, model: NeuralStates) -> dict[str, np.ndarray]:
    """Return (n - cut,) each: today's state by rule, the majority, the likeliest state of the volatility's eighth.

    x: (n, 17) finite rows; the rows before `cut` are those fitted on.
    """
    states = rule_states(rule_sides(x, model.state()["edges"], None))
    past, loudness = states[:cut], x[:, LOUDNESS]
    eighth = np.searchsorted(np.quantile(loudness[:cut], np.arange(1, 8) / 8), loudness)
    best = [np.bincount(past[AHEAD:][eighth[: cut - AHEAD] == k], minlength=len(NAMES)).argmax() for k in range(8)]
    majority = np.full(len(x) - cut, np.bincount(past).argmax())
    return {"today": states[cut:], "majority": majority, "volatility": np.array(best)[eighth[cut:]]}


def held_out_scores(
    panel: Panel, model: RegimeModel, codes: np.ndarray, cut: int
) -> tuple[dict[str, float], RegimeDescription]:
    """Return macro-F1 of labels (n,) and baselines on the rows from `cut` on, and what these labels look like."""
    labeller, warm = model.labeller, MARKET_STATE.window - 1
    assert isinstance(labeller, NeuralStates)
    x = MARKET_STATE.of({name: panel.frame[name].to_numpy() for name in MARKET_STATE.columns})[warm:]
    sides = baselines(x, cut - warm, labeller)
    true = outlook(sides["today"])
    known = true >= 0
    sides = {"macro_f1": codes[cut:], **sides}
    scores = {name: macro_f1(true[known], found[known]) for name, found in sides.items()}
    held_out = panel.frame[cut:].select("ts", "known_at", "instrument")
    states = pl.Series("state", codes[cut:])
    shape = describe(RegimeFrame(model.name, model.states, held_out.with_columns(states)))
    moved = sides["today"]
    return {**scores, "today_changes": float((moved[1:] != moved[:-1]).mean())}, shape
