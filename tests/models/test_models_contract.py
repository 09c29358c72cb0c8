"""Every built-in model keeps the contract; a class for each, as a third party would write it."""

from __future__ import annotations

import pytest

from karat.models import BASELINES, MODELS, Forecaster, create
from karat.models.contract import ForecasterContract


class TestClimatology(ForecasterContract):
    def make(self) -> Forecaster:
        return create("climatology")


class TestEwma(ForecasterContract):
    def make(self) -> Forecaster:
        return create("ewma", {"decay": 0.97})


class TestGarchT(ForecasterContract):
    def make(self) -> Forecaster:
        return create("garch_t")


class TestLastSign(ForecasterContract):
    def make(self) -> Forecaster:
        return create("last_sign")


class TestBuyAndHold(ForecasterContract):
    def make(self) -> Forecaster:
        return create("buy_and_hold")


class TestLogistic(ForecasterContract):
    def make(self) -> Forecaster:
        return create("logistic")


class TestLinearQuantile(ForecasterContract):
    def make(self) -> Forecaster:
        return create("linear_quantile", {"l1_ratio": 0.3})


class TestLightGbm(ForecasterContract):
    def make(self) -> Forecaster:
        return create("lightgbm", {"rounds": 20})


class TestPatchTransformer(ForecasterContract):
    def make(self) -> Forecaster:
        small = {"lookback": 16, "d_model": 16, "layers": 1, "d_ff": 16, "max_steps": 10, "batch": 64}
        return create("patch_transformer", {**small, "direct": False})


class TestArima(ForecasterContract):
    def make(self) -> Forecaster:
        return create("arima")


class TestXgBoost(ForecasterContract):
    def make(self) -> Forecaster:
        pytest.importorskip("xgboost", reason="the extra boost is not installed")
        return create("xgboost", {"rounds": 20})


class TestCatBoost(ForecasterContract):
    def make(self) -> Forecaster:
        pytest.importorskip("catboost", reason="the extra boost is not installed")
        return create("catboost", {"rounds": 20})


def test_no_model_is_without_its_contract() -> None:
    tested = {cls().make.__qualname__.split(".")[0] for cls in ForecasterContract.__subclasses__()}
    assert tested >= {f"Test{kind.__name__.removesuffix('Forecaster')}" for kind in MODELS.values()}


def test_baselines_say_so() -> None:
    assert tuple(name for name, kind in MODELS.items() if kind.baseline) == BASELINES
    assert all(kind.name == name for name, kind in MODELS.items())
