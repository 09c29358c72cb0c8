"""Plain step-down max-t: loops over draws and series, written from the definition and not from the fast code."""

from __future__ import annotations

import math

import numpy as np


def p_values(series, draws, factor):
    """Return the adjusted p-value of every column, given the dates of each draw and the small-sample factor."""
    columns = range(series.shape[1])
    resampled = [[float(np.nanmean(series[rows, k])) for k in columns] for rows in draws]
    means = [float(np.nanmean(series[:, k])) for k in columns]
    spreads = []
    for k in columns:
        mine = [row[k] for row in resampled]
        centre = sum(mine) / len(mine)
        spreads.append(math.sqrt(sum((value - centre) ** 2 for value in mine) / len(mine)))
    t = [means[k] / (spreads[k] * factor) for k in columns]
    adjusted = []
    for j in columns:
        worst = 0.0
        for i in columns:
            if t[i] < t[j]:
                continue
            others = [k for k in columns if t[k] <= t[i]]
            hits = sum(any((row[k] - means[k]) / spreads[k] >= t[i] for k in others) for row in resampled)
            worst = max(worst, (1 + hits) / (1 + len(resampled)))
        adjusted.append(worst)
    return adjusted
