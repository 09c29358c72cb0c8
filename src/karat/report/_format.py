"""Numbers as text: the one place that decides decimals, signs and units, so that both formats show the same.

Invariants:
1. A number formats the same wherever it appears; NaN, infinity and None are a dash.
2. Fractions become per cent and basis points here and nowhere else.
3. A negative number carries the minus sign U+2212, which is as wide as a digit; a value that rounds to zero has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.core import InputError
from karat.report._story import Estimate

DASH: Final = "–"
_MINUS: Final = "−"
_SMALLEST_P: Final = 0.0001


@dataclass(frozen=True)
class Measure:
    """One measure of a return series: column title, number kind, meaning in one sentence."""

    title: str
    kind: str
    meaning: str


MEASURES: Final[dict[str, Measure]] = {
    "roi": Measure("ROI", "pct", "net profit over the whole test period, of the starting capital"),
    "annual_return": Measure("Return a year", "pct", "compounded net growth rate"),
    "volatility": Measure("Volatility", "pct", "standard deviation of net returns, annualised"),
    "sharpe": Measure("Sharpe", "ratio", "mean over standard deviation of net returns, annualised"),
    "sortino": Measure("Sortino", "ratio", "mean over downside deviation of net returns, annualised"),
    "max_drawdown": Measure("Max. drawdown", "pct", "largest fall from an earlier peak, a positive number"),
    "cvar": Measure("CVaR 5 %", "pct", "mean loss of the worst 5 % of bars, a positive number"),
    "hit_rate": Measure("Hit rate", "pct", "share of bars with a positive net return"),
    "turnover": Measure("Turnover a year", "times", "traded value over capital, annualised"),
}


def number(value: float | None, kind: str) -> str:
    """Return `value` as text of one of `KINDS`; NaN, infinity and None are a dash.

    Raises:
        InputError: an unknown kind.

    Example:
        >>> number(0.1234, "pct"), number(0.00413, "bps"), number(float("nan"), "ratio")
        ('12.3 %', '41.30 bp', '–')
    """
    if kind not in KINDS:
        raise InputError("kind", kind, allowed=list(KINDS))
    if value is None or not math.isfinite(value):
        return DASH
    return _signed(KINDS[kind](float(value)))


def interval(estimate: Estimate, kind: str) -> str:
    """Return "[low, high]" in the unit of `kind`, or nothing where an end is missing."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return ""
    low, high = (number(end, kind).removesuffix(_UNITS.get(kind, "")) for end in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def scalar(value: object) -> str:
    """Return any plain value as text: booleans in words, numbers with at most four significant decimals."""
    if value is None:
        return DASH
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return number(int(value), "count") if abs(int(value)) >= 10_000 else _signed(str(int(value)))
    if isinstance(value, float | np.floating):
        return DASH if not math.isfinite(value) else _signed(f"{float(value):.4g}")
    return str(value)


def prose(text: str) -> str:
    """Return a sentence made elsewhere with typographic relations and a capital at its start.

    Example:
        >>> prose("not shown: p = 0.13, needed p <= 0.025")
        'Not shown: p = 0.13, needed p ≤ 0.025'
    """
    text = relations(text)
    return text[:1].upper() + text[1:]


def relations(text: str) -> str:
    """Return text with ≤ and ≥ for their ASCII forms and no line break before a per cent sign."""
    return text.replace("<=", "≤").replace(">=", "≥").replace(" %", "\u00a0%")


def flatten(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    """Return (dotted path, leaf) pairs of nested maps and lists of maps, in the order given."""
    rows: list[tuple[str, object]] = []
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            rows += flatten(value, f"{path}.")
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            rows += flatten({str(k): item for k, item in enumerate(value)}, f"{path}.")
        elif isinstance(value, list | tuple):
            rows.append((path, ", ".join(str(item) for item in value) or DASH))
        else:
            rows.append((path, value if value != {} else DASH))
    return rows


def _signed(text: str) -> str:
    if text.startswith("-"):
        text = text[1:]
        return text if not any(digit in text for digit in "123456789") else _MINUS + text
    return text


def _p(value: float) -> str:
    return f"< {_SMALLEST_P:.4f}" if value < _SMALLEST_P else f"{value:.4f}"


def _usd(value: float) -> str:
    return f"{'-' if value < 0 else ''}{abs(value):,.0f}"


KINDS: Final[dict[str, Callable[[float], str]]] = {
    "bps": lambda value: f"{value * 1e4:.2f} bp",
    "score": lambda value: f"{value:.4f}",
    "ratio": lambda value: f"{value:.2f}",
    "times": lambda value: f"{value:.1f} ×",
    "pct": lambda value: f"{value * 100:.1f} %",
    "usd": _usd,
    "count": lambda value: f"{value:,.0f}",
    "p": _p,
    "alpha": lambda value: f"{value:.5f}",
    "general": lambda value: f"{value:.4g}",
}

_UNITS: Final[dict[str, str]] = {"bps": " bp", "pct": " %", "times": " ×"}
