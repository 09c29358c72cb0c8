"""`karat features`: the tables from the command line, building, and the proofs on a study's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from karat.cli._options import Debug, Json, Sets, Study
from karat.cli._output import emit, errors, say, table

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
        from karat.features import FEATURES, tiers_of

        if name not in FEATURES:
            raise InputError("feature", name, allowed=list(FEATURES))
        facts = FEATURES[name].describe() | {"tiers": list(tiers_of(name))}
        emit(facts, "\n".join(f"{key:<9} {value}" for key, value in facts.items()), as_json=json)


@app.command()
def build(
    study: Annotated[Path, typer.Argument(help="A study file, or a Parquet file of bars (with --features).")],
    sets: Sets = None,
    features: Annotated[list[str] | None, typer.Option(help="Tiers and features of a Parquet file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Parquet file to write, or a folder for a Parquet file.")] = None,
    single: Annotated[bool, typer.Option("--float32", help="Write float32 instead of float64.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Build the features of a study, or those of a Parquet file, a few instruments at a time."""
    with errors(as_json=json, debug=debug):
        if study.suffix == ".parquet":
            _build_files(study, features or [], out, single=single, json=json)
            return
        say("reading the study")
        from karat.cli._settings import read_settings
        from karat.study import prepare_dataset

        made = prepare_dataset(read_settings(study, sets).config).features
        if out is not None:
            import polars as pl

            out.parent.mkdir(parents=True, exist_ok=True)
            kind = pl.Float32 if single else pl.Float64
            made.frame.with_columns(pl.col(made.names).cast(kind)).write_parquet(out)
        facts = {
            "rows": len(made.frame),
            "features": [spec.name for spec in made.specs],
            "absent": dict(made.absent),
            "out": str(out) if out else None,
        }
        text = f"{facts['rows']} rows, {len(made.specs)} features" + (f", written to {out}" if out else "")
        text += "".join(f"\nabsent: {name}: {why}" for name, why in made.absent.items())
        emit(facts, text, as_json=json)


def _build_files(source: Path, features: list[str], out: Path | None, *, single: bool, json: bool) -> None:
    from karat.core import InputError
    from karat.features import TIERS, build_files

    if not features:
        raise InputError("--features", features, allowed=list(TIERS), why="a Parquet file does not name its features")
    if out is None:
        raise InputError("--out", out, allowed="a folder", why="the parts need one")
    say("building a few instruments at a time")
    parts = build_files(source, out, features, dtype="float32" if single else "float64")
    emit({"parts": [str(part) for part in parts]}, f"{len(parts)} parts written to {out}", as_json=json)


@app.command()
def check(
    study: Study,
    sets: Sets = None,
    distinct: Annotated[bool, typer.Option("--distinct", help="Also look for columns in disguise.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Prove on a study's own data that no feature reads the future and each is the same bar by bar; exit 1 if not."""
    with errors(as_json=json, debug=debug):
        say("reading the study")
        from karat.cli._settings import read_settings
        from karat.features import build as build_features
        from karat.features import check_distinct, check_invariance, check_online
        from karat.study import load_panel, selection_of

        config = read_settings(study, sets).config
        panel, _ = load_panel(config)
        say(f"{len(panel.frame)} rows loaded; recomputing features with the future cut off and replaced")
        chosen = selection_of(config.features, config.plugins)
        future = check_invariance(panel, chosen, seed=config.seed)
        say("bar by bar, with a restart half way")
        online = check_online(panel, chosen) if future.passed else None
        clashes = []
        if distinct:
            say("looking for columns in disguise")
            made = build_features(panel, chosen)
            parts = [part.select(made.names).to_numpy() for part in made.frame.partition_by("instrument")]
            clashes = [str(clash) for clash in check_distinct(parts, made.names)]
        passed = future.passed and (online is None or online.passed) and not clashes
        facts = {
            "passed": passed,
            "worst": float(future.worst),
            "offending": list(future.offending),
            "online_worst": None if online is None else float(online.worst),
            "online_offending": [] if online is None else list(online.offending),
            "disguised": clashes,
        }
        text = "no feature depends on its future" if future.passed else f"LEAK: {', '.join(future.offending)}"
        if online is not None:
            text += "; bar by bar each is the same" if online.passed else f"\nDIFFERS: {', '.join(online.evidence)}"
        text += "".join(f"\nDISGUISED: {clash}" for clash in clashes)
        emit(facts, text, as_json=json)
        if not passed:
            raise SystemExit(1)
