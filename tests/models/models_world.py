"""Small planted worlds for the tests of models: tables with one informative column, or none."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from karat.core import NS_PER_DAY, generator
from karat.data import Labels, Table, Train, Valid, Inputs


def world(seed=0, n=3000, p=21, ic=0.19, instruments=("A.X",), valid=500, test=500, horizon="1d"):
    """Return (train, valid, test inputs, test labels): (n - valid - test) rows of Train an instrument."""
    parts = []
    for k, _ in enumerate(instruments):
        rng = generator(seed, "models-world", k)
        noise = rng.standard_normal((n, p))
        persistence = np.linspace(0.0, 0.95, p)
        features = np.column_stack(
            [lfilter([np.sqrt(1 - a * a)], [1, -a], noise[:, j]) for j, a in enumerate(persistence)]
        )
        signal = lfilter([np.sqrt(1 - 0.87**2)], [1, -0.87], rng.standard_normal(n))
        features[:, -1] = signal
        shock = rng.standard_t(5, n) / np.sqrt(5 / 3)
        variance = np.empty(n)
        variance[0] = 1.0
        for t in range(1, n):
            variance[t] = 0.02 + (0.06 * shock[t - 1] ** 2 + 0.92) * variance[t - 1]
        sigma = 0.01 * np.sqrt(variance)
        edge = ic / np.sqrt(1 - ic**2)
        value = np.r_[sigma[1:] * (edge * signal[:-1] + shock[1:]), 0.0]  # next session, known one bar later
        returns = np.r_[np.nan, value[:-1] + 0.2 * sigma[1:] * rng.standard_normal(n - 1)]
        parts.append((features, returns, value))
    ts = np.tile(np.arange(1, n + 1, dtype=np.int64) * NS_PER_DAY, len(instruments))
    code = np.repeat(np.arange(len(instruments)), n).astype(np.int64)
    names = (*(f"x{j}" for j in range(p - 1)), "signal")
    table = Table(ts, ts, code, tuple(instruments), np.vstack([a for a, _, _ in parts]), names,
                  np.concatenate([b for _, b, _ in parts]))  # fmt: skip
    value = np.concatenate([c for _, _, c in parts])
    stop = n - 1
    cuts = (1, stop - valid - test, stop - test, stop)
    views = []
    for low, high in zip(cuts[:-1], cuts[1:]):
        when = ts // NS_PER_DAY - 1
        cut = table.take(np.flatnonzero(when < high))
        rows = np.flatnonzero((cut.ts // NS_PER_DAY - 1) >= low)
        at = np.flatnonzero((when >= low) & (when < high))
        labels = Labels(value[at], ts[at] + 1, ts[at] + NS_PER_DAY)
        views.append((cut, rows, horizon, labels))
    last = views[2]
    return Train(*views[0]), Valid(*views[1]), Inputs(*last[:3]), last[3].value
