"""The regime systems by name: what each reads, its states, and when it is fitted.

Invariants:
1. A name occurs once. A system has two states or more, with names of their own.
2. Codes ascend with risk where a system orders risk: calm first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from karat._words import counted
from karat.core import InputError
from karat.features._registry import keyed
from karat.features._vix import VIX_REGIME_EDGES
from karat.features.regimes import _measures as measures
from karat.features.regimes._bands import Bands, Edges, FixedBands
from karat.features.regimes._changes import NAMES as CHANGES
from karat.features.regimes._changes import RECENT, RUN, RunLengths
from karat.features.regimes._hidden import NAMES as HIDDEN
from karat.features.regimes._hidden import HiddenStates
from karat.features.regimes._labeller import Labeller
from karat.features.regimes._measures import Measure
from karat.features.regimes._model import Refits, RegimeModel
from karat.features.regimes._neural import AHEAD, FROZEN, NeuralStates
from karat.features.regimes._neural import NAMES as NEURAL

VIX_STATES: Final = ("calm", "normal", "elevated", "crisis")


@dataclass(frozen=True)
class RegimeSpec:
    """One system. make: a labeller from (seed, bands); bands: default quantiles, empty where it has none."""

    name: str
    measure: Measure
    states: tuple[str, ...]
    rule: str
    source: str
    make: Callable[[int, Edges], Labeller]
    bands: tuple[float, ...] = ()
    refits: Refits | None = None

    @property
    def codes(self) -> str:
        """The states with their codes, in words."""
        return ", ".join(f"{code} {state}" for code, state in enumerate(self.states))

    @property
    def bars_to_fit(self) -> int:
        """Bars that a fit needs, those without a measure included; 0 where nothing is fitted."""
        least = self.make(0, self.bands).least
        return least + self.measure.window - 1 if least else 0

    @property
    def follows_past(self) -> bool:
        """Whether a series can be labelled without a fit on `Train`: nothing is fitted, or its own past is."""
        return self.refits is not None or not self.bars_to_fit

    def describe(self) -> dict[str, object]:
        """Return the definition as plain values."""
        fitted = "nothing to fit" if self.follows_past else f"on Train, of {counted(self.bars_to_fit, 'bar')} or more"
        return {
            "name": self.name,
            "states": list(self.states),
            "inputs": list(self.measure.columns),
            "warm_up": self.measure.window - 1,
            "measure": self.measure.formula,
            "rule": self.rule,
            "bands": list(self.bands),
            "fitted": self.refits.describe() if self.refits else fitted,
            "nan_rule": "a row with a NaN input is skipped; no state during warm-up, before the first fit, "
            "and where the measure is not finite",
            "source": self.source,
        }


_BANDS_REFITS: Final = Refits(504, 252)


def _banded(
    name: str,
    measure: Measure,
    states: tuple[str, ...],
    bands: tuple[float, ...],
    source: str,
    refits: Refits = _BANDS_REFITS,
) -> RegimeSpec:
    rule = "number of quantiles of the past that the measure exceeds"
    return RegimeSpec(name, measure, states, rule, source, lambda _, chosen: Bands(states, chosen), bands, refits)


REGIMES: Final[dict[str, RegimeSpec]] = keyed(
    "regime",
    _banded(
        "volatility", measures.VOLATILITY, ("calm", "elevated", "turbulent"), (0.5, 0.9), "quantile bands of volatility"
    ),
    _banded("liquidity", measures.LIQUIDITY, ("liquid", "usual", "thin"), (0.2, 0.8), "Amihud (2002)"),
    _banded(
        "rotation",
        measures.ROTATION,
        ("lagging", "neutral", "leading"),
        (0.25, 0.75),
        "relative strength to the market",
    ),
    RegimeSpec(
        "vix",
        measures.VIX_LEVEL,
        VIX_STATES,
        "number of the edges " + ", ".join(f"{edge:g}" for edge in VIX_REGIME_EDGES) + " that the measure has reached",
        "the feature vix_regime",
        lambda *_: FixedBands(VIX_STATES, VIX_REGIME_EDGES),
    ),
    _banded(
        "vix_high",
        measures.VIX_LEVEL,
        ("usual", "high"),
        (0.8,),
        "baseline for stress: VIX above a quantile of its past",
        Refits(252, 1),
    ),
    RegimeSpec(
        "change",
        measures.RETURNS,
        CHANGES,
        f"changed while a run of at most {RECENT} bars has probability 0.5 or more; a run lasts {RUN} on average",
        "Adams and MacKay (2007)",
        lambda *_: RunLengths(),
        refits=Refits(504, "year"),
    ),
    RegimeSpec(
        "hidden",
        measures.TREND_AND_VOLATILITY,
        HIDDEN,
        "filtered hidden Markov model; a label changes where another state's probability reaches 0.9",
        "Hamilton (1989), Rabiner (1989)",
        lambda seed, _: HiddenStates(seed),
        refits=Refits(504, "year"),
    ),
    RegimeSpec(
        "neural",
        measures.MARKET_STATE,
        NEURAL,
        f"{FROZEN.members} networks of 6,024 weights for the state by rule {AHEAD} bars ahead; a label changes where "
        f"another state is {FROZEN.odds:g} times as likely",
        "loud or quiet, rising or falling over 60 bars, forth or back over 20; rule in `_neural`, decision 012",
        lambda seed, _: NeuralStates(seed),
    ),
)
"""Every regime system."""
FOLLOWING: Final = tuple(name for name, spec in REGIMES.items() if spec.follows_past)
"""The systems that follow a series' own past: no fit on `Train` is needed."""


def spec_of(name: str) -> RegimeSpec:
    """Return a system's definition.

    Raises:
        InputError: an unknown name.
    """
    if not isinstance(name, str):
        raise InputError("regime", type(name).__name__, allowed=list(REGIMES))
    if name not in REGIMES:
        raise InputError("regime", name, allowed=list(REGIMES))
    return REGIMES[name]


def make_regime(
    name: str,
    *,
    seed: int = 42,
    bands: Edges | None = None,
    refits: Refits | Literal["default"] | None = "default",
) -> RegimeModel:
    """Return a new model of one series.

    seed: of whatever is random in a fit. bands: quantiles other than the system's own; a pair, such as (0.45, 0.55), is
    an edge with memory: passed upwards above the upper one, downwards below the lower. refits: other than its own; None
    to fit on `Train` once.

    Raises:
        InputError: an unknown name, a seed that is none, bands that a system cannot have, or refits that are none.
    """
    spec = spec_of(name)
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise InputError("seed", seed, allowed="a whole number of 0 or more")
    if bands is not None and not spec.bands:
        raise InputError("bands", bands, allowed=f"none: {name} has no quantile bands")
    if refits != "default" and refits is not None and not isinstance(refits, Refits):
        raise InputError("refits", refits, allowed="'default', None or Refits", fix="such as Refits(504, 'year')")
    chosen = spec.refits if isinstance(refits, str) else refits
    return RegimeModel(name, spec.measure, spec.make(int(seed), spec.bands if bands is None else bands), chosen)
