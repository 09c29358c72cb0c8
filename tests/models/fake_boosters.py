"""Small stand-ins for XGBoost and CatBoost: they take the calls the adapters make and learn one constant.

The real libraries run the contract suite where they are installed; these show everywhere that the adapters pass data,
callbacks and texts the right way round.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


class _Matrix:
    def __init__(self, x: np.ndarray, label: np.ndarray | None = None, nthread: int = 0) -> None:
        assert nthread == 1
        self.x = x


class _Booster:
    def __init__(self, settings: dict[str, Any] | None = None, steps: list[float] | None = None) -> None:
        self.steps = steps or []
        self.best_iteration = 0

    def __getitem__(self, rounds: slice) -> _Booster:
        return _Booster(steps=self.steps[rounds])

    def save_raw(self, kind: str) -> bytearray:
        assert kind == "json"
        return bytearray(json.dumps(self.steps), "utf-8")

    def load_model(self, raw: bytearray) -> None:
        self.steps = json.loads(bytes(raw))

    def predict(self, data: _Matrix, output_margin: bool) -> np.ndarray:
        assert output_margin
        return np.full(len(data.x), sum(self.steps), dtype=np.float32)


def _train(settings: dict[str, Any], data: _Matrix, **options: Any) -> _Booster:
    booster, losses = _Booster(), []
    check = options["evals"][0][0]
    for _ in range(options["num_boost_round"]):
        raw = booster.predict(data, True)
        grad, hess = options["obj"](raw, data)
        booster.steps.append(-settings["learning_rate"] * float(grad.sum() / hess.sum()))
        losses.append(options["custom_metric"](booster.predict(check, True), check)[1])
        booster.best_iteration = int(np.argmin(losses))
        if len(losses) - 1 - booster.best_iteration >= options["early_stopping_rounds"]:
            break
    return booster


def fake_xgboost() -> Any:
    return SimpleNamespace(DMatrix=_Matrix, Booster=_Booster, train=_train)


class _CatBoost:
    def __init__(self, loss_function: Any = None, eval_metric: Any = None, **settings: Any) -> None:
        self._loss, self._metric, self._settings, self._value = loss_function, eval_metric, settings, 0.0

    def fit(
        self, x: np.ndarray, labels: np.ndarray, eval_set: Any, early_stopping_rounds: int, use_best_model: bool
    ) -> None:
        assert not self._metric.is_max_optimal()
        best, order = self._measure(*eval_set), np.arange(len(x))[::-1]
        for _ in range(self._settings["iterations"]):
            pairs: list[tuple[float, float]] = []
            for block in np.array_split(order, 3):
                pairs += self._loss.calc_ders_range([self._value] * len(block), labels[block].tolist(), None)
            slope, bend = np.sum(pairs, axis=0)
            before, self._value = self._value, self._value - self._settings["learning_rate"] * slope / bend
            loss = self._measure(*eval_set)
            if loss > best:
                self._value = before
                break
            best = loss
        assert self._metric.evaluate([[0.0]], [0.0], None) == (0.0, 1.0)  # on Train nothing is measured

    def _measure(self, x: np.ndarray, labels: np.ndarray) -> float:
        parts = [
            self._metric.evaluate([[self._value] * len(block)], labels[block].tolist(), None)
            for block in np.array_split(np.arange(len(x)), 2)
        ]
        return float(self._metric.get_final_error(*np.sum(parts, axis=0)))

    def save_model(self, path: str, format: str) -> None:
        assert format == "json"
        Path(path).write_text(json.dumps(self._value), encoding="utf-8")

    def load_model(self, path: str, format: str) -> None:
        self._value = json.loads(Path(path).read_text(encoding="utf-8"))

    def predict(self, x: np.ndarray, prediction_type: str, thread_count: int) -> np.ndarray:
        assert (prediction_type, thread_count) == ("RawFormulaVal", 1)
        return np.full(len(x), self._value)


def fake_catboost() -> Any:
    return SimpleNamespace(CatBoostRegressor=_CatBoost, CatBoost=_CatBoost)
