"""`xgboost`: boosting by XGBoost, on one thread. Saved as XGBoost's own JSON. Comes with the extra `boost`."""

from __future__ import annotations

from typing import Any

import numpy as np

from karat.core import require
from karat.models._boosting import ALL, Boosting, Task
from karat.models._types import Floats


class XgBoost(Boosting):
    """Histogram trees, grown leaf by leaf; parameters as those of `lightgbm`.

    Raises at `fit` and `predict`:
        MissingExtraError: XGBoost is not installed.
    """

    name = "xgboost"

    def _grow(self, task: Task) -> str:
        xgboost = require("xgboost", "boost")
        data = xgboost.DMatrix(task.x, label=np.zeros(len(task.x)), nthread=1)
        check = xgboost.DMatrix(task.x_valid, label=np.zeros(len(task.x_valid)), nthread=1)

        def objective(raw: Floats, _: Any) -> tuple[Floats, Floats]:
            return task.pull(raw.astype(np.float64), ALL), np.full(len(raw), task.bend)

        def metric(raw: Floats, _: Any) -> tuple[str, float]:
            return "pinball", task.valid_loss(raw.astype(np.float64), ALL)

        booster = xgboost.train(
            self._settings(task),
            data,
            num_boost_round=int(self.params["rounds"]),
            obj=objective,
            custom_metric=metric,
            evals=[(check, "valid")],
            early_stopping_rounds=int(self.params["patience"]),
            verbose_eval=False,
        )
        best = booster[: booster.best_iteration + 1]
        return bytes(best.save_raw("json")).decode("utf-8")

    def _settings(self, task: Task) -> dict[str, Any]:
        return {
            "tree_method": "hist",
            "grow_policy": "lossguide",
            "max_depth": 0,
            "max_bin": 63,
            "max_leaves": self.params["leaves"],
            "learning_rate": self.params["learning_rate"],
            "min_child_weight": float(self.params["min_leaf_frac"]) * len(task.x) * task.bend,
            "reg_lambda": 0.0,
            "base_score": 0.0,
            "disable_default_eval_metric": 1,
            "seed": self.seed,
            "nthread": 1,
            "verbosity": 0,
        }

    def _evaluate(self, text: str, x: Floats) -> Floats:
        xgboost = require("xgboost", "boost")
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(text, "utf-8"))
        return np.asarray(booster.predict(xgboost.DMatrix(x, nthread=1), output_margin=True), dtype=np.float64)
