"""`karat features`: the tables from the command line, building, and the proofs on a study's own data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from karat._words import counted
from karat.cli._options import Debug, Json, Sets, Study
from karat.cli._output import emit, errors, listed, say, table
from karat.cli._place import parquet_to_write, study_file

if TYPE_CHECKING:
    from karat.features import FeatureFrame

_SHOWN: Final = 8  # names of a line; --json has all

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(
    tier: Annotated[str | None, typer.Argument(help="A tier; all features without it.")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List features, of one tier or all."""
    with errors(as_json=json, debug=debug):
        from karat.core import InputError
        from karat.features import FEATURES, TIERS, tiers_of

        if tier in FEATURES and tier not in TIERS:
            raise InputError("tier", tier, why="it is a feature", fix=f"write karat features show {tier}")
        if tier is not None and tier not in TIERS:
            raise InputError("tier", tier, allowed=list(TIERS))
        names = list(FEATURES) if tier is None else list(TIERS[tier])
        rows = [
            (name, FEATURES[name].category, FEATURES[name].unit, str(FEATURES[name].warm_up), " ".join(tiers_of(name)))
            for name in names
        ]
        emit({"features": names}, table(("feature", "family", "unit", "warm-up", "tiers"), rows), as_json=json)


@app.command()
def show(name: Annotated[str, typer.Argument(help="A feature.")], json: Json = False, debug: Debug = False) -> None:
    """Show one feature's definition."""
    with errors(as_json=json, debug=debug):
        from karat.core import InputError
        from karat.features import FEATURES, TIERS, tiers_of

        if name in TIERS and name not in FEATURES:
            raise InputError("feature", name, why="it is a tier", fix=f"write karat features list {name}")
        if name not in FEATURES:
            raise InputError("feature", name, allowed=list(FEATURES))
        facts = FEATURES[name].describe() | {"tiers": list(tiers_of(name))}
        emit(facts, listed(facts), as_json=json)


