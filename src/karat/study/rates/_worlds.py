"""A world: what prices did, and what each candidate forecast of them. With an edge of known worth, or with none.

Day t of T has a return r_t from its open to its close; the open is the close before, so that a forecast made at the
close of t earns r_{t+1}. A candidate's median and spread for r_{t+1} stand in row t.

Invariants:
1. A world is a function of (seed, kind, number) alone; the name of its kind takes no part.
2. Without an edge no candidate is worth having after costs: its signal is independent of the signs of later returns,
   or (`costs`) costs take in the long run what it earns, or (`drift`, `drift_search`) it knows what buy and hold knows.
3. Rows of candidates use their own and earlier days only, but for oracles, which know what their kind says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from karat.core import NS_PER_DAY, content_hash, generator
from karat.market import MarketSpec
from karat.portfolio import PolicySpec
from karat.study.rates._config import CalibrationConfig, DaysConfig, NoEdge, Planted
from karat.study.rates._effect import cost_bps, effect_for
from karat.study.rates._paths import YEAR, Floats, ar1, own_past, real_returns, shocks, sigmas

POLICY: Final = PolicySpec(bars_per_year=YEAR)
CLAIM: Final = 0.05
"""Edge that a forecast without one claims, in scales: the policy takes a full position at it."""
_WINDOWS: Final = (1, 2, 3, 5, 10, 20, 40, 60, 120, 250)
_BLOCK: Final = 20
_ALIKE: Final = 0.9  # correlation of the signals of candidates that are nearly equal
_DECAY: Final = 0.94


@dataclass(frozen=True, eq=False)
class Candidate:
    """Median and spread of the next day's return, (T, N) each, fraction. real: worth what its kind says."""

    name: str
    median: Floats
    spread: Floats
    real: bool


