"""Parameters that follow the regime: a base, what each state changes, and bounds that nothing leaves.

Invariants:
1. The parameters of a row depend on the label of that row alone, so they are known when it is.
2. An override outside its bounds, of an unknown parameter or state is refused when it is written, not when it acts.
3. `changes` names every row at which the effective parameters are others than before: that is the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from karat.core import InputError
from karat.features.regimes._service import RegimeFrame

Parameters = Mapping[str, float]


@dataclass(frozen=True)
class ParameterChange:
    """From a row on other parameters hold. ts: UTC ns of the bar; state: empty where there is no label."""

    ts: int
    instrument: str
    state: str
    parameters: dict[str, float]


@dataclass(frozen=True)
class Overrides:
    """base: parameters without a label. by_state: what a state changes. bounds: parameter to (least, most).

    Raises:
        InputError: a parameter without a base or bounds, a value outside them, or a state that no label has.
    """

    states: tuple[str, ...]
    base: Parameters
    by_state: Mapping[str, Parameters]
    bounds: Mapping[str, tuple[float, float]]

    def __post_init__(self) -> None:
        own = {"base": dict(self.base), "by_state": {state: dict(given) for state, given in self.by_state.items()}}
        for name, value in {**own, "bounds": dict(self.bounds)}.items():  # copies: nobody changes them afterwards
            object.__setattr__(self, name, value)
        for state in self.by_state:
            if state not in self.states:
                raise InputError("overrides.state", state, allowed=list(self.states))
        for where, parameters in (("base", self.base), *self.by_state.items()):
            for name, value in parameters.items():
                if name not in self.base or name not in self.bounds:
                    allowed = sorted(set(self.base) & set(self.bounds))
                    raise InputError(f"overrides.{where}", name, allowed=allowed, why="no base or no bounds")
                least, most = self.bounds[name]
                if not least <= value <= most:
                    raise InputError(f"overrides.{where}.{name}", value, allowed=f"{least:g} to {most:g}")

    def effective(self, state: str | None) -> dict[str, float]:
        """Return the parameters that hold in a state; None: no label.

        Example:
            >>> rule = Overrides(("calm", "wild"), {"leverage": 1.0}, {"wild": {"leverage": 0.5}}, {"leverage": (0, 2)})
            >>> rule.effective("wild"), rule.effective(None)
            ({'leverage': 0.5}, {'leverage': 1.0})
        """
        return {**self.base, **(self.by_state.get(state, {}) if state is not None else {})}

    def changes(self, labels: RegimeFrame) -> list[ParameterChange]:
        """Return the rows at which parameters change, each instrument's first row among them, in the frame's order."""
        found, before = [], None
        for ts, instrument, name in labels.frame.select("ts", "instrument", "name").iter_rows():
            now = (instrument, self.effective(name))
            if now != before:
                found.append(ParameterChange(ts, instrument, name or "", now[1]))
            before = now
        return found
