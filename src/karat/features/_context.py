"""Context: features and regimes of another panel, or of the same one in slower bars, seen as of when they were known.

Weekly indicators beside daily bars, the indicators of an index beside those of its members, hourly ones at the daily
close, the regime of the market: each is computed on rows of its own and joined as-of on `known_at`.

| panel of the context | joined to |
|---|---|
| one instrument | every instrument |
| several | the instrument of the same name |

Invariants:
1. A value is seen from the instant on at which its own bar was known, a slower bar's not before that bar has closed.
2. Same panels and contexts, same columns to the bit.
3. Columns are `NAME_FEATURE` and `NAME_regime_SYSTEM`, the latter the code of the state, NaN where there is none.
4. Regimes follow their series' own past: a system that has to be fitted on `Train` is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import polars as pl

from karat.core import InputError
from karat.data import KEYS, Bars, Panel, asof_join, check_panel, resample
from karat.features._build import build
from karat.features._graph import column
from karat.features._invariance import InvarianceReport, check_future
from karat.features._select import Selection, chosen, resolve
from karat.features._spec import FeatureSpec, Floats

_BARS: Final = ("source", *get_args(Bars))


@dataclass(frozen=True)
class Context:
    """What to compute, and on which bars.

    name: prefix of the columns. bars: bars of the panel to compute on, `source` for those it has. features: selection
    as in `build`. regimes: systems of `karat.features.regimes`. seed: of whatever is random in a regime's fit.
    max_age_days: how long after it was known a value may be used; beyond that the join stops.
    """

    name: str
    bars: Bars | Literal["source"] = "source"
    features: Selection = ()
    regimes: tuple[str, ...] = ()
    seed: int = 42
    max_age_days: float = 15.0

    def __post_init__(self) -> None:
        field = f"context.{self.name}"
        if not self.name.isidentifier():
            raise InputError("context.name", self.name, allowed="a Python identifier, such as week")
        if not self.features and not self.regimes:
            fix = "name features, regimes or both"
            raise InputError(field, "neither features nor regimes", why="it has no column", fix=fix)
        if self.bars not in _BARS:
            raise InputError(f"{field}.bars", self.bars, allowed=_BARS)
        if isinstance(self.regimes, str):
            raise InputError(f"{field}.regimes", self.regimes, allowed="a tuple of names", fix=f"('{self.regimes}',)")
        check_regimes(f"{field}.regimes", self.regimes)
        if self.features:
            chosen(self.features, f"{field}.features")

    @property
    def on(self) -> str:
        """On which bars, in words."""
        return "on bars of the source" if self.bars == "source" else f"on {self.bars} bars"

    @property
    def origins(self) -> dict[str, FeatureSpec]:
        """Column to the feature that it holds, of the context's features."""
        return {f"{self.name}_{spec.name}": spec for spec in (chosen(self.features) if self.features else ())}

    def specs(self) -> tuple[FeatureSpec, ...]:
        """Return one feature a column, to be selected from a panel that `with_context` returned."""
        on = f"{self.on}, as of known_at"
        made = [_seen(name, spec, on) for name, spec in self.origins.items()]
        return (*made, *(_state(_regime(self.name, regime), regime, on) for regime in self.regimes))


def context_columns(panel: Panel, context: Context) -> tuple[Panel, dict[str, str]]:
    """Return the context's columns on the rows of its own bars, and why columns are absent.

    panel: the context's own, in the bars of its source.

    Raises:
        InputError: a missing column, a panel shorter than one bar, nothing that the panel can serve.
        DataError: rows outside the calendar's sessions, where bars are made.
    """
    check_panel(panel, "source")
    bars = panel if context.bars == "source" else resample(panel, context.bars)
    frame, absent = bars.frame.select(KEYS), dict[str, str]()
    if context.features:
        specs, lacking = resolve(context.features, bars, f"context.{context.name}.features")
        made = build(bars, specs)
        absent = {f"{context.name}_{name}": why for name, why in lacking.items()}
        frame = frame.with_columns(made.frame.select(pl.col(made.names).name.prefix(f"{context.name}_")))
    for regime in context.regimes:
        from karat.features.regimes import label

        state = label(bars, regime, seed=context.seed).frame["state"].cast(pl.Float64).fill_null(float("nan"))
        frame = frame.with_columns(state.alias(_regime(context.name, regime)))
    steps = (*panel.provenance.preprocessing, f"context {context.name} computed {context.on}")
    return Panel(frame, bars.calendar, replace(panel.provenance, preprocessing=steps), panel.notes), absent


