"""The same features one bar at a time.

Invariants:
1. A value equals that of `build` over all bars so far: to the bit where the kernels compute both, to 1e-12 of the
   feature's largest magnitude where `build` asks TA-Lib.
2. A state is bytes without addresses. Loaded into another process it goes on as if nothing had happened; a state of
   other definitions is refused.
3. A bar in which an input of a feature is not finite gives it NaN and leaves its state alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.core import DataError, InputError
from karat.features._graph import Node
from karat.features._plan import OnlinePlan, plan_online
from karat.features._select import Selection, chosen
from karat.features._spec import FeatureSpec, Floats
from karat.kernels import bound
from karat.kernels.features import advance

_DIGEST: Final = 32


class OnlineFeatures:
    """Features of one instrument, bar by bar.

    selection: as for `build`. `columns` names what a bar must bring, in order; `ts` is the date of the bar as days
    since 1970-01-01. `names` are those of the values.

    Raises:
        InputError: an unknown name, or a feature that is a function of its whole history.

    Example:
        >>> live = OnlineFeatures(["ret_1"])
        >>> [round(float(live.update({"close": price})[0]), 3) for price in (100.0, 101.0)]
        [nan, 0.01]
    """

    def __init__(self, selection: Selection) -> None:
        specs = chosen(selection)
        drawn = [spec for spec in specs if isinstance(spec.compute, Node)]
        others = [spec for spec in specs if not isinstance(spec.compute, Node)]
        for spec in others:
            if spec.recursive:
                why = "a Python function of its whole history has no step"
                raise InputError("features", spec.name, why=why, fix="write it as an expression")
        self._plan, order = _plan(drawn)
        self._kept = [_Window(spec) for spec in others]
        self.names: tuple[str, ...] = tuple(spec.name for spec in specs)
        extra = [name for spec in others for name in spec.inputs]
        self.columns: tuple[str, ...] = tuple(dict.fromkeys([*self._plan.columns, *extra]))
        place = {name: k for k, name in enumerate(self.names)}
        self._places = np.array([place[spec.name] for spec in [*order, *others]], dtype=np.int64)
        self._state = np.zeros(self._plan.program.n_state)
        groups = len(self._plan.groups)
        self._room = np.zeros((5, max(self._plan.program.window, groups, 1)))
        self._made, self._bar = np.empty(len(order)), np.full(len(self.columns), np.nan)
        self._order = np.argsort(self._places[: len(order)])
        self._digest = _digest(self._plan, self.names)
        program, plan = self._plan.program, self._plan
        self._advance = bound(
            advance,
            *(program.code, program.constants, plan.rings, program.weights, plan.groups, plan.taken),
            *(self._bar, self._state, self._room, self._made),
        )

    def update(self, bar: Mapping[str, float] | Floats) -> Floats:
        """Take the next bar and return its features, (p,) float64 in the order of `names`.

        bar: name to value, or (c,) float64 in the order of `columns`. A value that is not finite counts as missing.

        Raises:
            InputError: a column is missing.
        """
        if isinstance(bar, np.ndarray):
            self._bar[:] = bar
        else:
            self._take(bar)
        if len(self._made):
            self._advance()
        if not self._kept:
            return self._made[self._order]
        out = np.empty(len(self.names))
        out[self._places[: len(self._made)]] = self._made
        for k, window in zip(self._places[len(self._made) :], self._kept, strict=True):
            out[k] = window.update({name: float(self._bar[j]) for j, name in enumerate(self.columns)})
        return out

    def state(self) -> bytes:
        """Return all that later values depend on, as bytes."""
        return self._digest + self._state.tobytes() + b"".join(window.state() for window in self._kept)

    def restore(self, state: bytes) -> None:
        """Go on from a state that `state` returned.

        Raises:
            DataError: it was made by other definitions.
        """
        size = _DIGEST + self._state.nbytes + sum(window.size for window in self._kept)
        if state[:_DIGEST] != self._digest or len(state) != size:
            raise DataError("state", "made by the same definitions", fix="feed the bars again to a fresh state")
        self._state[:] = np.frombuffer(state, dtype=np.float64, count=self._state.size, offset=_DIGEST)
        at = _DIGEST + self._state.nbytes
        for window in self._kept:
            window.restore(state[at : at + window.size])
            at += window.size

    def _take(self, bar: Mapping[str, float]) -> None:
        for k, name in enumerate(self.columns):
            if name not in bar:
                raise InputError("bar", sorted(bar), why=f"{name} is missing", allowed=list(self.columns))
            self._bar[k] = bar[name]


@dataclass
class _Window:
    """The last rows of a feature that is a Python function of them: a ring under the batch function."""

    spec: FeatureSpec

    def __post_init__(self) -> None:
        self._rows = np.full((len(self.spec.inputs), self.spec.warm_up + 1), np.nan)

    @property
    def size(self) -> int:
        return self._rows.nbytes

    def update(self, bar: Mapping[str, float]) -> float:
        assert not isinstance(self.spec.compute, Node)
        row = [bar[name] for name in self.spec.inputs]
        if not np.isfinite(row).all():
            return float("nan")
        self._rows = np.column_stack([self._rows[:, 1:], row])
        if np.isnan(self._rows).any():
            return float("nan")
        end = self._rows.shape[1] - self.spec.lag
        columns = {name: np.ascontiguousarray(self._rows[k, :end]) for k, name in enumerate(self.spec.inputs)}
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = float(self.spec.compute(columns)[-1])
        return value if np.isfinite(value) else float("nan")

    def state(self) -> bytes:
        return self._rows.tobytes()

    def restore(self, state: bytes) -> None:
        self._rows = np.frombuffer(state, dtype=np.float64).reshape(self._rows.shape).copy()


def _plan(specs: list[FeatureSpec]) -> tuple[OnlinePlan, list[FeatureSpec]]:
    """Return the plan of the specs, grouped by the columns they read, and the specs in the order of its values."""
    groups: dict[tuple[str, ...], list[FeatureSpec]] = {}
    for spec in specs:
        groups.setdefault(spec.inputs, []).append(spec)
    plan = plan_online([(names, [spec.expression for spec in members]) for names, members in groups.items()])
    return plan, [spec for members in groups.values() for spec in members]


def _digest(plan: OnlinePlan, names: tuple[str, ...]) -> bytes:
    program = plan.program
    parts = (program.code, program.constants, program.weights, plan.groups, plan.rings, plan.taken)
    digest = hashlib.sha256(" ".join((*names, *plan.columns)).encode())
    for part in parts:
        digest.update(part.tobytes())
    return digest.digest()
