"""`catboost`: boosting by CatBoost, on one thread. Saved as CatBoost's own JSON. Comes with the extra `boost`.

CatBoost calls a custom loss with blocks of rows in its own order, so the labels it is given are row numbers: 0, 1, 2
... on Train and -1, -2, -3 ... on Valid. They are float32 inside, exact up to 16 million rows.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from karat.core import require
from karat.models._boosting import Boosting, Task
from karat.models._types import Floats


class CatBoost(Boosting):
    """Trees grown leaf by leaf; parameters as those of `lightgbm`.

    Raises at `fit` and `predict`:
        MissingExtraError: CatBoost is not installed.
    """

    name = "catboost"

    def _grow(self, task: Task) -> str:
        catboost = require("catboost", "boost")
        model = catboost.CatBoostRegressor(
            loss_function=_Objective(task), eval_metric=_Metric(task), **self._settings(len(task.x))
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CatBoost says that it cannot compile the two Python classes
            model.fit(
                task.x,
                np.arange(len(task.x)),
                eval_set=(task.x_valid, -1 - np.arange(len(task.x_valid))),
                early_stopping_rounds=int(self.params["patience"]),
                use_best_model=True,
            )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            model.save_model(str(path), format="json")
            return path.read_text(encoding="utf-8")

    def _settings(self, rows: int) -> dict[str, Any]:
        return {
            "iterations": self.params["rounds"],
            "learning_rate": self.params["learning_rate"],
            "grow_policy": "Lossguide",
            "max_leaves": self.params["leaves"],
            "min_data_in_leaf": max(1, int(float(self.params["min_leaf_frac"]) * rows)),
            "l2_leaf_reg": 0.0,
            "border_count": 63,
            "leaf_estimation_method": "Newton",
            "leaf_estimation_iterations": 1,
            "boost_from_average": False,
            "bootstrap_type": "No",
            "random_strength": 0.0,
            "random_seed": self.seed,
            "thread_count": 1,
            "allow_writing_files": False,
            "verbose": False,
        }

    def _evaluate(self, text: str, x: Floats) -> Floats:
        catboost = require("catboost", "boost")
        model = catboost.CatBoost()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.json"
            path.write_text(text, encoding="utf-8")
            model.load_model(str(path), format="json")
        return np.asarray(model.predict(x, prediction_type="RawFormulaVal", thread_count=1), dtype=np.float64)


class _Objective:
    """CatBoost climbs: it is given minus the gradient and minus the curvature, block by block of rows."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def calc_ders_range(self, raw: Any, labels: Any, weights: Any) -> list[tuple[float, float]]:
        pull = self._task.pull(np.array(raw, dtype=np.float64), np.array(labels, dtype=np.int64))
        return [(-value, -self._task.bend) for value in pull.tolist()]


class _Metric:
    """The mean loss on Valid, block by block; on Train, which CatBoost asks for too, nothing is measured."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def is_max_optimal(self) -> bool:
        return False

    def evaluate(self, raw: Any, labels: Any, weights: Any) -> tuple[float, float]:
        rows = -1 - np.array(labels, dtype=np.int64)
        if rows[0] < 0:
            return 0.0, 1.0
        return self._task.valid_loss(np.array(raw[0], dtype=np.float64), rows) * len(rows), float(len(rows))

    def get_final_error(self, error: float, weight: float) -> float:
        return error / weight
