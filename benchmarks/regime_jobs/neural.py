"""`neural`: the classifier on held-out days, beside its baselines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from market_jobs import Asked

from karat.data import Panel, load
from karat.evidence import compare_regimes
from karat.features.regimes import as_train, make_regime, spec_of
from regime_jobs import _series
from regime_jobs._scores import held_out_scores

SEEDS = range(5)
HELD_OUT = 0.4


def neural_series(quick: bool) -> Iterator[tuple[str, Panel, range]]:
    """Yield the series that the classifier is judged on, with the seeds: the two it was chosen on, and others."""
    for dataset in ("nasdaq", "sp500"):
        yield dataset, load("bundled", dataset=dataset), SEEDS[:1] if quick else SEEDS
    root = _series.folder()
    if quick or root is None:
        return
    for name, panel in _series.daily(root):
        yield name, panel, SEEDS[:3]
    for name, panel in _series.single_stocks():
        yield name, panel, SEEDS[:1]


def facts(asked: Asked) -> Iterator[dict[str, Any]]:
    """Yield macro-F1 of held-out days for the classifier, its baselines and today's state, and the profiles."""
    for series, panel, seeds in neural_series(asked.quick):
        frame, close = panel.frame, panel.frame["close"].to_numpy()
        cut, need = int(len(frame) * (1 - HELD_OUT)), spec_of("neural").bars_to_fit
        if cut < need:
            yield {"job": "neural", "series": series, "not_run": f"{cut} bars to fit on, {need} are needed"}
            continue
        after = np.append(close[1:] / close[:-1] - 1.0, np.nan)
        for seed in seeds:
            began = time.process_time()
            model = make_regime("neural", seed=seed).fit(as_train(panel, int(frame["ts"][cut - 1])))
            took = time.process_time() - began
            codes, _ = model.filter(panel)
            scores, shape = held_out_scores(panel, model, codes, cut)
            differ = compare_regimes(after[cut:], codes[cut:], model.states, seed=seed)
            yield {
                "job": "neural",
                "series": series,
                "seed": seed,
                "rows": len(frame) - cut,
                **{name: round(value, 3) for name, value in scores.items()},
                "least_share": round(min(shape.states["share"].to_list()), 4),
                "changes": round(shape.changes, 4),
                "volatility_p": differ.volatility_p,
                "mean_p": differ.mean_p,
                "fit_cpu_s": round(took, 2),
                "profiles": {p.name: [p.n, round(p.mean * 1e4, 1), round(p.volatility * 1e4)] for p in differ.profiles},
            }
