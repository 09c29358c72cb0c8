"""`karat regimes`: systems of market states from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from karat.cli._options import Debug, Json, Sets, Study
from karat.cli._output import emit, errors, say, table

if TYPE_CHECKING:
    from karat.data import Panel
    from karat.features.regimes import RegimeFrame

app = typer.Typer(no_args_is_help=True)

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
        emit(facts, "\n".join(f"{key:<9} {value}" for key, value in facts.items()), as_json=json)


@app.command()
def label(
    study: Study,
    name: Name,
    sets: Sets = None,
    until: Annotated[str | None, typer.Option(help="Fit once on rows known by this date, e.g. 2010-12-31.")] = None,
    seed: Annotated[int, typer.Option(help="Of whatever is random in a fit.")] = 42,
    out: Annotated[Path | None, typer.Option(help="Parquet file to write the labels to.")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Label a study's panel and say how long states last and how often they change."""
    with errors(as_json=json, debug=debug):
        say("reading the study")
        from karat.cli._settings import read_settings
        from karat.core import to_ns
        from karat.features.regimes import describe
        from karat.features.regimes import label as label_panel
        from karat.study import load_panel

        panel, _ = load_panel(read_settings(study, sets).config)
        say(f"{len(panel.frame)} rows loaded; labelling")
        fitted = None if until is None else to_ns(until, field="until")
        found = label_panel(
            panel, name, train_until=fitted, seed=seed, refits=None if fitted is not None else "default"
        )
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            found.frame.write_parquet(out)
        shape = describe(found)
        facts: dict[str, Any] = {
            "regime": name,
            "rows": shape.rows,
            "unlabelled": shape.unlabelled,
            "changes": shape.changes,
            "states": shape.states.to_dicts(),
            "out_of_sample": None if fitted is None else _differences(panel, found, fitted, seed),
            "out": str(out) if out else None,
        }
        rows = [
            (r["name"], r["rows"], f"{r['share']:.3f}", r["spells"], r["mean_bars"]) for r in shape.states.to_dicts()
        ]
        text = table(("state", "rows", "share", "spells", "mean bars"), rows)
        if facts["out_of_sample"]:
            text += "\nafter the fit: volatility differs with p = {volatility_p}, means with p = {mean_p}".format(
                **facts["out_of_sample"]
            )
        text += f"\n{shape.unlabelled} rows without a state; the state changes on {shape.changes:.2%} of rows"
        emit(facts, text, as_json=json)


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
