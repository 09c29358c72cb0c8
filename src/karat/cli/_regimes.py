"""`karat regimes`: systems of market states from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from karat._words import counted
from karat.cli._options import Debug, Json, Sets, Study
from karat.cli._output import emit, errors, listed, say, table
from karat.cli._place import parquet_to_write, study_file

if TYPE_CHECKING:
    from karat.data import Panel
    from karat.features.regimes import RegimeDescription, RegimeFrame, RegimeSpec

app = typer.Typer(no_args_is_help=True)

_ALL: Final = "all"
_FITTED: Final = "fitted_on"
_LATER: Final = "later"
_SEEN: Final = 0.05  # p-value up to which a difference is said to be seen

Name = Annotated[str, typer.Argument(help="A system, such as hidden; `karat regimes list` shows all.")]


@app.command("list")
def list_(json: Json = False, debug: Debug = False) -> None:
    """List the systems and their states."""
    with errors(as_json=json, debug=debug):
        from karat.features.regimes import REGIMES

        rows = [(name, ", ".join(spec.measure.columns), ", ".join(spec.states)) for name, spec in REGIMES.items()]
        facts = {"regimes": {name: list(spec.states) for name, spec in REGIMES.items()}}
        emit(facts, table(("regime", "inputs", "states"), rows), as_json=json)


@app.command()
def show(name: Name, json: Json = False, debug: Debug = False) -> None:
    """Show one system's definition and what its states have in common with others."""
    with errors(as_json=json, debug=debug):
        from karat.features.regimes import MAPPING, spec_of

        spec = spec_of(name)
        common = {state: f"{it.risk} {it.market}".strip() for state, it in MAPPING[name].items()}
        facts = {**spec.describe(), "common": common}
        emit(facts, listed(facts), as_json=json)


