"""What gate 3 prints and never decides by: the selected model's neighbours, and what it was worth in each regime.

Invariants:
1. Every check here has `passed=None`; nothing is fitted for it, and nothing here is a trial.
2. A neighbour differs in one setting: a candidate of the search whose model is the selected one's, by the next value
   that was searched, or the same forecast through a policy that is one step away.
3. Regimes are those known the day before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from karat._words import counted
from karat.data import horizon_bars
from karat.evidence import PRINTED, Check
from karat.kernels import sharpe
from karat.models import create
from karat.portfolio import PolicySpec
from karat.study._context import Run
from karat.study._judge import Summary, Tests
from karat.study._plan import Entrant
from karat.study._plugins import model_plugins
from karat.study._regimes import NONE, VIX, VOLATILITY, missing_columns
from karat.study._score import Venue, trade

STEP: Final = 1.25
"""Factor of one step of a policy's `full_edge` and `cap`; `flat_edge` moves by a tenth of `full_edge`."""
_TENTH: Final = 0.1


def neighbour_checks(run: Run, tests: Tests) -> tuple[Check, ...]:
    """Return how many neighbours earned anything, and how many at least half of what the selected model did."""
    worth = {**_candidates(run, tests), **_policies(run, tests)}
    names = ("neighbouring parameters: net Sharpe above 0", "neighbouring parameters: at least half of the net Sharpe")
    own = sharpe(tests.chosen.net, periods_per_year=run.bars_per_year)
    if not np.isfinite(own):
        return tuple(
            Check(name, None, PRINTED, None, "not evaluated: the selected model never trades") for name in names
        )
    values = np.nan_to_num(np.array(list(worth.values())))  # one that never trades is worth nothing
    worst = list(worth)[int(values.argmin())]
    note = f"worst {float(values.min()):.2f}, {worst}; the selected one's is {own:.2f}"

    def share(name: str, hits: np.ndarray) -> Check:
        return Check(name, float(hits.mean()), PRINTED, None, f"{int(hits.sum())} of {len(values)}; {note}")

    if own <= 0:
        return share(names[0], values > 0), Check(
            names[1], None, PRINTED, None, "not evaluated: it earns nothing itself"
        )
    return share(names[0], values > 0), share(names[1], values >= own / 2.0)


def regime_checks(run: Run, tests: Tests) -> tuple[Check, ...]:
    """Return the net Sharpe of the selected model in each regime, with its skill there in the note."""
    own = [VOLATILITY] if missing_columns(run.dataset.panel, VIX) else [VOLATILITY, VIX]
    asked = [name for name in (run.config.calibration.by_regime, *run.config.regimes) if name != NONE]
    return tuple(check for system in dict.fromkeys([*own, *asked]) for check in _by_regime(run, tests, system))


def adjacent(selected: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return which settings differ from the selected in one parameter, and there by the next value searched.

    Numbers have a next value in either direction; of anything else every value is next to every other.
    """
    single = {k: key for k, other in enumerate(others) if (key := _single_difference(selected, other)) is not None}

    def next_to(k: int, key: str) -> bool:
        mine, its = selected[key], others[k][key]
        if not (_is_number(mine) and _is_number(its)):
            return True
        rivals = (others[j][key] for j, name in single.items() if name == key)
        return not any(_is_number(value) and min(mine, its) < value < max(mine, its) for value in rivals)

    return [k for k, key in single.items() if next_to(k, key)]


def _single_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    return keys[0] if len(keys) == 1 and keys[0] in one and keys[0] in other else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _candidates(run: Run, tests: Tests) -> dict[str, float]:
    """Return title to net Sharpe of the candidates next to the selected one."""
    primary = run.config.primary_horizon
    rows = [item for item in tests.summaries if item.horizon == primary and not item.entrant.baseline]
    own = next(item for item in rows if item.entrant.title == tests.chosen.name)
    others = [item for item in rows if item is not own and item.entrant.config.name == own.entrant.config.name]
    places = adjacent(_params(run, own.entrant), [_params(run, item.entrant) for item in others])
    return {others[k].entrant.title: _sharpe(run, others[k]) for k in places}


def _params(run: Run, entrant: Entrant) -> Mapping[str, Any]:
    plugins = model_plugins(run.config.plugins)
    return create(entrant.config.name, entrant.config.params, seed=run.config.seed, plugins=plugins).get_params()


def _sharpe(run: Run, item: Summary) -> float:
    return sharpe(item.by_date["net"].to_numpy(), periods_per_year=run.bars_per_year)


def _policies(run: Run, tests: Tests) -> dict[str, float]:
    """Return policy to net Sharpe of the selected forecast, one step away in one setting."""
    venue, found = run.venue, {}
    for key, value in _steps(venue.policy):
        policy = venue.policy.model_copy(update={key: value})
        account = trade(tests.chosen.forecast, Venue(venue.panel, policy, venue.market))
        found[f"{key} {value:.4g}"] = sharpe(account.net_returns, periods_per_year=run.bars_per_year)
    return found


def _steps(policy: PolicySpec) -> Iterator[tuple[str, float]]:
    for value in (policy.full_edge / STEP, policy.full_edge * STEP):
        if value >= policy.flat_edge:
            yield "full_edge", value
    for value in (policy.flat_edge - _TENTH * policy.full_edge, policy.flat_edge + _TENTH * policy.full_edge):
        if 0.0 <= value <= policy.full_edge:
            yield "flat_edge", value
    yield "cap", policy.cap / STEP
    yield "cap", policy.cap * STEP


def _by_regime(run: Run, tests: Tests, system: str) -> Iterator[Check]:
    chosen, primary = tests.chosen, run.config.primary_horizon
    own = next(item for item in tests.summaries if (item.entrant.title, item.horizon) == (chosen.name, primary))
    found = run.regime_days(system)
    regime = found.at(chosen.dates)
    for name in found.states:
        days = regime == name
        worth = sharpe(chosen.net[days], periods_per_year=run.bars_per_year) if days.sum() > 1 else np.nan
        note = f"{counted(int(days.sum()), 'day')}; {_skill(own.skill[days], horizon_bars(primary))}"
        yield Check(f"net Sharpe, {system} {name}", float(worth) if np.isfinite(worth) else None, PRINTED, None, note)


def _skill(terms: np.ndarray, overlap: int) -> str:
    """Return the mean Clark-West term of some days with its t; labels that overlap count once per horizon."""
    good = terms[np.isfinite(terms)]
    if len(good) < 2 or good.std() == 0:
        return "skill not evaluated"
    t = float(good.mean() / good.std(ddof=1) * np.sqrt(len(good) / overlap))
    return f"skill {float(good.mean()):.3g}, t {t:.1f}"
