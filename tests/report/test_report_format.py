"""Numbers as text: every kind, the missing ones, the sign, intervals, flattened maps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karat.core import InputError
from karat.report import MEASURES, Estimate
from karat.report._format import DASH, KINDS, flatten, interval, number, scalar


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (0.004102, "bps", "41.02 bp"),
        (1.65444, "score", "1.6544"),
        (-0.3149, "ratio", "−0.31"),
        (18.44, "times", "18.4 ×"),
        (0.2172, "pct", "21.7 %"),
        (1234567.8, "usd", "1,234,568"),
        (-1234.6, "usd", "−1,235"),
        (5031, "count", "5,031"),
        (0.1339, "p", "0.1339"),
        (0.00004, "p", "< 0.0001"),
        (0.0152, "alpha", "0.01520"),
        (0.05, "general", "0.05"),
        (-1e-9, "ratio", "0.00"),
        (-0.4, "usd", "0"),
    ],
)
def test_kinds(value: float, kind: str, expected: str) -> None:
    assert number(value, kind) == expected


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_missing_is_a_dash(value: float | None, kind: str) -> None:
    assert number(value, kind) == DASH


def test_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"kind: got 'ratios'; allowed: .*did you mean 'ratio'"):
        number(1.0, "ratios")


@given(st.floats(-1e12, 1e12), st.sampled_from(sorted(set(KINDS) - {"p"})))
def test_sign_is_the_true_minus_and_never_on_zero(value: float, kind: str) -> None:
    text = number(value, kind)
    assert "-" not in text.replace("e-", "")
    if text.startswith("−"):
        assert value < 0
        assert any(digit in text for digit in "123456789")


def test_interval_drops_the_unit_and_needs_both_ends() -> None:
    assert interval(Estimate(0.2, 0.1, 0.31), "pct") == "[10.0, 31.0]"
    assert interval(Estimate(1.0, -0.5, 2.0), "ratio") == "[−0.50, 2.00]"
    assert interval(Estimate(1.0, math.nan, 2.0), "ratio") == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, DASH),
        (True, "yes"),
        (np.bool_(False), "no"),
        (2030, "2030"),
        (-3, "−3"),
        (np.int64(12_345), "12,345"),
        (0.012345, "0.01235"),
        (math.nan, DASH),
        ("text", "text"),
    ],
)
def test_scalar(value: object, expected: str) -> None:
    assert scalar(value) == expected


def test_flatten_keeps_order_and_empty_leaves() -> None:
    values = {"b": {"x": 1, "y": {}}, "a": [1, 2], "m": [{"name": "n"}], "e": []}
    assert flatten(values) == [("b.x", 1), ("b.y", DASH), ("a", "1, 2"), ("m.0.name", "n"), ("e", DASH)]


def test_every_measure_has_a_kind_that_exists() -> None:
    assert {measure.kind for measure in MEASURES.values()} <= set(KINDS)