@app.command()
def label(
    study: Study,
    name: Name,
    sets: Sets = None,
    until: Annotated[str | None, typer.Option(help="Fit once on rows known by this date, e.g. 2010-12-31.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the study's, of whatever is random in a fit.")] = None,
    bands: Annotated[
        str | None, typer.Option(help="Quantiles instead of the system's, or pairs for memory: 0.45:0.55,0.85:0.95.")
    ] = None,
    as_loaded: Annotated[bool, typer.Option("--as-loaded", help="Bars as the source has them, such as hours.")] = False,
    out: Annotated[Path | None, typer.Option(help="Parquet file to write the labels to.")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Label a study's panel and say how long states last and how often they change."""
    given = [*(sets or ()), *(() if seed is None else (f"seed={seed}",))]
    with errors(as_json=json, debug=debug):
        _check_order(study, name)
    with study_file(study, given, as_json=json, debug=debug) as config:
        from karat.features.regimes import intraday_rate, make_regime, spec_of
        from karat.features.regimes import label as label_panel
        from karat.study import load_finest, load_panel

        spec, edges = spec_of(name), _edges(bands)
        make_regime(name, bands=edges)  # refuses what it cannot have before anything is loaded
        if out is not None:
            parquet_to_write(out)
        panel = load_finest(config) if as_loaded else load_panel(config)
        fitted = _fit_end(until, panel, spec)
        say(f"{counted(len(panel.frame), 'row')} loaded; labelling")
        refits: Literal["default"] | None = "default" if fitted is None else None
        found = label_panel(panel, name, train_until=fitted, seed=config.seed, bands=edges, refits=refits)
        _check_labelled(found, panel, spec, fitted)
        if out is not None:
            found.frame.write_parquet(out)
        within = intraday_rate(found)
        shapes = _shapes(found, fitted)
        facts: dict[str, Any] = {
            "regime": name,
            **{f"states_{part}": shape.states.to_dicts() for part, shape in shapes.items() if part != _ALL},
            "rows": shapes[_ALL].rows,
            "unlabelled": shapes[_ALL].unlabelled,
            "changes": shapes[_ALL].changes,
            "intraday": None if within is None else within.describe(),
            "states": shapes[_ALL].states.to_dicts(),
            "out_of_sample": None if fitted is None else _differences(panel, found, fitted, config.seed),
            "out": str(out) if out else None,
        }
        text = _tables(shapes) if fitted is None else f"{_tables(shapes)}\n{_after(shapes, facts['out_of_sample'])}"
        text += f"\n{counted(shapes[_ALL].unlabelled, 'row')} without a state"
        text += f"; the state changes on {shapes[_ALL].changes:.2%} of rows"
        text += f"\nwritten to {out}" if out else ""
        if within is not None:
            text += f"\nwithin a day: {within.rate:.2%} over {counted(within.days, 'day')} ({within.definition})"
        emit(facts, text, as_json=json)


def _check_order(study: Path, name: str) -> None:
    """Refuse a regime where the study belongs."""
    if study.exists():
        return
    from karat.core import InputError
    from karat.features.regimes import REGIMES

    if str(study) in REGIMES:
        fix = f"the study comes first: karat regimes label {name} {study}"
        raise InputError("study", str(study), why="it is a regime", fix=fix)


def _edges(bands: str | None) -> list[float | tuple[float, float]] | None:
    """Return the quantiles of `--bands`: commas between edges, a colon between the two of a pair."""
    from karat.core import InputError

    if bands is None:
        return None
    try:
        cut = [edge.partition(":") for edge in bands.split(",")]
        return [(float(low), float(high)) if colon else float(low) for low, colon, high in cut]
    except ValueError:
        allowed = "quantiles such as 0.5,0.9, or pairs of them such as 0.45:0.55,0.85:0.95"
        raise InputError("--bands", bands, allowed=allowed) from None


def _fit_end(until: str | None, panel: Panel, spec: RegimeSpec) -> int | None:
    """Return the instant of `--until`; refuse one that leaves an instrument too little, none where a fit needs it."""
    import polars as pl

    from karat.core import NS_PER_DAY, InputError, iso_date, to_ns

    if until is None and spec.follows_past:
        return None
    need, known = max(spec.bars_to_fit, 1), pl.col("known_at").sort()
    enough = known.get(need - 1, null_on_oob=True).alias("enough")
    series = panel.frame.group_by("instrument").agg(pl.len().alias("n"), enough)
    name, n, _ = series.sort("n", "instrument").row(0)
    if n < need:
        why = f"it is fitted on {counted(need, 'bar')} or more; {name} has {n}"
        fix = "load a longer history, or choose another of karat regimes list"
        raise InputError("regime", spec.name, why=why, fix=fix)
    name, _, first = series.sort("enough", "instrument").row(-1)
    if until is None:
        middle = int(panel.frame["known_at"].sort()[len(panel.frame) // 2])
        day = iso_date(max(middle, first + NS_PER_DAY))
        fix = f"say until when it may learn, e.g. --until {day}"
        raise InputError("--until", None, why=f"{spec.name} is fitted once and follows no past of its own", fix=fix)
    fitted = to_ns(until, field="--until")
    if fitted < first:
        why = f"{name} has fewer than {counted(need, 'bar')} by then"
        raise InputError("--until", until, allowed=f"a date after {iso_date(first)}", why=why)
    return fitted


def _check_labelled(found: RegimeFrame, panel: Panel, spec: RegimeSpec, fitted: int | None) -> None:
    """Say why no row has a state, where none has."""
    import polars as pl

    from karat.core import InputError

    if found.frame["state"].null_count() < len(found.frame):
        return
    columns = [name for name in spec.measure.columns if name in panel.values]
    usable = pl.all_horizontal(pl.col(columns).is_finite().fill_null(False)).sum().alias("n")
    name, n = panel.frame.group_by("instrument").agg(usable).sort("n", "instrument").row(-1)
    first = spec.refits.first if spec.refits and fitted is None else 0
    if n <= first:
        need = f"{counted(first, 'row')} with {', '.join(columns)}"
        why = f"it is first fitted after {need}; {name} has {n}, the most of all"
        fix = "load a longer history" + (", or fit on a part of it with --until" if n > 2 * spec.measure.window else "")
    else:
        what = f"{spec.measure.formula}, window {spec.measure.window}"
        why = f"its measure has no value in any row ({counted(n, 'row')} of {name}): {what}"
        moves = f"see whether {', '.join(columns)} changes at all (karat data check)"
        fix = f"{moves}, or choose another of karat regimes list"
    raise InputError("regime", spec.name, why=why, fix=fix)


def _shapes(found: RegimeFrame, fitted: int | None) -> dict[str, RegimeDescription]:
    """Return the description of all rows and, where a fit ended, of those that it saw and of later ones."""
    from dataclasses import replace

    import polars as pl

    from karat.features.regimes import describe

    parts = {_ALL: found.frame}
    if fitted is not None:
        early = pl.col("known_at") <= fitted
        parts |= {_FITTED: found.frame.filter(early), _LATER: found.frame.filter(~early)}
    return {
        part: describe(replace(found, frame=frame))
        for part, frame in parts.items()
        if frame["state"].null_count() < len(frame)
    }


def _tables(shapes: Mapping[str, RegimeDescription]) -> str:
    titles = {_FITTED: "rows fitted on\n", _LATER: "later rows\n"}
    shown = {part: shape for part, shape in shapes.items() if part in titles} or shapes
    return "\n".join(titles.get(part, "") + _table(shape) for part, shape in shown.items())


def _table(shape: RegimeDescription) -> str:
    rows = [
        (r["name"], r["rows"], f"{r['share']:.3f}", r["spells"], _bars(r["mean_bars"])) for r in shape.states.to_dicts()
    ]
    return table(("state", "rows", "share", "spells", "mean bars"), rows)


def _bars(mean: float | None) -> str:
    return "-" if mean is None else f"{mean:.1f}"


def _after(shapes: Mapping[str, RegimeDescription], found: Mapping[str, float] | None) -> str:
    """Return what can be said of the rows that the fit has not seen."""
    if _LATER not in shapes:
        return "WARNING: every labelled row was fitted on; nothing here is out of sample, give an earlier --until"
    if found is None:
        return "after the fit: states are not compared; that takes one instrument and 50 later rows in two states"
    told = []
    for what, p in (("volatility", found["volatility_p"]), ("mean return", found["mean_p"])):
        verdict = "differs between states" if p <= _SEEN else "is not seen to differ between states"
        told.append(f"{what} {verdict} (p = {p:.3f})")
    return f"after the fit: {'; '.join(told)}"


def _differences(panel: Panel, labels: RegimeFrame, fitted: int, seed: int) -> dict[str, float] | None:
    """Return the p-values of labels after the fit, by the next bar's return; None where there is too little of them."""
    import numpy as np

    from karat.evidence import compare_regimes

    if len(panel.instruments) > 1 or "close" not in panel.values:
        return None
    close, later = panel.frame["close"].to_numpy(), panel.frame["known_at"].to_numpy() > fitted
    after = np.append(close[1:] / close[:-1] - 1.0, np.nan)
    codes = labels.frame["state"].fill_null(-1).to_numpy()
    seen = codes[later & (codes >= 0) & np.isfinite(after)]
    if len(seen) < 50 or len(np.unique(seen)) < 2:
        return None
    found = compare_regimes(after[later], codes[later], labels.states, seed=seed)
    return {"volatility_p": found.volatility_p, "mean_p": found.mean_p}
