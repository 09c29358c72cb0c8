"""The same features one bar at a time.

Invariants:
1. A value equals that of `build` over all bars so far: to the bit where the kernels compute both, to 1e-12 of the
   feature's largest magnitude where `build` asks TA-Lib.
2. A state is bytes without addresses. Loaded into another process it goes on as if nothing had happened; a state of
   other definitions is refused. That of a Python function is the rows that it reads, whatever it makes of them.
3. A bar in which an input of a feature is not finite gives it NaN and leaves its state alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat._words import counted
from karat.core import DataError, InputError
from karat.features._graph import TS, Node
from karat.features._plan import OnlinePlan, plan_online
from karat.features._select import Selection, chosen, held_by
from karat.features._spec import FeatureSpec, Floats
from karat.kernels import bound
from karat.kernels.features import advance

_DIGEST: Final = 32
_LAST_DAY: Final = 1e6
_SHOWN: Final = 12  # hex digits of a mark


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
        for spec in specs:
            if spec.recursive and not isinstance(spec.compute, Node):
                why = "a Python function of its whole history has no step"
                raise InputError("features", spec.name, why=why, fix="write it as an expression")
        self.names: tuple[str, ...] = tuple(spec.name for spec in specs)
        self._plan = _plan(specs)
        self._kept = {k: _Window(spec) for k, spec in enumerate(specs) if not isinstance(spec.compute, Node)}
        extra = [name for window in self._kept.values() for name in window.spec.inputs]
        self.columns: tuple[str, ...] = tuple(dict.fromkeys([*self._plan.columns, *extra]))
        self._state = self._plan.empty.copy()
        self._room = np.zeros((4, self._plan.program.window))
        self._made, self._bar = np.empty(len(specs)), np.full(len(self.columns), np.nan)
        self._digest = _digest(self._plan, self.names, [each.spec for each in self._kept.values()])
        program, plan = self._plan.program, self._plan
        self._advance = bound(
            advance,
            *(program.code, program.constants, program.weights, plan.groups, plan.ends, plan.taken),
            *(self._bar, self._state, self._room, self._made),
        )

    def update(self, bar: Mapping[str, float] | Floats) -> Floats:
        """Take the next bar and return its features, (p,) float64 in the order of `names`.

        bar: name to value, or (c,) float64 in the order of `columns`. A value that is not finite counts as missing.

        Raises:
            InputError: a column is missing, a value is no number, or an array has another number of values.
        """
        if isinstance(bar, np.ndarray):
            if bar.shape != self._bar.shape or bar.dtype.kind not in "fiub":
                allowed = f"numbers of shape ({len(self.columns)},): {', '.join(self.columns)}"
                raise InputError("bar", f"{bar.dtype} of shape {bar.shape}", allowed=allowed)
            self._bar[:] = bar
        elif isinstance(bar, Mapping):
            self._take(bar)
        else:
            allowed = f"a mapping of {', '.join(self.columns)}, or an array of them in this order"
            raise InputError("bar", type(bar).__name__, allowed=allowed)
        self._advance()
        out = self._made.copy()
        for k, window in self._kept.items():
            out[k] = window.update({name: float(self._bar[j]) for j, name in enumerate(self.columns)})
        return out

    def state(self) -> bytes:
        """Return all that later values depend on, as bytes."""
        return self._digest + self._state.tobytes() + b"".join(window.state() for window in self._kept.values())

    def restore(self, state: bytes) -> None:
        """Go on from a state that `state` returned.

        Raises:
            InputError: it is not bytes. DataError: it was made by other definitions, or bytes of it are missing.
        """
        self._check(state)
        self._state[:] = np.frombuffer(state, dtype=np.float64, count=self._state.size, offset=_DIGEST)
        at = _DIGEST + self._state.nbytes
        for window in self._kept.values():
            window.restore(state[at : at + window.size])
            at += window.size

    def _check(self, state: bytes) -> None:
        """Refuse what is no state of these features, or not the whole of one."""
        if not isinstance(state, bytes | bytearray | memoryview):
            raise InputError("state", type(state).__name__, allowed="the bytes that state() returned")
        mark, size = (
            bytes(state[:_DIGEST]),
            _DIGEST + self._state.nbytes + sum(each.size for each in self._kept.values()),
        )
        if mark != self._digest:
            seen = f"{counted(len(state), 'byte', ',')} with the mark {mark.hex()[:_SHOWN]}"
            what, own = counted(len(self.names), "feature"), self._digest.hex()[:_SHOWN]
            rule = f"made by the same definitions of {what}, mark {own}"
            fix = "restore it into the selection that made it; after a change of karat feed the bars again"
            raise DataError("state", rule, seen=seen, fix=fix)
        if len(state) != size:
            rule, fix = (
                f"a state has {counted(size, 'byte', ',')}",
                "store all that state() returns, or feed the bars again",
            )
            raise DataError("state", rule, seen=counted(len(state), "byte", ","), fix=fix)

    def _take(self, bar: Mapping[str, float]) -> None:
        for k, name in enumerate(self.columns):
            if name not in bar:
                why, held = f"{name} is missing", held_by([name])
                fix = f"join a source that has it ({held})" if held else ""
                raise InputError("bar", sorted(bar), why=why, allowed=list(self.columns), fix=fix)
            try:
                self._bar[k] = bar[name]
            except (TypeError, ValueError):
                raise InputError(f"bar.{name}", bar[name], allowed="a number, NaN where it is missing") from None
            if name == TS and abs(self._bar[k]) > _LAST_DAY:
                allowed, fix = "days since 1970-01-01", "pass (ts - 1) // 86_400_000_000_000 of a ts in nanoseconds"
                raise InputError("bar.ts", bar[name], allowed=allowed, fix=fix)


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


def _plan(specs: Sequence[FeatureSpec]) -> OnlinePlan:
    """Return the plan of the specs that are expressions, grouped by the columns they read."""
    groups: dict[tuple[str, ...], dict[int, Node]] = {}
    for place, spec in enumerate(specs):
        if isinstance(spec.compute, Node):
            groups.setdefault(spec.inputs, {})[place] = spec.expression
    return plan_online(list(groups.items()))


def _digest(plan: OnlinePlan, names: tuple[str, ...], kept: Sequence[FeatureSpec]) -> bytes:
    program = plan.program
    parts = (program.code, program.constants, program.weights, plan.groups, plan.ends, plan.taken)
    windows = [repr((spec.name, spec.inputs, spec.lookback, spec.lag)) for spec in kept]
    digest = hashlib.sha256(" ".join((*names, *plan.columns, *windows)).encode())
    for part in parts:
        digest.update(part.tobytes())
    return digest.digest()