@app.command()
def build(
    study: Annotated[Path, typer.Argument(help="A study file, or a Parquet file of bars (with --features).")],
    sets: Sets = None,
    features: Annotated[
        list[str] | None, typer.Option(help="Tiers and features of a Parquet file, with commas between.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Parquet file to write, or a folder for a Parquet file.")] = None,
    single: Annotated[bool, typer.Option("--float32", help="Write float32 instead of float64.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Build the features of a study, or those of a Parquet file, a few instruments at a time."""
    if study.suffix == ".parquet":
        with errors(as_json=json, debug=debug):
            from karat.core import InputError

            if sets:
                why, fix = "a Parquet file has no settings", "leave --set out, or name a study file"
                raise InputError("--set", sets, why=why, fix=fix)
            _build_files(study, features or [], out, single=single, json=json)
        return
    with study_file(study, sets, as_json=json, debug=debug) as config:
        from karat.core import InputError
        from karat.study import prepare_dataset

        if features:
            fix = f"write --set features=[{','.join(features)}]"
            raise InputError("--features", features, why="a study file names its own", fix=fix)
        if single and out is None:
            fix = "add --out FILE.parquet, or leave --float32 out"
            raise InputError("--float32", single, why="nothing is written without --out", fix=fix)
        if out is not None:
            parquet_to_write(out)
        made = prepare_dataset(config).features
        import polars as pl

        whole = pl.all_horizontal(pl.col(made.names).is_finite().fill_null(False))
        complete = int(made.frame.select(whole.sum()).item())
        if out is not None:
            kind = pl.Float32 if single else pl.Float64
            made.frame.with_columns(pl.col(made.names).cast(kind)).write_parquet(out)
        facts = {
            "rows": len(made.frame),
            "complete": complete,
            "features": [spec.name for spec in made.specs],
            "absent": dict(made.absent),
            "out": str(out) if out else None,
        }
        text = f"{counted(len(made.frame), 'row')}, {complete} of them complete, {counted(len(made.specs), 'feature')}"
        text += f", written to {out}" if out else ""
        if hollow := {} if complete else _hollow(made):
            text += f"\nwithout a value in any row: {_warm_ups(hollow)}; load a longer history, or leave them out"
        emit(facts, text + _told(made.absent), as_json=json)


def _build_files(source: Path, features: list[str], out: Path | None, *, single: bool, json: bool) -> None:
    from karat.core import InputError
    from karat.features import TIERS, build_files, resolve_file

    if not features:
        raise InputError("--features", features, allowed=list(TIERS), why="a Parquet file does not name its features")
    if out is None:
        raise InputError("--out", out, allowed="a folder", why="the parts need one")
    features = [name for entry in features for name in entry.split(",")]
    say("building a few instruments at a time")
    parts = build_files(source, out, features, dtype="float32" if single else "float64")
    _, absent = resolve_file(source, features)
    facts = {"parts": [str(part) for part in parts], "absent": absent}
    emit(facts, f"{counted(len(parts), 'part')} written to {out}" + _told(absent), as_json=json)


def _told(absent: Mapping[str, str]) -> str:
    """Return a line for each reason, with the features that are absent for it."""
    reasons: dict[str, list[str]] = {}
    for name, why in absent.items():
        reasons.setdefault(why, []).append(name)
    return "".join(f"\nabsent: {_some(names)}: {why}" for why, names in reasons.items())


def _some(names: Sequence[str]) -> str:
    more = f", ... ({counted(len(names), 'feature')})" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


@app.command()
def check(
    study: Study,
    sets: Sets = None,
    distinct: Annotated[
        bool,
        typer.Option(
            "--distinct",
            help="Also look for columns in disguise; tiers have none on 20 years or 88 stocks, few rows look alike.",
        ),
    ] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Prove on a study's own data that no feature reads the future and each is the same bar by bar; exit 1 if not."""
    with study_file(study, sets, as_json=json, debug=debug) as config:
        from karat.features import check_context, check_invariance, check_online
        from karat.study import prepare_dataset, selection_of

        dataset, chosen = prepare_dataset(config), selection_of(config)
        panel, made = dataset.panel, dataset.features
        say(f"{counted(len(panel.frame), 'row')} loaded; recomputing features with the future cut off and replaced")
        found = [check_invariance(panel, chosen, seed=config.seed)]
        for beside in dataset.contexts:
            say(f"the same for {beside.context.name}, on bars of its own")
            found.append(check_context(beside.source, beside.context))
        offending = [name for report in found for name in report.offending]
        say("bar by bar, with a restart half way")
        online = None if offending else check_online(panel, chosen)
        clashes, undone = _disguised(made) if distinct else ([], "")
        hollow = {spec.name: spec.warm_up for spec in made.specs if spec.name in found[0].unseen}
        passed = online is not None and online.passed and not (clashes or undone or hollow)
        facts = {
            "passed": passed,
            "worst": max(float(report.worst) for report in found),
            "offending": offending,
            "online_worst": None if online is None else float(online.worst),
            "online_offending": [] if online is None else list(online.offending),
            "without_value": list(hollow),
            "disguised": clashes,
            "distinct_undone": undone or None,
        }
        which = "no feature with a value depends" if hollow else "no feature depends"
        text = f"LEAK: {', '.join(offending)}" if offending else f"{which} on its future"
        if online is not None:
            text += "; bar by bar each is the same" if online.passed else f"\nDIFFERS: {', '.join(online.evidence)}"
        if hollow:
            rows = f"no value before the last of {counted(len(made.frame), 'row')}"
            text += f"\nNOTHING PROVED, {rows}: {_warm_ups(hollow)}; load a longer history"
        text += "".join(f"\nDISGUISED: {clash}" for clash in clashes)
        text += f"\nNOT LOOKED FOR, columns in disguise: {undone}" if undone else ""
        emit(facts, text, as_json=json)
        if not passed:
            raise SystemExit(1)


def _hollow(made: FeatureFrame) -> dict[str, int]:
    """Return the features without a value in any row, and their warm-up in rows."""
    import polars as pl

    some = made.frame.select(pl.col(made.names).is_finite().fill_null(False).any()).row(0, named=True)
    return {spec.name: spec.warm_up for spec in made.specs if not some[spec.name]}


def _warm_ups(hollow: Mapping[str, int]) -> str:
    return _some([f"{name} (warm-up {warm_up})" for name, warm_up in hollow.items()])


def _disguised(made: FeatureFrame) -> tuple[list[str], str]:
    """Return the columns that are others in disguise, and why none was looked for."""
    from karat.core import InputError
    from karat.features import check_distinct

    say("looking for columns in disguise")
    parts = [part.select(made.names).to_numpy() for part in made.frame.partition_by("instrument")]
    try:
        return [str(clash) for clash in check_distinct(parts, made.names)], ""
    except InputError as error:  # too little data is no answer; the proofs before it are
        return [], str(error)
