"""`karat data build`: prices, the twenty indicators and, where wanted, eight VIX features in one Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from karat._words import counted
from karat.cli._data import Param, Source, load_source
from karat.cli._options import Debug, Json
from karat.cli._output import emit, errors
from karat.cli._place import parquet_to_write


def build(
    source: Source,
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    param: Param = None,
    ticker: Annotated[str | None, typer.Option(help="The instrument, where the source holds several.")] = None,
    include_vix: Annotated[bool, typer.Option("--include-vix", help="Join the eight VIX features.")] = False,
    vix_path: Annotated[
        Path | None, typer.Option(help="CSV of the VIX; the bundled one (2014 to 2018) without it.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict-validation/--lenient", help="Stop on broken data, or report it and go on.")
    ] = True,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Build a dataset: Date, five prices, twenty indicators, eight VIX features; 26 or 34 columns."""
    with errors(as_json=json, debug=debug):
        from karat.features import build_dataset

        parquet_to_write(out)
        prices = _one(load_source(source, param), ticker)
        built = build_dataset(prices, _vix(vix_path) if include_vix else None, strict_validation=strict)
        built.frame.write_parquet(out)
        findings = [{"rule": item.rule, "severity": item.severity, "rows": item.n_rows} for item in built.findings]
        facts = {
            "rows": len(built.frame),
            "columns": built.frame.columns,
            "dropped": dict(built.dropped),
            "findings": findings,
            "out": str(out),
        }
        text = f"{counted(len(built.frame), 'row')} x {counted(len(built.frame.columns), 'column')}, written to {out}"
        text += "".join(f"\nleft out: {counted(count, 'row')}, {why}" for why, count in built.dropped.items())
        text += "".join(f"\n{item.severity}: {item.rule} ({counted(item.n_rows, 'row')})" for item in built.findings)
        emit(facts, text, as_json=json)


def _one(panel: Any, ticker: str | None) -> Any:
    from karat.core import InputError
    from karat.data import Panel

    names = panel.instruments
    if ticker is None:
        return panel
    wanted = [name for name in names if ticker in (name, name.split(".")[0])]
    if not wanted:
        raise InputError("--ticker", ticker, allowed=list(names))
    import polars as pl

    frame = panel.frame.filter(pl.col("instrument") == wanted[0])
    return Panel(frame, panel.calendar, panel.provenance, panel.notes)


def _vix(path: Path | None) -> Any:
    from karat.data import load

    if path is None:
        return load("bundled", dataset="vix")
    settings = {"instrument": "VIX.INDEX", "calendar": "XNYS", "off_session": "drop", "licence": "as given by the user"}
    return load("csv", path=str(path), **settings)
