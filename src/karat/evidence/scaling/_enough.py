"""What a scaling law needs before anything is fitted: scales enough, far enough apart, moving on their own.

Invariants:
1. Every refusal says what would be enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.evidence._shapes import Floats

MIN_SCALES: Final = 5
"""Distinct values of each scale: two pin a power, a third the floor, and two are left to contradict them."""
MIN_SPAN: Final = 10.0
MAX_TOGETHER: Final = 0.98
"""Correlation of two log scales above which their exponents cannot be told apart."""


def require_scales(scales: Floats, loss: Floats, names: Sequence[str]) -> None:
    """Check that a law can be fitted.

    Raises:
        InputError: shapes, values that are not positive, too few scales, too narrow a range, scales that move together.
    """
    if scales.ndim != 2 or loss.shape != (len(scales),) or len(names) != scales.shape[1]:
        seen = f"shapes {scales.shape} and {loss.shape} for {list(names)}"
        raise InputError("scales, loss", seen, allowed="(n, k) and (n,), one name per scale")
    if not ((scales > 0) & np.isfinite(scales)).all() or not ((loss > 0) & np.isfinite(loss)).all():
        raise InputError("scales, loss", "values that are not positive", allowed="positive finite numbers")
    for name, column in zip(names, scales.T, strict=True):
        distinct = len(np.unique(column))
        if distinct < MIN_SCALES:
            fix = f"add runs at {counted(MIN_SCALES - distinct, 'more value')} of {name}"
            why = "two or three scales fit any power and prove none"
            raise InputError(
                f"scales[{name}]", counted(distinct, "scale"), why=why, allowed=f"{MIN_SCALES} or more", fix=fix
            )
        span = float(column.max() / column.min())
        if span < MIN_SPAN:
            fix = f"add a run at {name} = {column.min() * MIN_SPAN:.4g} or above"
            raise InputError(f"scales[{name}]", f"a range of 1 to {span:.3g}", allowed=f"1 to {MIN_SPAN:g}", fix=fix)
    _require_apart(scales, names)
    needed = 2 * (2 * scales.shape[1] + 1)
    if len(loss) < needed:
        raise InputError("loss", counted(len(loss), "run"), allowed=f"{needed} or more: two per parameter")
    if np.ptp(loss) == 0:
        raise InputError("loss", "a constant series", allowed="losses that vary", why="nothing scales")


def _require_apart(scales: Floats, names: Sequence[str]) -> None:
    if scales.shape[1] < 2:
        return
    together = np.corrcoef(np.log(scales).T) - np.eye(scales.shape[1])
    i, j = divmod(int(np.abs(together).argmax()), together.shape[1])
    if abs(together[i, j]) > MAX_TOGETHER:
        why = f"their logarithms correlate at {together[i, j]:.4f}: the exponents cannot be told apart"
        fix = f"add runs that vary {names[j]} while {names[i]} stays"
        raise InputError(f"scales[{names[i]}, {names[j]}]", "scales that move together", why=why, fix=fix)
