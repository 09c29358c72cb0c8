"""The shared scale: equal to a plain loop, blind to the future and to other instruments."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from karat.data import Table
from karat.models._scale import Scale, ewma_variance, spans
from karat.models.contract import planted_views

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))
from oracle_volatility import ewma_variance as plain_ewma

TRAIN, VALID, TEST = planted_views(rows=300, width=4)


def _table(*series: list[float]) -> Table:
    n = sum(map(len, series))
    code = np.repeat(np.arange(len(series)), [len(item) for item in series]).astype(np.int64)
    ts = np.concatenate([np.arange(1, len(item) + 1) for item in series]).astype(np.int64)
    names = tuple(f"I{k}" for k in range(len(series)))
    return Table(ts, ts, code, names, np.zeros((n, 0)), (), np.concatenate([np.array(item) for item in series]))


def test_invariant_1_equals_a_plain_loop_with_gaps() -> None:
    nan = float("nan")
    a = [nan, 0.01, -0.02, nan, nan, 0.03, 0.0, -0.01]
    b = [nan, 0.05, 0.04]
    found = ewma_variance(_table(a, b), 0.9, 2e-4)
    expected = plain_ewma(a, 0.9, 2e-4, 5.0) + plain_ewma(b, 0.9, 2e-4, 5.0)
    assert np.allclose(found, expected, rtol=1e-12)


def test_one_instrument_says_nothing_of_another() -> None:
    alone = ewma_variance(_table([0.01, 0.02]), 0.94, 1e-4)
    assert (ewma_variance(_table([9.0], [0.01, 0.02], [7.0]), 0.94, 1e-4)[1:3] == alone).all()


def test_invariant_2_a_stale_series_keeps_a_floor() -> None:
    assert ewma_variance(_table([0.0] * 2000), 0.5, 1e-4)[-1] == pytest.approx(1e-8)


def test_the_standardised_label_has_unit_size_on_train() -> None:
    z = TRAIN.labels.value / Scale.fit(TRAIN).of(TRAIN)
    assert np.mean(z**2) == pytest.approx(1.0)


def test_returns_that_are_all_missing_or_zero_still_give_a_scale() -> None:
    for value in (np.nan, 0.0):
        table = replace(TRAIN.table, returns=np.full(len(TRAIN.table.ts), value))
        scale = Scale.fit(replace(TRAIN, table=table))
        assert (scale.of(TRAIN) > 0).all()
    flat = replace(TRAIN, labels=replace(TRAIN.labels, value=np.zeros(len(TRAIN))))
    assert Scale.fit(flat).ratio == 1e-6


def test_spans_are_the_instruments_in_order() -> None:
    assert spans(np.array([3, 3, 1, 0, 0])) == [slice(0, 2), slice(2, 3), slice(3, 5)]