def with_context(panel: Panel, source: Panel, context: Context) -> tuple[Panel, dict[str, str]]:
    """Return the panel with the context's columns as of each row's `known_at`, and why columns are absent.

    source: the panel that the context is computed on, which may be `panel` itself. Rows before the context's first
    value, or more than `max_age_days` after its last, are dropped, and `provenance.preprocessing` counts them.

    Raises:
        InputError, DataError: as `context_columns` and `karat.data.asof_join`.

    Example:
        >>> from karat.data import load
        >>> days = load("synthetic", n_days=300)
        >>> week = Context("week", bars="week", features=["ret_1"])
        >>> seen, _ = with_context(days, days, week)
        >>> seen.values[-1], [spec.name for spec in week.specs()]
        ('week_ret_1', ['week_ret_1'])
    """
    check_panel(panel)
    if not isinstance(context, Context):
        raise InputError(
            "context", type(context).__name__, allowed="a Context", fix="with_context(panel, source, context)"
        )
    columns, absent = context_columns(source, context)
    absent |= _stateless(columns.frame, context)
    wanted = [name for name in columns.values if name not in absent]
    joined = asof_join(panel, columns, columns=wanted, max_age_days=context.max_age_days, of=source.instruments)
    fresh = tuple(f"context {context.name}: {note}" for note in source.notes if note not in panel.notes)
    return Panel(joined.frame, joined.calendar, joined.provenance, (*panel.notes, *fresh)), absent


def check_context(source: Panel, context: Context) -> InvarianceReport:
    """Compare the context's columns with those of its panel cut off, and replaced, after several instants.

    Every row of the panel asks as of its `known_at`, so that a slower bar seen before its close is found.
    """
    names = context_columns(source, context)[0].values

    def seen(frame: pl.DataFrame) -> Floats:
        part = Panel(frame, source.calendar, source.provenance)
        made, _ = context_columns(part, context)
        rows = Panel(frame.select(KEYS), source.calendar, source.provenance)
        joined = asof_join(rows, made, max_age_days=context.max_age_days, of=source.instruments).frame
        whole = frame.select("ts", "instrument").join(
            joined, on=["ts", "instrument"], how="left", maintain_order="left"
        )
        return whole.select(names).fill_null(float("nan")).to_numpy()

    return check_future(source.frame, seen, names, seed=context.seed)


def _stateless(frame: pl.DataFrame, context: Context) -> dict[str, str]:
    """Return the regimes that have no state in any row, and why."""
    from karat.features.regimes import REGIMES

    longest = max(frame.group_by("instrument").len()["len"].to_list())
    absent = {}
    for regime in context.regimes:
        name, refits = _regime(context.name, regime), REGIMES[regime].refits
        if not frame[name].is_finite().any():
            needs = f" and is first fitted after {refits.first} with a measure" if refits else ""
            absent[name] = f"{regime} has no state {context.on}: it has {longest} of them at most{needs}"
    return absent


def check_regimes(field: str, names: Sequence[str]) -> None:
    """Refuse systems that a context cannot compute.

    Raises:
        InputError: an unknown system, or one that has to be fitted on `Train`.
    """
    from karat.features.regimes import FOLLOWING, REGIMES  # lists of features need no regimes

    for name in names:
        if name not in FOLLOWING:
            why = "it is fitted on Train once and follows no past of its own" if name in REGIMES else None
            raise InputError(field, name, allowed=FOLLOWING, why=why)


def _seen(name: str, held: FeatureSpec, on: str) -> FeatureSpec:
    formula = f"{held.formula}; {on}"
    category, unit, source = held.category, held.unit, held.source
    return FeatureSpec(name, (name,), 0, category, unit, formula, source, column(name), nan_rule=held.nan_rule)


def _state(name: str, regime: str, on: str) -> FeatureSpec:
    from karat.features.regimes import spec_of

    spec = spec_of(regime)
    return FeatureSpec(
        name, (name,), 0, "regime", f"code: {spec.codes}", f"{spec.rule}; {on}", spec.source, column(name)
    )


def _regime(name: str, regime: str) -> str:
    return f"{name}_regime_{regime}"