@dataclass(frozen=True, eq=False)
class World:
    """Returns (T, N), candidates, and what trading costs. edge: whether accepting is right."""

    days: DaysConfig
    returns: Floats
    candidates: tuple[Candidate, ...]
    market: MarketSpec
    edge: bool

    @property
    def instruments(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(f"W{k:03d}" for k in range(self.returns.shape[1]))

    @property
    def ts(self) -> np.ndarray:
        """(T,) a day's close each."""
        return np.arange(1, len(self.returns) + 1, dtype=np.int64) * NS_PER_DAY


def make_world(config: CalibrationConfig, kind: NoEdge | Planted, number: int) -> World:
    """Return world `number` of a kind."""
    rng = generator(config.seed, "rates", content_hash(config.identity(kind)), number)
    if isinstance(kind, Planted):
        return _planted(rng, config.days, kind)
    return _NO_EDGE[kind.world](rng, config.days, kind)


def length(days: DaysConfig) -> int:
    """Return T: the days of all parts and the one on which the last forecast comes true."""
    return days.train + days.valid + days.test + 1


def scale_of(returns: Floats) -> Floats:
    """Return (T, N) an exponentially weighted volatility known at each day's close, as candidates use it."""
    from scipy.signal import lfilter

    start = returns[:50].var(axis=0)
    square, _ = lfilter([1.0 - _DECAY], [1.0, -_DECAY], returns**2, axis=0, zi=_DECAY * start[None, :])
    return np.asarray(np.sqrt(np.maximum(square, 1e-12)))


def noise_signals(rng: np.random.Generator, returns: Floats, count: int) -> Iterator[tuple[str, Floats]]:
    """Yield (name, (T, N) signal): trend and reversal rules on the past, and signals that have nothing to do with it.

    On a panel the latter are common to all instruments, as an indicator of the whole market is.
    """
    for k in range(count):
        if k % 2 == 0 and k // 2 < len(_WINDOWS):
            window, side = _WINDOWS[k // 2], 1.0 if rng.random() < 0.5 else -1.0
            yield f"{'trend' if side > 0 else 'reversal'}_{window}", side * own_past(returns, window)
        else:
            half_life = float(np.exp(rng.uniform(0.0, math.log(30.0))))
            common = ar1(rng, len(returns), half_life, 1)
            yield f"signal_{k}", np.repeat(common, returns.shape[1], axis=1)


def _claims(rng: np.random.Generator, returns: Floats, kind: NoEdge, spread: Floats) -> tuple[Candidate, ...]:
    found = noise_signals(rng, returns, kind.settings)
    return tuple(Candidate(name, CLAIM * spread * signal, spread, False) for name, signal in found)


def _no_edge(rng: np.random.Generator, days: DaysConfig, kind: NoEdge, returns: Floats) -> World:
    return World(days, returns, _claims(rng, returns, kind, scale_of(returns)), MarketSpec(), False)


def _sign_flips(rng: np.random.Generator, days: DaysConfig, kind: NoEdge) -> World:
    """Real sizes of returns in their order, every sign thrown by a coin."""
    sizes = np.abs(_window(rng, days))
    return _no_edge(rng, days, kind, sizes * np.where(rng.random(sizes.shape) < 0.5, 1.0, -1.0))


def _permutation(rng: np.random.Generator, days: DaysConfig, kind: NoEdge) -> World:
    """Real returns in an order drawn at random."""
    return _no_edge(rng, days, kind, rng.permutation(_window(rng, days)))


def _resampled(rng: np.random.Generator, days: DaysConfig, kind: NoEdge) -> World:
    """Demeaned real returns and the features of real returns, each resampled in blocks of its own."""
    base = real_returns()[:, None]
    returns = (base - base.mean())[_blocks(rng, len(base), length(days))]
    rows = _blocks(rng, len(base), length(days))
    spread = scale_of(returns)
    found = [(name, signal[rows]) for name, signal in noise_signals(rng, base, kind.settings)]
    candidates = tuple(Candidate(name, CLAIM * spread * signal, spread, False) for name, signal in found)
    return World(days, returns, candidates, MarketSpec(), False)


def _garch(rng: np.random.Generator, days: DaysConfig, kind: NoEdge) -> World:
    """Volatility that clusters, fat tails, no drift; one instrument or a panel with a common factor."""
    z = shocks(rng, length(days), kind.instruments, kind.correlation if kind.instruments > 1 else 0.0)
    return _no_edge(rng, days, kind, sigmas(z) * z)


def _volatility_known(rng: np.random.Generator, days: DaysConfig, kind: NoEdge) -> World:
    """The same, and every forecast knows tomorrow's true volatility."""
    z = shocks(rng, length(days))
    sigma = sigmas(z)
    returns, spread = sigma * z, np.vstack([sigma[1:], sigma[-1:]])
    return World(days, returns, _claims(rng, returns, kind, spread), MarketSpec(), False)


def _costs(rng: np.random.Generator, days: DaysConfig, kind: NoEdge) -> World:
    """Every forecast knows the direction, and costs take in the long run what that earns."""
    effect = effect_for(kind.gross_sharpe, 0.0, POLICY)
    market = MarketSpec(proportional_bps=cost_bps(effect, 1.0, 1.0, POLICY))
    signals = ar1(rng, length(days), 1.0, kind.settings + 1)
    return _with_effect(rng, days, kind, _alike(signals), (effect, market))


def _drift(rng: np.random.Generator, days: DaysConfig, kind: NoEdge) -> World:
    """Prices that rise for years; every forecast knows it and nothing else."""
    returns = _rising(rng, days, kind)
    spread = scale_of(returns)
    signals = ar1(rng, length(days), 5.0, kind.settings)
    level = rng.uniform(0.5, 2.0, kind.settings) * CLAIM
    candidates = tuple(
        Candidate(f"rise_{k}", spread * (level[k] + 0.5 * CLAIM * signals[:, k : k + 1]), spread, False)
        for k in range(kind.settings)
    )
    return World(days, returns, candidates, MarketSpec(), False)


def _drift_search(rng: np.random.Generator, days: DaysConfig, kind: NoEdge) -> World:
    """The same prices; no forecast knows that they rise, but some settings happen to be long, and search finds them.

    In turn a constant exposure, long or short, one that wanders over months and years, and a trend of months.
    """
    returns = _rising(rng, days, kind)
    spread, candidates = scale_of(returns), []
    for k in range(kind.settings):
        level, months = rng.uniform(-1.0, 2.0), float(np.exp(rng.uniform(math.log(60.0), math.log(250.0))))
        exposure = np.full_like(returns, level)
        if k % 3 == 1:
            exposure += ar1(rng, len(returns), months, 1)
        elif k % 3 == 2:
            exposure = own_past(returns, round(months))
        name = f"{('constant', 'wandering', 'trend')[k % 3]}_{k}"
        candidates.append(Candidate(name, CLAIM * spread * exposure, spread, False))
    return World(days, returns, tuple(candidates), MarketSpec(), False)


def _rising(rng: np.random.Generator, days: DaysConfig, kind: NoEdge) -> Floats:
    z = shocks(rng, length(days))
    return sigmas(z) * (z + kind.drift_sharpe / math.sqrt(YEAR))


_Maker = Callable[[np.random.Generator, DaysConfig, NoEdge], World]
_NO_EDGE: Final[Mapping[str, _Maker]] = {
    "sign_flips": _sign_flips,
    "permutation": _permutation,
    "resampled": _resampled,
    "garch": _garch,
    "volatility": _volatility_known,
    "costs": _costs,
    "drift": _drift,
    "drift_search": _drift_search,
}


def _planted(rng: np.random.Generator, days: DaysConfig, kind: Planted) -> World:
    """One real setting among noise, or all real and nearly equal; place among the others drawn at random."""
    effect = effect_for(kind.net_sharpe, kind.cost_share, POLICY)
    market = MarketSpec(proportional_bps=cost_bps(effect, kind.cost_share, kind.half_life_days, POLICY))
    signals = ar1(rng, length(days), kind.half_life_days, kind.settings + 1)
    if kind.real == "all":
        signals = _alike(signals)
    return _with_effect(rng, days, kind, signals, (effect, market))


def _alike(signals: Floats) -> Floats:
    """Return the signals with a common part, the first column, so that any two of the others correlate by 0.9."""
    shared = math.sqrt(_ALIKE) * signals[:, :1] + math.sqrt(1.0 - _ALIKE) * signals[:, 1:]
    return np.column_stack([signals[:, :1], shared])


def _with_effect(
    rng: np.random.Generator,
    days: DaysConfig,
    kind: NoEdge | Planted,
    signals: Floats,
    terms: tuple[float, MarketSpec],
) -> World:
    """Return the world in which the next return follows the signal in the first column.

    signals: (T, m + 1), unit variance. terms: the effect and what trading costs. Where all are real, the others share a
    part of the first, which has the effect that gives each of them `effect`; where one is, it takes the first's place.
    """
    effect, market = terms
    one = isinstance(kind, Planted) and kind.real == "one"
    strength = effect if one else effect / math.sqrt(_ALIKE)
    z = shocks(rng, len(signals))
    sigma = sigmas(z)[:, 0]
    before = np.concatenate([np.zeros(1), signals[:-1, 0]])
    returns = sigma * (strength * before + math.sqrt(1.0 - strength**2) * z[:, 0])
    ahead = np.append(sigma[1:], sigma[-1])
    place = int(rng.integers(0, signals.shape[1] - 1)) if one else -1
    candidates = []
    for k in range(signals.shape[1] - 1):
        own = signals[:, 0] if k == place else signals[:, k + 1]
        location = effect * own
        if isinstance(kind, Planted) and kind.learned:
            location = _learned(rng, days, own, returns / sigma, kind.signals)
        spread = ahead * math.sqrt(1.0 - effect**2)
        candidates.append(Candidate(f"c{k}", (ahead * location)[:, None], spread[:, None], not one or k == place))
    return World(days, returns[:, None], tuple(candidates), market, kind.edge)


def _learned(rng: np.random.Generator, days: DaysConfig, own: Floats, z: Floats, count: int) -> Floats:
    """Return (T,) the location in scales that least squares on Train finds in the candidate's signal and others."""
    seen = np.column_stack([own, rng.standard_normal((len(own), count - 1))])
    slopes, *_ = np.linalg.lstsq(seen[: days.train - 1], z[1 : days.train], rcond=None)
    return np.asarray(seen @ slopes)


def _window(rng: np.random.Generator, days: DaysConfig) -> Floats:
    """Return (T, 1) a run of real returns that begins anywhere; it goes on at the beginning where it meets the end."""
    base = real_returns()
    rows = (int(rng.integers(0, len(base))) + np.arange(length(days))) % len(base)
    return base[rows][:, None]


def _blocks(rng: np.random.Generator, n: int, wanted: int) -> np.ndarray:
    """Return (wanted,) rows of 0 to n - 1 in blocks whose mean length is 20 (stationary bootstrap)."""
    fresh = rng.random(wanted) < 1.0 / _BLOCK
    fresh[0] = True
    starts = rng.integers(0, n, wanted)
    last = np.maximum.accumulate(np.where(fresh, np.arange(wanted), 0))
    return (starts[last] + np.arange(wanted) - last) % n
