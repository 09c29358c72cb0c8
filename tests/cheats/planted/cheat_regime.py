"""Regime smoothed backwards: once by a filter that also runs from the end, once by naming a fall after it is over."""

import numpy as np

from karat.features import FeatureSpec


def _filtered(values):
    out = np.empty(len(values))
    state = 0.5
    for t, value in enumerate(values):
        state = 0.9 * state + 0.1 * value
        out[t] = state
    return out


def _smoothed(columns):
    move = np.abs(np.diff(np.log(columns["close"]), prepend=np.log(columns["close"][0])))
    wild = (move > 0.01).astype(float)
    return 0.5 * (_filtered(wild) + _filtered(wild[::-1])[::-1])


def _hindsight(columns):
    close = columns["close"]
    bear = np.zeros(len(close))
    peak = 0
    for t in range(len(close)):
        if close[t] >= close[peak]:
            if close[peak : t + 1].min() < 0.95 * close[peak]:
                bear[peak:t] = 1.0
            peak = t
    return bear


SMOOTHED_REGIME = FeatureSpec("smoothed_regime", ("close",), 0, "custom", "1", "forward and back", "planted", _smoothed)
HINDSIGHT_REGIME = FeatureSpec("hindsight", ("close",), 0, "custom", "1", "falls, once over", "planted", _hindsight)
