"""`lightgbm`: boosting by LightGBM, deterministic, on one thread. Saved as LightGBM's own text."""

from __future__ import annotations

from typing import Any

import numpy as np

from karat.models._boosting import ALL, Boosting, Task
from karat.models._types import Floats


class LightGbm(Boosting):
    """Histogram trees, grown leaf by leaf.

    rounds, patience: at most so many trees, stop after so many without a better Valid. learning_rate: share of a Newton
    step a tree takes. leaves: leaves of a tree. min_leaf_frac: least share of Train's rows in a leaf.
    """

    name = "lightgbm"

    def _grow(self, task: Task) -> str:
        import lightgbm

        settings = self._settings(len(task.x))

        def objective(raw: Floats, _: Any) -> tuple[Floats, Floats]:
            return task.pull(raw, ALL), np.full(len(raw), task.bend)

        def metric(raw: Floats, _: Any) -> tuple[str, float, bool]:
            return "pinball", task.valid_loss(raw, ALL), False

        data = lightgbm.Dataset(task.x, label=np.zeros(len(task.x)), params=settings)
        check = lightgbm.Dataset(task.x_valid, label=np.zeros(len(task.x_valid)), reference=data, params=settings)
        booster = lightgbm.train(
            {**settings, "objective": objective},
            data,
            num_boost_round=int(self.params["rounds"]),
            valid_sets=[check],
            feval=metric,
            callbacks=[lightgbm.early_stopping(int(self.params["patience"]), verbose=False)],
        )
        return str(booster.model_to_string(num_iteration=booster.best_iteration))

    def _settings(self, rows: int) -> dict[str, Any]:
        return {
            "learning_rate": self.params["learning_rate"],
            "num_leaves": self.params["leaves"],
            "min_data_in_leaf": max(1, int(float(self.params["min_leaf_frac"]) * rows)),
            "min_sum_hessian_in_leaf": 0.0,
            "max_bin": 63,
            "metric": "none",
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbose": -1,
        }

    def _evaluate(self, text: str, x: Floats) -> Floats:
        import lightgbm

        booster = lightgbm.Booster(model_str=text)
        return np.asarray(booster.predict(x, raw_score=True, num_threads=1), dtype=np.float64)
