"""`karat features`: the registry from the command line."""

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
        from karat.features import FEATURES, TIERS

        if tier is not None and tier not in TIERS:
            raise InputError("tier", tier, allowed=list(TIERS))
        names = list(FEATURES) if tier is None else list(TIERS[tier])
        rows = [(name, FEATURES[name].category, FEATURES[name].unit, str(FEATURES[name].lookback)) for name in names]
        emit({"features": names}, table(("feature", "category", "unit", "lookback"), rows), as_json=json)


@app.command()
def show(name: Annotated[str, typer.Argument(help="A feature.")], json: Json = False, debug: Debug = False) -> None:
    """Show one feature's definition."""
    with errors(as_json=json, debug=debug):
        from karat.core import InputError
        from karat.features import FEATURES

        if name not in FEATURES:
            raise InputError("feature", name, allowed=list(FEATURES))
        spec = FEATURES[name]
        keys = ("name", "inputs", "lookback", "lag", "category", "unit", "formula", "nan_rule", "source")
        facts = {key: getattr(spec, key) for key in keys}
        emit(facts, "\n".join(f"{key:<9} {value}" for key, value in facts.items()), as_json=json)


@app.command()
def build(
    study: Study,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option(help="Parquet file to write; prints a summary without it.")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Build the features of a study."""
    with errors(as_json=json, debug=debug):
        say("reading the study")
        from karat.cli._settings import read_settings
        from karat.study import prepare_dataset

        features = prepare_dataset(read_settings(study, sets).config).features
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            features.frame.write_parquet(out)
        facts = {
            "rows": len(features.frame),
            "features": [spec.name for spec in features.specs],
            "absent": dict(features.absent),
            "out": str(out) if out else None,
        }
        text = f"{facts['rows']} rows, {len(features.specs)} features" + (f", written to {out}" if out else "")
        text += "".join(f"\nabsent: {name}: {why}" for name, why in features.absent.items())
        emit(facts, text, as_json=json)


@app.command()
def check(study: Study, sets: Sets = None, json: Json = False, debug: Debug = False) -> None:
    """Prove on a study's own data that no feature reads the future; exit 1 if one does."""
    with errors(as_json=json, debug=debug):
        say("reading the study")
        from karat.cli._settings import read_settings
        from karat.features import check_invariance
        from karat.study import load_panel, selection_of

        config = read_settings(study, sets).config
        panel, _ = load_panel(config)
        say(f"{len(panel.frame)} rows loaded; recomputing features with the future cut off and replaced")
        outcome = check_invariance(panel, selection_of(config.features, config.plugins), seed=config.seed)
        facts = {"passed": outcome.passed, "worst": float(outcome.worst), "offending": list(outcome.offending)}
        text = "no feature depends on its future" if outcome.passed else f"LEAK: {', '.join(outcome.offending)}"
        emit(facts, text, as_json=json)
        if not outcome.passed:
            raise SystemExit(1)
